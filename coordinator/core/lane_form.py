"""The lane form of a rule: the kind of its step, and its parameters as whole numbers.

A rule with a lane form has a method `lane_form()` beside `start`. Machine code finds such a rule's
signals over a whole history (`backtest/compiled/judging.py`). A Bank steps some of the kinds, too;
the steps of those can go on from where a lane stands (`resume`). Where numbers do not fit 64 bits,
the rule is stepped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any, Protocol

MOST = 1 << 62
"""Every product of whole numbers stays below this."""
PLACES, LEAST_PLACES = 9, 2
"""The most and the fewest decimal places of a ticker's ticks; a step's own ticks have the most."""
EXACT_FLOATS = 1 << 52
"""Whole numbers that become floats stay below this."""
KEPT, NEAR = 4096, 1e-7
"""How many price changes an RSI keeps, and how near a bound, in points, floats decide nothing."""
UNSURE = 1e-12
"""The relative difference below which floats do not tell two products apart."""
WIDTH = 5
"""The most whole numbers that a form has."""

ExactSide = Callable[[Sequence[int], int, Fraction], int]


class Kind(Enum):
    """The kinds of step that have a form; a Bank steps those that are `banked`."""

    HOLD = 0
    MOMENTUM = 1
    CROSSING = 2
    RSI = 3
    REVERSION = 4
    BANDS = 5
    ADAPTIVE = 6
    MACD = 7
    BREAKOUT = 8
    VWAP = 9

    @property
    def banked(self) -> bool:
        """Whether a Bank can step it."""
        return self not in (Kind.MACD, Kind.BREAKOUT, Kind.VWAP)


@dataclass(frozen=True, slots=True)
class LaneForm:
    """A rule as numbers; `window` is how many closes and volumes it remembers.

    `close`, `spread` and `volume` are the largest values that the numbers allow, in ticks. Closes
    of a rule with a `period` become floats in units of 1e-9.
    """

    kind: Kind
    whole: tuple[int, ...]
    window: int
    close: int = MOST
    spread: int = MOST
    volume: int = MOST
    period: int = 0
    bounds: tuple[Decimal, Decimal] = (Decimal(0), Decimal(100))
    side: ExactSide | None = None
    """Finds exactly on which side of a bound an RSI lies, from its changes and its period."""

    @property
    def fits(self) -> bool:
        """Whether the parameters leave room for any price at all."""
        return min(self.close, self.spread, self.volume) > 0 and max(self.whole) < MOST

    @property
    def real_bounds(self) -> tuple[float, float]:
        """The bounds of an RSI as floats; infinite where no RSI can lie beyond them."""
        low, high = self.bounds
        return float(low) if low > 0 else -math.inf, float(high) if high < 100 else math.inf

    def limits(self, nano: int = 1) -> tuple[int, int, int]:
        """The largest close, distance of a close from the first one, and volume, in ticks.

        `nano` is the size of a close's tick in units of 1e-9.
        """
        close = min(self.close, EXACT_FLOATS // (nano * max(self.period, 1)))
        return close, self.spread, min(self.volume, EXACT_FLOATS)


@dataclass(frozen=True, slots=True)
class Past:
    """Where a lane stands, for a step that goes on from there. Values are in units of 1e-9.

    `closes` and `volumes` are the newest ones that it remembers, oldest first; `wilder` are its
    averages of gains and of losses, `changes` the newest price changes behind them.
    """

    closes: Sequence[int]
    volumes: Sequence[int]
    bars: int
    wilder: tuple[float, float] = (0.0, 0.0)
    zone: int = 0
    changes: Sequence[int] = ()


class Resumable(Protocol):
    """A step, or the object whose method it is, of a rule that a Bank can step."""

    def resume(self, past: Past) -> None:
        """Go on from where a lane stands."""


def banked_form_of(rule: object) -> LaneForm | None:
    """The lane form of a rule that a Bank can step; None if it has none."""
    form = lane_form_of(rule)
    return form if form is not None and form.kind.banked else None


def lane_form_of(rule: object) -> LaneForm | None:
    """The lane form of a rule; None if it has none."""
    lane_form: Callable[[], LaneForm] | None = beside_start(rule, "lane_form")
    form = None if lane_form is None else lane_form()
    return form if form is not None and form.fits else None


def beside_start(rule: object, name: str) -> Any:
    """A rule's method `name`, which tells what the steps of its `start` do; None if it has none.

    A subclass that changes only its `start` has none: what it inherits tells of another's steps.
    """
    for cls in type(rule).__mro__:
        if name in cls.__dict__:
            return getattr(rule, name)
        if "start" in cls.__dict__:
            return None
    return None


HOLDING = LaneForm(Kind.HOLD, (1,), 1)
"""The form of a rule that is long from the first bar on."""


def momentum_form(bars: int, threshold: Decimal) -> LaneForm:
    """The form of a rule on a close against the one `bars` before."""
    over, unit = threshold.as_integer_ratio()
    whole = bars, unit, unit + over, unit - over
    return LaneForm(Kind.MOMENTUM, whole, bars + 1, close=MOST // (unit + over))


def crossing_form(short: int, long: int) -> LaneForm:
    """The form of a rule on two averages."""
    return LaneForm(Kind.CROSSING, (short, long), long, close=MOST // (short * long))


def rsi_form(period: int, oversold: Decimal, overbought: Decimal, side: ExactSide) -> LaneForm:
    """The form of a rule on Wilder's RSI."""
    bounds = oversold, overbought
    return LaneForm(Kind.RSI, (period,), 2, period=period, bounds=bounds, side=side)


def deviation_form(kind: Kind, window: int, *multiples: Decimal) -> LaneForm:
    """The form of a rule on a close's distance from its average, in standard deviations."""
    squares = [part**2 for multiple in multiples for part in multiple.as_integer_ratio()]
    spread = math.isqrt(MOST // max(squares)) // (4 * window)
    return LaneForm(kind, (window, *squares), window, spread=spread)


def macd_form(fast: int, slow: int, signal: int) -> LaneForm:
    """The form of a rule on exponential averages, as floats."""
    return LaneForm(Kind.MACD, (fast, slow, signal), slow + signal - 1, close=EXACT_FLOATS)


def breakout_form(entry: int, leave: int) -> LaneForm:
    """The form of a rule on a close against the highs and the lows before it."""
    return LaneForm(Kind.BREAKOUT, (entry, leave), max(entry, leave) + 1)


def vwap_form(window: int, below: Fraction, above: Fraction) -> LaneForm:
    """The form of a rule on a close against fractions of the volume-weighted price."""
    whole = window, *below.as_integer_ratio(), *above.as_integer_ratio()
    return LaneForm(Kind.VWAP, whole, window, volume=MOST // window)


def adaptive_form(crossing: LaneForm, rsi: LaneForm, volume_window: int) -> LaneForm:
    """The form of a rule on averages, RSI and volume together."""
    return LaneForm(
        Kind.ADAPTIVE,
        (*crossing.whole, rsi.period, volume_window),
        max(crossing.window, volume_window),
        close=crossing.close,
        volume=MOST // volume_window,
        period=rsi.period,
        bounds=rsi.bounds,
        side=rsi.side,
    )


def places_of(value: Decimal) -> int:
    """Decimal places that a value needs: LEAST_PLACES at least, PLACES + 1 if more than PLACES."""
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and -exponent <= LEAST_PLACES:
        return LEAST_PLACES
    _, denominator = value.as_integer_ratio()
    return next((p for p in range(PLACES + 1) if 10**p % denominator == 0), PLACES + 1)


def in_ticks(value: Decimal, places: int) -> int:
    """A value in ticks of so many decimal places, more than which it must not have."""
    numerator, denominator = value.as_integer_ratio()
    return numerator * int(10**places) // denominator
