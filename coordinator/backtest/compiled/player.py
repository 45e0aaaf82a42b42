"""Has sessions played in machine code, one after another, and keeps what goes on between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from coordinator.backtest.apart import ExchangesApart
from coordinator.backtest.compiled import judging, kernel, turns
from coordinator.backtest.compiled.bar_arrays import BarArrays, Cut
from coordinator.backtest.compiled.cast import Cast
from coordinator.backtest.compiled.layout import (
    Day,
    Desk,
    Held,
    Scene,
    Seats,
    Signs,
    Table,
    Terms,
    Whole,
)
from coordinator.backtest.compiled.scale import MOST, TooLarge
from coordinator.backtest.compiled.standing import Closed, Standing
from coordinator.backtest.exchange import Exchange
from coordinator.backtest.instant import Unfit, check_account, check_setup
from coordinator.backtest.opinions import opinions
from coordinator.backtest.reels import Reels
from coordinator.backtest.setup import BacktestSetup, deposit_for
from coordinator.core.books import Books
from coordinator.core.opening import SessionName
from coordinator.core.session import SessionPlan
from coordinator.core.values import ZERO, exactly, is_crypto
from simulator.fills import FillModel, Spread

_LINES = 1 << 12
_MARGIN = 1e-8
_UNSAID: Signs = np.zeros(0, np.int8)
"""Signals are not kept once they are played."""


@dataclass(frozen=True, slots=True)
class Played:
    """A session in whole numbers.

    The log goes strategy by strategy; `order` are its lines as they came, and `fills` those that
    were filled, in turn, with as many ids `given` before each. `begun` is what the session began
    with, which a day's `spare` dollars of nobody are beside.
    """

    start: datetime
    plan: SessionPlan
    name: SessionName
    cut: Cut
    scene: Scene
    begun: Standing
    closed: Closed
    day: Day
    log: Table
    order: Whole
    fills: Whole
    given: Whole
    first: bool


class Player:
    """Plays the sessions of a backtest, whose books and account are written to when it is left.

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
            self._cast = Cast(setup.specs, self._arrays.scale)
        except (TooLarge, OverflowError) as error:
            raise Unfit(str(error)) from None
        self._standing: Standing | None = None
        self.closed: Closed | None = None
        """Where the last session left the books, as long as they do not say it themselves."""

    @exactly
    def play(self, start: datetime, plan: SessionPlan, name: SessionName) -> Played:
        """Play a session.

        Raises:
            Unfit: it is not for machine code; nothing has changed.
        """
        cast = self._cast
        begun, first = self._begin(start, plan)
        cut = self._arrays.cut(plan, cast.tickers[0], cast.needs, begun.marks, begun.seen)
        self._check(cut)
        at, signals = self._signals(cut, plan)
        warm = np.maximum(cast.warmup - cut.history[cast.seat_ticker] - 1, 0)
        seats = Seats(cast.of, cast.seat_ticker, warm, at[cast.seat_row])
        end, dollar = cut.first + len(cut.axis), int(10**self._arrays.scale.money)
        terms = Terms(cut.first, end, end - cut.restated, dollar)
        scene = Scene(cut.bars, cut.span, seats, signals, cast.limits, terms)
        held, day, log = self._perform(scene, begun)
        order, until = turns.by_minute(log, cut.bars.minute, cut.first, len(cut.axis))
        if self._setup.apart:
            fills = turns.filled(log, order)
        else:
            fills = turns.in_turn(log, order, until, cast.seat_ticker, len(cast.tickers))
        given = begun.given.copy()
        numbers = turns.numbered(log, fills, cast.seat_strategy, given)
        ended = Standing(held, cut.marks, cut.seen, given, begun.spare)
        self._standing = ended
        self.closed = Closed(cast, self._arrays.scale, ended, plan.date, day.baseline, day.entries)
        return Played(
            start=start,
            plan=plan,
            name=name,
            cut=cut,
            scene=scene._replace(signals=_UNSAID),
            begun=begun,
            closed=self.closed,
            day=day,
            log=log,
            order=order,
            fills=fills,
            given=numbers,
            first=first,
        )

    def leave(self) -> None:
        """Write what the sessions came to into books and account, which have been opened."""
        if self.closed is not None:
            self.closed.settle(self._books, self._exchange)
        self._standing = self.closed = None

    def _begin(self, start: datetime, plan: SessionPlan) -> tuple[Standing, bool]:
        opens = plan.first_bar(self._cast.tickers[0])
        if opens is None or opens < start:
            raise Unfit("the session began before anybody came")
        if self._standing is not None:
            return self._standing, False
        books, exchange, cast = self._books, self._exchange, self._cast
        if books.account:
            check_account(books, exchange)
            try:
                return Standing.read(cast, self._arrays.scale, books, exchange), False
            except TooLarge as error:
                raise Unfit(str(error)) from None
        begun = Standing.at_first(cast, exchange.cash, apart=self._setup.apart)
        if begun.spare < ZERO:
            raise Unfit("the account has too little cash")
        return begun, True

    def _check(self, cut: Cut) -> None:
        collar = self._setup.controls.price_collar
        if not len(cut.axis):
            raise Unfit("nothing has a bar in this session")
        if cut.volatile > 1e6 or (
            collar is not None and cut.volatile > float(collar) * (1 - _MARGIN)
        ):
            raise Unfit("a price leaps")
        if int(cut.span.top.max()) * max(int(self._cast.limits.size[:, 1].max()), 101) >= MOST:
            raise Unfit("a price is too large")

    def _signals(self, cut: Cut, plan: SessionPlan) -> tuple[Whole, Signs]:
        """Where each row's signals begin, and all signals."""
        cast = self._cast
        counts = (cut.span.end - cut.span.begin)[cast.row_ticker]
        until = np.cumsum(counts)
        at = until - counts
        signals = np.zeros(int(until[-1]), np.int8)
        rest = list(cast.others)
        if len(cast.known):
            refused = np.zeros(len(cast.known), np.bool_)
            bars = cut.histories(ranged=cast.ranged)
            judging.judge(bars, cast.rows, at[cast.known], signals, refused)
            rest += cast.known[refused].tolist()
        if rest:
            self._ask(plan, sorted(rest), at, signals)
        return at, signals

    def _ask(self, plan: SessionPlan, rows: Sequence[int], at: Whole, signals: Signs) -> None:
        """Have rules say themselves what they would do."""
        cast = self._cast
        asked = []
        for row in rows:
            ticker = cast.tickers[cast.row_ticker[row]]
            asked.append(replace(cast.row_spec[row], tickers=(ticker,)))
        places = {int(cast.row_ticker[row]) for row in rows}
        reels = {
            cast.tickers[place]: self._reels.cut(cast.tickers[place], plan, int(cast.needs[place]))
            for place in sorted(places)
        }
        told = opinions(asked, reels)
        for row, spec in zip(rows, asked, strict=True):
            opinion = told[spec.rule, spec.tickers[0]]
            if opinion.fault:
                raise Unfit(opinion.fault)
            begin = int(at[row])
            signals[begin : begin + len(opinion.said)] = opinion.said

    def _perform(self, scene: Scene, begun: Standing) -> tuple[Held, Day, Table]:
        count, room = kernel.FULL, max(_LINES, len(scene.signals) // 8)
        notes = np.empty((kernel.NOTES, self._cast.widest), np.int64)
        hand = np.zeros(kernel.HAND, np.int64)
        while count == kernel.FULL:
            held = Held(*(part.copy() for part in begun.held))
            day = Day(*(np.zeros(len(held.cash), np.int64) for _ in Day._fields))
            log = np.empty((room, 5), np.int64)
            count = kernel.play(scene, Desk(held, day, log, notes, hand))
            room *= 4
        if count < 0:
            raise Unfit("64 bits are too few")
        self._check_cash(begun, day.lowest)
        return held, day, log[:count]

    def _check_cash(self, begun: Standing, lowest: Whole) -> None:
        """What an account has beside a strategy's cash must cover what that lacks at its lowest."""
        scale, short = self._arrays.scale, np.flatnonzero(lowest)
        if not self._setup.apart:
            lacks = sum(lowest[short].tolist())
            if begun.spare + scale.dollars(lacks) < ZERO:
                raise Unfit("the account may have too little cash")
            return
        for who in short.tolist():
            spec = self._cast.specs[who]
            room = deposit_for(spec.initial_cash) - spec.initial_cash
            if room + scale.dollars(int(lowest[who])) < ZERO:
                raise Unfit(f"{spec.name}'s account may have too little cash")
