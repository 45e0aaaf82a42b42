"""The nouns of trading as frozen values: bars, sides, order states, fills, money.

Nothing here knows a clock, a socket or a file. Money, prices and quantities are exact
decimals; times are aware UTC; a state is an enumeration.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from decimal import getcontext as _getcontext
from decimal import setcontext as _setcontext
from enum import Enum
from functools import wraps
from typing import ParamSpec, TypeVar

MINUTE = timedelta(minutes=1)
ZERO = Decimal(0)
UNASSIGNED = "UNASSIGNED"
"""The book of everything on the account that no strategy owns."""

SYMBOL_PATTERN = re.compile(r"[A-Z][A-Z0-9.]{0,9}(/[A-Z0-9]{2,10})?")
NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,47}")

EXACT = Context(
    prec=100,
    rounding=ROUND_HALF_EVEN,
    traps=[InvalidOperation, DivisionByZero, Overflow],
)
"""Wide enough that no sum or product of amounts in this program is ever rounded silently."""

ATTO = Decimal("1e-18")
"""The warehouse's last decimal place; the one place where a relieved cost is rounded."""

COIN = Decimal("1e-9")
"""The last decimal place of a quantity of coins or shares, and of a crypto fee."""

P = ParamSpec("P")
R = TypeVar("R")


def exactly(function: Callable[P, R]) -> Callable[P, R]:
    """Run `function` in the EXACT decimal context, whatever the calling thread's context is."""

    @wraps(function)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        before = _getcontext()
        if before is EXACT:
            return function(*args, **kwargs)
        _setcontext(EXACT)
        try:
            return function(*args, **kwargs)
        finally:
            _setcontext(before)

    return inside


def is_crypto(symbol: str) -> bool:
    """Whether a symbol as configured ('BTC/USD') names a crypto pair rather than a stock."""
    return "/" in symbol


@dataclass(frozen=True, slots=True)
class Bar:
    """One minute of one ticker: prices and volume over [`start`, `end`).

    Prices are in dollars, `volume` in shares or coins; `vwap` and `trade_count` are None
    where the source does not know them.
    """

    symbol: str
    start: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    trade_count: int | None = None
    vwap: Decimal | None = None

    @property
    def end(self) -> datetime:
        """The instant at which the bar is complete and a decision can be made on it."""
        return self.start + MINUTE


class Side(Enum):
    """Which way an order or a fill moves the position."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> Side:
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class Reason(Enum):
    """Why a strategy's order exists."""

    SIGNAL = "signal"
    STOP = "stop"
    TARGET = "target"
    FLATTEN = "flatten"
    REMOVED = "removed"  # of a cancellation only: nothing is sold after it
