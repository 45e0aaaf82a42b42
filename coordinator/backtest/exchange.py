"""The exchange of a backtest: the simulator's venue in memory, behind the engine's messages.

Orders and reports are those that would pass over the socket, in the same sequence; only JSON is
left out. Nothing here reads a clock: the caller says which minute ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import cache

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.engine import Engine
from coordinator.core.ledger import SubAccount
from coordinator.core.orders import OrderStatus
from coordinator.core.risk import Asset
from coordinator.core.values import COIN, MINUTE, ZERO, Side, is_crypto
from simulator import assets
from simulator.calendar import Calendar
from simulator.errors import Rejection
from simulator.feed import Feed, last_bar
from simulator.fills import FillModel
from simulator.market import Market
from simulator.money import exact, half_even
from simulator.rules import check_ticket
from simulator.values import Bar, Execution, Order, OrderType, Position, Ticket, TimeInForce
from simulator.values import Side as TicketSide
from simulator.venue import Venue

_venue_asset = cache(assets.asset_of)


@dataclass(slots=True)
class Ids:
    """Ids of orders, executions and activities: `prefix` and a common running number."""

    prefix: str
    given: int = 0

    def next(self) -> str:
        """The next id."""
        self.given += 1
        return f"{self.prefix}{self.given}"


@dataclass(slots=True)
class Purse:
    """A copy of an account's cash (dollars) and ids, for orders that fill without being sent.

    `promised` are the dollars of this minute's entries.
    """

    cash: Decimal
    ids: Ids
    promised: Decimal = ZERO


ARRIVING = ("pending_new", "accepted", "new")


def followed(
    engine: Engine, outcome: m.Outcome, carry_out: Callable[[m.Command], Iterable[m.Message]]
) -> list[r.Record]:
    """The records of an outcome, and of all that follows once its commands are carried out."""
    records, commands = list(outcome.records), deque(outcome.commands)
    while commands:
        for message in carry_out(commands.popleft()):
            answer = engine.handle(message)
            records += answer.records
            commands += answer.commands
    return records


class Exchange:
    """One account with `cash` dollars at a venue that fills by `model`, on the bars of `feed`.

    `fee_rate` is crypto's, a fraction. Its ids begin with `prefix`. `last` is a cache of the last
    bars that several exchanges may share.
    """

    def __init__(
        self,
        feed: Feed,
        calendar: Calendar,
        cash: Decimal,
        model: FillModel,
        fee_rate: Decimal,
        *,
        prefix: str = "bt-",
        last: dict[str, Bar | None] | None = None,
    ) -> None:
        self._ids = Ids(prefix)
        self.venue = Venue(cash, model, self._ids.next, fee_rate=fee_rate)
        self._feed = feed
        self._calendar = calendar
        self._last: dict[str, Bar | None] = {} if last is None else last

    @property
    def cash(self) -> Decimal:
        """Dollars in the account."""
        return self.venue.ledger.cash

    @property
    def resting(self) -> set[str]:
        """Symbols on which an order rests."""
        return {order.symbol for order in self.venue.orders.open()}

    def begin(self) -> None:
        """Begin a session: last bars are read from the feed once, and then set by `publish`."""
        self._last.clear()

    def fill_resting(self, bars: Sequence[Bar], boundary: datetime) -> list[m.OrderUpdate]:
        """Fill resting orders against the bars that end at `boundary`, before publishing them."""
        if not bars or not self.venue.orders.open():
            return []
        self.venue.on_bars(bars, self._market(boundary - MINUTE))
        return self._updates()

    def publish(self, bars: Sequence[Bar], boundary: datetime) -> list[m.OrderUpdate]:
        """Publish the bars that end at `boundary`; open or close the exchange if it is time."""
        for bar in bars:
            self._last[bar.symbol] = bar
        if self._calendar.at(boundary) is not self._calendar.at(boundary - MINUTE):
            self.venue.turn(self._market(boundary))
        return self._updates()

    def carry_out(self, command: m.Command, now: datetime) -> list[m.Message]:
        """The broker's answer to a command, and the updates that follow from it immediately."""
        match command:
            case m.SubmitOrder():
                return self._submit(command, now)
            case m.CancelOrder():
                return self._cancel(command, now)
            case m.LookUpOrder():
                return [_update(self.venue.orders.find_client(command.client_order_id))]

    def purse(self, _strategy: str) -> Purse:
        """A copy of the account's cash and ids."""
        return Purse(self.cash, replace(self._ids))

    def settle(self, purse: Purse, books: Iterable[SubAccount]) -> None:
        """Set the account to `purse` and to the positions of `books`, which traded outside it."""
        held: dict[str, Position] = {}
        for book in books:
            for symbol, position in book.positions.items():
                before = held.get(symbol, Position(symbol, ZERO, ZERO))
                qty, cost = before.qty + position.qty, before.cost + position.cost
                held[symbol] = Position(symbol, qty, cost)
        self._ids.given = purse.ids.given
        self.venue.ledger.cash = purse.cash
        self.venue.ledger.positions = {name: one for name, one in held.items() if one.qty}

    def positions(self) -> dict[str, Decimal]:
        """The account's net positions by symbol, without those of zero."""
        held = self.venue.ledger.positions.items()
        return {symbol: position.qty for symbol, position in held if position.qty}

    def _submit(self, command: m.SubmitOrder, now: datetime) -> list[m.Message]:
        market = self._market(now)
        ticket = Ticket(
            symbol=command.symbol,
            side=_SIDES[command.side],
            type=OrderType.MARKET,
            time_in_force=TimeInForce(command.time_in_force),
            qty=command.qty,
            notional=None,
            limit_price=None,
            stop_price=None,
            client_order_id=command.client_order_id,
        )
        try:
            check_ticket(ticket, _venue_asset(command.symbol))
            answer = _update(self.venue.submit(ticket, market))
        except Rejection as refusal:
            return [m.SubmitRefused(command.client_order_id, now, refusal.message)]
        self.venue.work(market)
        return [answer, *self._updates()]

    def _cancel(self, command: m.CancelOrder, now: datetime) -> list[m.Message]:
        try:
            self.venue.cancel(command.broker_order_id, now)
        except Rejection:
            return [_update(self.venue.orders.find_client(command.client_order_id))]
        return list(self._updates())

    def _market(self, now: datetime) -> Market:
        return Market(now, self._calendar, lambda symbol: self._newest(symbol, now))

    def _newest(self, symbol: str, now: datetime) -> Bar | None:
        if symbol not in self._last:
            self._last[symbol] = last_bar(self._feed, symbol, now)
        return self._last[symbol]

    def _updates(self) -> list[m.OrderUpdate]:
        """The venue's updates, without arrival steps of an order that a later update supersedes."""
        updates = self.venue.take_updates()
        newest = {update.order.id: update for update in updates}
        return [
            _update(update.order, update.at, update.execution)
            for update in updates
            if update.event not in ARRIVING or newest[update.order.id] is update
        ]


def asset_of(symbol: str) -> Asset:
    """A ticker's order increment and minimum at the venue."""
    asset = _venue_asset(symbol)
    if not is_crypto(symbol):
        return Asset.stock(symbol, fractionable=True)
    step = asset.min_trade_increment
    return Asset.crypto(symbol, increment=step, min_qty=max(step, asset.min_order_size))


@exact
def _update(
    order: Order, at: datetime | None = None, fill: Execution | None = None
) -> m.OrderUpdate:
    """The broker's report on an order, with its execution if it reports one."""
    average = half_even(order.filled_cost / order.filled_qty, COIN) if order.filled_qty else None
    ticket = order.ticket
    assert ticket.qty is not None, "a strategy's order has a quantity"
    return m.OrderUpdate(
        ticket.client_order_id,
        order.id,
        ticket.symbol,
        Side(ticket.side.value),
        OrderStatus(order.status.value),
        ticket.qty,
        order.filled_qty,
        average,
        at or order.updated_at,
        order.created_at,
        None
        if fill is None
        else m.Execution(fill.id, fill.qty, fill.price, order.filled_qty, fill.at),
    )


_SIDES = {side: TicketSide(side.value) for side in Side}
