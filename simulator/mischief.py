"""Carrying out the script of faults on connections and messages.

Rule: with an empty script nothing here changes anything. What happens to the account itself is
handed to the back office.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from simulator.fault_script import FaultScript
from simulator.faults import (
    AccountFault,
    DropData,
    DropOrders,
    DuplicateTradeUpdate,
    LoseTradeUpdate,
    MuteData,
    MuteOrders,
    Refuse406,
    StreamError,
    UpdatedBar,
    WireFault,
)
from simulator.feed import Feed, bar_at
from simulator.outbox import Outbox
from simulator.protocols import Access
from simulator.sockets import MarketHub, OrderHub
from simulator.values import MINUTE
from simulator.wire import Codec, Message, error


class Mischief:
    """What the script does. act: what to do with a fault of the account."""

    def __init__(
        self,
        script: FaultScript,
        markets: MarketHub,
        orders: OrderHub,
        access: Access,
        feed: Feed,
        act: Callable[[AccountFault], None],
    ) -> None:
        self.script = script
        self._markets = markets
        self._orders = orders
        self._access = access
        self._feed = feed
        self._act = act

    def turn(self, boundary: datetime) -> bool:
        """Carry out what is due at a minute's end; whether anything was."""
        due = self.script.due(boundary)
        for turn in due:
            if isinstance(turn.fault, AccountFault):
                self._act(turn.fault)
            else:
                self._carry_out(turn.fault, begins=turn.begins, boundary=boundary)
        return bool(due)

    def copies(self, event: str, now: datetime) -> int:
        """How often an update is to be sent: once, unless one is lost or doubled."""
        if self.script.strikes(LoseTradeUpdate, now, event=event):
            return 0
        if self.script.strikes(DuplicateTradeUpdate, now, event=event):
            return 2
        return 1

    def publish(self, message: Message, now: datetime) -> None:
        """Send an update as often as the script lets it through."""
        for _ in range(self.copies(message["data"]["event"], now)):
            self._orders.publish(message)

    def _carry_out(self, fault: WireFault, *, begins: bool, boundary: datetime) -> None:
        match fault:
            case DropData():
                for outbox, _ in self._on(fault.path):
                    outbox.abandon(None)
            case DropOrders():
                for outbox in self._orders.connections.values():
                    outbox.abandon(None)
            case MuteData():
                self._markets.mute(fault.path, muted=begins)
            case MuteOrders():
                self._orders.mute(muted=begins)
            case Refuse406():
                self._access.full = fault.path or "/" if begins else None
            case StreamError():
                for outbox, codec in self._on(fault.path):
                    outbox.put(codec.encode([error(fault.code)]))
            case UpdatedBar():
                self._correct(fault, boundary)
            case _:
                assert_never(fault)

    def _on(self, path: str | None) -> list[tuple[Outbox, Codec]]:
        return [
            held
            for talk, held in self._markets.connections.items()
            if path in (None, talk.endpoint.path)
        ]

    def _correct(self, fault: UpdatedBar, boundary: datetime) -> None:
        bar = bar_at(self._feed, fault.symbol, boundary - 2 * MINUTE)
        if bar is None:
            return
        high, low = max(bar.high, fault.close), min(bar.low, fault.close)
        corrected = replace(bar, close=fault.close, high=high, low=low)
        self._markets.stream({bar.symbol: corrected}, self._feed.symbols(), "updatedBars")
