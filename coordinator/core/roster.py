"""Which lane serves which strategy on which ticker, and which strategies have stopped.

Two strategies of equal type and parameters share a lane. Of a rule that looks at several tickers at
once, the lanes are fed by one `core/together.py` Table.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Set

from coordinator.core.lane import Lane, StrategySpec
from coordinator.core.together import Table, starts_together

_NOBODY: frozenset[int] = frozenset()


class Roster:
    """The lanes of these strategies, whose ranks are their places in `specs`.

    What they have in common with those of the roster `before` goes on with the same lanes.
    """

    def __init__(self, specs: Iterable[StrategySpec], before: Roster | None = None) -> None:
        self.specs = tuple(specs)
        self.lanes: dict[tuple[Hashable, str], Lane] = {}
        """By what they share and their ticker, in the strategies' order."""
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
            known = None if before is None else before.lanes.get(key)
            self.lanes[key] = known or self._begin(spec, ticker)
        self._serving[spec.name, ticker] = lane = self.lanes[key]
        lane.places[rank] = 0

    def _begin(self, spec: StrategySpec, ticker: str) -> Lane:
        if not starts_together(spec.rule):
            return Lane(spec)
        key = _shared(spec)
        if key not in self.tables:
            self.tables[key] = Table(spec.rule, spec.tickers)
        table = self.tables[key]
        table.lanes[ticker] = lane = Lane(spec, table.seat(ticker))
        return lane

    def lane(self, spec: StrategySpec, ticker: str) -> Lane:
        """The lane that serves this strategy on this ticker."""
        return self._serving[spec.name, ticker]

    def serves(self, spec: StrategySpec, ticker: str) -> bool:
        """Whether there is a lane for this strategy's rule on this ticker."""
        return (_shared(spec), ticker) in self.lanes

    def note_fault(self, lane: Lane) -> None:
        """Remember whom a lane serves, if it has stopped."""
        if lane.fault:
            for rank in lane.places:
                for ticker in self.specs[rank].tickers:
                    self._stopped.setdefault(ticker, set()).add(rank)

    def stopped(self, tickers: Iterable[str]) -> Set[int]:
        """The strategies on these tickers of which a lane has stopped, there or elsewhere."""
        if not self._stopped:
            return _NOBODY
        return _NOBODY.union(*(self._stopped.get(ticker, _NOBODY) for ticker in tickers))

    def fault(self, spec: StrategySpec) -> str:
        """Why one of a strategy's lanes has stopped, the first of its tickers' first, or empty."""
        if not self._stopped:
            return ""
        lanes = (self.lane(spec, ticker) for ticker in spec.tickers)
        return next((lane.fault for lane in lanes if lane.fault), "")


def _shared(spec: StrategySpec) -> Hashable:
    """Who is equal in this shares a lane on a ticker."""
    return (spec.rule, spec.tickers) if starts_together(spec.rule) else spec.rule
