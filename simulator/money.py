"""Exact decimal arithmetic and its plain text.

Rule: amounts are never rounded by accident. Everything that multiplies or divides amounts runs
inside `EXACT` (60 digits), and every deliberate rounding is one of the named functions below.
"""

from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal, getcontext, setcontext
from functools import wraps
from typing import ParamSpec, TypeVar

EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)

STOCK_PRICE_STEP = Decimal("0.0001")
CRYPTO_PRICE_STEP = Decimal("0.000000001")
QTY_STEP = Decimal("0.000000001")
CENT = Decimal("0.01")
ZERO = Decimal(0)

P = ParamSpec("P")
R = TypeVar("R")


def exact(function: Callable[P, R]) -> Callable[P, R]:
    """Run `function` with 60 digits of precision, whatever context its thread has."""

    @wraps(function)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        before = getcontext()
        if before is EXACT:
            return function(*args, **kwargs)
        setcontext(EXACT)
        try:
            return function(*args, **kwargs)
        finally:
            setcontext(before)

    return inside


def half_even(amount: Decimal, step: Decimal) -> Decimal:
    """`amount` rounded to the step's decimals, ties to the even digit."""
    return amount.quantize(step, ROUND_HALF_EVEN, EXACT)


def half_up(amount: Decimal, step: Decimal) -> Decimal:
    """`amount` rounded to the step's decimals, ties away from zero (Alpaca's fee rounding)."""
    return amount.quantize(step, ROUND_HALF_UP, EXACT)


@exact
def floor_to(amount: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that is not above `amount` (both >= 0)."""
    return (amount // step) * step


def decimals_of(amount: Decimal) -> int:
    """How many digits stand behind the point once trailing zeros are dropped."""
    exponent = amount.normalize(EXACT).as_tuple().exponent
    if not isinstance(exponent, int):
        raise ValueError(f"{amount} is not a finite number")
    return max(0, -exponent)


def plain(amount: Decimal) -> str:
    """Exact text without exponent or trailing zeros: '100000', '0.00001', never '1E+5'."""
    if amount == 0:
        return "0"
    return format(amount.normalize(EXACT), "f")


def price_step(symbol: str) -> Decimal:
    """The last decimal kept of a bar's prices: the 4th for stocks, the 9th for crypto."""
    return CRYPTO_PRICE_STEP if "/" in symbol else STOCK_PRICE_STEP
