"""The indicators behind a signal, by name and in prices, for `multi-trader explain`.

They are read from the state that made the last signal, and only when somebody asks.
"""

from __future__ import annotations

from fractions import Fraction

from coordinator.strategies.base import Values
from coordinator.strategies.indicators import Crossing, Deviation
from coordinator.strategies.ticks import Ticks


def crossing_values(crossing: Crossing, ticks: Ticks) -> Values:
    """The two averages of a crossing, by their windows."""
    short, long = (f"SMA({window})" for window in crossing.windows)
    averages = crossing.averages
    if averages is None:
        return {short: None, long: None}
    return {short: ticks.exact(averages[0]), long: ticks.exact(averages[1])}


def deviation_values(deviation: Deviation, ticks: Ticks) -> Values:
    """Mean, population deviation, and z: the close's distance from the mean in deviations."""
    names = f"SMA({deviation.window})", f"STDDEV({deviation.window})", "z"
    found = deviation.mean_and_spread
    if found is None:
        return dict.fromkeys(names)
    mean, spread, distance = found
    return dict(zip(names, (ticks.exact(mean), float(ticks.exact(spread)), distance), strict=True))


def sign(value: int | Fraction) -> int:
    """+1, -1 or 0."""
    return (value > 0) - (value < 0)
