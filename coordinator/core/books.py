"""The state that records build: ledger, orders and each strategy's day.

`Books.apply` is the only thing that changes any of it, and it decides nothing: live, it is given
the records the engine just made; at a start, those that the journal kept. Both give the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from coordinator.core import records as r
from coordinator.core.ledger import Ledger, SubAccount
from coordinator.core.orders import Order, Orders, OrderStatus
from coordinator.core.values import UNASSIGNED, Bar, Side, exactly

FUNDING = "funding"
"""The transfer that begins a book."""
NEW_INITIAL_CASH = "initial_cash"
"""The transfer that follows an edited `initial_cash`."""


@dataclass(slots=True)
class Day:
    """One strategy's day: its baseline and what its daily limits have used up."""

    start_equity: Decimal
    transferred_before: Decimal
    date: date | None = None
    entries: int = 0
    stopped: str = ""


@dataclass(slots=True)
class Books:
    """Everything that is known about one account's sub-accounts, from its records alone."""

    ledger: Ledger = field(default_factory=Ledger)
    orders: Orders = field(default_factory=Orders)
    days: dict[str, Day] = field(default_factory=dict)
    executions: set[str] = field(default_factory=set)
    sequences: dict[str, int] = field(default_factory=dict)
    """Last sequence number used, by '<strategy>.<session date>'."""
    last_bar: dict[str, datetime] = field(default_factory=dict)
    """Start of the newest bar each ticker was decided on."""
    denied: dict[tuple[str, str], str] = field(default_factory=dict)
    """The last denial of each (strategy, ticker), so that one wish is denied once."""
    account: str = ""
    session: r.SessionOpened | None = None
    ended: r.SessionEnded | None = None

    @exactly
    def apply_all(self, records: Iterable[r.Record]) -> None:
        """Apply records in order."""
        for record in records:
            self.apply(record)

    def apply(self, record: r.Record) -> None:
        """Apply one record. Call inside the EXACT decimal context."""
        match record:
            case r.BarsSeen() | r.HistorySeen():
                self._see(record.bars)
            case r.OrderIntended():
                self._intend(record)
            case r.OrderReleased():
                self.orders.move(self.order(record.client_order_id), OrderStatus.SUBMITTED)
            case r.OrderMoved():
                self._move(record)
            case r.FillBooked():
                self._book(record)
            case r.CancelRequested():
                self.order(record.client_order_id).cancel_reason = record.reason
            case r.EntryDenied():
                self._use_id(record.client_order_id)
                self.denied[record.strategy, record.symbol] = record.reason
            case r.EntriesStopped():
                self.days[record.strategy].stopped = record.reason
            case r.DayRolled():
                day = self.days[record.strategy]
                day.date, day.entries, day.stopped = record.day, 0, ""
            case r.Transferred():
                self._transfer(record)
            case r.AccountAdopted():
                self.account = record.account
                unassigned = SubAccount(UNASSIGNED, cash=record.cash)
                self.ledger.restore(unassigned, record.holdings)
            case r.SessionOpened():
                self._open(record)
            case r.SessionResumed():
                self.ended = None
            case r.SessionEnded():
                self.ended = record
            case r.DiscrepancyFound():
                pass

    @exactly
    def apply_foreign(self, record: r.Record) -> None:
        """Apply what another coordinator of the account wrote: only whose money moved, and ids."""
        match record:
            case r.Transferred():
                self._transfer(record)
            case r.FillBooked():
                self.executions.add(record.execution_id)
                self.ledger.book(record)
            case r.OrderIntended() | r.EntryDenied():
                self._use_id(record.client_order_id)
            case _:
                pass

    def order(self, client_order_id: str) -> Order:
        """The order with this id, which the journal must know."""
        order = self.orders.get(client_order_id)
        assert order is not None, f"no intent was recorded for {client_order_id}"
        return order

    def day_pnl(self, strategy: str) -> Decimal:
        """Dollars won since the day's baseline, transfers apart."""
        day = self.days[strategy]
        moved = self.ledger[strategy].transferred - day.transferred_before
        return self.ledger.equity(strategy) - day.start_equity - moved

    def _transfer(self, record: r.Transferred) -> None:
        if record.kind == FUNDING:
            self.ledger.fund(record.source, record.target, record.amount)
            return
        self.ledger.transfer(record.source, record.target, record.amount)
        if record.kind == NEW_INITIAL_CASH:
            self.ledger[record.target].configured_cash += record.amount

    def _open(self, record: r.SessionOpened) -> None:
        self.account, self.session, self.ended = record.account, record, None
        self._keep_open_orders()
        self.denied.clear()
        self.ledger.marks.update(record.marks)
        for opening in record.openings:
            account = SubAccount(
                opening.strategy,
                initial_cash=opening.initial_cash,
                configured_cash=opening.configured_cash,
                transferred=opening.transferred,
                cash=opening.cash,
            )
            self.ledger.restore(account, opening.holdings)
            self.days[opening.strategy] = Day(opening.start_equity, opening.baseline_transferred)

    def _keep_open_orders(self) -> None:
        """A new session starts with the orders whose end an earlier one did not see."""
        left = self.orders.open()
        self.orders = Orders()
        for order in left:
            self.orders.add(order)

    def _see(self, bars: Iterable[Bar]) -> None:
        for bar in bars:
            last = self.last_bar.get(bar.symbol)
            if last is None or bar.start > last:
                self.ledger.marks[bar.symbol] = bar.close
                self.last_bar[bar.symbol] = bar.start

    def _intend(self, record: r.OrderIntended) -> None:
        self._use_id(record.client_order_id)
        self.denied.pop((record.strategy, record.symbol), None)
        self.orders.add(
            Order(
                record.client_order_id,
                record.strategy,
                record.symbol,
                record.side,
                record.qty,
                record.decision_price,
                record.reason,
                record.at,
                OrderStatus.SUBMITTED if record.released else OrderStatus.WAITING,
            )
        )
        if record.side is Side.BUY:
            self.days[record.strategy].entries += 1

    def _move(self, record: r.OrderMoved) -> None:
        order = self.order(record.client_order_id)
        order.broker_order_id = record.broker_order_id or order.broker_order_id
        order.reported_qty = max(order.reported_qty, record.filled_qty)
        was_open = order.is_open
        self.orders.move(order, record.status)
        ended = was_open and not order.is_open
        if ended and order.side is Side.BUY and not order.reported_qty:  # limit given back
            self.days[order.strategy].entries -= 1

    def _book(self, record: r.FillBooked) -> None:
        self.executions.add(record.execution_id)
        self.ledger.book(record)
        order = self.orders.get(record.client_order_id)
        if order is not None:
            self.orders.fill(order, record.qty, record.cum_qty)

    def _use_id(self, client_order_id: str) -> None:
        key, _, sequence = client_order_id.rpartition(".")
        self.sequences[key] = max(self.sequences.get(key, 0), int(sequence))
