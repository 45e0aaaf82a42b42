"""The engine: a message in, records and commands out. It does no input or output of its own.

All decisions of one minute see the cash and the positions from before it (`core/minute_views.py`);
fills count from the next minute on, and what anything but the strategy's own orders moves counts at
once. The books change only by the records made here and those of the account's other coordinators,
in the order in which they are made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import partial

from coordinator.core import messages as m
from coordinator.core import operator
from coordinator.core import records as r
from coordinator.core.blotter import Blotter
from coordinator.core.books import Books
from coordinator.core.controls import LEAPS_WITHIN, Controls
from coordinator.core.decider import Decider
from coordinator.core.desk import OrderDesk
from coordinator.core.discrepancies import DiscrepancyKind, finding
from coordinator.core.explanation import Case, Explanation
from coordinator.core.fees import CRYPTO_FEE_RATE
from coordinator.core.flat import held_or_ordered
from coordinator.core.funding import unmoved
from coordinator.core.gate import Gate
from coordinator.core.lane import StrategySpec
from coordinator.core.lanes import Lanes
from coordinator.core.liquidation import Liquidation
from coordinator.core.minute_views import view_of
from coordinator.core.reconcile import Reconciler
from coordinator.core.reconfiguration import change_session
from coordinator.core.reload import Difference, traded
from coordinator.core.reports import Reports
from coordinator.core.risk import Asset
from coordinator.core.rollover import Rollover
from coordinator.core.router import Router, news_of
from coordinator.core.session import Hours, SessionPlan
from coordinator.core.setup import Setup
from coordinator.core.values import Bar, exactly, is_unseen
from coordinator.errors import SafetyRefusal


class Engine:
    """Passes each message to the part that it concerns, and collects what follows from it.

    `hours` are the exchange's sessions around the plan's, for positions that it does not trade.
    Strategies `apart` share bars and nothing else: each trades as if it were alone. From
    `banked_from` lanes on (None: never) they are stepped in a bank, which changes no decision.
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
        self._router = Router(books, self.specs, self.lanes, self._assets)
        books.before_apply = self._router.before
        self._blotter = Blotter(books)
        self._record = self._blotter.record
        self._desk = OrderDesk(self._blotter, self._assets, plan, crossing=crossing, apart=apart)
        self._liquidation = Liquidation(
            books, self._desk, self._assets, plan, tuple(hours), traded(self.specs)
        )
        self._reports = Reports(self._desk, crypto_fee_rate)
        self.reconciler = Reconciler(books, self._record, self._reports.on_update)
        self._gate = Gate(books, self._desk.intents, plan, controls, apart)
        self._decider = Decider(self._router, self.lanes, self._desk, self._gate)
        self._closed = False
        self._unfinished = set[str]()
        """Tickers on whose next bar an exit goes on that a restart interrupted."""
        self._rollover = Rollover(books, plan, self._record, self.specs)

    @exactly
    def handle(self, message: m.Message) -> m.Outcome:
        """What follows from a message; the records are already applied to the books."""
        self._blotter.begin()
        match message:
            case m.BarsArrived():
                self._on_bars(message)
            case m.OrderUpdate():
                self._reports.on_update(message)
            case m.SubmitRefused():
                self._reports.on_refused(message)
            case m.SubmitUnclear():
                self._reports.on_unclear(message)
            case m.OrderAbsent():
                self._reports.on_absent(message)
            case m.AccountSeen():
                self.reconciler.take(message)
            case m.AssetRead():
                self._assets[message.asset.symbol] = message.asset
                self._heed_halts(message.now)
            case m.SightChanged():
                self._decider.sees_orders = message.orders
                self._decider.blind = message.blind
            case m.ClockRead():
                self._rollover.roll(message.now)
                self._heed_halts(message.now)
            case m.OperatorAsked():
                self._obey(message)
            case m.Reload():
                self._blotter.out.answer = self._reload(message)
        self._router.refresh()
        return self._blotter.out

    @exactly
    def resume(self, unsent: Iterable[str], now: datetime) -> m.Outcome:
        """Go on after a restart with the orders of this minute that were never sent.

        What the configuration has no more loses its orders, as by a reload.
        """
        self._blotter.begin()
        self._heed_halts(now)
        self._liquidation.end_untraded(now)
        self._desk.resume(unsent, now)
        self._unfinished = {symbol for _, symbol in self._liquidation.unfinished()}
        self._router.refresh()
        return self._blotter.out

    @exactly
    def reconsider(self, commands: Iterable[m.Command], now: datetime) -> m.Outcome:
        """What becomes of commands not carried out yet, on books that others have moved since."""
        self._blotter.begin()
        self._desk.reconsider(commands, now)
        self._router.refresh()
        return self._blotter.out

    @exactly
    def close(self, now: datetime) -> m.Outcome:
        """End the session's decisions: what still waits for its turn is never sent.

        Bars that come later set marks and nothing else.
        """
        self._closed = True
        self._blotter.begin()
        self._desk.drop_waiting(now)
        self._router.refresh()
        return self._blotter.out

    @exactly
    def explain(self, name: str, now: datetime, ticker: str = "") -> tuple[Explanation, ...]:
        """Why a strategy did what it did on its last bars, of one ticker or all. Changes nothing.

        Raises:
            KeyError: there is no such strategy, or it does not trade the ticker.
        """
        spec = {spec.name: spec for spec in self.specs}[name]
        if ticker and ticker not in spec.tickers:
            raise KeyError(ticker)
        last = self._router.last_view(name)
        return tuple(
            Case(
                spec=spec,
                ticker=one,
                now=now,
                books=self.books,
                plan=self.plan,
                asset=self._assets[one],
                lane=self.lanes.lane(spec, one),
                bars=self.lanes.bars_seen(one),
                view=last
                if last is not None and last.minute == self.books.last_bar.get(one)
                else view_of(self.books, name, now),
                sees_orders=self._decider.sees_orders,
                denials=tuple(self._decider.denials(spec, one, late=False)),
            ).explanation()
            for one in ([ticker] if ticker else spec.tickers)
        )

    @property
    def crosses(self) -> bool:
        """Whether opposite orders of one minute are matched inside."""
        return self._desk.intents.crossing

    def without_rules(self) -> list[str]:
        """The symbols that strategies hold or have on order, and that cannot be sold until an
        AssetRead comes: shares that were imported, came from another ticker, or moved here."""
        return sorted(held_or_ordered(self.books) - self._assets.keys())

    def is_flat(self, now: datetime) -> bool:
        """Whether the strategies to be flat have no open order, and nothing to sell now."""
        return self._liquidation.is_flat(now)

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
            self._desk.on_next_bars(group, message.now)
            self.lanes.feed_all(group)
            if not self._closed:
                own = [b for b in group if newest[b.symbol] is b] if newest else group
                if self._unfinished:
                    self._finish_exits(own, message.now)
                self._decider.decide_all(own, message.now)

    def _finish_exits(self, bars: Sequence[Bar], now: datetime) -> None:
        """Sell, on the next bar, what strategies wanted out of when a restart interrupted them."""
        symbols = self._unfinished & {bar.symbol for bar in bars}
        self._unfinished -= symbols
        self._liquidation.finish_exits(symbols, now)

    def _keep_corrections(self, message: m.BarsArrived) -> None:
        """Record late corrections of bars that were decided on; they decide nothing again."""
        last = self.books.last_bar
        late = tuple(b for b in message.bars if self.plan.counts(b) and not is_unseen(b, last))
        if late:
            self._record(r.BarsSeen(message.now, message.origin, late))

    def _freeze_leaps(self, bars: Sequence[Bar], now: datetime) -> None:
        """Freeze tickers whose price leaps outside the collar, which may be an unannounced split.

        A leap needs no explanation after a split that is booked, or after a gap in the bars.
        """
        collar, marks = self._gate.controls.price_collar, self.books.ledger.marks
        if collar is None:
            return
        for bar in marks.moved(bars, collar):
            before = marks[bar.symbol]
            if abs(bar.close - before) <= collar * before or bar.symbol in self.books.split:
                continue
            if bar.symbol not in self._assets:
                continue  # a ticker of shadows, which nobody here trades
            last = self.books.last_bar.get(bar.symbol)
            if last is None or bar.start - last <= LEAPS_WITHIN:
                kind = DiscrepancyKind.PRICE
                self._record(finding(now, kind, bar.symbol, before, bar.close))

    def _obey(self, asked: m.OperatorAsked) -> None:
        is_open = partial(self._liquidation.can_trade, now=asked.now)
        records, answer = operator.decide(self.books, self._assets, is_open, asked)
        for record in records:
            self._record(record)
        self._heed_halts(asked.now)
        self._blotter.out.answer = answer

    def _reload(self, asked: m.Reload) -> m.Answer:
        """Go on with another configuration; strategies that it does not change notice nothing."""
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
            self._liquidation.end_orders(strategy, symbol, asked.removal, asked.now)
        waits = unmoved(self.books, self.specs).values()
        return m.Answer(True, " ".join(["The session goes on with this configuration.", *waits]))

    def _follow(self, setup: Setup) -> None:
        """Have every part serve this setup's strategies and limits; the lanes do so already."""
        self.specs = setup.specs
        self._rollover.follow(setup.specs)
        self._router = self._router.changed(setup.specs)
        self.books.before_apply = self._router.before
        self._decider.follow(self._router)
        self._desk.intents.crossing = setup.crossing
        self._liquidation = replace(self._liquidation, traded=traded(setup.specs))
        self._gate.controls = setup.controls

    def _heed_halts(self, now: datetime) -> None:
        """Carry out an operator's halts, made here or by another process: end orders, sell."""
        self._desk.drop_barred(now)
        self._liquidation.go(now)
