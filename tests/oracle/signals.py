"""The four strategies of CONTRACT section 5 as exact comparisons: no square root, no division.

Rule: an average is a sum, compared after multiplying both sides by the counts; a z-score is
compared by its square. So a tie is a tie, whatever the prices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

Params = Mapping[str, Fraction]
Rule = Callable[[Sequence[int], Sequence[int], Params], list[int]]

DEFAULTS: dict[str, dict[str, str]] = {
    "momentum": {"lookback_period": "20", "momentum_threshold": "0.02"},
    "rsi": {"rsi_period": "14", "rsi_overbought": "70", "rsi_oversold": "30"},
    "mean_reversion": {"lookback_period": "20", "entry_threshold": "2.0", "exit_threshold": "0.5"},
    "adaptive": {
        "short_window": "10",
        "long_window": "30",
        "rsi_period": "14",
        "rsi_overbought": "70",
        "rsi_oversold": "30",
        "volume_window": "20",
    },
}

WINDOWS: dict[str, tuple[str, ...]] = {
    "momentum": ("lookback_period",),
    "rsi": ("rsi_period",),
    "mean_reversion": ("lookback_period",),
    "adaptive": ("short_window", "long_window", "rsi_period", "volume_window"),
}


def parameters(strategy_type: str, given: Mapping[str, object]) -> dict[str, Fraction]:
    """Every parameter of a strategy type, exact: those given, the defaults for the rest.

    Raises KeyError for an unknown type or parameter.
    """
    texts = dict(DEFAULTS[strategy_type])
    for name, value in given.items():
        if name not in texts:
            raise KeyError(f"{strategy_type} has no parameter {name}")
        texts[name] = str(value)
    return {name: Fraction(Decimal(text)) for name, text in texts.items()}


def longest_window(strategy_type: str, params: Params) -> int:
    """The longest window in bars; an indicator's history is ten times as long."""
    return max(int(params[name]) for name in WINDOWS[strategy_type])


def signals(
    strategy_type: str, params: Params, ticks: Sequence[int], volumes: Sequence[int]
) -> list[int]:
    """The signal (+1, 0, -1) at each bar's close, given closes in ticks, oldest first."""
    return RULES[strategy_type](ticks, volumes, params)


def momentum(ticks: Sequence[int], volumes: Sequence[int], params: Params) -> list[int]:
    """Compare each close with the close n bars before."""
    n, threshold = int(params["lookback_period"]), params["momentum_threshold"]
    found = []
    for t in range(len(ticks)):
        if t < n:
            found.append(0)
        elif ticks[t] > ticks[t - n] * (1 + threshold):
            found.append(1)
        elif ticks[t] < ticks[t - n] * (1 - threshold):
            found.append(-1)
        else:
            found.append(0)
    return found


def wilder(ticks: Sequence[int], period: int) -> list[tuple[int, int] | None]:
    """Wilder's average gain and loss at each bar, both times the same large whole number.

    None while there are fewer than period + 1 bars. The seed is the simple mean of the first
    `period` changes; afterwards average = (average x (period - 1) + change) / period, which is
    kept whole by multiplying through with `period` once more at every bar.
    """
    found: list[tuple[int, int] | None] = []
    gain = loss = 0
    unit = 1
    for t in range(len(ticks)):
        change = ticks[t] - ticks[t - 1] if t else 0
        up, down = max(change, 0), max(-change, 0)
        if t <= period:
            gain, loss = gain + up, loss + down
        else:
            unit *= period
            gain = gain * (period - 1) + up * unit
            loss = loss * (period - 1) + down * unit
        found.append((gain, loss) if t >= period else None)
    return found


def rsi_votes(ticks: Sequence[int], params: Params) -> list[int]:
    """+1 below oversold, -1 above overbought; 0 between, too early, or when nothing moved."""
    low, high = params["rsi_oversold"], params["rsi_overbought"]
    found = []
    for averages in wilder(ticks, int(params["rsi_period"])):
        gain, loss = averages or (0, 0)
        if gain + loss == 0:
            found.append(0)
        elif 100 * gain * low.denominator < low.numerator * (gain + loss):
            found.append(1)
        elif 100 * gain * high.denominator > high.numerator * (gain + loss):
            found.append(-1)
        else:
            found.append(0)
    return found


def rsi(ticks: Sequence[int], volumes: Sequence[int], params: Params) -> list[int]:
    """Buy below oversold, sell above overbought."""
    return rsi_votes(ticks, params)


def mean_reversion(ticks: Sequence[int], volumes: Sequence[int], params: Params) -> list[int]:
    """z against the thresholds; where both hold, the entry wins."""
    n = int(params["lookback_period"])
    entry, leave = params["entry_threshold"], params["exit_threshold"]
    found = []
    for t in range(len(ticks)):
        if t + 1 < n:
            found.append(0)
            continue
        window = ticks[t + 1 - n : t + 1]
        total = sum(window)
        above = n * ticks[t] - total  # n x (C - SMA)
        spread = n * sum(x * x for x in window) - total * total  # n^2 x variance
        if below_minus(above, spread, entry):
            found.append(1)
        elif above_minus(above, spread, leave):
            found.append(-1)
        else:
            found.append(0)
    return found


def below_minus(above: int, spread: int, threshold: Fraction) -> bool:
    """Whether z < -threshold, where z = above / sqrt(spread), 0 if spread is 0."""
    if spread == 0:
        return -threshold > 0
    return above < 0 and above * above > threshold * threshold * spread


def above_minus(above: int, spread: int, threshold: Fraction) -> bool:
    """Whether z > -threshold, for a threshold of 0 or more."""
    if spread == 0:
        return -threshold < 0
    return above > 0 or above * above < threshold * threshold * spread


def adaptive(ticks: Sequence[int], volumes: Sequence[int], params: Params) -> list[int]:
    """Two of three votes (trend, RSI, volume); 0 while any of the three has too few bars."""
    short, long = int(params["short_window"]), int(params["long_window"])
    period, span = int(params["rsi_period"]), int(params["volume_window"])
    needed = max(long, period + 1, span, 2)
    by_rsi = rsi_votes(ticks, params)
    found = []
    for t in range(len(ticks)):
        if t + 1 < needed:
            found.append(0)
            continue
        fast = sum(ticks[t + 1 - short : t + 1]) * long
        slow = sum(ticks[t + 1 - long : t + 1]) * short
        busy = volumes[t] * span > sum(volumes[t + 1 - span : t + 1])
        by_volume = sign(ticks[t] - ticks[t - 1]) if busy else 0
        votes = sign(fast - slow) + by_rsi[t] + by_volume
        found.append(1 if votes >= 2 else -1 if votes <= -2 else 0)
    return found


def sign(value: int) -> int:
    """+1, 0 or -1."""
    return (value > 0) - (value < 0)


RULES: dict[str, Rule] = {
    "momentum": momentum,
    "rsi": rsi,
    "mean_reversion": mean_reversion,
    "adaptive": adaptive,
}
