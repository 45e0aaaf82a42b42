"""In which steps a backtest counts: the largest in which every price and fill is a whole number."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

import numpy as np

from coordinator.backtest.compiled.layout import Whole
from simulator.fills import Spread

QUANTITY_PLACES = 4
MOST = 1 << 60
"""Numbers stay below this."""
_FILL_PLACES = 9
"""The most decimals of a fill's price (`simulator/fills.py`)."""


class TooLarge(Exception):
    """A number does not fit 64 bits."""


def whole_steps(value: Decimal, places: int) -> int:
    """A value in steps of 1e-`places`; raises TooLarge if it is not a whole number of them."""
    scaled = value.scaleb(places)
    whole = int(scaled)
    if whole != scaled or abs(whole) >= MOST:
        raise TooLarge(str(value))
    return whole


@dataclass(frozen=True, slots=True)
class Scale:
    """Closes are whole numbers of 1e-`ticks` dollars, fills' prices of 1e-`prices` dollars.

    Half the spread is `over` / 1e`places` of a price.
    """

    ticks: int
    prices: int
    over: int
    places: int

    @classmethod
    def of(cls, ticks: int, model: Spread) -> Scale:
        """The scale for closes of so many decimals that fill by `model`."""
        half = (model.half_spread_bps / 10_000).normalize()
        exponent = half.as_tuple().exponent
        assert isinstance(exponent, int), "a spread is a finite number"
        places = max(-exponent, 0)
        if places > _FILL_PLACES:
            raise TooLarge(f"a spread of {places} decimals")
        over = int(half.scaleb(places))
        return cls(ticks, min(ticks + places, _FILL_PLACES), over, places)

    @property
    def money(self) -> int:
        """Decimals of dollars."""
        return self.prices + QUANTITY_PLACES

    def price(self, ticks: Whole) -> Whole:
        """Closes in ticks as prices."""
        finer = self.prices - self.ticks
        return ticks * int(10**finer) if finer else ticks

    def fills(self, ticks: Whole) -> tuple[Whole, Whole]:
        """The prices of buys and sells at these closes, rounded half-even like the model's."""
        if not self.over:
            return self.price(ticks), self.price(ticks)
        unit = 10**self.places
        if len(ticks) and int(ticks.max()) * (unit + self.over) >= MOST:
            raise TooLarge("a price")
        coarser = 10 ** (self.ticks + self.places - self.prices)
        return (
            _half_even(ticks * (unit + self.over), coarser),
            _half_even(ticks * (unit - self.over), coarser),
        )

    def dollars(self, steps: int) -> Decimal:
        """Money in steps as dollars."""
        return Decimal(steps).scaleb(-self.money)

    def steps(self, dollars: Decimal) -> int:
        """Dollars in steps; raises TooLarge if they are not a whole number of them."""
        return whole_steps(dollars, self.money)

    def reached(self, dollars: Decimal) -> int:
        """Dollars in steps, rounded up."""
        return min(int(dollars.scaleb(self.money).to_integral_value(ROUND_CEILING)), MOST)


def _half_even(values: Whole, unit: int) -> Whole:
    """Values divided by a unit, rounded half-even."""
    if unit == 1:
        return values
    whole, rest = np.divmod(values, unit)
    up = (2 * rest > unit) | ((2 * rest == unit) & (whole % 2 == 1))
    found: Whole = whole + up
    return found
