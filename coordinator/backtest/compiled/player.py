"""Plays sessions in machine code, one after another, and carries the books between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from coordinator.backtest.apart import ExchangesApart
from coordinator.backtest.compiled import judging, kernel, turns
from coordinator.backtest.compiled.bar_arrays import BarArrays, Cut
from coordinator.backtest.compiled.layout import (
    Day,
    Held,
    Inputs,
    Log,
    Notes,
    Seats,
    Signs,
    State,
    Terms,
    Whole,
)
from coordinator.backtest.compiled.scale import MOST, TooLarge
from coordinator.backtest.compiled.standing import Closed, Standing
from coordinator.backtest.compiled.strategy_arrays import StrategyArrays
from coordinator.backtest.exchange import Exchange
from coordinator.backtest.instant import Unfit, check_account, check_setup
from coordinator.backtest.reels import Reels
from coordinator.backtest.rule_signals import rule_signals
from coordinator.backtest.setup import BacktestSetup, deposit_for
from coordinator.core.books import Books
from coordinator.core.opening import SessionName
from coordinator.core.session import SessionPlan
from coordinator.core.values import ZERO, exactly, is_crypto
from simulator.fills import FillModel, Spread

_LINES = 1 << 12
_MARGIN = 1e-8
_NO_SIGNALS: Signs = np.zeros(0, np.int8)
"""Stands for a session's signals, which are not kept once it is played."""


@dataclass(frozen=True, slots=True)
class Played:
    """A session in whole numbers.

    The log goes strategy by strategy. `order` has its lines in order of time, `fills` those that
    were filled in the sequence of their fills, and `given` the number of broker ids given before
    each of these. `begun` are the books at the opening.
    """

    start: datetime
    plan: SessionPlan
    name: SessionName
    cut: Cut
    inputs: Inputs
    begun: Standing
    closed: Closed
    day: Day
    log: Log
    order: Whole
    fills: Whole
    given: Whole
    first: bool


class Player:
    """Plays the sessions of a backtest; `settle` writes the results to its books and account.

    Raises:
        Unfit: no session of this backtest is for machine code.
    """

    @exactly
    def __init__(
        self,
        setup: BacktestSetup,
        model: FillModel,
        reels: Reels,
        books: Books,
        exchange: Exchange | ExchangesApart,
    ) -> None:
        check_setup(setup, model)
        assert isinstance(model, Spread), "the setup was checked"
        if any(is_crypto(ticker) for ticker in setup.traded):
            raise Unfit("a fee in coins")
        self._setup, self._reels, self._books, self._exchange = setup, reels, books, exchange
        try:
            self._arrays = BarArrays(reels, setup.traded, model)
            self._strategies = StrategyArrays(setup.specs, self._arrays.scale)
        except (TooLarge, OverflowError) as error:
            raise Unfit(str(error)) from None
        self.closed: Closed | None = None
        """The books after the last session, until they are settled."""

    @exactly
    def play(self, start: datetime, plan: SessionPlan, name: SessionName) -> Played:
        """Play a session.

        Raises:
            Unfit: machine code cannot play it; nothing has changed.
        """
        strategies = self._strategies
        begun, first = self._begin(start, plan)
        cut = self._arrays.cut(
            plan, strategies.tickers[0], strategies.needs, begun.marks, begun.seen
        )
        self._check(cut)
        inputs = self._inputs(cut, plan)
        held, day, log = self._run(inputs, begun)
        order, fills = self._in_time(log, cut)
        given = begun.given.copy()
        numbers = turns.numbered(log, fills, strategies.seat_strategy, given)
        ended = Standing(held, cut.marks, cut.seen, given, begun.spare)
        self.closed = Closed(strategies, self._arrays.scale, ended, plan.date, day)
        return Played(
            start=start,
            plan=plan,
            name=name,
            cut=cut,
            inputs=inputs._replace(signals=_NO_SIGNALS),
            begun=begun,
            closed=self.closed,
            day=day,
            log=log,
            order=order,
            fills=fills,
            given=numbers,
            first=first,
        )

    def settle(self) -> None:
        """Write the results of the sessions to books and account, which have been opened."""
        if self.closed is not None:
            self.closed.settle(self._books, self._exchange)
        self.closed = None

    def _begin(self, start: datetime, plan: SessionPlan) -> tuple[Standing, bool]:
        opens = plan.first_bar(self._strategies.tickers[0])
        if opens is None or opens < start:
            raise Unfit("the session's first bars are missed")
        if self.closed is not None:
            return self.closed.standing, False
        books, exchange, strategies = self._books, self._exchange, self._strategies
        if books.account:
            check_account(books, exchange)
            try:
                return Standing.read(strategies, self._arrays.scale, books, exchange), False
            except TooLarge as error:
                raise Unfit(str(error)) from None
        begun = Standing.at_first(strategies, exchange.cash, apart=self._setup.apart)
        if begun.spare < ZERO:
            raise Unfit("the account has too little cash")
        return begun, True

    def _inputs(self, cut: Cut, plan: SessionPlan) -> Inputs:
        strategies, arrays = self._strategies, self._arrays
        at, signals = self._signals(cut, plan)
        warm = np.maximum(strategies.warmup - cut.history[strategies.seat_ticker] - 1, 0)
        seats = Seats(strategies.of, strategies.seat_ticker, warm, at[strategies.seat_row])
        end, dollar = cut.first + len(cut.axis), int(10**arrays.scale.money)
        terms = Terms(cut.first, end, end - cut.restated, dollar)
        return Inputs(cut.bars, cut.span, seats, signals, strategies.limits, terms)

    def _in_time(self, log: Log, cut: Cut) -> tuple[Whole, Whole]:
        """The log's lines in order of time, and those that filled in the sequence of the fills."""
        strategies = self._strategies
        order, until = turns.by_minute(log, cut.bars.minute, cut.first, len(cut.axis))
        if self._setup.apart:
            return order, turns.filled(log, order)
        tickers = len(strategies.tickers)
        return order, turns.in_turn(log, order, until, strategies.seat_ticker, tickers)

    def _check(self, cut: Cut) -> None:
        collar = self._setup.controls.price_collar
        if not len(cut.axis):
            raise Unfit("nothing has a bar in this session")
        if cut.volatile > 1e6 or (
            collar is not None and cut.volatile > float(collar) * (1 - _MARGIN)
        ):
            raise Unfit("a price leaps")
        if (
            int(cut.span.top.max()) * max(int(self._strategies.limits.size[:, 1].max()), 101)
            >= MOST
        ):
            raise Unfit("a price is too large")

    def _signals(self, cut: Cut, plan: SessionPlan) -> tuple[Whole, Signs]:
        """The place at which each row's signals begin, and all signals."""
        strategies = self._strategies
        counts = (cut.span.end - cut.span.begin)[strategies.row_ticker]
        until = np.cumsum(counts)
        at = until - counts
        signals = np.zeros(int(until[-1]), np.int8)
        rest = list(strategies.others)
        if len(strategies.known):
            refused = np.zeros(len(strategies.known), np.bool_)
            bars = cut.histories(ranged=strategies.ranged)
            judging.judge(bars, strategies.rows, at[strategies.known], signals, refused)
            rest += strategies.known[refused].tolist()
        if rest:
            self._judge_others(plan, sorted(rest), at, signals)
        return at, signals

    def _judge_others(
        self, plan: SessionPlan, rows: Sequence[int], at: Whole, signals: Signs
    ) -> None:
        """Write the signals of rows that machine code cannot judge."""
        strategies = self._strategies
        stepped = []
        for row in rows:
            ticker = strategies.tickers[strategies.row_ticker[row]]
            stepped.append(replace(strategies.row_spec[row], tickers=(ticker,)))
        places = {int(strategies.row_ticker[row]) for row in rows}
        reels = {
            strategies.tickers[place]: self._reels.cut(
                strategies.tickers[place], plan, int(strategies.needs[place])
            )
            for place in sorted(places)
        }
        found = rule_signals(stepped, reels)
        for row, spec in zip(rows, stepped, strict=True):
            own = found[spec.rule, spec.tickers[0]]
            if own.fault:
                raise Unfit(own.fault)
            begin = int(at[row])
            signals[begin : begin + len(own.signs)] = own.signs

    def _run(self, inputs: Inputs, begun: Standing) -> tuple[Held, Day, Log]:
        count, room = kernel.FULL, max(_LINES, len(inputs.signals) // 8)
        notes = Notes.of(self._strategies.widest)
        running = np.zeros(kernel.RUNNING, np.int64)
        while count == kernel.FULL:
            held = Held(*(part.copy() for part in begun.held))
            day = Day(*(np.zeros(len(held.cash), np.int64) for _ in Day._fields))
            log = Log.of(room)
            count = kernel.play(inputs, State(held, day, log, notes, running))
            room *= 4
        if count < 0:
            raise Unfit("64 bits are too few")
        self._check_cash(begun, day.lowest)
        return held, day, log.lines(slice(count))

    def _check_cash(self, begun: Standing, lowest: Whole) -> None:
        """Refuse a strategy whose cash falls below zero by more than its account has to spare."""
        scale, short = self._arrays.scale, np.flatnonzero(lowest)
        if not self._setup.apart:
            missing = sum(lowest[short].tolist())
            if begun.spare + scale.dollars(missing) < ZERO:
                raise Unfit("the account may have too little cash")
            return
        for strategy in short.tolist():
            spec = self._strategies.specs[strategy]
            room = deposit_for(spec.initial_cash) - spec.initial_cash
            if room + scale.dollars(int(lowest[strategy])) < ZERO:
                raise Unfit(f"{spec.name}'s account may have too little cash")
