"""What the venue knows of one moment: time, session and tape."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from simulator.assets import is_crypto
from simulator.calendar import Session
from simulator.values import Bar, TimeInForce

GTC_LIFE = timedelta(days=90)


def _never(symbol: str) -> None:
    """The symbol was never halted."""


@dataclass(frozen=True)
class Market:
    """What is known at one moment of broker time.

    session: the exchange's session if it is open now. next_close: when the exchange closes next.
    last: the newest bar of a symbol that has ended. halted_until: when a symbol's newest halt ends
    or ended, None if it had none.
    """

    now: datetime
    session: Session | None
    next_close: datetime
    last: Callable[[str], Bar | None]
    halted_until: Callable[[str], datetime | None] = _never

    def is_open(self, symbol: str) -> bool:
        """Whether the symbol trades now: crypto always, stocks in a session."""
        return is_crypto(symbol) or self.session is not None

    def quote(self, symbol: str) -> Bar | None:
        """The bar whose close a market order may meet now: for stocks, one of this session.

        None during a halt, and after it until a bar has been made.
        """
        bar, resumed = self.last(symbol), self.halted_until(symbol)
        if bar is None or (resumed is not None and bar.start < resumed):
            return None
        if is_crypto(symbol):
            return bar
        if self.session is None or bar.start < self.session.open:
            return None
        return bar

    def expiry(self, time_in_force: TimeInForce) -> datetime | None:
        """When an order taken now would end by itself: at the close, or after 90 days."""
        match time_in_force:
            case TimeInForce.DAY:
                return self.next_close
            case TimeInForce.GTC:
                return self.now + GTC_LIFE
            case TimeInForce.IOC:
                return None
            case _:
                assert_never(time_in_force)
