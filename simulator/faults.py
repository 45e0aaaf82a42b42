"""What can go wrong: one frozen value for each kind of entry in a script of faults.

A script is a JSON list of objects such as
    {"at": "10:05", "kind": "drop_data", "path": "/v2/iex"}
    {"at": "10:10", "kind": "mute_data", "for_s": 300}
    {"at": "10:20", "kind": "http_500_after_accept", "times": 1, "status": 504}
`at` is New York time on the first day ('HH:MM[:SS]') or an RFC 3339 time; none: from the start.
What strikes the next requests or messages does so from `at` on, `times` times (1). Everything else
takes effect at the first minute's end that is not before `at`, ahead of that minute's bars; what
lasts, lasts `for_s` broker seconds (60). Fields with a question mark may be left out.

Connections
    drop_data       path?               market-data connections are closed
    drop_orders                         trade_updates connections are closed
    mute_data       path? for_s?        connections stay open, their frames are lost
    mute_orders     for_s?              the same for trade_updates
    refuse_406      path? for_s?        market-data logins are refused
    stream_error    code path?          an error frame on market-data connections
    updated_bar     symbol close        the minute before gets a new close, on updatedBars
Order updates
    lose_trade_update       event? times?   never sent
    duplicate_trade_update  event? times?   sent twice
Requests (method and path, the beginning of one, choose them; none: any)
    delay_response  method? path? times? delay_s?   late by so many real seconds
    http_error      method? path? times? status?    refused, nothing was done
    http_500_after_accept  times? status?           an order lives, its answer is an error
The account
    activity      type symbol? qty? net_amount? per_share? ratio? moves? description?
                  an activity is posted and moves the account: DIV, INT, FEE, CSD, CSW and JNLC
                  by net_amount dollars (DIV without one: per_share for each share held); SPLIT
                  multiplies the position by ratio and leaves bars alone; CFEE moves nothing, its
                  coin went at the fill, unless moves is true: then qty and net_amount
    hand_trade    symbol side qty silent?   a human's market order on the same account; silent:
                  trade_updates never tells of it
    hand_cancel   symbol                    every open order on the symbol is cancelled
    hand_replace  qty symbol?               the newest order that can be replaced gets another qty
    bust          symbol?                   the last execution (of the symbol) is taken back
    correct       symbol? price? qty?       the last execution gets another price or quantity
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from simulator.values import Side

CASH_TYPES = ("DIV", "INT", "FEE", "CSD", "CSW", "JNLC")
ACTIVITY_TYPES = (*CASH_TYPES, "SPLIT", "CFEE")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One entry of a script."""

    at: datetime


@dataclass(frozen=True, kw_only=True)
class Sudden(Fault):
    """Happens once, at a minute's end."""


@dataclass(frozen=True, kw_only=True)
class Lasting(Sudden):
    """Begins at a minute's end and ends at another. for_s: broker seconds."""

    for_s: float = 60.0

    @property
    def until(self) -> datetime:
        """When it ends."""
        return self.at + timedelta(seconds=self.for_s)


@dataclass(frozen=True, kw_only=True)
class Counted(Fault):
    """Strikes the next `times` messages or requests that fit."""

    times: int = 1

    def fits(self, *, event: str, method: str, path: str) -> bool:
        """Whether a message or request is one that it strikes."""
        return True


@dataclass(frozen=True, kw_only=True)
class OfUpdates(Counted):
    """Strikes trade updates. event: None: any."""

    event: str | None = None

    def fits(self, *, event: str, method: str, path: str) -> bool:
        """Whether the update is of the event asked for."""
        return self.event in (None, event)


@dataclass(frozen=True, kw_only=True)
class OfRequests(Counted):
    """Strikes requests. path: the beginning of one."""

    method: str | None = None
    path: str | None = None

    def fits(self, *, event: str, method: str, path: str) -> bool:
        """Whether the request is one of those asked for."""
        return self.method in (None, method) and path.startswith(self.path or "")


@dataclass(frozen=True, kw_only=True)
class DropData(Sudden):
    """Market-data connections are closed."""

    path: str | None = None


@dataclass(frozen=True, kw_only=True)
class DropOrders(Sudden):
    """Order connections are closed."""


@dataclass(frozen=True, kw_only=True)
class MuteData(Lasting):
    """Market-data frames are lost."""

    path: str | None = None


@dataclass(frozen=True, kw_only=True)
class MuteOrders(Lasting):
    """Order frames are lost."""


@dataclass(frozen=True, kw_only=True)
class Refuse406(Lasting):
    """Market-data logins are refused."""

    path: str | None = None


@dataclass(frozen=True, kw_only=True)
class StreamError(Sudden):
    """An error frame."""

    code: int
    path: str | None = None


@dataclass(frozen=True, kw_only=True)
class UpdatedBar(Sudden):
    """A late correction of the bar before."""

    symbol: str
    close: Decimal


@dataclass(frozen=True, kw_only=True)
class LoseTradeUpdate(OfUpdates):
    """An update is never sent."""


@dataclass(frozen=True, kw_only=True)
class DuplicateTradeUpdate(OfUpdates):
    """An update is sent twice."""


@dataclass(frozen=True, kw_only=True)
class DelayResponse(OfRequests):
    """An answer is late. delay_s: real seconds."""

    delay_s: float = 1.0


@dataclass(frozen=True, kw_only=True)
class HttpError(OfRequests):
    """A request is refused, and nothing was done."""

    status: int = 500


@dataclass(frozen=True, kw_only=True)
class Http500AfterAccept(Counted):
    """An order lives, though its answer says otherwise."""

    status: int = 500


@dataclass(frozen=True, kw_only=True)
class PostActivity(Sudden):
    """An activity other than a fill. Dollars, units of the symbol, and dollars a unit."""

    type: str
    symbol: str | None = None
    qty: Decimal | None = None
    net_amount: Decimal | None = None
    per_share: Decimal | None = None
    ratio: Decimal | None = None
    moves: bool = False
    description: str | None = None

    def __post_init__(self) -> None:
        """Raises ValueError if the type cannot be posted with these fields."""
        if self.type not in ACTIVITY_TYPES:
            raise ValueError(f"type {self.type!r} is not one of {', '.join(ACTIVITY_TYPES)}")
        by_share = self.type == "DIV" and self.per_share is not None
        if self.type in CASH_TYPES and self.net_amount is None and not by_share:
            raise ValueError(f"{self.type} needs 'net_amount'")
        if self.type in ("DIV", "SPLIT", "CFEE") and self.symbol is None:
            raise ValueError(f"{self.type} needs 'symbol'")
        if (self.type == "SPLIT") != (self.ratio is not None):
            raise ValueError("a SPLIT needs 'ratio', nothing else takes one")
        _positive("ratio", self.ratio)


@dataclass(frozen=True, kw_only=True)
class HandOrder(Sudden):
    """A human's market order."""

    symbol: str
    side: Side
    qty: Decimal
    silent: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError if the quantity is none."""
        _positive("qty", self.qty)


@dataclass(frozen=True, kw_only=True)
class HandCancel(Sudden):
    """A human cancels what is open on a symbol."""

    symbol: str


@dataclass(frozen=True, kw_only=True)
class HandReplace(Sudden):
    """A human gives an open order another quantity. symbol: None: any."""

    qty: Decimal
    symbol: str | None = None

    def __post_init__(self) -> None:
        """Raises ValueError if the quantity is none."""
        _positive("qty", self.qty)


@dataclass(frozen=True, kw_only=True)
class Bust(Sudden):
    """The last execution is taken back. symbol: None: any."""

    symbol: str | None = None


@dataclass(frozen=True, kw_only=True)
class Correct(Sudden):
    """The last execution was another one. What is None stays as it was."""

    symbol: str | None = None
    price: Decimal | None = None
    qty: Decimal | None = None

    def __post_init__(self) -> None:
        """Raises ValueError if it corrects nothing, or to nothing."""
        if self.price is None and self.qty is None:
            raise ValueError("correct needs 'price' or 'qty'")
        _positive("price", self.price)
        _positive("qty", self.qty)


def _positive(name: str, number: Decimal | None) -> None:
    if number is not None and number <= 0:
        raise ValueError(f"{name} must be > 0")


WireFault = DropData | DropOrders | MuteData | MuteOrders | Refuse406 | StreamError | UpdatedBar
AccountFault = PostActivity | HandOrder | HandCancel | HandReplace | Bust | Correct

KINDS: Mapping[str, type[Fault]] = {
    "drop_data": DropData,
    "drop_orders": DropOrders,
    "mute_data": MuteData,
    "mute_orders": MuteOrders,
    "refuse_406": Refuse406,
    "stream_error": StreamError,
    "updated_bar": UpdatedBar,
    "lose_trade_update": LoseTradeUpdate,
    "duplicate_trade_update": DuplicateTradeUpdate,
    "delay_response": DelayResponse,
    "http_error": HttpError,
    "http_500_after_accept": Http500AfterAccept,
    "activity": PostActivity,
    "hand_trade": HandOrder,
    "hand_cancel": HandCancel,
    "hand_replace": HandReplace,
    "bust": Bust,
    "correct": Correct,
}
