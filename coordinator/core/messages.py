"""What reaches the engine, and what it asks for: messages in, commands out.

A message is a fact that reached us. The engine answers it with records, which the journal keeps
and which alone change the books, and with commands, which the shell carries out only after the
records are durable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import Enum

from coordinator.core.orders import OrderStatus
from coordinator.core.records import Origin, Record
from coordinator.core.reload import Reload as Reload
from coordinator.core.risk import Asset
from coordinator.core.values import Bar, Side


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution as the broker reports it; `cum_qty` is the order's filled quantity after it."""

    execution_id: str
    qty: Decimal
    price: Decimal
    cum_qty: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class Bust:
    """The broker takes an execution back: `previous_id`, empty if it does not say which."""

    execution_id: str
    previous_id: str
    qty: Decimal
    price: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class Activity:
    """An activity of the account other than a fill, as the broker reports it.

    `qty` is units of `symbol`, `net_amount` dollars, each with its sign. `at` is when the broker
    listed it, if it says so. It `takes_back` the activity of that id, which is its own if it was
    called off after it had been executed; one that `is_void` moves nothing else.
    """

    activity_id: str
    kind: str
    day: date
    symbol: str
    qty: Decimal
    price: Decimal | None
    net_amount: Decimal
    note: str
    at: datetime | None = None
    takes_back: str = ""
    is_void: bool = False


@dataclass(frozen=True, slots=True)
class BarsArrived:
    """Bars of one batch, at broker time `now`."""

    now: datetime
    bars: tuple[Bar, ...]
    origin: Origin = Origin.LIVE


@dataclass(frozen=True, slots=True)
class OrderUpdate:
    """The broker's report on an order, from the stream or from REST; quantities are cumulative."""

    client_order_id: str
    broker_order_id: str
    symbol: str
    side: Side
    status: OrderStatus
    qty: Decimal
    filled_qty: Decimal
    filled_avg_price: Decimal | None
    at: datetime
    submitted_at: datetime | None = None
    execution: Execution | None = None
    reason: str = ""
    bust: Bust | None = None
    replaces: str = ""
    replaced_by: str = ""


@dataclass(frozen=True, slots=True)
class SubmitRefused:
    """The broker answered an order with a definite no.

    `available` are the units of which it would take a sale instead, if it says so.
    """

    client_order_id: str
    at: datetime
    reason: str
    available: Decimal | None = None


@dataclass(frozen=True, slots=True)
class SubmitUnclear:
    """Nobody knows whether the broker has this order: no answer, or one that proves nothing."""

    client_order_id: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class OrderAbsent:
    """The broker was asked repeatedly for a client order id and does not know it."""

    client_order_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ClockRead:
    """The broker's clock."""

    now: datetime


@dataclass(frozen=True, slots=True)
class AccountSeen:
    """The broker's account, and what has moved it, asked for when the books had `version`.

    `cash` is in dollars, None if only orders were asked for; `positions` by symbol as configured.
    `updates` are the open orders and the executions since the last look, other people's included.
    `account` is its number, where it was asked for, and `set_aside` are the dollars of fees that
    the broker has counted and not posted yet, which `cash` may lack already.
    """

    now: datetime
    version: int
    cash: Decimal | None
    positions: Mapping[str, Decimal]
    updates: tuple[OrderUpdate, ...] = ()
    activities: tuple[Activity, ...] = ()
    account: str = ""
    set_aside: tuple[Decimal, ...] = ()


@dataclass(frozen=True, slots=True)
class AssetRead:
    """The order rules of a ticker that the session had none of."""

    now: datetime
    asset: Asset


@dataclass(frozen=True, slots=True)
class SightChanged:
    """What we can see changed: whether order states are known, and the tickers without bars."""

    now: datetime
    orders: bool
    blind: frozenset[str]


class Act(Enum):
    """What an operator may ask of a session that runs."""

    PAUSE = "pause"
    RESUME = "resume"
    FLATTEN = "flatten"
    KILL = "kill"
    REVIVE = "revive"


@dataclass(frozen=True, slots=True)
class OperatorAsked:
    """A request of the operator `by`, about one strategy or about the whole account."""

    now: datetime
    act: Act
    by: str
    strategy: str = ""


Message = (
    BarsArrived
    | OrderUpdate
    | SubmitRefused
    | SubmitUnclear
    | OrderAbsent
    | ClockRead
    | AccountSeen
    | AssetRead
    | SightChanged
    | OperatorAsked
    | Reload
)


@dataclass(frozen=True, slots=True)
class SubmitOrder:
    """POST this market order."""

    client_order_id: str
    symbol: str
    side: Side
    qty: Decimal
    time_in_force: str


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """DELETE this order at the broker."""

    client_order_id: str
    broker_order_id: str


@dataclass(frozen=True, slots=True)
class LookUpOrder:
    """Ask the broker what became of this order, its executions included."""

    client_order_id: str


Command = SubmitOrder | CancelOrder | LookUpOrder


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to an operator, in a sentence; `done` says whether the request is fulfilled."""

    done: bool
    said: str


@dataclass(slots=True)
class Outcome:
    """The engine's answer: records to make durable first, then commands to carry out.

    `answer` is for the operator who asked, once the records are durable.
    """

    records: list[Record] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    answer: Answer | None = None
