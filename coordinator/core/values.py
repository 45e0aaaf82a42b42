"""The nouns of trading as frozen values: tickers, bars, sides, and exact money.

Nothing here uses a clock, a socket or a file. Money, prices and quantities are exact
decimals; times are aware UTC; a state is an enumeration.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from decimal import getcontext as _getcontext
from decimal import setcontext as _setcontext
from enum import Enum, StrEnum
from functools import wraps
from operator import attrgetter
from typing import Any, NamedTuple, ParamSpec, TypeVar

MINUTE = timedelta(minutes=1)
ZERO = Decimal(0)
UNASSIGNED = "UNASSIGNED"
"""The book of everything on the account that no strategy owns."""
SHADOW_MARK = " (shadow)"
"""Follows a strategy's name where its simulated book is shown beside real ones."""
SHADOW_ACCOUNT = "SH-"
"""Precedes an account's number in that of the simulated books beside it."""

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

_ATTO_PLACES = -18

CENT = Decimal("0.01")
COIN = Decimal("1e-9")
"""The last decimal place of a quantity of coins or shares, and of a crypto fee."""

P = ParamSpec("P")
R = TypeVar("R")
Amount = TypeVar("Amount", Decimal, Decimal | None)


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


def storable(value: Amount) -> Amount:
    """The value rounded half-even to ATTO, where it is written with more places than that.

    What a feed computed in floats may be: a volume of 0.0064248423304057445, or the price of a coin
    that costs next to nothing.
    """
    if value is None or value.as_tuple().exponent >= _ATTO_PLACES:  # type: ignore[operator]
        return value
    return value.quantize(ATTO, context=EXACT)


def is_crypto(symbol: str) -> bool:
    """Whether a symbol as configured ('BTC/USD') names a crypto pair rather than a stock."""
    return "/" in symbol


def of_market(tickers: Iterable[str], *, crypto: bool) -> list[str]:
    """Those of the tickers that are pairs, or those that are stocks, in their order."""
    return [ticker for ticker in tickers if is_crypto(ticker) is crypto]


class Floats(NamedTuple):
    """A bar's prices, dollars, and its volume, shares or coins, each as the nearest float."""

    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True, slots=True, eq=False)
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

    @property
    def floats(self) -> Floats:
        """The same as floats, for rules that compute in them: `bar.floats.close`.

        A backtest makes them by the thousand, at a tenth of what `float(bar.close)` costs.
        """
        return Floats(*map(float, (self.open, self.high, self.low, self.close, self.volume)))

    def __eq__(self, other: object) -> bool:
        """Equal in every field, whether its decimals are made already or not."""
        return isinstance(other, Bar) and _all_of(self) == _all_of(other)

    def __hash__(self) -> int:
        return hash(_all_of(self))


_all_of = attrgetter(*Bar.__dataclass_fields__)
symbol_of: Callable[[Bar], str] = attrgetter("symbol")
start_of: Callable[[Bar], datetime] = attrgetter("start")
"""With these, `map` reads a column of many bars in a third of the time of a loop."""
Numbers = tuple[float, float, float, float, float, int | None, float | None]
"""Open, high, low, close, volume, trade count and vwap as the wire had them: ints, too."""


class WireBar(Bar):
    """A bar that keeps the wire's numbers; each becomes a decimal when it is first read.

    Of most bars only the close ever is. The decimal is the number as it is written, to the digit,
    so such a bar equals one that was made of decimals.
    """

    __slots__ = ("numbers",)
    numbers: Numbers

    @property
    def is_raw(self) -> bool:
        """Whether it has the wire's numbers: one from `dataclasses.replace` has only decimals."""
        return hasattr(self, "numbers")

    @property
    def floats(self) -> Floats:
        """The wire's numbers as floats."""
        return Floats(*map(float, self.numbers[:5])) if self.is_raw else super().floats

    def __reduce__(self) -> tuple[Any, ...]:
        if self.is_raw:
            return wire_bar, (self.symbol, self.start, self.numbers)
        return Bar, _all_of(self)

    def __getattr__(self, name: str) -> Decimal | int | None:
        """Called for what is not in its slot yet."""
        place = _PLACES.get(name)
        if place is None:
            raise AttributeError(name)
        value = self.numbers[place]
        is_decimal = value is not None and place != _COUNT
        found: Any = Decimal(str(value)) if is_decimal else value
        object.__setattr__(self, name, found)
        return found  # type: ignore[no-any-return]


_PLACES = {
    name: place
    for place, name in enumerate(("open", "high", "low", "close", "volume", "trade_count", "vwap"))
}
_COUNT = _PLACES["trade_count"]
_new = object.__new__
_put_symbol, _put_start, _put_numbers = (
    vars(cls)[name].__set__ for cls, name in ((Bar, "symbol"), (Bar, "start"), (WireBar, "numbers"))
)
"""These write a slot of a frozen value, at a tenth of the cost of its constructor."""


numbers_of: Callable[[Bar], Numbers] = attrgetter("numbers")
"""A WireBar's numbers.

Raises:
    AttributeError: it has decimals.
"""


def wire_bar(symbol: str, start: datetime, numbers: Numbers) -> WireBar:
    """A bar of numbers that are known to be finite and in range."""
    bar = _new(WireBar)
    _put_symbol(bar, symbol)
    _put_start(bar, start)
    _put_numbers(bar, numbers)
    return bar


def is_unseen(bar: Bar, last: Mapping[str, datetime]) -> bool:
    """Whether a bar is newer than its ticker's newest one, whose start is in `last`."""
    return bar.symbol not in last or bar.start > last[bar.symbol]


def newest(bars: Sequence[Bar], count: int) -> Sequence[Bar]:
    """The last `count` of these bars, oldest first; all of them where there are no more."""
    return bars[max(0, len(bars) - count) :]


class Side(Enum):
    """Which way an order or a fill moves the position."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1


class Reason(Enum):
    """Why a strategy's order exists."""

    SIGNAL = "signal"
    STOP = "stop"
    TARGET = "target"
    FLATTEN = "flatten"
    REMOVED = "removed"  # of a cancellation only: nothing is sold after it


class Denial(StrEnum):
    """Why an entry is refused, or an order ends without having reached the broker.

    Members are texts, because the same fields also hold the texts of faults and of the broker.
    """

    KILLED = "killed"
    PAUSED = "paused"
    FROZEN = "frozen"
    BLIND = "blind"
    MAX_DAILY_TRADES = "max_daily_trades"
    MAX_DAILY_LOSS = "max_daily_loss"
    MAX_ORDERS_PER_MINUTE = "max_orders_per_minute"
    STALE = "stale"
    NOT_TRADABLE = "not_tradable"
    SESSION = "session"
    MAX_ORDER_QTY = "max_order_qty"
    MAX_ORDER_NOTIONAL = "max_order_notional"
    MAX_SYMBOL_NOTIONAL = "max_symbol_notional"
    DUPLICATE = "duplicate"
    BUYING_POWER = "buying_power"
    WITHDRAWN = "withdrawn"
    NOT_HELD = "not_held"
    SESSION_OVER = "session_over"
    NEVER_REACHED_BROKER = "never_reached_broker"
