"""Lanes that are stepped together, as arrays: one call feeds all lanes that a frame concerns.

Each ticker's closes and volumes are kept once, in whole ticks of its own (`core/bank_ticks.py`).
When a value does not fit there, the ticker's lanes are given up: each goes on alone from where it
stood.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any, Protocol

import numpy as np

from coordinator.core.bank_layout import ORDER, Ints
from coordinator.core.bank_log import Log
from coordinator.core.bank_seats import Seats
from coordinator.core.bank_steps import Steps
from coordinator.core.bank_ticks import Ticks
from coordinator.core.bank_turns import Frame, Turns
from coordinator.core.lane_form import KEPT, LaneForm, Past
from coordinator.core.values import Bar, newest, symbol_of
from coordinator.core.wants import Wants

_FRAMES_KEPT = 8


class BankedLane(Protocol):
    """What the bank needs to know of a lane."""

    @property
    def history_bars(self) -> int:
        """Bars from before the session that the lane is fed."""


class Bank:
    """Steps `lanes`: (lane, ticker, form), sorted by `in_order`; a lane's number is its place."""

    def __init__(self, lanes: Sequence[tuple[BankedLane, str, LaneForm]]) -> None:
        self._lanes = [lane for lane, _, _ in lanes]
        self._forms = [form for _, _, form in lanes]
        self.tickers = list(dict.fromkeys(ticker for _, ticker, _ in lanes))
        self._row = {ticker: row for row, ticker in enumerate(self.tickers)}
        rows = [self._row[ticker] for _, ticker, _ in lanes]
        self._steps = Steps(self._forms, rows, self._settle)
        self._lanes_on: list[list[int]] = [[] for _ in self.tickers]
        for lane, row in enumerate(rows):
            self._lanes_on[row].append(lane)
        self._given_up: set[int] = set()
        self._pending: dict[int, Ints] = {}
        self._frames: dict[tuple[str, ...], Frame] = {}
        forms = [[self._forms[lane] for lane in own] for own in self._lanes_on]
        self._ticks = Ticks(self._steps, forms, self._frames.clear)
        self._log = Log([self._closes_to_log(own) for own in self._lanes_on])
        self._turns = Turns(self._steps, self._log)
        self.reseat([0] * len(rows), Wants(()))
        self._signals = self._steps.signals.data  # whose elements are read faster

    def _closes_to_log(self, lanes: Sequence[int]) -> int:
        """How many of a ticker's closes the RSIs of these lanes may need to be decided exactly."""
        counts = [
            self._lanes[n].history_bars + max(KEPT, self._forms[n].period)
            for n in lanes
            if self._forms[n].period
        ]
        return max(counts, default=0)

    def signal(self, lane: int) -> int:
        """A lane's signal at its ticker's last bar: +1, -1 or 0."""
        if self._pending:
            self._flush()
        return self._signals[lane]

    def warm(self, ticker: str, history: Sequence[Bar]) -> bool:
        """Take a ticker's bars from before the session, once and before any others.

        Each lane sees its own `history_bars` of them. False: nothing was taken, and the ticker's
        lanes must be given up.
        """
        row = self._row.get(ticker)
        if row is None or not history:
            return True
        assert self._ticks.is_fresh(row), f"{ticker} has had bars already"
        lanes = self._lanes_on[row]
        longest = max(self._lanes[lane].history_bars for lane in lanes)
        bars = newest(history, longest)
        ticks = self._ticks.exact(row, bars)
        if ticks is None:
            return False
        for lane in lanes:
            self._steps.began[lane] = max(0, len(bars) - self._lanes[lane].history_bars)
        self._pending[row] = ticks
        return True

    def _flush(self) -> None:
        """Take the step that is owed, then the history that `warm` took, of all tickers at once."""
        self._turns.catch_up()
        if not self._pending:
            return
        waiting = sorted(self._pending.items(), key=lambda one: -one[1].shape[1])
        self._pending = {}
        self._steps.find_ripe()
        rows = np.array([row for row, _ in waiting])
        ends = [ticks.shape[1] for _, ticks in waiting]
        frame = self._frame_of(rows)
        for at in range(ends[0]):
            while ends[-1] <= at:
                ends.pop()
            if len(frame.pick.rows) > len(ends):
                frame = self._frame_of(rows[: len(ends)])
            bars = np.array([ticks[:, at] for _, ticks in waiting[: len(ends)]])
            self._turns.step(frame, bars[:, 0], bars[:, 1])

    def feed(self, bars: Sequence[Bar]) -> set[str]:
        """Feed at most one bar of each ticker; returns tickers whose lanes must be given up."""
        self._flush()
        frame = self._frame(map(symbol_of, bars))
        if not len(frame.pick.rows):
            return set()
        if frame.chosen is not None:
            bars = [bars[at] for at in frame.chosen]
        ticks = self._ticks.trusted(frame.scale, bars)
        if ticks is not None:
            self._turns.take(frame, ticks[0], ticks[1])
            return set()
        self._turns.forget()
        found = [
            (row, ticks[:, 0])
            for row, bar in zip(frame.pick.rows.tolist(), bars, strict=True)
            if (ticks := self._ticks.exact(row, [bar])) is not None
        ]
        rows = np.array([row for row, _ in found], np.int64)
        if found:
            self._steps.find_ripe()
            pairs = np.array([pair for _, pair in found])
            self._turns.step(self._frame_of(rows), pairs[:, 0], pairs[:, 1])
        return {self.tickers[row] for row in set(frame.pick.rows.tolist()) - set(rows.tolist())}

    def _frame(self, symbols: Iterable[str]) -> Frame:
        """The Frame of bars of these tickers; those that are not in the bank do not count."""
        key = tuple(symbols)
        found = self._frames.get(key)
        if found is None:
            known = [(at, self._row[s]) for at, s in enumerate(key) if s in self._row]
            known = [one for one in known if one[1] not in self._given_up]
            chosen = None if len(known) == len(key) else [at for at, _ in known]
            found = self._frame_of(np.array([row for _, row in known], np.int64), chosen)
            if len(self._frames) >= _FRAMES_KEPT:
                self._frames.clear()
            self._frames[key] = found
        return found

    def _frame_of(self, rows: Ints, chosen: Sequence[int] | None = None) -> Frame:
        return Frame(
            chosen, self._steps.layout.pick(rows), self._ticks.of(rows), *self._log.columns(rows)
        )

    def rest(self) -> None:
        """While no bars wait: take the steps that are owed, and find what the lanes say next."""
        self._flush()
        self._turns.look_ahead(*self._ticks.closes_between())

    def on(self, ticker: str) -> Sequence[int]:
        """The lanes on a ticker."""
        return self._lanes_on[self._row[ticker]]

    def give_up(self, ticker: str) -> None:
        """Do not feed this ticker's lanes any more."""
        row = self._row[ticker]
        self._given_up.add(row)
        self._turns.forget()
        self._frames.clear()
        self._steps.signals[self._lanes_on[row]] = 0

    def past(self, lane: int) -> Past:
        """A lane's state, from which a step of its rule can go on."""
        self._flush()
        row, form = int(self._steps.layout.row[lane]), self._forms[lane]
        seen = self._seen(lane)
        closes, volumes = self._steps.newest(row, min(seen, form.window))
        nano, lots = int(self._steps.nano[row]), self._ticks.lots(row)
        wilder, zone = self._steps.wilder_of(lane) if seen > form.period else ((0.0, 0.0), 0)
        return Past(
            [close * nano for close in closes],
            [volume * lots for volume in volumes],
            seen,
            wilder,
            zone,
            self._changes(row, lane),
        )

    def reseat(self, served: Sequence[int], wants: Wants) -> None:
        """Set how many strategies each lane serves; their places are the first of `wants`."""
        self._seats = Seats(self._steps.layout.row.tolist(), served, wants)

    def may_act(self, symbols: Iterable[str]) -> list[int]:
        """The strategies, by rank, that may act on the signals of the lanes on these tickers."""
        if self._pending:
            self._flush()
        pick = self._frame(symbols).pick
        on = pick.rows_on(len(self.tickers))
        return self._seats.may_act(self._steps.signals, on)

    def _seen(self, lane: int) -> int:
        """How many bars a lane has taken."""
        head = int(self._steps.head[self._steps.layout.row[lane]])
        return max(0, head - int(self._steps.began[lane]))

    def _changes(self, row: int, lane: int) -> list[int]:
        """The changes of a ticker's close since the lane's first bar, as far as they are kept."""
        period, began = self._forms[lane].period, int(self._steps.began[lane])
        if not period:
            return []
        count = min(self._seen(lane), max(KEPT, period) + 1)
        return self._log.changes(row, began, began + count)

    def _settle(self, lane: int) -> int:
        """The zone of a lane's RSI, decided exactly where a float cannot, as a step does."""
        row, form = int(self._steps.layout.row[lane]), self._forms[lane]
        low, high = form.bounds
        if self._seen(lane) - 1 > max(KEPT, form.period):
            gain, loss = self._steps.wilder_of(lane)[0]
            rsi = 100.0 * (gain / (gain + loss))
            return (rsi < low) - (rsi > high)
        assert form.side is not None, "a form with bounds can tell on which side an RSI lies"
        changes = self._changes(row, lane)
        below, above = (form.side(changes, form.period, Fraction(one)) for one in form.bounds)
        return (below < 0) - (above > 0)


def in_order(lanes: Iterable[tuple[Any, str, LaneForm]]) -> list[tuple[Any, str, LaneForm]]:
    """Lanes sorted by kind, as a Bank holds them."""
    return sorted(lanes, key=lambda one: ORDER.index(one[2].kind))
