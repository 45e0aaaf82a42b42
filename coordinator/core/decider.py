"""Turns signals into entries and exits, at the close of each strategy's bars.

All decisions of one minute see the cash and the positions from before it (`core/minute_views.py`).
No limit holds back an exit. An entry must pass the strategy's own limits, whatever an operator or a
discrepancy holds back, and the account's controls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from coordinator.core import records as r
from coordinator.core import risk
from coordinator.core.desk import OrderDesk
from coordinator.core.gate import Gate
from coordinator.core.lane import FAULT, StrategySpec
from coordinator.core.lanes import Lanes
from coordinator.core.minute_views import MinuteView, Participant
from coordinator.core.router import Router
from coordinator.core.values import Bar, Denial, Reason

LATE = timedelta(seconds=90)
"""A bar that arrives later than this after its end opens no position."""


class Decider:
    """Asks the strategies that a minute's bars may move. Call inside the EXACT decimal context.

    `sees_orders` says whether order states are known; `blind` are the tickers that get no bars.
    """

    def __init__(self, router: Router, lanes: Lanes, desk: OrderDesk, gate: Gate) -> None:
        self._router, self._lanes, self._desk, self._gate = router, lanes, desk, gate
        self._books, self._record = desk.books, desk.blotter.record
        self._assets, self._plan = desk.assets, gate.plan
        self.sees_orders = True
        self.blind = frozenset[str]()

    def follow(self, router: Router) -> None:
        """Ask the strategies of this router from now on."""
        self._router = router

    def decide_all(self, bars: Sequence[Bar], now: datetime) -> None:
        """Decide on the bars of one minute, at most one a ticker, at broker time `now`."""
        self._gate.begin()
        if bars:
            minute, symbols = bars[0].start, [bar.symbol for bar in bars]
            stocks, crypto = self._plan.deciding(minute)
            to_decide = {b.symbol: b for b in bars if (crypto if "/" in b.symbol else stocks)}
            for participant in self._router.to_ask(symbols, to_decide, minute):
                self._ask(participant, to_decide, minute, now)
        self._desk.intents.end_minute(now)

    def _ask(
        self, asked: Participant, to_decide: Mapping[str, Bar], minute: datetime, now: datetime
    ) -> None:
        spec, view = asked.spec, self._router.view(asked, minute)
        if spec.limits.max_daily_loss is not None:
            self._check_loss(spec, view, now)
        self._check_fault(spec, now)
        satisfied = []
        if self.sees_orders:  # trading is not safe while it is not known which orders are open
            for ticker, lane in asked.among(to_decide):
                signal = lane.signal
                if not (signal or ticker in view.positions):
                    continue
                if self._decide(spec, signal, to_decide[ticker], view, now) and signal > 0:
                    satisfied.append(ticker)
        self._router.note_asked(asked, view, satisfied)

    def _check_loss(self, spec: StrategySpec, view: MinuteView, now: datetime) -> None:
        day = self._books.days[spec.name]
        if day.stopped:
            return
        ledger = self._books.ledger
        pnl = day.pnl(view.equity(ledger.marks), ledger[spec.name].transferred)
        if risk.loss_reached(spec.limits, pnl):
            self._record(r.EntriesStopped(now, spec.name, Denial.MAX_DAILY_LOSS))

    def _check_fault(self, spec: StrategySpec, now: datetime) -> None:
        fault = self._lanes.fault(spec)
        if fault and not self._books.days[spec.name].stopped:
            self._record(r.EntriesStopped(now, spec.name, FAULT + fault))

    def _decide(
        self, spec: StrategySpec, signal: int, bar: Bar, view: MinuteView, now: datetime
    ) -> bool:
        """Decide on one bar; returns whether the View holds a position that can be sold."""
        symbol = bar.symbol
        if self._lanes.bars_seen(symbol) < spec.min_warmup_bars:
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

    def _enter(self, spec: StrategySpec, bar: Bar, view: MinuteView, now: datetime) -> None:
        close = bar.close
        equity = view.equity(self._books.ledger.marks)
        qty = risk.entry_qty(self._assets[bar.symbol], spec.limits, equity, view.available, close)
        if not qty:
            return
        cost = qty * close
        late = now - bar.end > LATE
        denial = next(self.denials(spec, bar.symbol, late=late), None)
        denial = denial or self._gate.refuses(spec.name, qty, cost, bar, now)
        if not denial and not self._gate.count_order(spec.name, len(spec.tickers), now):
            denial = Denial.MAX_ORDERS_PER_MINUTE
            self._record(r.EntriesStopped(now, spec.name, denial))
        if denial:
            self._desk.deny_entry(spec.name, bar.symbol, qty, close, denial, now)
            return
        self._gate.spend(cost)
        view.available -= cost
        view.busy.add(bar.symbol)
        self._desk.buy(spec.name, bar.symbol, qty, close, now)

    def denials(self, spec: StrategySpec, symbol: str, *, late: bool) -> Iterator[str]:
        """Why a strategy may not buy a ticker, the gravest reason first: Denials, or a fault."""
        day = self._books.days[spec.name]
        most = spec.limits.max_daily_trades
        if halted := self._books.halts.denial(spec.name):
            yield halted
        if day.stopped:
            yield day.stopped
        if self._books.freezing(symbol):
            yield Denial.FROZEN
        if symbol in self.blind:
            yield Denial.BLIND
        if most is not None and day.entries + self._desk.intents.entries_wished(spec.name) >= most:
            yield Denial.MAX_DAILY_TRADES
        if late:
            yield Denial.STALE
        if not self._assets[symbol].tradable:
            yield Denial.NOT_TRADABLE
