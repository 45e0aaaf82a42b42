"""Which lane serves which strategy on which ticker, and which strategies have stopped.

Strategies of equal type and parameters share a lane. The lanes of a rule that looks at several
tickers at once share a Table (`core/together.py`).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Set

from coordinator.core.lane import Lane, StrategySpec
from coordinator.core.together import Table, starts_together

_NONE: frozenset[int] = frozenset()


class Roster:
    """The lanes of these strategies; a strategy's rank is its index in `specs`.

    A lane that the roster `before` has already goes on.
    """

    def __init__(self, specs: Iterable[StrategySpec], before: Roster | None = None) -> None:
        self.specs = tuple(specs)
        self.lanes: dict[tuple[Hashable, str], Lane] = {}
        """By what strategies share (`_shared`) and ticker, in the strategies' order."""
        self.tables: dict[Hashable, Table] = {}
        self._serving: dict[tuple[str, str], Lane] = {}
        self._stopped: dict[str, set[int]] = {}
        if before is not None:
            wanted = {_shared(spec) for spec in self.specs}
            self.tables = {key: table for key, table in before.tables.items() if key in wanted}
            for lane in before.lanes.values():
                lane.places.clear()
        for rank, spec in enumerate(self.specs):
            for ticker in spec.tickers:
                self._seat(rank, spec, ticker, before)

    def _seat(self, rank: int, spec: StrategySpec, ticker: str, before: Roster | None) -> None:
        key = _shared(spec), ticker
        if key not in self.lanes:
            existing = None if before is None else before.lanes.get(key)
            self.lanes[key] = existing or self._new_lane(spec, ticker)
        self._serving[spec.name, ticker] = lane = self.lanes[key]
        lane.places[rank] = 0  # `core/lanes.py` numbers the places

    def _new_lane(self, spec: StrategySpec, ticker: str) -> Lane:
        if not starts_together(spec.rule):
            return Lane(spec)
        key = _shared(spec)
        if key not in self.tables:
            self.tables[key] = Table(spec.rule, spec.tickers)
        table = self.tables[key]
        table.lanes[ticker] = lane = Lane(spec, table.step_on(ticker))
        return lane

    def lane(self, spec: StrategySpec, ticker: str) -> Lane:
        """The lane that serves this strategy on this ticker."""
        return self._serving[spec.name, ticker]

    def serves(self, spec: StrategySpec, ticker: str) -> bool:
        """Whether there is a lane for this strategy's rule on this ticker."""
        return (_shared(spec), ticker) in self.lanes

    def note_fault(self, lane: Lane) -> None:
        """If a lane has stopped, note that the strategies it serves have."""
        if lane.fault:
            for rank in lane.places:
                for ticker in self.specs[rank].tickers:
                    self._stopped.setdefault(ticker, set()).add(rank)

    def stopped(self, tickers: Iterable[str]) -> Set[int]:
        """The ranks of the strategies on these tickers that have a stopped lane on any ticker."""
        if not self._stopped:
            return _NONE
        return _NONE.union(*(self._stopped.get(ticker, _NONE) for ticker in tickers))

    def fault(self, spec: StrategySpec) -> str:
        """Why a strategy's first stopped lane has stopped, in order of its tickers; or empty."""
        if not self._stopped:
            return ""
        lanes = (self.lane(spec, ticker) for ticker in spec.tickers)
        return next((lane.fault for lane in lanes if lane.fault), "")


def _shared(spec: StrategySpec) -> Hashable:
    """What strategies must have in common to share a lane on a ticker."""
    return (spec.rule, spec.tickers) if starts_together(spec.rule) else spec.rule
