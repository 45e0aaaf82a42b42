"""The nouns of the venue: bars, orders, executions, updates.

Rule: all are frozen; times are aware UTC, money and quantities Decimal.
"""

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

MINUTE = timedelta(minutes=1)


class AssetClass(enum.Enum):
    """Alpaca's words for the two classes served here."""

    STOCK = "us_equity"
    CRYPTO = "crypto"


class Side(enum.Enum):
    """Which way an order goes."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1


class OrderType(enum.Enum):
    """The order types that the venue executes."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"


class TimeInForce(enum.Enum):
    """How long an order stands."""

    DAY = "day"
    GTC = "gtc"
    IOC = "ioc"


class OrderStatus(enum.Enum):
    """The states an order passes here; `is_open` tells those in which it may still fill."""

    PENDING_NEW = "pending_new"
    ACCEPTED = "accepted"
    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REPLACED = "replaced"

    @property
    def is_open(self) -> bool:
        """Whether the order may still fill."""
        return self in _OPEN

    @property
    def is_replaceable(self) -> bool:
        """Whether another order may take its place: it is open, and live at the exchange."""
        return self in (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED)


def intent(side: Side, *, opens: bool) -> str:
    """Alpaca's word for what an order does to the position."""
    return f"{side.value}_to_{'open' if opens else 'close'}"


_OPEN = frozenset(
    {
        OrderStatus.PENDING_NEW,
        OrderStatus.ACCEPTED,
        OrderStatus.NEW,
        OrderStatus.PARTIALLY_FILLED,
    }
)


@dataclass(frozen=True, slots=True)
class Bar:
    """One minute [start, start + 60 s) of one symbol; vwap and trade_count None where unknown."""

    symbol: str
    start: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    trade_count: int | None
    vwap: Decimal | None

    @property
    def end(self) -> datetime:
        """The moment from which the bar may be known."""
        return self.start + MINUTE


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a client asks for, parsed: exactly one of qty and notional is set."""

    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    qty: Decimal | None
    notional: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    client_order_id: str
    extended_hours: bool = False
    position_intent: str | None = None

    @property
    def is_crypto(self) -> bool:
        """Whether the symbol names a pair."""
        return "/" in self.symbol

    @property
    def asset_class(self) -> AssetClass:
        """That of the symbol."""
        return AssetClass.CRYPTO if self.is_crypto else AssetClass.STOCK


@dataclass(frozen=True, slots=True)
class Order:
    """An order's whole state.

    sequence: its place in the venue's order of acceptance, from 1. opens: whether it enlarges a
    position, so that `hold_price` dollars a unit are held for it; one that closes holds quantity.
    """

    id: str
    sequence: int
    ticket: Ticket
    status: OrderStatus
    created_at: datetime
    updated_at: datetime
    filled_qty: Decimal = Decimal(0)
    filled_cost: Decimal = Decimal(0)
    opens: bool = True
    hold_price: Decimal = Decimal(0)
    triggered: bool = False
    filled_at: datetime | None = None
    expired_at: datetime | None = None
    canceled_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    replaced_at: datetime | None = None
    replaced_by: str | None = None
    replaces: str | None = None
    expires_at: datetime | None = None

    @property
    def symbol(self) -> str:
        """As the client wrote it: 'SPY', 'BTC/USD'."""
        return self.ticket.symbol

    @property
    def side(self) -> Side:
        """The ticket's side."""
        return self.ticket.side

    def remaining(self) -> Decimal | None:
        """Quantity still to fill; None for a notional order whose price is not known yet."""
        return None if self.ticket.qty is None else self.ticket.qty - self.filled_qty

    def unspent(self) -> Decimal:
        """Dollars of a notional order still to spend."""
        return (self.ticket.notional or Decimal(0)) - self.filled_cost


@dataclass(frozen=True, slots=True)
class Execution:
    """One fill as booked: qty gross, fee_qty in coin (crypto buys), fee_cash in dollars (sells)."""

    id: str
    activity_id: str
    order_id: str
    client_order_id: str
    symbol: str
    side: Side
    qty: Decimal
    price: Decimal
    fee_qty: Decimal
    fee_cash: Decimal
    at: datetime
    cum_qty: Decimal
    leaves_qty: Decimal
    position_qty: Decimal

    @property
    def is_final(self) -> bool:
        """Whether it filled the order."""
        return self.leaves_qty == 0


@dataclass(frozen=True, slots=True)
class Update:
    """One `trade_updates` message to be: the event, the order after it, and the fill if any.

    amends: id of the execution that `execution` takes back or corrects.
    """

    event: str
    order: Order
    at: datetime
    execution: Execution | None = None
    amends: str | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """Net holding of one symbol (qty < 0: short) and the dollars it cost, fees apart."""

    symbol: str
    qty: Decimal
    cost: Decimal
