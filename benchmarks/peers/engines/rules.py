"""The two rules as a user writes them in Python, for engines that call a rule bar by bar.

The same code runs in our engine and in theirs, so that only the engines differ. Prices are whole
cents, so sums do not drift.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any


class Momentum:
    """The close against the one some bars before."""

    def __init__(self, lookback: int) -> None:
        self.lookback = lookback
        self.seen: deque[int] = deque(maxlen=lookback + 1)

    def signal(self, close: int, _volume: float) -> int:
        """+1, -1 or 0 at the newest close."""
        seen = self.seen
        seen.append(close)
        if len(seen) <= self.lookback:
            return 0
        before = seen[0]
        return 1 if close > before * 1.002 else -1 if close < before * 0.998 else 0


class Adaptive:
    """Three votes, from running sums: two averages, Wilder's RSI, volume."""

    def __init__(self, short: int, long: int, rsi: int, volume: int) -> None:
        self.short, self.long, self.rsi, self.volume = short, long, rsi, volume
        self.closes: deque[int] = deque([0] * long, maxlen=long)
        self.volumes: deque[float] = deque([0.0] * volume, maxlen=volume)
        self.short_sum, self.long_sum, self.volume_sum = 0, 0, 0.0
        self.gain = self.loss = 0.0
        self.bars, self.first, self.seeded = 0, max(long, rsi + 1, volume), rsi + 1
        self.kept = (rsi - 1) / rsi

    def signal(self, close: int, volume: float) -> int:
        """+1, -1 or 0 at the newest close.

        Wilder's averages are seeded by the mean of the first changes; here they are `rsi` times as
        large, which cancels in their ratio.
        """
        closes, volumes = self.closes, self.volumes
        self.bars = bars = self.bars + 1
        change = close - closes[-1] if bars > 1 else 0
        self.short_sum = short = self.short_sum + close - closes[-self.short]
        self.long_sum = long = self.long_sum + close - closes[0]
        self.volume_sum = usual = self.volume_sum + volume - volumes[0]
        closes.append(close)
        volumes.append(volume)
        gain, loss = self.gain, self.loss
        if bars > self.seeded:
            gain *= self.kept
            loss *= self.kept
        if change > 0:
            gain += change
        else:
            loss -= change
        self.gain, self.loss = gain, loss
        if bars < self.first or not gain + loss:
            return 0
        short, long = short * self.long, long * self.short
        rsi = 100 * gain / (gain + loss)
        votes = (short > long) - (short < long) + (rsi < 30) - (rsi > 70)
        if volume * self.volume > usual:
            votes += (change > 0) - (change < 0)
        return (votes >= 2) - (votes <= -2)


def rule_params(number: int, tickers: int) -> dict[str, Any]:
    """Kind and parameters of a strategy's rule: alternating, no two on a ticker alike."""
    place, nth = number % tickers, number // tickers
    if (place + nth) % 2:
        return {"kind": "adaptive", "short": 5 + nth, "long": 30 + nth, "rsi": 14, "volume": 20}
    return {"kind": "momentum", "lookback": 10 + nth}


def rule_of(one: Mapping[str, Any]) -> Momentum | Adaptive:
    """The rule of a strategy in the work."""
    params = {name: int(value) for name, value in one.items() if name not in ("kind", "ticker")}
    return Momentum(**params) if one["kind"] == "momentum" else Adaptive(**params)
