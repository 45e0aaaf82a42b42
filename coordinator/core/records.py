"""What the journal keeps: the facts that, applied in order, are the books.

A record is written before anything is done about it and is never changed. Replaying the records
gives the same books again, whatever program wrote them and whatever it would decide today.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import Enum, StrEnum

from coordinator.core.carried import Holding as Holding
from coordinator.core.carried import Opening as Opening
from coordinator.core.carried import OpenOrder as OpenOrder
from coordinator.core.discrepancies import DiscrepancyFound as DiscrepancyFound
from coordinator.core.discrepancies import DiscrepancyResolved as DiscrepancyResolved
from coordinator.core.fees import CRYPTO_FEE_RATE
from coordinator.core.halts import FlattenRequested as FlattenRequested
from coordinator.core.halts import Killed as Killed
from coordinator.core.halts import Paused as Paused
from coordinator.core.halts import Resumed as Resumed
from coordinator.core.halts import Revived as Revived
from coordinator.core.orders import OrderStatus
from coordinator.core.values import ZERO, Bar, Reason, Side

CROSS = "cross."
"""How the id of an execution between two of our books begins."""
IMPORT = "import."
"""How the id of what a human's plan moves begins."""


class Origin(Enum):
    """Where a bar came from."""

    LIVE = "live"
    BACKFILL = "backfill"
    CORRECTED = "corrected"


class ActivityKind(Enum):
    """What a movement of the account counts as in a book."""

    DIVIDEND = "dividend"
    INTEREST = "interest"
    FEE = "fee"
    TRANSFER = "transfer"
    SPLIT = "split"
    ROUNDING = "rounding"


class SessionEnd(StrEnum):
    """How a session ended: at its markets' close, or before it."""

    COMPLETED = "Completed"
    STOPPED_EARLY = "StoppedEarly"


@dataclass(frozen=True, slots=True)
class AccountAdopted:
    """First sight of a broker account: all it holds becomes UNASSIGNED's.

    It includes the activities `known`, by id; its cash may lack fees `set_aside` and not posted.
    """

    at: datetime
    account: str
    cash: Decimal
    holdings: tuple[Holding, ...]
    known: tuple[str, ...] = ()
    set_aside: tuple[Decimal, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """A session begins, or goes on with more strategies.

    `marks` are the last closes known, for books that hold something; `orders` those that earlier
    sessions left open. `crypto_fee_rate` is the configured one, which older records do not have.
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
    crypto_fee_rate: Decimal = CRYPTO_FEE_RATE


@dataclass(frozen=True, slots=True)
class SessionResumed:
    """The same session goes on in a new process."""

    at: datetime
    session_id: str


@dataclass(frozen=True, slots=True)
class Reconfigured:
    """The session goes on with another configuration, which `by` asked for, or a restart found.

    The books that it begins or describes anew are in a SessionOpened before it. `left` are
    strategies that no longer run, `mended` those that failed that day and, edited, may open
    positions again; `given_up` has all tickers to sell because their holder, by which they are
    listed, no longer trades them.
    """

    at: datetime
    session_id: str
    config_hash: str
    by: str
    left: tuple[str, ...] = ()
    given_up: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    mended: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """A session is over; `broker_cash` and `broker_positions` are the account as last asked, the
    cash with the fees that are still to be posted."""

    at: datetime
    session_id: str
    status: SessionEnd
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
    """An entry that a limit refused; it has an id, but was never an order at the broker.

    `reason` is a Denial, or a fault's text.
    """

    at: datetime
    client_order_id: str
    strategy: str
    symbol: str
    qty: Decimal
    decision_price: Decimal
    reason: str


@dataclass(frozen=True, slots=True)
class OrderMoved:
    """An order's state changed, by the broker's report or by our own refusal.

    `reason` is the broker's own words, a Denial, `crossed`, or why it is not known if the order
    arrived. `replaced_by` is the broker's id of the order that a human put in its place, while that
    one is not ours yet.
    """

    at: datetime
    client_order_id: str
    status: OrderStatus
    broker_order_id: str = ""
    filled_qty: Decimal = ZERO
    filled_avg_price: Decimal | None = None
    submitted_at: datetime | None = None
    reason: str = ""
    replaced_by: str = ""


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """An open order is to be cancelled: its strategy exits for `reason`, or was removed."""

    at: datetime
    client_order_id: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class FillBooked:
    """One execution in the one book that owns it, or its reversal.

    `qty` is gross; `fee_qty` is what a crypto buy lost in coin, `fee` the fee in dollars (of a
    coin fee: its value at this price). A bust has the opposite sign throughout, an id of its own,
    and in `reverses` the id of the execution taken back; one that corrects that names it too.
    `broker_order_id` is that of an order which no strategy gave.
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
    reverses: str = ""
    broker_order_id: str = ""

    @property
    def is_cross(self) -> bool:
        """Whether it is between two of our books, so that the broker does not know of it."""
        return self.execution_id.startswith(CROSS)


@dataclass(frozen=True, slots=True)
class OrderAdopted:
    """An order that a human put in the place of one of ours, and that is ours from now on."""

    at: datetime
    client_order_id: str
    replaces: str
    broker_order_id: str
    qty: Decimal


@dataclass(frozen=True, slots=True)
class ActivityBooked:
    """An activity of the account other than a fill, or the share of it that one book has.

    `amount` is dollars of cash; `qty` units of `symbol` that came or went, worth `price` dollars
    each. `kind` says what they count as; `day` is the date that the activity belongs to, and
    `allocated_by` how it came to this book. It `settles` that much of this book's fees that the
    broker has not posted yet, in coins of `symbol` or in dollars; a negative value adds to them.
    """

    at: datetime
    activity_id: str
    strategy: str
    kind: ActivityKind
    symbol: str
    qty: Decimal
    price: Decimal
    amount: Decimal
    allocated_by: str
    day: date
    settles: Decimal = ZERO

    @property
    def is_import(self) -> bool:
        """Whether a human's plan moves it."""
        return self.activity_id.startswith(IMPORT)


@dataclass(frozen=True, slots=True)
class EntriesStopped:
    """A strategy opens nothing more until its day's end, for a Denial or a fault's text."""

    at: datetime
    strategy: str
    reason: str


Record = (
    AccountAdopted
    | SessionOpened
    | SessionResumed
    | Reconfigured
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
    | OrderAdopted
    | ActivityBooked
    | EntriesStopped
    | DiscrepancyFound
    | DiscrepancyResolved
    | Killed
    | Revived
    | Paused
    | FlattenRequested
    | Resumed
)
