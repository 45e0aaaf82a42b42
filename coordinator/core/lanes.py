"""Signals: each distinct (strategy, ticker) is computed once per bar, whoever asks for it.

A lane is the state of one strategy's indicators on one ticker. Two strategies of equal type and
parameters share it. A rule that raises stops its own lane and nothing else. Of a rule that looks
at several tickers at once, the lanes are fed by one `core/together.py` Table.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from coordinator.core.risk import Limits
from coordinator.core.together import Table, starts_together
from coordinator.core.values import Bar

if TYPE_CHECKING:
    from coordinator.core.foretold import Foretold
    from coordinator.core.series import Series

HISTORY_WINDOWS = 10
"""An indicator's history starts this many times its longest window before the session."""

_NOBODY: frozenset[int] = frozenset()


class Rule(Hashable, Protocol):
    """What a strategy must offer: how far it looks back, and a fresh step for one ticker."""

    @property
    def longest_window(self) -> int:
        """Bars that its slowest indicator looks back."""

    def start(self) -> Callable[[Bar], int]:
        """A new step: takes the next bar, returns +1, -1 or 0 at its close.

        It, or the object whose method it is, may have an `explain()`: values by name. A rule with
        `start_together` (see `core/together.py`) is never asked for it.
        """


@dataclass(frozen=True, slots=True)
class StrategySpec:
    """One strategy as configured, ready to run."""

    name: str
    strategy_type: str
    params: Mapping[str, object]
    rule: Rule
    tickers: tuple[str, ...]
    initial_cash: Decimal
    min_warmup_bars: int
    limits: Limits = field(default_factory=Limits)

    @property
    def history_bars(self) -> int:
        """Bars of each ticker that its indicators have seen when the session begins."""
        return HISTORY_WINDOWS * self.rule.longest_window

    @property
    def backfill_bars(self) -> int:
        """Bars of each ticker to fetch before the session."""
        return max(self.history_bars, self.min_warmup_bars)


class Lane:
    """One rule's state on one ticker; `signal` is its opinion at the last bar's close.

    `ranks` are the strategies that it serves, by their place among all.
    """

    __slots__ = ("_foretold", "_row", "_signal", "_step", "fault", "history_bars", "ranks", "rule")

    def __init__(self, spec: StrategySpec, step: Callable[[Bar], int] | None = None) -> None:
        self.rule = spec.rule
        self._step = step or spec.rule.start()
        self.history_bars = spec.history_bars
        self._signal = 0
        self._foretold: Foretold | None = None
        self._row = 0
        self.fault = ""
        self.ranks: set[int] = set()

    @property
    def signal(self) -> int:
        """+1, -1 or 0 at the last bar's close."""
        told = self._foretold
        return self._signal if told is None else told.signals[self._row][told.at]

    def is_foretold(self, told: Foretold, row: int) -> None:
        """Say from now on what a row of `told` says; no bar is to be fed."""
        self._foretold, self._row = told, row

    def feed(self, bar: Bar) -> None:
        """Take the next bar. A rule that raises is not asked again."""
        if self.fault:
            return
        try:
            self._signal = self._step(bar)
        except Exception as error:
            self._signal = 0
            self.fault = f"{type(error).__name__} at bar {bar.symbol} {bar.start}: {error}"

    def say(self, signal: int) -> None:
        """Say this from now on: of a rule that has seen its other tickers' bars as well."""
        self._signal = signal

    def fail(self, fault: str) -> None:
        """Stop, because of this."""
        self._signal, self.fault = 0, fault

    def explain(self) -> Mapping[str, object]:
        """What the step says that it saw at its last bar; empty where it does not say."""
        step = getattr(self._step, "__self__", self._step)
        explain = getattr(step, "explain", None)
        try:
            return dict(explain()) if explain is not None else {}
        except Exception as error:
            return {"explain()": f"raised {type(error).__name__}: {error}"}


FAULT = "fault: "
"""Begins the reason for which a strategy that failed opens nothing more that day."""


class Lanes:
    """All lanes of a coordinator, by ticker, and how many bars each ticker has had."""

    def __init__(self, specs: Iterable[StrategySpec]) -> None:
        self._lanes: dict[tuple[Hashable, str], Lane] = {}
        self._tables: dict[Hashable, Table] = {}
        self._serving: dict[tuple[str, str], Lane] = {}
        self._on: dict[str, list[Lane]] = {}
        self._of: dict[str, list[Lane]] = {}
        self._bars: dict[str, int] = {}
        self._faulty: dict[str, set[int]] = {}
        self._foretold: dict[str, tuple[Foretold, list[Lane]]] = {}
        self._specs: tuple[StrategySpec, ...] = ()
        self._serve(specs, {})

    def lane(self, spec: StrategySpec, ticker: str) -> Lane:
        """The lane that serves this strategy on this ticker."""
        return self._serving[spec.name, ticker]

    def fault(self, spec: StrategySpec) -> str:
        """Why one of a strategy's lanes has stopped, the first of its tickers' first, or empty."""
        return next((lane.fault for lane in self._of[spec.name] if lane.fault), "")

    def opinions(self, ticker: str) -> list[Lane]:
        """The lanes on a ticker that want something at its last bar's close."""
        stepping = [lane for lane in self._on.get(ticker, ()) if lane.signal]
        if ticker not in self._foretold:
            return stepping
        told, lanes = self._foretold[ticker]
        return [*stepping, *(lanes[row] for row in told.wishing[told.at])]

    def foretell(self, ticker: str, bars: Series, to_come: int) -> None:
        """Find at once what rules that can do so say at the last `to_come` of these bars.

        All others are history. Call before `warm`; then feed exactly the bars `to_come`, in order.
        """
        from coordinator.core.foretold import Foretold, foretold_row, over_of

        signals, told, stepping = [], [], []
        for lane in self._on.get(ticker, ()):
            over = over_of(lane.rule)
            found = over(bars.last(lane.history_bars + to_come)) if over is not None else None
            if found is None:
                stepping.append(lane)
                continue
            told.append(lane)
            signals.append(foretold_row(found, to_come))
        if told:
            starts = [bar.start for bar in bars.bars[len(bars) - to_come :]]
            foretold = Foretold(starts, signals)
            self._foretold[ticker] = foretold, told
            for row, lane in enumerate(told):
                lane.is_foretold(foretold, row)
            self._on[ticker] = stepping

    def faulty(self, ticker: str) -> Set[int]:
        """The strategies on a ticker of which a lane has stopped, on it or on another, by rank."""
        return self._faulty.get(ticker, _NOBODY)

    def bars(self, ticker: str) -> int:
        """Bars of a ticker seen so far, backfilled ones counted."""
        return self._bars.get(ticker, 0)

    def warm(self, ticker: str, history: Sequence[Bar]) -> None:
        """Feed the bars from before the session, oldest first; each lane takes its own length."""
        self._bars[ticker] = self.bars(ticker) + len(history)
        for lane in self._on.get(ticker, ()):
            for bar in history[max(0, len(history) - lane.history_bars) :]:
                self._feed(lane, bar)

    def feed(self, bar: Bar) -> None:
        """Feed one bar of the session to every lane on its ticker."""
        self._bars[bar.symbol] = self.bars(bar.symbol) + 1
        if bar.symbol in self._foretold:
            self._foretold[bar.symbol][0].step(bar.start)
        for lane in self._on.get(bar.symbol, ()):
            self._feed(lane, bar)

    def feed_all(self, bars: Iterable[Bar]) -> None:
        """Feed the session's bars of one minute, a ticker's at most one, and turn."""
        for bar in bars:
            self.feed(bar)
        self.turn()

    def turn(self) -> None:
        """All bars of a minute, or of a history, are fed: who waits for others' looks at them."""
        for table in self._tables.values():
            if table.turn():
                for lane in table.lanes.values():
                    self._note_fault(lane)

    def change(
        self,
        specs: Iterable[StrategySpec],
        history: Mapping[str, Sequence[Bar]],
        so_far: Mapping[str, Sequence[Bar]],
    ) -> None:
        """Serve these strategies from now on; a lane that goes on is not touched.

        A new one is fed as at a start: its own length of `history`, then the session `so_far`.
        """
        before, self._lanes = self._lanes, {}
        self._serving, self._on, self._of, self._faulty = {}, {}, {}, {}
        for lane in before.values():
            lane.ranks.clear()
        self._serve(specs, before)
        for ticker, bars in history.items():
            self._bars[ticker] = max(self.bars(ticker), len(bars) + len(so_far.get(ticker, ())))
        for (shared, ticker), lane in self._lanes.items():
            if (shared, ticker) in before:
                self._note_fault(lane)
                continue
            older, newer = history.get(ticker, ()), so_far.get(ticker, ())
            for bar in (*older[max(0, len(older) - lane.history_bars) :], *newer):
                self._feed(lane, bar)
        self.turn()

    def serves(self, spec: StrategySpec, ticker: str) -> bool:
        """Whether there is a lane for this strategy's rule on this ticker."""
        return (_shared(spec), ticker) in self._lanes

    def _feed(self, lane: Lane, bar: Bar) -> None:
        lane.feed(bar)
        self._note_fault(lane)

    def _note_fault(self, lane: Lane) -> None:
        if lane.fault:
            for rank in lane.ranks:
                for ticker in self._specs[rank].tickers:
                    self._faulty.setdefault(ticker, set()).add(rank)

    def _serve(
        self, specs: Iterable[StrategySpec], before: Mapping[tuple[Hashable, str], Lane]
    ) -> None:
        self._specs = tuple(specs)
        wanted = {_shared(spec) for spec in self._specs}
        self._tables = {key: table for key, table in self._tables.items() if key in wanted}
        for rank, spec in enumerate(self._specs):
            for ticker in spec.tickers:
                self._add(rank, spec, ticker, before)

    def _add(
        self,
        rank: int,
        spec: StrategySpec,
        ticker: str,
        before: Mapping[tuple[Hashable, str], Lane],
    ) -> None:
        key = _shared(spec), ticker
        if key not in self._lanes:
            self._lanes[key] = before.get(key) or self._begin(spec, ticker)
            self._on.setdefault(ticker, []).append(self._lanes[key])
        self._lanes[key].ranks.add(rank)
        self._serving[spec.name, ticker] = self._lanes[key]
        self._of.setdefault(spec.name, []).append(self._lanes[key])

    def _begin(self, spec: StrategySpec, ticker: str) -> Lane:
        if not starts_together(spec.rule):
            return Lane(spec)
        key = _shared(spec)
        if key not in self._tables:
            self._tables[key] = Table(spec.rule, spec.tickers)
        table = self._tables[key]
        table.lanes[ticker] = lane = Lane(spec, table.seat(ticker))
        return lane


def _shared(spec: StrategySpec) -> Hashable:
    """Who is equal in this shares a lane on a ticker."""
    return (spec.rule, spec.tickers) if starts_together(spec.rule) else spec.rule
