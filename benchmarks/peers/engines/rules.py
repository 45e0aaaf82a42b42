"""The two rules as a user writes them in Python, a bar at a time, for engines that ask bar by bar.

The same code runs in ours and in theirs, so that the difference is the engines'. Prices are whole
cents, so sums do not drift.
"""

from __future__ import annotations

from collections import deque


class Momentum:
    """The close against the one some bars before."""

    def __init__(self, lookback: int) -> None:
        self.lookback = lookback
        self.seen: deque[int] = deque(maxlen=lookback + 1)

    def wish(self, close: int, _volume: float) -> int:
        """+1, -1 or 0 at the newest close."""
        seen = self.seen
        seen.append(close)
        if len(seen) <= self.lookback:
            return 0
        return (close > seen[0] * 1.002) - (close < seen[0] * 0.998)


class Adaptive:
    """Three votes, from running sums: two averages, Wilder's RSI, volume."""

    def __init__(self, short: int, long: int, rsi: int, volume: int) -> None:
        self.short, self.long, self.rsi, self.volume = short, long, rsi, volume
        self.closes: deque[int] = deque(maxlen=long)
        self.volumes: deque[float] = deque(maxlen=volume)
        self.short_sum, self.long_sum, self.volume_sum = 0, 0, 0.0
        self.gain = self.loss = 0.0
        self.bars, self.first = 0, max(long, rsi + 1, volume)

    def wish(self, close: int, volume: float) -> int:
        """+1, -1 or 0 at the newest close."""
        closes, volumes = self.closes, self.volumes
        change = close - closes[-1] if closes else 0
        self.short_sum += close - (closes[-self.short] if len(closes) >= self.short else 0)
        self.long_sum += close - (closes[0] if len(closes) == self.long else 0)
        self.volume_sum += volume - (volumes[0] if len(volumes) == self.volume else 0.0)
        closes.append(close)
        volumes.append(volume)
        self.bars += 1
        self._average(change)
        total = self.gain + self.loss
        if self.bars < self.first or not total:
            return 0
        short, long = self.short_sum * self.long, self.long_sum * self.short
        rsi = 100 * self.gain / total
        votes = (short > long) - (short < long) + (rsi < 30) - (rsi > 70)
        if volume * self.volume > self.volume_sum:
            votes += (change > 0) - (change < 0)
        return (votes >= 2) - (votes <= -2)

    def _average(self, change: int) -> None:
        """Wilder's averages of gains and losses, seeded by the mean of the first ones."""
        period, gain, loss = self.rsi, max(change, 0), max(-change, 0)
        if self.bars <= period + 1:
            self.gain += gain / period
            self.loss += loss / period
        else:
            self.gain = (self.gain * (period - 1) + gain) / period
            self.loss = (self.loss * (period - 1) + loss) / period


def rule_of(one: dict[str, int | str]) -> Momentum | Adaptive:
    """Of a strategy as the work tells it."""
    params = {name: int(value) for name, value in one.items() if name not in ("kind", "ticker")}
    return Momentum(**params) if one["kind"] == "momentum" else Adaptive(**params)
