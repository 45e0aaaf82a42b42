"""How a rule tells that its step is one of a kind: its kind, and its parameters as numbers.

A rule that has a lane form has a method `lane_form()` beside `start`. What machine code judges over
a whole history has one (`backtest/compiled/judging.py`); of some kinds a Bank steps it, too, and
what the rule starts can go on from where a lane stands (`resume`). Whatever is not to be had in 64
bits stays a step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Protocol, cast

MOST = 1 << 62
"""Products stay below it."""
PLACES, LEAST_PLACES = 9, 2
"""Decimal places of a step's tick, and those that every tick has: a ticker's lie between them."""
EXACT_FLOATS = 1 << 52
"""Whole numbers stay below it where they become floats."""
KEPT, NEAR = 4096, 1e-7
"""Changes that an RSI keeps, and how near a bound, in its points, a float is not trusted."""
UNSURE = 1e-12
"""How near each other products are that floats do not tell apart, as a part of them."""
WIDTH = 5
"""Whole numbers that a form has at most."""


Side = Callable[[Sequence[int], int, Fraction], int]


class Kind(Enum):
    """The steps that have a form; a Bank knows those that are `banked`."""

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
    """A rule as numbers: `window` is what it remembers of closes and volumes.

    `close`, `spread` and `volume` are how large these may be in ticks; a close of a rule with a
    `period` becomes a float in units of 1e-9.
    """

    kind: Kind
    whole: tuple[int, ...]
    window: int
    close: int = MOST
    spread: int = MOST
    volume: int = MOST
    period: int = 0
    bounds: tuple[Decimal, Decimal] = (Decimal(0), Decimal(100))
    side: Side | None = None
    """Tells exactly on which side of a bound an RSI lies, from its changes and its period."""

    @property
    def fits(self) -> bool:
        """Whether any price can be within these bounds."""
        return min(self.close, self.spread, self.volume) > 0 and max(self.whole) < MOST

    @property
    def real_bounds(self) -> tuple[float, float]:
        """What an RSI is held against; nothing lies below 0 or above 100."""
        low, high = self.bounds
        return float(low) if low > 0 else -math.inf, float(high) if high < 100 else math.inf

    def limits(self, nano: int = 1) -> tuple[int, int, int]:
        """How large a close, its distance from the first one, and a volume may be, in ticks.

        `nano` are the units that a close's ticks have as a float.
        """
        close = min(self.close, EXACT_FLOATS // (nano * max(self.period, 1)))
        return close, self.spread, min(self.volume, EXACT_FLOATS)


@dataclass(frozen=True, slots=True)
class Past:
    """Where a lane stands, for a step that goes on from there. Values are in units of 1e-9.

    `closes` and `volumes` are the newest ones, oldest first, no more than it has seen or remembers;
    `wilder` are its averages of gains and losses, `changes` what they are made of, as far as kept.
    """

    closes: Sequence[int]
    volumes: Sequence[int]
    bars: int
    wilder: tuple[float, float] = (0.0, 0.0)
    zone: int = 0
    changes: Sequence[int] = ()


class Resumable(Protocol):
    """What a rule with a lane form starts."""

    def resume(self, past: Past) -> None:
        """Go on from there."""


def form_of(rule: object) -> LaneForm | None:
    """The lane form of a rule that a Bank can step; None if it has none."""
    form = told_form_of(rule)
    return form if form is not None and form.kind.banked else None


def told_form_of(rule: object) -> LaneForm | None:
    """The lane form of a rule of any kind; None if it has none, or changed only how it steps."""
    for cls in type(rule).__mro__:
        if "lane_form" in cls.__dict__:
            form = cast(LaneForm, rule.lane_form())  # type: ignore[attr-defined]
            return form if form.fits else None
        if "start" in cls.__dict__:
            return None
    return None


HOLDING = LaneForm(Kind.HOLD, (1,), 1)
"""Of who is long from the first bar on."""


def momentum_form(bars: int, threshold: Decimal) -> LaneForm:
    """Of a close against the one `bars` before."""
    over, unit = threshold.as_integer_ratio()
    whole = bars, unit, unit + over, unit - over
    return LaneForm(Kind.MOMENTUM, whole, bars + 1, close=MOST // (unit + over))


def crossing_form(short: int, long: int) -> LaneForm:
    """Of two averages."""
    return LaneForm(Kind.CROSSING, (short, long), long, close=MOST // (short * long))


def rsi_form(period: int, oversold: Decimal, overbought: Decimal, side: Side) -> LaneForm:
    """Of Wilder's RSI."""
    bounds = oversold, overbought
    return LaneForm(Kind.RSI, (period,), 2, period=period, bounds=bounds, side=side)


def deviation_form(kind: Kind, window: int, *multiples: Decimal) -> LaneForm:
    """Of a close's distance from its average, against multiples of the deviation."""
    squares = [part**2 for multiple in multiples for part in multiple.as_integer_ratio()]
    spread = math.isqrt(MOST // max(squares)) // (4 * window)
    return LaneForm(kind, (window, *squares), window, spread=spread)


def macd_form(fast: int, slow: int, signal: int) -> LaneForm:
    """Of exponential averages of floats."""
    return LaneForm(Kind.MACD, (fast, slow, signal), slow + signal - 1, close=EXACT_FLOATS)


def breakout_form(entry: int, leave: int) -> LaneForm:
    """Of a close against the highs and the lows before it."""
    return LaneForm(Kind.BREAKOUT, (entry, leave), max(entry, leave) + 1)


def vwap_form(window: int, below: Fraction, above: Fraction) -> LaneForm:
    """Of a close against parts of the volume-weighted price."""
    whole = window, *below.as_integer_ratio(), *above.as_integer_ratio()
    return LaneForm(Kind.VWAP, whole, window, volume=MOST // window)


def adaptive_form(crossing: LaneForm, rsi: LaneForm, volume_window: int) -> LaneForm:
    """Of averages, RSI and volume together."""
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
    """Decimal places that a value needs, and at least those that every tick has."""
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and -exponent <= LEAST_PLACES:
        return LEAST_PLACES
    _, denominator = value.as_integer_ratio()
    return next((p for p in range(PLACES + 1) if 10**p % denominator == 0), PLACES + 1)


def in_ticks(value: Decimal, places: int) -> int:
    """A value that has no more decimal places than these, in ticks of so many."""
    numerator, denominator = value.as_integer_ratio()
    return numerator * int(10**places) // denominator
