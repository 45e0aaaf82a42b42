"""What these books must know of the account's other coordinators."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from coordinator.core import records as r
from coordinator.core.day import Day
from coordinator.core.marks import Marks
from coordinator.core.order_records import change, intend, remembered
from coordinator.core.orders import Order, Orders
from coordinator.core.values import UNASSIGNED


def joining(opened: r.SessionOpened, before: r.SessionOpened | None) -> set[str]:
    """The strategies that join with an opening; `before` is the same coordinator's last one.

    A session that is opened again names all that it has run, and some may be run elsewhere by now.
    """
    names = {opening.strategy for opening in opened.openings}
    if before is not None and before.session_id == opened.session_id:
        names -= {opening.strategy for opening in before.openings}
    return names - {UNASSIGNED}


@dataclass(frozen=True, slots=True)
class Close:
    """How much of a ticker a strategy held as its session was over, and the last price, dollars."""

    qty: Decimal
    mark: Decimal


@dataclass(slots=True)
class Neighbours:
    """The other coordinators' strategies and orders."""

    strategies: set[str] = field(default_factory=set)
    """The strategies that they have run, by name."""
    orders: Orders = field(default_factory=Orders)
    """Their orders, as their records have them. One whose coordinator died may be open for long."""
    marks: Marks = field(default_factory=Marks)
    """The last prices that they have seen."""
    days: dict[str, Day] = field(default_factory=dict)
    """Their strategies' days: the baselines, and what is used up of daily limits."""
    closes: dict[str, dict[str, Close]] = field(default_factory=dict)
    """By strategy and ticker, of the strategies whose session is over."""
    runs: dict[str, tuple[str, str]] = field(default_factory=dict)
    """The coordinator that ran each strategy last, and its session."""
    _opened: dict[str, r.SessionOpened] = field(default_factory=dict)
    """The last opening of each of them, by its name."""

    def may_move(self, symbol: str) -> bool:
        """Whether an open order of theirs can change the position in a ticker."""
        return bool(self.orders.open_on(symbol))

    def may_own(self, broker_order_id: str, symbol: str) -> bool:
        """Whether the broker's order of this id, on this ticker, may be theirs."""
        return self.orders.at_broker(broker_order_id) is not None or self.may_move(symbol)

    def took_over(self, client_order_id: str, replaces: str) -> bool:
        """Whether an order replaced one of theirs, known to the broker as `replaces`."""
        return client_order_id in self.orders or self.orders.at_broker(replaces) is not None

    def apply(self, record: r.Record) -> None:
        """Take in a record that one of them wrote."""
        match record:
            case r.OrderIntended():
                self.strategies.add(record.strategy)
                intended = intend(self.orders, record)
                if day := self.days.get(record.strategy):
                    day.use(intended, record.at)
            case r.EntryDenied():
                self.strategies.add(record.strategy)
            case r.BarsSeen(origin=r.Origin.CORRECTED):
                pass  # the bar as it first came stays the mark
            case r.BarsSeen() | r.HistorySeen():
                self.marks.see_all({bar.symbol: bar for bar in record.bars})
            case r.OrderReleased() | r.OrderMoved() | r.CancelRequested():
                if order := self.orders.get(record.client_order_id):
                    was_entry = order.is_entry
                    change(self.orders, order, record)
                    if day := self.days.get(order.strategy):
                        day.recount(order, was_entry=was_entry)
            case r.DayRolled() | r.EntriesStopped():
                if day := self.days.get(record.strategy):
                    day.apply(record)
            case r.SessionResumed():
                self._go_on(record.session_id)
            case _:
                pass

    def run_in(self, session_id: str) -> list[str]:
        """The strategies that this session was the last to run."""
        return [name for name, (_, ran_in) in self.runs.items() if ran_in == session_id]

    def is_run_in(self, session_id: str, strategy: str) -> bool:
        """Whether this session was the last of theirs to run a strategy, and it is not ours now."""
        return self.runs.get(strategy, ("", ""))[1] == session_id

    def session_of(self, coordinator: str) -> str:
        """The session that one of them opened last; '' if none."""
        opened = self._opened.get(coordinator)
        return opened.session_id if opened else ""

    def run(self, strategy: str, opened: r.SessionOpened) -> None:
        """One of them runs a strategy from this opening on."""
        self.runs[strategy] = opened.coordinator, opened.session_id
        self.closes.pop(strategy, None)

    def open(self, opened: r.SessionOpened, looked_at: datetime) -> set[str]:
        """Take in that one of them opens a session; returns the strategies that it runs now.

        We have `looked_at` the account at our last session's opening; the next look begins there.
        """
        before = self._opened.get(opened.coordinator)
        names = joining(opened, before)
        if before is None or before.session_id != opened.session_id:
            self.orders = remembered(self.orders, min(opened.at, looked_at))
            self.marks.update(opened.marks)
        else:
            self._go_on(opened.session_id)
        self._opened[opened.coordinator] = opened
        self.strategies |= names
        return names

    def _go_on(self, session_id: str) -> None:
        """A session that was over is not."""
        for name in self.run_in(session_id):
            self.closes.pop(name, None)

    def give_day(self, strategy: str) -> Day | None:
        """Give the day of a strategy to the coordinator of the books, if one of them had it."""
        self.runs.pop(strategy, None)
        self.closes.pop(strategy, None)
        return self.days.pop(strategy, None)

    def give(self, strategies: Collection[str], ids: Collection[str]) -> list[Order]:
        """Give the orders of these strategies, or of these ids, to the coordinator of the books."""

        def is_given(order: Order) -> bool:
            return order.strategy in strategies or order.client_order_id in ids

        given = list(filter(is_given, self.orders))
        if given:
            self.orders = self.orders.only(lambda order: not is_given(order))
        return given
