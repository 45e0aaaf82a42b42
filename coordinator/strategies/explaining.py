"""What indicators remember, by name and in prices: for whoever asks why a strategy did something.

Read from the very state that the last signal was made of; nothing here is asked while bars come.
"""

from __future__ import annotations

from fractions import Fraction

from coordinator.strategies.base import Values
from coordinator.strategies.indicators import Crossing, Deviation
from coordinator.strategies.ticks import Ticks


def crossing_values(crossing: Crossing, ticks: Ticks) -> Values:
    """Both averages of a crossing, by their windows."""
    short, long = (f"SMA({window})" for window in crossing.windows)
    averages = crossing.averages
    if averages is None:
        return {short: None, long: None}
    return {short: ticks.exact(averages[0]), long: ticks.exact(averages[1])}


def deviation_values(deviation: Deviation, ticks: Ticks) -> Values:
    """Mean, population deviation, and z: how many of them the close lies above the mean."""
    names = f"SMA({deviation.window})", f"STDDEV({deviation.window})", "z"
    found = deviation.mean_and_spread
    if found is None:
        return dict.fromkeys(names)
    mean, spread, distance = found
    return dict(zip(names, (ticks.exact(mean), float(ticks.exact(spread)), distance), strict=True))


def sign(value: int | Fraction) -> int:
    """+1, -1 or 0."""
    return (value > 0) - (value < 0)
