"""Finds the signals: each distinct (rule, ticker) is stepped once a bar, whoever shares it.

A lane is the state of a rule on one ticker (`core/lane.py`); the Roster (`core/roster.py`) says
which strategies it serves. If there are many lanes, those with a lane form are stepped together in
a Bank (`core/bank.py`), which changes no signal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, count, islice
from typing import TYPE_CHECKING

from coordinator.core.lane import Lane, StrategySpec
from coordinator.core.lane_form import banked_form_of
from coordinator.core.roster import Roster
from coordinator.core.values import Bar, newest, symbol_of
from coordinator.core.wants import Wants

if TYPE_CHECKING:
    from coordinator.core.bank import Bank

WORTH_A_BANK = 50
"""The number of lanes from which a bank costs less than their steps, at a microsecond or two each:
it takes about 0.1 ms a frame, however few its lanes, and numpy's 15 MiB."""

FRAMES_AHEAD = 30
"""Minutes of a history that a rule elsewhere is told of before it is asked for the first of them;
so many of all rules on all tickers are in memory at once."""


class Lanes:
    """All lanes of a coordinator, by ticker, and how many bars each ticker has had."""

    def __init__(self, specs: Iterable[StrategySpec], banked_from: int | None = None) -> None:
        self.roster = Roster(specs)
        self._alone: dict[str, list[Lane]] = {}
        """The lanes that are stepped one by one."""
        self._seen = Counter[str]()
        self._bank: Bank | None = None
        self._banked: list[Lane] = []
        self._collect_alone()
        if banked_from is not None:
            self._fill_bank(banked_from)
        self._assign_places()

    def _collect_alone(self) -> None:
        """Find the roster's lanes that no bank steps."""
        self._alone = {}
        for (_, ticker), lane in self.roster.lanes.items():
            if not lane.banked:
                self._alone.setdefault(ticker, []).append(lane)

    def _fill_bank(self, least: int) -> None:
        """Put the lanes that have a form into a bank, if there are at least so many."""
        found = [
            (lane, ticker, form)
            for ticker, lanes in self._alone.items()
            for lane in lanes
            if (form := banked_form_of(lane.rule)) is not None
        ]
        if not found or len(found) < least:
            return
        from coordinator.core.bank import Bank, in_order

        found = in_order(found)
        self._bank = Bank(found)
        for row, (lane, ticker, _) in enumerate(found):
            lane.join_bank(self._bank, row)
            self._alone[ticker].remove(lane)
        self._alone = {ticker: lanes for ticker, lanes in self._alone.items() if lanes}
        self._banked = [lane for lane, _, _ in found]

    def _assign_places(self) -> None:
        """Number the places of the strategies on their tickers, those of the bank's lanes first."""
        ranks = list[int]()
        for lane in dict.fromkeys((*self._banked, *self.roster.lanes.values())):
            served = sorted(lane.places)
            lane.places = dict(zip(served, count(len(ranks)), strict=False))
            ranks += served
        self.wants = Wants(ranks)
        if self._bank is not None:
            self._bank.reseat([len(lane.places) for lane in self._banked], self.wants)

    def _give_up(self, ticker: str) -> None:
        """Step a ticker's lanes one by one from now on: the bank cannot hold its prices."""
        assert self._bank is not None, "only a bank gives up"
        for row in self._bank.on(ticker):
            lane = self._banked[row]
            lane.leave_bank()
            if lane.places:
                self._alone.setdefault(ticker, []).append(lane)
        self._bank.give_up(ticker)

    def lane(self, spec: StrategySpec, ticker: str) -> Lane:
        """The lane that serves this strategy on this ticker."""
        return self.roster.lane(spec, ticker)

    def fault(self, spec: StrategySpec) -> str:
        """Why one of a strategy's lanes has stopped, or empty."""
        return self.roster.fault(spec)

    def may_act(self, tickers: Collection[str]) -> set[int]:
        """The ranks of the strategies that may act on the signals on these tickers."""
        ranks = set[int]() if self._bank is None else set(self._bank.may_act(tickers))
        for ticker, lanes in self._alone.items():
            if ticker in tickers:
                for lane in lanes:
                    if signal := lane.signal:
                        matters = self.wants.by(signal)
                        ranks.update(rank for rank, place in lane.places.items() if matters[place])
        return ranks

    def bars_seen(self, ticker: str) -> int:
        """How many bars of a ticker were seen so far, backfilled ones counted."""
        return self._seen[ticker]

    def warm(self, ticker: str, history: Sequence[Bar]) -> None:
        """Feed a ticker's bars from before the session, oldest first, once and before any others.

        Each lane takes as many as it needs.
        """
        self._seen[ticker] += len(history)
        if self._bank is not None and not self._bank.warm(ticker, history):
            self._give_up(ticker)
        for lane in self._alone.get(ticker, ()):
            past = newest(history, lane.history_bars)
            for bar in past if lane.is_far else ():
                lane.foresee(bar)
            for bar in past:
                self._feed(lane, bar)

    def feed_all(self, bars: Sequence[Bar]) -> None:
        """Feed the session's bars of one minute, at most one a ticker, and step the Tables."""
        self._feed_together(bars)
        self.step_tables()

    def catch_up(self, bars: Iterable[Bar]) -> None:
        """Feed earlier bars of the session, oldest first on each ticker, and step the Tables."""
        far = {t: [one for one in lanes if one.is_far] for t, lanes in self._alone.items()}
        frames = _frames(bars)
        while block := list(islice(frames, FRAMES_AHEAD)):
            for bar in chain.from_iterable(block):
                for lane in far.get(bar.symbol, ()):
                    lane.foresee(bar)
            for frame in block:
                self._feed_together(frame)
        self.step_tables()

    def _feed_together(self, bars: Sequence[Bar]) -> None:
        self._seen.update(map(symbol_of, bars))
        if self._bank is not None:
            for ticker in self._bank.feed(bars):
                self._give_up(ticker)
        if self._alone:
            for bar in bars:
                for lane in self._alone.get(bar.symbol, ()):
                    self._feed(lane, bar)

    def rest(self) -> None:
        """Do ahead what the next bars would wait for; call it when there is nothing else to do."""
        if self._bank is not None:
            self._bank.rest()

    def step_tables(self) -> None:
        """Step the Tables, now that all bars of a minute, or of a history, have been fed."""
        for table in self.roster.tables.values():
            if table.step_collected():
                for lane in table.lanes.values():
                    self.roster.note_fault(lane)

    def change(
        self,
        specs: Iterable[StrategySpec],
        history: Mapping[str, Sequence[Bar]],
        so_far: Mapping[str, Sequence[Bar]],
    ) -> None:
        """Serve these strategies from now on; a lane that goes on is not touched.

        A new lane is fed as at a start: as much of `history` as it needs, then the session's bars
        `so_far`.
        """
        before, self.roster = self.roster, Roster(specs, self.roster)
        self._collect_alone()
        self._assign_places()
        for ticker, bars in history.items():
            self._seen[ticker] = max(self._seen[ticker], len(bars) + len(so_far.get(ticker, ())))
        for (shared, ticker), lane in self.roster.lanes.items():
            if (shared, ticker) in before.lanes:
                self.roster.note_fault(lane)
                continue
            older, newer = history.get(ticker, ()), so_far.get(ticker, ())
            for bar in (*newest(older, lane.history_bars), *newer):
                self._feed(lane, bar)
        self.step_tables()

    def _feed(self, lane: Lane, bar: Bar) -> None:
        lane.feed(bar)
        self.roster.note_fault(lane)


def _frames(bars: Iterable[Bar]) -> Iterator[list[Bar]]:
    """The bars in their order, parted where a ticker comes again."""
    frame: dict[str, Bar] = {}
    for bar in bars:
        if bar.symbol in frame:
            yield [*frame.values()]
            frame = {}
        frame[bar.symbol] = bar
    yield [*frame.values()]
