"""Turns what the streams bring into messages for the inbox; what cannot be read is counted.

Called by the streams on the loop; nothing here raises or waits. A dropped record may have been a
bar or a fill, so REST is asked; in a flood of them only now and then.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.values import MINUTE, Bar
from coordinator.shell import wire
from coordinator.shell.clock import BrokerClock
from coordinator.shell.fields import Malformed, Raw
from coordinator.shell.frames import CORRECTION
from coordinator.shell.garbage import Garbage, shown
from coordinator.shell.plain import PlainBars


class StreamHandlers:
    """The handlers of both kinds of streams.

    `missed_a_bar` asks for bars; `missed_an_order` for the open orders, and with True, once in a
    flood, for the account as well.
    """

    def __init__(
        self,
        put: Callable[[tuple[Bar, ...] | m.Message], None],
        clock: BrokerClock,
        monotonic: Callable[[], float],
        missed_a_bar: Callable[[], None],
        missed_an_order: Callable[[bool], None],
    ) -> None:
        self._put, self._clock = put, clock
        self._missed_a_bar, self._missed_an_order = missed_a_bar, missed_an_order
        self._bars, self._orders = Garbage(monotonic), Garbage(monotonic)

    @property
    def malformed(self) -> int:
        """How many records of the streams were dropped."""
        return self._bars.count + self._orders.count

    def on_bars(self, brought: Sequence[Raw] | PlainBars) -> None:
        """Take the bars of one market frame, in its order, or its late corrections of bars."""
        bars: tuple[Bar, ...]
        if isinstance(brought, PlainBars):
            bars, starts = brought, {brought.start}
        else:
            bars = tuple(wire.parse_bars(brought, self._no_bar))
            starts = {bar.start for bar in bars}
        future = {start for start in starts if not self._may_have_ended(start)}
        if future:  # garbage, or our clock has slept
            bars = self._without(bars, future)
        if not bars:
            return
        if not isinstance(brought, PlainBars) and brought[0].get("T") == CORRECTION:
            self._put(m.BarsArrived(self._clock.now(), bars, r.Origin.CORRECTED))
        else:
            self._put(bars)

    def _without(self, bars: Iterable[Bar], future: Collection[datetime]) -> tuple[Bar, ...]:
        for bar in bars:
            if bar.start in future:
                self.on_bar_garbage(f"a bar of the future: {bar.symbol} at {bar.start}")
        return tuple(bar for bar in bars if bar.start not in future)

    def on_order_update(self, raw: Raw) -> None:
        """Take a raw envelope of the order stream."""
        try:
            self._put(wire.parse_trade_update(raw))
        except Malformed as error:
            self.on_order_garbage(f"order update: {error}")
            return
        if wire.may_hide_a_fill(raw):
            self.on_order_garbage(f"an execution of a new kind: {shown(raw)}")

    def _may_have_ended(self, start: datetime) -> bool:
        return self._clock.may_have_reached(start + MINUTE)

    def _no_bar(self, error: Malformed) -> None:
        self.on_bar_garbage(f"bar: {error}")

    def on_bar_garbage(self, what: str) -> None:
        """A market stream dropped something that may have been a bar."""
        if self._bars.drop(what):
            self._missed_a_bar()

    def on_order_garbage(self, what: str) -> None:
        """The order stream dropped something that may have been a fill.

        After a flood, the regular looks at the account find what its end may have hidden.
        """
        self._missed_an_order(self._orders.drop(what))

    def tell_rest(self) -> None:
        """Log how much was dropped since the last line about it."""
        self._bars.tell_rest()
        self._orders.tell_rest()
