"""Signals: each distinct (strategy, ticker) is computed once per bar, whoever asks for it.

A lane is the state of one strategy's indicators on one ticker (`core/lane.py`); whom it serves says
the Roster (`core/roster.py`). Where there are many, those that have a lane form stand in a Bank
(`core/bank.py`) and are stepped together; whether they are changes no signal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING

from coordinator.core.lane import Lane, StrategySpec
from coordinator.core.lane_form import form_of
from coordinator.core.roster import Roster
from coordinator.core.values import Bar, newest, symbol_of
from coordinator.core.wants import Wants

if TYPE_CHECKING:
    from coordinator.core.bank import Bank
    from coordinator.core.precomputed import Precomputed
    from coordinator.core.series import Series

WORTH_A_BANK = 50
"""Lanes from which a bank costs less than their steps, of a microsecond or two each: it takes about
0.1 ms a frame however few they are, and numpy's 15 MiB."""


class Lanes:
    """All lanes of a coordinator, by ticker, and how many bars each ticker has had."""

    def __init__(self, specs: Iterable[StrategySpec], banked_from: int | None = None) -> None:
        self.roster = Roster(specs)
        self._on: dict[str, list[Lane]] = {}
        """Those that are stepped alone."""
        self._bars = Counter[str]()
        self._precomputed: dict[str, tuple[Precomputed, list[Lane]]] = {}
        self._bank: Bank | None = None
        self._banked: list[Lane] = []
        self._line_up()
        if banked_from is not None:
            self._fill_bank(banked_from)
        self._number()

    def _line_up(self) -> None:
        """Have the roster's lanes stepped, each alone if no bank steps it."""
        self._on = {}
        for (_, ticker), lane in self.roster.lanes.items():
            if not lane.banked:
                self._on.setdefault(ticker, []).append(lane)

    def _fill_bank(self, least: int) -> None:
        """Let the lanes that have a form be stepped together, if they are so many."""
        found = [
            (lane, ticker, form)
            for ticker, lanes in self._on.items()
            for lane in lanes
            if (form := form_of(lane.rule)) is not None
        ]
        if not found or len(found) < least:
            return
        from coordinator.core.bank import Bank, in_order

        found = in_order(found)
        self._bank = Bank(found)
        for row, (lane, ticker, _) in enumerate(found):
            lane.is_banked(self._bank, row)
            self._on[ticker].remove(lane)
        self._on = {ticker: lanes for ticker, lanes in self._on.items() if lanes}
        self._banked = [lane for lane, _, _ in found]

    def _number(self) -> None:
        """Give each strategy's places on its tickers their numbers: the bank's lanes' first."""
        ranks = list[int]()
        for lane in dict.fromkeys((*self._banked, *self.roster.lanes.values())):
            own = sorted(lane.places)
            lane.places = dict(zip(own, count(len(ranks)), strict=False))
            ranks += own
        self.wants = Wants(ranks)
        if self._bank is not None:
            self._bank.reseat([len(lane.places) for lane in self._banked], self.wants)

    def _give_up(self, ticker: str) -> None:
        """The bank cannot hold a ticker's numbers: its lanes go on by themselves."""
        assert self._bank is not None, "only a bank gives up"
        own = self._bank.on(ticker)
        for lane in own:
            self._banked[lane].leave_bank()
            if self._banked[lane].places:
                self._on.setdefault(ticker, []).append(self._banked[lane])
        self._bank.give_up(ticker)

    def lane(self, spec: StrategySpec, ticker: str) -> Lane:
        """The lane that serves this strategy on this ticker."""
        return self.roster.lane(spec, ticker)

    def fault(self, spec: StrategySpec) -> str:
        """Why one of a strategy's lanes has stopped, or empty."""
        return self.roster.fault(spec)

    def opinions(self, tickers: Collection[str]) -> Iterator[tuple[str, Lane]]:
        """The lanes on tickers that want something at their last bars' close; not the bank's."""
        for ticker, lanes in self._on.items():
            if lanes and ticker in tickers:
                for lane in lanes:
                    if lane.signal:
                        yield ticker, lane
        for ticker in self._precomputed.keys() & tickers if self._precomputed else ():
            told, told_lanes = self._precomputed[ticker]
            for row in told.wishing[told.at]:
                yield ticker, told_lanes[row]

    def moved(self, tickers: Collection[str]) -> set[int]:
        """The strategies that a wish of the lanes on these tickers could move, by rank."""
        ranks = set[int]() if self._bank is None else set(self._bank.wishing(tickers))
        for _, lane in self.opinions(tickers):
            moved = self.wants.by(lane.signal)
            ranks.update(rank for rank, place in lane.places.items() if moved[place])
        return ranks

    def precompute(self, ticker: str, bars: Series, to_come: int) -> None:
        """Find at once what rules that can do so say at the last `to_come` of these bars.

        All others are history. Call before `warm`; then feed exactly the bars `to_come`, in order.
        """
        from coordinator.core.precomputed import Precomputed, over_of, precomputed_row

        signals, told, stepping = [], [], []
        for lane in self._on.get(ticker, ()):
            over = over_of(lane.rule)
            found = over(bars.last(lane.history_bars + to_come)) if over is not None else None
            if found is None:
                stepping.append(lane)
                continue
            told.append(lane)
            signals.append(precomputed_row(found, to_come))
        if told:
            starts = [bar.start for bar in bars.bars[len(bars) - to_come :]]
            precomputed = Precomputed(starts, signals)
            self._precomputed[ticker] = precomputed, told
            for row, lane in enumerate(told):
                lane.is_precomputed(precomputed, row)
            self._on[ticker] = stepping

    def bars(self, ticker: str) -> int:
        """Bars of a ticker seen so far, backfilled ones counted."""
        return self._bars[ticker]

    def warm(self, ticker: str, history: Sequence[Bar]) -> None:
        """Feed the bars from before the session, oldest first; each lane takes its own length."""
        self._bars[ticker] = self.bars(ticker) + len(history)
        if self._bank is not None and not self._bank.warm(ticker, history):
            self._give_up(ticker)
        for lane in self._on.get(ticker, ()):
            for bar in newest(history, lane.history_bars):
                self._feed(lane, bar)

    def _feed_steps(self, bar: Bar) -> None:
        self._bars[bar.symbol] = self.bars(bar.symbol) + 1
        if bar.symbol in self._precomputed:
            self._precomputed[bar.symbol][0].step(bar.start)
        for lane in self._on.get(bar.symbol, ()):
            self._feed(lane, bar)

    def feed_all(self, bars: Sequence[Bar]) -> None:
        """Feed the session's bars of one minute, a ticker's at most one, and turn."""
        self._feed_together(bars)
        self.turn()

    def catch_up(self, bars: Iterable[Bar]) -> None:
        """Feed bars of the session from before now, a ticker's oldest first, and turn."""
        frame: dict[str, Bar] = {}
        for bar in bars:
            if bar.symbol in frame:
                self._feed_together([*frame.values()])
                frame = {}
            frame[bar.symbol] = bar
        self._feed_together([*frame.values()])
        self.turn()

    def _feed_together(self, bars: Sequence[Bar]) -> None:
        if self._bank is not None:
            for ticker in self._bank.feed(bars):
                self._give_up(ticker)
        if self._precomputed:
            for bar in bars:
                self._feed_steps(bar)
        else:
            self._step_all(bars)

    def _step_all(self, bars: Sequence[Bar]) -> None:
        """`_feed_steps` of each, where nothing is precomputed."""
        self._bars.update(map(symbol_of, bars))
        if self._on:
            for bar in bars:
                for lane in self._on.get(bar.symbol, ()):
                    lane.feed(bar)
                    if lane.fault:
                        self.roster.note_fault(lane)

    def rest(self) -> None:
        """Nobody waits for these lanes: do what the next bars will wait for otherwise."""
        if self._bank is not None:
            self._bank.rest()

    def turn(self) -> None:
        """All bars of a minute, or of a history, are fed: who waits for others' looks at them."""
        for table in self.roster.tables.values():
            if table.turn():
                for lane in table.lanes.values():
                    self.roster.note_fault(lane)

    def change(
        self,
        specs: Iterable[StrategySpec],
        history: Mapping[str, Sequence[Bar]],
        so_far: Mapping[str, Sequence[Bar]],
    ) -> None:
        """Serve these strategies from now on; a lane that goes on is not touched.

        A new one is fed as at a start: its own length of `history`, then the session `so_far`.
        """
        before, self.roster = self.roster, Roster(specs, self.roster)
        self._line_up()
        self._number()
        for ticker, bars in history.items():
            self._bars[ticker] = max(self.bars(ticker), len(bars) + len(so_far.get(ticker, ())))
        for (shared, ticker), lane in self.roster.lanes.items():
            if (shared, ticker) in before.lanes:
                self.roster.note_fault(lane)
                continue
            older, newer = history.get(ticker, ()), so_far.get(ticker, ())
            for bar in (*newest(older, lane.history_bars), *newer):
                self._feed(lane, bar)
        self.turn()

    def _feed(self, lane: Lane, bar: Bar) -> None:
        lane.feed(bar)
        self.roster.note_fault(lane)
