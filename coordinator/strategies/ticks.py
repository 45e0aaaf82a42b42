"""Converts exact decimals to integer ticks, so that their sums and differences never drift."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context, Decimal, Inexact, InvalidOperation
from fractions import Fraction
from functools import lru_cache
from typing import Protocol

_TICK = Context(prec=200, Emax=999_999, Emin=-999_999, traps=[InvalidOperation, Inexact])
_multiply = _TICK.multiply
_whole = _TICK.to_integral_exact
_NANO = Decimal(10) ** 9


class Indicator(Protocol):
    """Something that remembers ticks."""

    def rescale(self, factor: int) -> None:
        """Multiply every remembered tick by `factor`, because ticks are now finer by it."""


def _whole_ticks(value: Decimal, unit: Decimal) -> int:
    return int(_whole(_multiply(value, unit)))


@lru_cache(maxsize=8192)
def _nano_ticks(value: Decimal) -> int:
    # All strategies on a ticker see the same bar: the first converts, the others look it up.
    return _whole_ticks(value, _NANO)


class Ticks:
    """Converts the decimals of one series to ticks of 1e-9, or finer once a value needs it.

    No value is ever rounded: one with more decimal places makes ticks finer for good, and the
    indicators that remember the series are rescaled.
    """

    __slots__ = ("_convert", "_indicators", "_places")

    def __init__(self, *indicators: Indicator) -> None:
        self._indicators = indicators
        self._places = 9
        self._convert: Callable[[Decimal], int] = _nano_ticks

    def count(self, value: Decimal) -> int:
        """The value in ticks; raises ArithmeticError, ValueError or TypeError if not finite."""
        try:
            return self._convert(value)
        except Inexact:
            return self._refine(value)

    def exact(self, ticks: int | Fraction) -> Decimal:
        """A number of ticks as a decimal for people, rounded to 28 digits."""
        whole = Fraction(ticks) / 10**self._places
        return Decimal(whole.numerator) / Decimal(whole.denominator)

    def _refine(self, value: Decimal) -> int:
        """Make ticks fine enough for the value, and return it in ticks."""
        places = -int(value.as_tuple().exponent)
        for indicator in self._indicators:
            indicator.rescale(10 ** (places - self._places))
        unit = Decimal(10) ** places
        self._places = places
        self._convert = lambda value: _whole_ticks(value, unit)
        return self._convert(value)
