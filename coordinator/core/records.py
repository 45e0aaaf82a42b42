"""What the journal keeps: the facts that, applied in order, are the books.

A record is written before anything is done about it and is never changed. Replaying the records
gives the same books again, whatever program wrote them and whatever it would decide today.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum

from coordinator.core.orders import OrderStatus
from coordinator.core.values import ZERO, Bar, Reason, Side


class Origin(Enum):
    """Where a bar came from."""

    LIVE = "live"
    BACKFILL = "backfill"
    CORRECTED = "corrected"


@dataclass(frozen=True, slots=True)
class Holding:
    """A position as stored: quantity of one symbol and its total cost in dollars."""

    symbol: str
    qty: Decimal
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Opening:
    """One book as a session finds it.

    `initial_cash` is what the book began with, `transferred` what came later, of which
    `baseline_transferred` before this session's own adjustments; `configured_cash` is what the
    configuration says now. `start_equity` is the day's baseline in dollars: the previous
    session's end equity, or the initial cash of a new book.
    """

    strategy: str
    strategy_type: str
    params: Mapping[str, object]
    tickers: tuple[str, ...]
    initial_cash: Decimal
    configured_cash: Decimal
    transferred: Decimal
    baseline_transferred: Decimal
    cash: Decimal
    holdings: tuple[Holding, ...]
    start_equity: Decimal


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order of an earlier session that a fill can still reach, as this one finds it.

    `booked_until` holds the order's cumulative quantity after each execution that was booked.
    """

    client_order_id: str
    strategy: str
    symbol: str
    side: Side
    qty: Decimal
    decision_price: Decimal
    reason: Reason
    decided_at: datetime
    status: OrderStatus
    broker_order_id: str
    reported_qty: Decimal
    booked_qty: Decimal
    booked_until: tuple[Decimal, ...]
    filled_avg_price: Decimal | None


@dataclass(frozen=True, slots=True)
class AccountAdopted:
    """First sight of a broker account: all it holds becomes UNASSIGNED's."""

    at: datetime
    account: str
    cash: Decimal
    holdings: tuple[Holding, ...]


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """A session begins, or goes on with more strategies.

    `marks` are the last closes known, for books that hold something; `orders` those that earlier
    sessions left open.
    """

    at: datetime
    session_id: str
    coordinator: str
    account: str
    mode: str
    feed: str
    session_date: date
    config_hash: str
    openings: tuple[Opening, ...]
    marks: Mapping[str, Decimal]
    orders: tuple[OpenOrder, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionResumed:
    """The same session goes on in a new process."""

    at: datetime
    session_id: str


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """A session is over; `broker_cash` and `broker_positions` are the account as last asked."""

    at: datetime
    session_id: str
    status: str
    broker_cash: Decimal | None
    broker_positions: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Transferred:
    """Cash moved between two books. Of kind `funding` it begins the target's book."""

    at: datetime
    source: str
    target: str
    amount: Decimal
    kind: str


@dataclass(frozen=True, slots=True)
class DayRolled:
    """A strategy's daily counters were reset for `day`."""

    at: datetime
    strategy: str
    day: date


@dataclass(frozen=True, slots=True)
class HistorySeen:
    """Bars from before the session, which warm indicators up and set the first marks."""

    at: datetime
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class BarsSeen:
    """Bars of one minute of the session that were accepted."""

    at: datetime
    origin: Origin
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class OrderIntended:
    """A strategy's order, durable before the broker can know it.

    `decision_price` is the close it was decided on. An order that is not `released` waits for an
    opposite one on its ticker to end.
    """

    at: datetime
    client_order_id: str
    strategy: str
    symbol: str
    side: Side
    qty: Decimal
    decision_price: Decimal
    reason: Reason
    released: bool


@dataclass(frozen=True, slots=True)
class OrderReleased:
    """An order that waited may go to the broker now."""

    at: datetime
    client_order_id: str


@dataclass(frozen=True, slots=True)
class EntryDenied:
    """A wish to buy that a limit refused; it has an id, but was never an order at the broker."""

    at: datetime
    client_order_id: str
    strategy: str
    symbol: str
    qty: Decimal
    decision_price: Decimal
    reason: str


@dataclass(frozen=True, slots=True)
class OrderMoved:
    """An order's state changed, by the broker's report or by our own refusal."""

    at: datetime
    client_order_id: str
    status: OrderStatus
    broker_order_id: str = ""
    filled_qty: Decimal = ZERO
    filled_avg_price: Decimal | None = None
    submitted_at: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """A strategy wants its open buy ended, because it wants out for `reason`."""

    at: datetime
    client_order_id: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class FillBooked:
    """One execution in the one book that owns it.

    `qty` is gross; `fee_qty` is what a crypto buy lost in coin, `fee` the fee in dollars (of a
    coin fee: its value at this price).
    """

    at: datetime
    execution_id: str
    client_order_id: str
    strategy: str
    symbol: str
    side: Side
    qty: Decimal
    price: Decimal
    fee: Decimal
    fee_qty: Decimal
    cum_qty: Decimal


@dataclass(frozen=True, slots=True)
class EntriesStopped:
    """A strategy opens nothing more until its day's end."""

    at: datetime
    strategy: str
    reason: str


@dataclass(frozen=True, slots=True)
class DiscrepancyFound:
    """The broker's account and our books differ."""

    at: datetime
    kind: str
    symbol: str
    strategy: str
    ours: Decimal
    brokers: Decimal
    note: str


Record = (
    AccountAdopted
    | SessionOpened
    | SessionResumed
    | SessionEnded
    | Transferred
    | DayRolled
    | HistorySeen
    | BarsSeen
    | OrderIntended
    | OrderReleased
    | EntryDenied
    | OrderMoved
    | CancelRequested
    | FillBooked
    | EntriesStopped
    | DiscrepancyFound
)
