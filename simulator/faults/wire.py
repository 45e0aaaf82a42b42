"""Faults of connections, order updates and requests."""

from dataclasses import dataclass
from decimal import Decimal

from simulator.faults.base import Counted, Lasting, OfRequests, OfUpdates, Sudden


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
class GarbageFrame(Sudden):
    """A raw frame. path: ORDER_PATH: the order connections; None: all of market data."""

    path: str | None = None
    text: str | None = None
    hex: str | None = None

    def __post_init__(self) -> None:
        """Raises ValueError if there is not one content, or it is no hexadecimal text."""
        if (self.text is None) == (self.hex is None):
            raise ValueError("garbage_frame needs one of 'text' and 'hex'")
        bytes.fromhex(self.hex or "")

    @property
    def frame(self) -> bytes | str:
        """The frame: bytes make a binary one, text a text one."""
        return bytes.fromhex(self.hex or "") if self.text is None else self.text


@dataclass(frozen=True, kw_only=True)
class CutFrame(Sudden):
    """A connection ends inside a frame. keep_bytes: of it, header counted; None: half of them."""

    path: str | None = None
    keep_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Halt(Lasting):
    """A symbol does not trade."""

    symbol: str


@dataclass(frozen=True, kw_only=True)
class LoseTradeUpdate(OfUpdates):
    """An update is never sent."""


@dataclass(frozen=True, kw_only=True)
class DuplicateTradeUpdate(OfUpdates):
    """An update is sent twice."""


@dataclass(frozen=True, kw_only=True)
class ReorderTradeUpdates(OfUpdates):
    """An update is sent after the next one."""


@dataclass(frozen=True, kw_only=True)
class LoseTradeUpdates(Lasting):
    """Updates are lost by chance. share: 0..1. event: None: any."""

    share: float = 0.02
    seed: int = 0
    event: str | None = None

    def __post_init__(self) -> None:
        """Raises ValueError if the share is none."""
        if not 0 <= self.share <= 1:
            raise ValueError("share must be 0..1")


@dataclass(frozen=True, kw_only=True)
class OddUpdate(Sudden):
    """An update of an event and a status that are not in the protocol."""

    event: str = "reassigned"
    status: str = "in_limbo"


@dataclass(frozen=True, kw_only=True)
class DelayResponse(OfRequests):
    """An answer is late. delay_s: real seconds."""

    delay_s: float = 1.0


@dataclass(frozen=True, kw_only=True)
class HttpError(OfRequests):
    """A request is refused, and nothing was done."""

    status: int = 500


@dataclass(frozen=True, kw_only=True)
class Http429(OfRequests):
    """A request is one too many. retry_after_s: real seconds."""

    retry_after_s: int = 1


@dataclass(frozen=True, kw_only=True)
class LoseAnswer(OfRequests):
    """A request is carried out, and its connection ends without an answer."""


@dataclass(frozen=True, kw_only=True)
class LateAccept(Counted):
    """An order is taken after its POST was answered with an error. delay_s: broker seconds."""

    status: int = 504
    delay_s: float = 5.0


@dataclass(frozen=True, kw_only=True)
class Http500AfterAccept(Counted):
    """An order is taken, though its answer is an error."""

    status: int = 500
