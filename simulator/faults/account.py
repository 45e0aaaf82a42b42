"""Faults of the account: acts of the broker and of other people, and unexplained changes."""

from dataclasses import dataclass
from decimal import Decimal

from simulator.faults.base import Lasting, Sudden
from simulator.values import Side

CASH_TYPES = ("DIV", "INT", "FEE", "CSD", "CSW", "JNLC")
ACTIVITY_TYPES = (*CASH_TYPES, "SPLIT", "CFEE")


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
        incoming = {"CSD": 1, "CSW": -1}.get(self.type, 0) * (self.net_amount or 0)
        if incoming < 0:
            raise ValueError(f"{self.type} {self.net_amount}: a CSD is positive, a CSW negative")


@dataclass(frozen=True, kw_only=True)
class CallOff(Sudden):
    """The newest activity (of the type) is called off: what it paid goes back. type: None: any."""

    type: str | None = None


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


@dataclass(frozen=True, kw_only=True)
class CashDrift(Sudden):
    """Cash that nothing explains. Dollars, signed."""

    amount: Decimal


@dataclass(frozen=True, kw_only=True)
class PositionDrift(Sudden):
    """Units that nothing explains, signed."""

    symbol: str
    qty: Decimal


@dataclass(frozen=True, kw_only=True)
class ResetAccount(Sudden):
    """What the dashboard's reset of a paper account does."""


@dataclass(frozen=True, kw_only=True)
class SuspendTrading(Lasting):
    """The user's own setting, by which Alpaca refuses every order."""


def _positive(name: str, number: Decimal | None) -> None:
    if number is not None and number <= 0:
        raise ValueError(f"{name} must be > 0")
