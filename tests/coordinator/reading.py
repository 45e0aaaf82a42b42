"""A second reading of CONTRACT section 5: plain loops over fractions, and bars to feed them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

from coordinator.core.values import MINUTE, Bar
from coordinator.strategies import Strategy

OPEN = datetime(2026, 3, 17, 13, 30, tzinfo=UTC)

Numbers = Sequence[Decimal]


def decimals(texts: Iterable[object]) -> list[Decimal]:
    return [Decimal(str(text)) for text in texts]


def bars(
    closes: Numbers, volumes: Numbers | None = None, wicks: Sequence[Numbers] | None = None
) -> list[Bar]:
    """Minute bars with these closes; unless told, volume 100, and no wick above or below."""
    sizes = volumes or [Decimal(100)] * len(closes)
    reach = wicks or [(Decimal(0), Decimal(0))] * len(closes)
    return [
        Bar("SPY", OPEN + index * MINUTE, close, close + above, close - below, close, size)
        for index, (close, size, (above, below)) in enumerate(
            zip(closes, sizes, reach, strict=True)
        )
    ]


def signals(strategy: Strategy, closes: Numbers, volumes: Numbers | None = None) -> list[int]:
    return stepped(strategy, bars(closes, volumes))


def stepped(strategy: Strategy, known: Iterable[Bar]) -> list[int]:
    """What a strategy's step says of bars, one after another."""
    step = strategy.start()
    return [step(bar) for bar in known]


def sign(number: Fraction) -> int:
    return (number > 0) - (number < 0)


def mean(values: Sequence[Fraction]) -> Fraction:
    return sum(values, Fraction(0)) / len(values)


def momentum(closes: Numbers, n: int, threshold: Decimal) -> list[int]:
    prices, limit = [Fraction(c) for c in closes], Fraction(threshold)
    return [
        0
        if t < n
        else (prices[t] > prices[t - n] * (1 + limit)) - (prices[t] < prices[t - n] * (1 - limit))
        for t in range(len(prices))
    ]


def mean_reversion(closes: Numbers, n: int, entry: Decimal, leave: Decimal) -> list[int]:
    prices = [Fraction(c) for c in closes]
    found = []
    for t in range(len(prices)):
        if t < n - 1:
            found.append(0)
            continue
        window = prices[t - n + 1 : t + 1]
        middle = mean(window)
        variance = mean([(price - middle) ** 2 for price in window])
        below = middle - prices[t]
        # z < -a  is  below > a x deviation, and both sides may be squared while not negative
        far = variance > 0 and below > 0 and below**2 > Fraction(entry) ** 2 * variance
        if variance == 0:
            near = leave > 0
        else:
            near = below < 0 or below**2 < Fraction(leave) ** 2 * variance
        found.append(1 if far else -1 if near else 0)
    return found


def rsi_values(closes: Numbers, period: int) -> list[Fraction | None]:
    """Wilder's RSI, exactly; None while it has too few bars or has seen no difference."""
    prices = [Fraction(c) for c in closes]
    found: list[Fraction | None] = []
    gain = loss = Fraction(0)
    for t, price in enumerate(prices):
        change = price - prices[t - 1] if t else Fraction(0)
        up, down = max(change, Fraction(0)), max(-change, Fraction(0))
        if t <= period:
            gain, loss = gain + up / period, loss + down / period
        else:
            gain = (gain * (period - 1) + up) / period
            loss = (loss * (period - 1) + down) / period
        found.append(100 * gain / (gain + loss) if t >= period and gain + loss else None)
    return found


def rsi(closes: Numbers, period: int, oversold: Decimal, overbought: Decimal) -> list[int]:
    low, high = Fraction(oversold), Fraction(overbought)
    return [
        0 if value is None else (value < low) - (value > high)
        for value in rsi_values(closes, period)
    ]


def adaptive(
    closes: Numbers, volumes: Numbers, windows: tuple[int, int, int, int], low: int, high: int
) -> list[int]:
    short, long, period, volume_window = windows
    prices, sizes = [Fraction(c) for c in closes], [Fraction(v) for v in volumes]
    zones = rsi(closes, period, Decimal(low), Decimal(high))
    found = []
    for t in range(len(prices)):
        if t + 1 < max(short, long, volume_window, period + 1):
            found.append(0)
            continue
        trend = sign(mean(prices[t - short + 1 : t + 1]) - mean(prices[t - long + 1 : t + 1]))
        heavy = sizes[t] > mean(sizes[t - volume_window + 1 : t + 1])
        push = sign(prices[t] - prices[t - 1]) if heavy else 0
        votes = trend + zones[t] + push
        found.append((votes >= 2) - (votes <= -2))
    return found
