"""The engine: a message in, records and commands out. It does no input or output of its own.

All decisions of one minute see the cash and the positions from before it (`core/minute.py`), and
fills count from the next minute on. The books change only through the records made here, and those
of the account's other coordinators, in the order in which they are made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from coordinator.core import messages as m
from coordinator.core import operator, risk
from coordinator.core import records as r
from coordinator.core.blotter import Blotter
from coordinator.core.books import Books
from coordinator.core.controls import Controls, Gate
from coordinator.core.desk import OrderDesk
from coordinator.core.explanation import Case, Explanation
from coordinator.core.known import View
from coordinator.core.lane import FAULT, StrategySpec
from coordinator.core.lanes import Lanes
from coordinator.core.minute import Minutes, Seat, news_of
from coordinator.core.reconcile import DiscrepancyKind, Reconciler, finding
from coordinator.core.reconfiguration import change_session
from coordinator.core.reload import Difference, Setup, traded
from coordinator.core.reports import Reports
from coordinator.core.risk import Asset
from coordinator.core.rollover import Rollover
from coordinator.core.session import Hours, SessionPlan
from coordinator.core.values import Bar, Reason, exactly
from coordinator.core.way_out import WayOut
from coordinator.errors import SafetyRefusal

LATE = timedelta(seconds=90)
"""A bar that arrives longer than this after its end opens nothing."""
CRYPTO_FEE_RATE = Decimal("0.0025")


class Engine:
    """Routes bars to strategies and turns their signals into wishes for the order desk.

    `hours` are the exchange's sessions around the plan's, for what is held and not traded in it.
    Strategies `apart` share bars and nothing else: each trades as if it were alone. Where there
    are so many lanes they stand in a bank (None: never), and decide the same.
    """

    def __init__(
        self,
        books: Books,
        specs: Sequence[StrategySpec],
        assets: Mapping[str, Asset],
        plan: SessionPlan,
        *,
        crypto_fee_rate: Decimal = CRYPTO_FEE_RATE,
        controls: Controls = Controls(),  # noqa: B008
        crossing: bool = False,
        hours: Sequence[Hours] = (),
        apart: bool = False,
        banked_from: int | None = None,
    ) -> None:
        self.books = books
        self.specs = tuple(specs)
        self.plan = plan
        self.lanes = Lanes(specs, banked_from)
        self._assets = dict(assets)
        own = frozenset(spec.name for spec in specs)
        self._minutes = Minutes(books, self.specs, self.lanes, self._assets)
        books.before = self._minutes.before
        self._blotter = Blotter(books)
        self._record = self._blotter.record
        self._desk = OrderDesk(
            self._blotter, self._assets, plan.date, own, crossing=crossing, apart=apart
        )
        self._way_out = WayOut(
            books, self._desk, self._assets, plan, tuple(hours), traded(self.specs)
        )
        self._reports = Reports(self._desk, crypto_fee_rate)
        self.reconciler = Reconciler(books, self._record, self._reports.on_update)
        self._gate = Gate(books, plan, controls, apart)
        self._sees_orders, self._blind = True, frozenset[str]()
        self._closed = False
        self._rollover = Rollover(books, plan, self._record, self.specs)

    @exactly
    def handle(self, message: m.Message) -> m.Outcome:
        """What follows from a message. The books have changed already when this returns."""
        self._blotter.begin()
        match message:
            case m.BarsArrived():
                self._on_bars(message)
            case m.OrderUpdate():
                self._reports.on_update(message)
                self._minutes.after_busts(self._blotter.out.records)
            case m.SubmitRefused():
                self._reports.on_refused(message)
            case m.SubmitUnclear():
                self._reports.on_unclear(message)
            case m.OrderAbsent():
                self._reports.on_absent(message)
            case m.AccountSeen():
                self.reconciler.take(message)
            case m.SightChanged():
                self._sees_orders, self._blind = message.orders, message.blind
            case m.ClockRead():
                self._rollover.roll(message.now)
                self._heed_halts(message.now)
            case m.OperatorAsked():
                self._obey(message)
            case m.Reload():
                self._blotter.out.answer = self._reload(message)
        self._minutes.settle()
        return self._blotter.out

    @exactly
    def resume(self, unsent: Iterable[str], now: datetime) -> m.Outcome:
        """Go on after a restart with the orders of this minute that were never sent."""
        self._blotter.begin()
        self._heed_halts(now)
        self._desk.resume(unsent, now)
        self._minutes.settle()
        return self._blotter.out

    @exactly
    def close(self, now: datetime) -> m.Outcome:
        """End the session's decisions: what still waits for its turn is never sent.

        Bars that come later set marks and nothing else.
        """
        self._closed = True
        self._blotter.begin()
        self._desk.drop_waiting(now)
        self._minutes.settle()
        return self._blotter.out

    @exactly
    def explain(self, name: str, now: datetime, ticker: str = "") -> tuple[Explanation, ...]:
        """Why a strategy did what it did on its last bars, of one ticker or all. Changes nothing.

        Raises:
            KeyError: it has no such strategy, or that one no such ticker.
        """
        spec = {spec.name: spec for spec in self.specs}[name]
        if ticker and ticker not in spec.tickers:
            raise KeyError(ticker)
        view = self._minutes.last_view(name)
        return tuple(
            Case(
                spec=spec,
                ticker=one,
                now=now,
                books=self.books,
                plan=self.plan,
                asset=self._assets[one],
                lane=self.lanes.lane(spec, one),
                bars=self.lanes.bars(one),
                seen=view if view and view.minute == self.books.last_bar.get(one) else None,
                sees_orders=self._sees_orders,
                denials=tuple(self._denials(spec, one, late=False)),
            ).explanation()
            for one in ([ticker] if ticker else spec.tickers)
        )

    def is_out(self, now: datetime) -> bool:
        """Whether whoever an operator wants out has no open order, and nothing to sell now."""
        return self._way_out.is_out(now)

    def _on_bars(self, message: m.BarsArrived) -> None:
        if message.origin is r.Origin.CORRECTED:
            self._keep_corrections(message)
            return
        minutes = news_of(message.bars, self.plan, self.books.last_bar)
        newest = {bar.symbol: bar for group in minutes for bar in group} if minutes[1:] else {}
        for group in minutes:
            self._rollover.roll(group[0].start)
            self._freeze_leaps(group, message.now)
            self._record(r.BarsSeen(message.now, message.origin, tuple(group)))
            self._desk.expire_waiting([bar.symbol for bar in group], message.now)
            self.lanes.feed_all(group)
            if not self._closed:
                own = [b for b in group if newest[b.symbol] is b] if newest else group
                self._decide_all(own, message.now)

    def _keep_corrections(self, message: m.BarsArrived) -> None:
        """A late correction of a bar that was decided on is kept, and decides nothing again."""
        late = tuple(b for b in message.bars if self.plan.counts(b) and not self._is_news(b))
        if late:
            self._record(r.BarsSeen(message.now, message.origin, late))

    def _is_news(self, bar: Bar) -> bool:
        last = self.books.last_bar.get(bar.symbol)
        return self.plan.counts(bar) and (last is None or bar.start > last)

    def _decide_all(self, bars: list[Bar], now: datetime) -> None:
        if bars:
            minute, symbols = bars[0].start, [bar.symbol for bar in bars]
            stocks, crypto = self.plan.deciding(minute)
            to_decide = {b.symbol: b for b in bars if (crypto if "/" in b.symbol else stocks)}
            for seat in self._minutes.asked(symbols, to_decide, minute):
                self._look_at(seat, to_decide, minute, now)
        self._desk.intents.end_minute(now)

    def _look_at(
        self, seat: Seat, to_decide: Mapping[str, Bar], minute: datetime, now: datetime
    ) -> None:
        spec, view = seat.spec, self._minutes.view(seat, minute)
        if spec.limits.max_daily_loss is not None:
            self._check_loss(spec, view, now)
        self._check_fault(spec, now)
        content = []
        if self._sees_orders:  # else what is open nobody knows: to buy or to sell is not safe
            for ticker, lane in seat.among(to_decide):
                signal = lane.signal
                if not (signal or ticker in view.positions):
                    continue
                if self._decide(spec, signal, to_decide[ticker], view, now) and signal > 0:
                    content.append(ticker)
        self._minutes.looked_at(seat, view, content)

    def _check_loss(self, spec: StrategySpec, view: View, now: datetime) -> None:
        day = self.books.days[spec.name]
        if day.stopped:
            return
        moved = self.books.ledger[spec.name].transferred - day.transferred_before
        pnl = view.equity(self.books.ledger.marks) - day.start_equity - moved
        if risk.loss_reached(spec.limits, pnl):
            self._record(r.EntriesStopped(now, spec.name, "max_daily_loss"))

    def _check_fault(self, spec: StrategySpec, now: datetime) -> None:
        fault = self.lanes.fault(spec)
        if fault and not self.books.days[spec.name].stopped:
            self._record(r.EntriesStopped(now, spec.name, FAULT + fault))

    def _decide(self, spec: StrategySpec, signal: int, bar: Bar, view: View, now: datetime) -> bool:
        """Whether the View has something on the ticker that could be sold."""
        symbol = bar.symbol
        if self.lanes.bars(symbol) < spec.min_warmup_bars:
            signal = 0
        position = view.positions.get(symbol)
        if position is not None and self._assets[symbol].can_order(position.qty):
            reason = risk.exit_reason(spec.limits, position, bar.close, signal)
            if reason is not None:
                view.busy.add(symbol)
                self._desk.exit(spec.name, symbol, bar.close, reason, now)
            return True
        if signal < 0 and symbol in view.busy:
            self._desk.exit(spec.name, symbol, bar.close, Reason.SIGNAL, now)
        elif signal > 0 and symbol not in view.busy:
            self._enter(spec, bar, view, now)
        return False

    def _enter(self, spec: StrategySpec, bar: Bar, view: View, now: datetime) -> None:
        close = bar.close
        equity = view.equity(self.books.ledger.marks)
        qty = risk.entry_qty(self._assets[bar.symbol], spec.limits, equity, view.available, close)
        if not qty:
            return
        cost = qty * close
        late = now - bar.end > LATE
        denial = next(self._denials(spec, bar.symbol, late=late), "")
        denial = denial or self._gate.refuses(spec.name, qty, cost, bar, now)
        if not denial and self._gate.floods(spec.name, len(spec.tickers), now):
            denial = "max_orders_per_minute"
            self._record(r.EntriesStopped(now, spec.name, denial))
        if denial:
            self._desk.deny_entry(spec.name, bar.symbol, qty, close, denial, now)
            return
        self._gate.spend(cost)
        view.available -= cost
        view.busy.add(bar.symbol)
        self._desk.buy(spec.name, bar.symbol, qty, close, now)

    def _denials(self, spec: StrategySpec, symbol: str, *, late: bool) -> Iterator[str]:
        """What keeps a strategy from opening a position, the gravest first."""
        day = self.books.days[spec.name]
        most = spec.limits.max_daily_trades
        if halted := self.books.halted(spec.name):
            yield halted
        if day.stopped:
            yield day.stopped
        frozen = self.books.frozen
        if frozen and any(found.symbol in ("", symbol) for found in frozen.values()):
            yield "frozen"
        if symbol in self._blind:
            yield "blind"
        if most is not None and day.entries + self._desk.intents.entries_wished(spec.name) >= most:
            yield "max_daily_trades"
        if late:
            yield "stale"
        if not self._assets[symbol].tradable:
            yield "not_tradable"

    def _freeze_leaps(self, bars: Sequence[Bar], now: datetime) -> None:
        """A price that leaps outside the collar may be a split: nothing is bought until it is.

        After a split that is booked a leap needs no other explanation.
        """
        controls, marks = self._gate.controls, self.books.ledger.marks
        if controls.price_collar is None:
            return
        for bar in marks.moved(bars, controls.price_collar):
            before = marks[bar.symbol]
            if not controls.leaps(before, bar.close) or bar.symbol in self.books.split:
                continue
            if bar.symbol not in self._assets:
                continue  # a shadow's ticker: nobody here could buy it
            found = finding(now, DiscrepancyKind.PRICE, bar.symbol, before, bar.close)
            self._record(found)

    def _obey(self, asked: m.OperatorAsked) -> None:
        is_open = partial(self._way_out.can_trade, now=asked.now)
        records, answer = operator.decide(self.books, self._assets, is_open, asked)
        for record in records:
            self._record(record)
        self._heed_halts(asked.now)
        self._blotter.out.answer = answer

    def _reload(self, asked: m.Reload) -> m.Answer:
        """Go on with another configuration; who is not touched by it notices nothing."""
        difference = Difference(self.specs, asked.setup.specs)
        try:
            change_session(self.books, difference, asked, self._record)
        except SafetyRefusal as refusal:
            return m.Answer(False, f"Nothing was changed: {refusal}")
        self._assets |= asked.assets
        self.lanes.change(asked.setup.specs, asked.history, asked.so_far)
        self._follow(asked.setup)
        self._heed_halts(asked.now)
        for strategy, symbol in difference.dropped:
            self._way_out.leave(strategy, symbol, asked.removal, asked.now)
        return m.Answer(True, "The session goes on with this configuration.")

    def _follow(self, setup: Setup) -> None:
        """Have every part serve these strategies by these limits; the lanes do so already."""
        self.specs = setup.specs
        self._rollover.follow(setup.specs)
        self._minutes = self._minutes.changed(setup.specs)
        self.books.before = self._minutes.before
        self._desk.follow(setup.specs, crossing=setup.crossing)
        self._way_out = replace(self._way_out, traded=traded(setup.specs))
        self._gate.controls = setup.controls

    def _heed_halts(self, now: datetime) -> None:
        """What an operator has halted since, here or in another process, ends and gets out."""
        self._desk.drop_barred(now)
        self._way_out.go(now)
