"""The state that records build: ledger, orders and each strategy's day.

Only `Books.apply` changes that state, and it decides nothing. Live it is given the records that the
engine just made, at a start those that the journal kept, and both lead to the same state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from coordinator.core import records as r
from coordinator.core.day import Day
from coordinator.core.halts import Halts
from coordinator.core.ledger import Ledger, SubAccount, agrees
from coordinator.core.neighbours import Neighbours
from coordinator.core.order_records import adopt, change, intend
from coordinator.core.orders import Order, Orders
from coordinator.core.postings import Postings
from coordinator.core.restoring import begin_session
from coordinator.core.sequences import pass_over
from coordinator.core.takeover import hand_over, note_closes
from coordinator.core.values import UNASSIGNED, Bar, exactly

FUNDING = "funding"
"""The transfer that begins a book."""
NEW_INITIAL_CASH = "initial_cash"
"""The transfer that follows an edited `initial_cash`."""


def _unwatched(_record: r.Record) -> None:
    """The default of `before_apply`: nobody watches."""


@dataclass(slots=True)
class Books:
    """Everything known about one account's sub-accounts, from its records alone."""

    ledger: Ledger = field(default_factory=Ledger)
    orders: Orders = field(default_factory=Orders)
    days: dict[str, Day] = field(default_factory=dict)
    posted: Postings = field(default_factory=Postings)
    sequences: dict[str, int] = field(default_factory=dict)
    """Last sequence number used, by '<strategy>.<session date>'."""
    last_bar: dict[str, datetime] = field(default_factory=dict)
    """The start of each ticker's newest bar."""
    split: set[str] = field(default_factory=set)
    """Tickers with a split that was booked since their newest bar."""
    denied: dict[tuple[str, str], str] = field(default_factory=dict)
    """The last denial of each (strategy, ticker), so that a repeated wish is denied once."""
    neighbours: Neighbours = field(default_factory=Neighbours)
    """The account's other coordinators."""
    frozen: dict[str, r.DiscrepancyFound] = field(default_factory=dict)
    """Unexplained discrepancies, by id; each freezes entries."""
    halts: Halts = field(default_factory=Halts)
    given_up: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By strategy, the tickers that it no longer trades and is to sell."""
    last_at: datetime | None = None
    """When this coordinator's newest record was made; before its first session, anybody's."""
    account: str = ""
    session: r.SessionOpened | None = None
    ended: r.SessionEnded | None = None
    before_apply: Callable[[r.Record], None] = field(default=_unwatched, compare=False, repr=False)
    """Called with each record, whoever wrote it, before the record changes anything."""

    @exactly
    def apply_all(self, records: Iterable[r.Record]) -> None:
        """Apply records in order."""
        for record in records:
            self.apply(record)

    def apply(self, record: r.Record) -> None:
        """Apply one record. Call inside the EXACT decimal context."""
        self.before_apply(record)
        self.last_at = record.at
        match record:
            case r.BarsSeen() | r.HistorySeen():
                self._see(record.bars)
            case r.OrderIntended():
                self._intend(record)
            case r.OrderReleased() | r.OrderMoved() | r.CancelRequested():
                self._change(record)
            case r.FillBooked():
                self._book(record)
            case r.OrderAdopted():
                self._adopt(record)
            case r.ActivityBooked():
                self._move(record)
            case r.EntryDenied():
                pass_over(self.sequences, record.client_order_id)
                self.denied[record.strategy, record.symbol] = record.reason
            case r.EntriesStopped() | r.DayRolled():
                self.days[record.strategy].apply(record)
            case r.Transferred():
                self._transfer(record)
            case r.AccountAdopted():
                self.account = record.account
                self.posted.adopt(record)
                unassigned = SubAccount(UNASSIGNED, cash=record.cash)
                self.ledger.restore(unassigned, record.holdings)
            case r.Reconfigured():
                assert self.session is not None, "only a session that trades is reconfigured"
                self.session = replace(self.session, config_hash=record.config_hash)
                self.given_up = dict(record.given_up)
                for name in record.mended:
                    self.days[name].stopped = ""
            case r.SessionOpened():
                begin_session(self, record)
            case r.SessionResumed():
                self.ended = None
            case r.SessionEnded():
                self._end(record)
            case r.DiscrepancyFound():
                if record.discrepancy_id:
                    self.frozen[record.discrepancy_id] = record
            case r.DiscrepancyResolved():
                self.frozen.pop(record.discrepancy_id, None)
            case r.Killed() | r.Revived() | r.Paused() | r.FlattenRequested() | r.Resumed():
                self.halts.apply(record)

    @exactly
    def apply_foreign(self, record: r.Record) -> None:
        """Apply a record of another coordinator of the account.

        Only movements of money and positions, what concerns the whole account, used ids and the
        other's open orders are taken from it.
        """
        last_at = record.at if self.session is None else self.last_at
        self.neighbours.apply(record)
        match record:
            case r.AccountAdopted() if self.account:
                pass
            case (
                r.AccountAdopted()
                | r.Transferred()
                | r.FillBooked()
                | r.ActivityBooked()
                | r.OrderAdopted()
                | r.DiscrepancyFound()
                | r.DiscrepancyResolved()
                | r.Killed()
                | r.Revived()
                | r.Paused()
                | r.FlattenRequested()
                | r.Resumed()
            ):
                self.apply(record)
            case r.OrderIntended() | r.EntryDenied():
                pass_over(self.sequences, record.client_order_id)
            case r.SessionOpened():
                hand_over(self, record)
            case r.SessionEnded():
                note_closes(self, self.neighbours.run_in(record.session_id))
            case _:
                pass
        self.last_at = last_at

    @property
    def all_orders(self) -> tuple[Orders, Orders]:
        """This coordinator's orders, and the others'."""
        return self.orders, self.neighbours.orders

    def freezing(self, symbol: str) -> list[r.DiscrepancyFound]:
        """The open discrepancies that freeze entries on a ticker: its own, and the account's."""
        return [found for found in self.frozen.values() if found.symbol in ("", symbol)]

    def strategies(self) -> list[str]:
        """The strategies whose books this coordinator keeps, dormant ones included."""
        return [name for name in self.days if name != UNASSIGNED]

    def order(self, client_order_id: str) -> Order:
        """The order with this id, which must have been recorded."""
        order = self.orders.get(client_order_id)
        assert order is not None, f"no intent was recorded for {client_order_id}"
        return order

    def day_of(self, strategy: str) -> Day | None:
        """Its day, whoever runs it; None while only the records of one session are read."""
        return self.days.get(strategy) or self.neighbours.days.get(strategy)

    def day_pnl(self, strategy: str) -> Decimal:
        """Dollars won since the day's baseline, transfers apart."""
        transferred = self.ledger[strategy].transferred
        return self.days[strategy].pnl(self.ledger.equity(strategy), transferred)

    def _transfer(self, record: r.Transferred) -> None:
        if record.kind == FUNDING:
            self.ledger.fund(record.source, record.target, record.amount)
            return
        self.ledger.transfer(record.source, record.target, record.amount)
        if record.kind == NEW_INITIAL_CASH and record.target in self.ledger:
            self.ledger[record.target].configured_cash += record.amount

    def _see(self, bars: Iterable[Bar]) -> None:
        starts, newest = self.last_bar, dict[str, Bar]()
        for bar in bars:
            symbol, start = bar.symbol, bar.start
            if symbol not in starts or start > starts[symbol]:
                starts[symbol], newest[symbol] = start, bar
        self.ledger.marks.see_all(newest)
        if self.split:
            self.split -= newest.keys()

    def _move(self, record: r.ActivityBooked) -> None:
        """Post an activity; a book that its session opens only after that has it in its opening."""
        if self.posted.add_activity(record) and record.strategy in self.ledger:
            self.ledger.adjust(record)
            if record.is_import and record.price:
                self._value_imported(record)
            if record.kind is r.ActivityKind.SPLIT:
                self.split.add(record.symbol)
                self.neighbours.marks.pop(record.symbol, None)  # of before the split
                self.ledger.follow_split(record, self.last_bar.get(record.symbol))

    def _value_imported(self, moved: r.ActivityBooked) -> None:
        """Value a ticker at the price at which a plan moves it: a mark that nobody follows may be
        of weeks ago. Not if a third book holds it, whose day has ended at that mark."""
        if self.ledger.units(moved.symbol).keys() <= {UNASSIGNED, moved.strategy}:
            self.ledger.marks[moved.symbol] = moved.price
            self.neighbours.marks.pop(moved.symbol, None)

    def _end(self, record: r.SessionEnded) -> None:
        """End a session. If cash agreed, what its executions left unsettled is less than a cent."""
        self.ended = record
        if record.broker_cash is not None and agrees(self.ledger.net_cash(), record.broker_cash):
            self.posted.unsettled = min(self.posted.unsettled, 1)

    def _intend(self, record: r.OrderIntended) -> None:
        pass_over(self.sequences, record.client_order_id)
        if self.denied:
            self.denied.pop((record.strategy, record.symbol), None)
        order = intend(self.orders, record)
        if day := self.day_of(record.strategy):
            day.use(order, record.at)

    def _with(self, client_order_id: str) -> tuple[Orders, Order] | None:
        """An order, and the orders that it is among: ours, or the other coordinators'.

        None for one of an earlier session, while only this session's records are read.
        """
        for orders in self.all_orders:
            if order := orders.get(client_order_id):
                return orders, order
        return None

    def _change(self, record: r.OrderReleased | r.OrderMoved | r.CancelRequested) -> None:
        if found := self._with(record.client_order_id):
            orders, order = found
            was_entry = order.is_entry
            change(orders, order, record)
            self._count_entry(order, was_entry=was_entry)

    def _book(self, record: r.FillBooked) -> None:
        for orders in self.all_orders:
            order = orders.of(record.strategy, record.client_order_id, record.reverses)
            if order is not None:
                break
        if self.posted.has(record, order):
            return  # another coordinator also booked this fill of an order that nobody owns
        posting = self.posted.add_fill(record, order)
        self.ledger.book(record)
        if order is not None:
            was_entry = order.is_entry
            orders.fill(order, posting)
            self._count_entry(order, was_entry=was_entry)

    def _adopt(self, record: r.OrderAdopted) -> None:
        """Give a strategy the order that a human put in the place of one of its own.

        It counts as an entry of its own. Executions booked before it had an owner stay in the book
        they are in, and are not booked again.
        """
        found = self._with(record.replaces)
        if found is None:
            return
        orders, old = found
        was_entry = old.is_entry
        new = adopt(orders, old, record, self.posted.unowned(record.client_order_id))
        self._count_entry(old, was_entry=was_entry)
        if new is not None:
            self._count_entry(new, was_entry=False)

    def _count_entry(self, order: Order, *, was_entry: bool) -> None:
        if day := self.day_of(order.strategy):
            day.recount(order, was_entry=was_entry)
