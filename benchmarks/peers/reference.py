"""The reference of the two rules: plain, exact loops over whole numbers.

Prices are whole cents, so that no sum drifts and a tie is a tie. An order is decided at a bar's
close and fills there; none is sent at a session's last close, when the market shuts. A buy uses all
cash but one part in 101, rounded down to whole lots; a sale sells everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Protocol


class Fill(NamedTuple):
    """Strategy number, bar index, lots (negative for a sale), and lots x price in cents."""

    strategy: int
    bar: int
    lots: int
    worth: int


@dataclass(frozen=True, slots=True)
class Bars:
    """One ticker's bars: closes in cents, volumes, and the number of bars in a session."""

    closes: Sequence[int]
    volumes: Sequence[int]
    session: int


class Rule(Protocol):
    """From bars to a signal at each: +1, -1 or 0."""

    def signals(self, bars: Bars) -> Iterator[int]:
        """The signal at each close."""

    def as_document(self) -> dict[str, Any]:
        """Kind and parameters."""


@dataclass(frozen=True, slots=True)
class Momentum:
    """+1 if the close is more than 0.2 % above the one `lookback` bars before, -1 if below."""

    lookback: int

    def signals(self, bars: Bars) -> Iterator[int]:
        """The signal at each close."""
        closes = bars.closes
        for now, close in enumerate(closes):
            if now < self.lookback:
                yield 0
                continue
            past = closes[now - self.lookback]
            yield (close * 1000 > past * 1002) - (close * 1000 < past * 998)

    def as_document(self) -> dict[str, Any]:
        """Kind and parameters."""
        return {"kind": "momentum", **asdict(self)}


@dataclass(frozen=True, slots=True)
class Adaptive:
    """Two of three votes: the averages' order, RSI outside 30 and 70, and a loud bar's direction.

    No vote counts before all three can. A bar is loud if its volume is above the volume's average.
    """

    short: int
    long: int
    rsi: int = 14
    volume: int = 20

    def signals(self, bars: Bars) -> Iterator[int]:
        """The signal at each close."""
        closes, volumes = bars.closes, bars.volumes
        first = max(self.long - 1, self.rsi, self.volume - 1)
        for now, zone in enumerate(_zones(closes, self.rsi)):
            if now < first:
                yield 0
                continue
            short = sum(closes[now + 1 - self.short : now + 1]) * self.long
            long = sum(closes[now + 1 - self.long : now + 1]) * self.short
            votes = _sign(short - long) + zone
            if volumes[now] * self.volume > sum(volumes[now + 1 - self.volume : now + 1]):
                votes += _sign(closes[now] - closes[now - 1])
            yield (votes >= 2) - (votes <= -2)

    def as_document(self) -> dict[str, Any]:
        """Kind and parameters."""
        return {"kind": "adaptive", **asdict(self)}


def expected(rule: Rule, bars: Bars, cash: int, lots: int, number: int = 0) -> list[Fill]:
    """A strategy's fills from `cash` cents, with `lots` lots in a share."""
    found: list[Fill] = []
    held = 0
    purse = cash * lots
    for now, signal in enumerate(rule.signals(bars)):
        close = bars.closes[now]
        if (now + 1) % bars.session == 0:
            continue
        bought = 0
        if signal > 0 and not held:
            bought = purse * 100 // (101 * close)
        elif signal < 0 and held:
            bought = -held
        if bought:
            held += bought
            purse -= bought * close
            found.append(Fill(number, now, bought, bought * close))
    return found


def _zones(closes: Sequence[int], period: int) -> Iterator[int]:
    """Wilder's RSI against 30 and 70 at each close: +1 below, -1 above, 0 between.

    Gains and losses are kept as whole numbers, multiplied by the period at each step.
    """
    gains = losses = 0
    scale = 1
    yield 0
    for now in range(1, len(closes)):
        change = closes[now] - closes[now - 1]
        gain, loss = max(change, 0), max(-change, 0)
        if now > period:
            scale *= period
            gains, losses = gains * (period - 1), losses * (period - 1)
        gains += gain * scale
        losses += loss * scale
        total = gains + losses
        if now < period or not total:
            yield 0
        else:
            yield (100 * gains < 30 * total) - (100 * gains > 70 * total)


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)
