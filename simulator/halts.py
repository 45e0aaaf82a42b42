"""Trading halts: no bars of a symbol for a while, and no price until it trades again.

Rule: pure, and by broker time alone. A bar that starts inside a halt does not exist, for anybody;
a close from before a halt is no price for an order that waits for its end.
"""

from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache

from simulator.faults.wire import Halt
from simulator.feed import DayBars, Feed
from simulator.wire import Message


class Halts:
    """The halts of a run."""

    def __init__(self, halts: Sequence[Halt]) -> None:
        self._halts = tuple(halts)

    def last_until(self, symbol: str, now: datetime) -> datetime | None:
        """When the symbol's newest halt that has begun ends or ended; None: it had none."""
        begun = (halt for halt in self._halts if halt.symbol == symbol and halt.at <= now)
        return max((halt.until for halt in begun), default=None)

    def hides(self, symbol: str, start: datetime) -> bool:
        """Whether the bar of that minute does not exist."""
        return any(halt.symbol == symbol and halt.at <= start < halt.until for halt in self._halts)

    def over(self, feed: Feed) -> Feed:
        """The feed without the bars that halts hide."""
        return _HaltedFeed(feed, self) if self._halts else feed


class _HaltedFeed:
    """A feed as halts leave it."""

    def __init__(self, feed: Feed, halts: Halts) -> None:
        self._feed = feed
        self._halts = halts
        self._kept = lru_cache(maxsize=256)(self._keep)

    def symbols(self) -> Sequence[str]:
        """Those of the feed."""
        return self._feed.symbols()

    def day(self, symbol: str, day: date) -> DayBars:
        """What the halts leave of the day."""
        return self._kept(symbol, day)

    def days(self, symbol: str, first: date, last: date) -> Sequence[date]:
        """Those of the feed."""
        return self._feed.days(symbol, first, last)

    def _keep(self, symbol: str, day: date) -> DayBars:
        whole = self._feed.day(symbol, day)
        kept = [bar for bar in whole.bars if not self._halts.hides(symbol, bar.start)]
        return whole if len(kept) == len(whole.bars) else DayBars.of(kept)


def status_message(symbol: str, *, halted: bool, at: datetime) -> Message:
    """The message of the `statuses` channel when a halt begins or ends. `t` stays a datetime."""
    code, words = ("H", "Trading Halt") if halted else ("T", "Trading Resumption")
    reason = ("T12", "Trading Halted; for information requested") if halted else ("", "")
    return {
        "T": "s",
        "S": symbol,
        "sc": code,
        "sm": words,
        "rc": reason[0],
        "rm": reason[1],
        "t": at,
        "z": "C",
    }
