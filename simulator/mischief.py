"""Carrying out the script of faults on connections and messages.

Rule: with an empty script nothing here changes anything.
"""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from simulator.faults import Fault, FaultKind, FaultScript
from simulator.feed import Feed, bar_at
from simulator.outbox import Outbox
from simulator.protocols import Access
from simulator.sockets import MarketHub, OrderHub
from simulator.values import MINUTE
from simulator.wire import Codec, Message, error


class Mischief:
    """What the script does to the sockets."""

    def __init__(
        self,
        script: FaultScript,
        markets: MarketHub,
        orders: OrderHub,
        access: Access,
        feed: Feed,
    ) -> None:
        self.script = script
        self._markets = markets
        self._orders = orders
        self._access = access
        self._feed = feed

    def turn(self, boundary: datetime) -> bool:
        """Carry out what is due at a minute's end; whether anything was."""
        due = self.script.due(boundary)
        for turn in due:
            self._carry_out(turn.fault, begins=turn.begins, boundary=boundary)
        return bool(due)

    def copies(self, event: str, now: datetime) -> int:
        """How often an update is to be sent: once, unless one is lost or doubled."""
        if self.script.strikes(FaultKind.LOSE_TRADE_UPDATE, now, event=event):
            return 0
        if self.script.strikes(FaultKind.DUPLICATE_TRADE_UPDATE, now, event=event):
            return 2
        return 1

    def publish(self, message: Message, now: datetime) -> None:
        """Send an update as often as the script lets it through."""
        for _ in range(self.copies(message["data"]["event"], now)):
            self._orders.publish(message)

    def _carry_out(self, fault: Fault, *, begins: bool, boundary: datetime) -> None:
        match fault.kind:
            case FaultKind.DROP_DATA:
                for outbox, _ in self._on(fault):
                    outbox.abandon(None)
            case FaultKind.DROP_ORDERS:
                for outbox in self._orders.connections.values():
                    outbox.abandon(None)
            case FaultKind.MUTE_DATA:
                self._markets.mute(fault.path, muted=begins)
            case FaultKind.MUTE_ORDERS:
                self._orders.mute(muted=begins)
            case FaultKind.REFUSE_406:
                self._access.full = fault.path or "/" if begins else None
            case FaultKind.STREAM_ERROR:
                for outbox, codec in self._on(fault):
                    outbox.put(codec.encode([error(fault.code)]))
            case FaultKind.UPDATED_BAR:
                self._correct(fault, boundary)
            case (
                FaultKind.LOSE_TRADE_UPDATE
                | FaultKind.DUPLICATE_TRADE_UPDATE
                | FaultKind.DELAY_RESPONSE
                | FaultKind.HTTP_ERROR
                | FaultKind.HTTP_500_AFTER_ACCEPT
            ):
                raise AssertionError(f"{fault.kind} strikes messages, it has no turn")
            case _:
                assert_never(fault.kind)

    def _on(self, fault: Fault) -> list[tuple[Outbox, Codec]]:
        return [
            held
            for talk, held in self._markets.connections.items()
            if fault.path in (None, talk.endpoint.path)
        ]

    def _correct(self, fault: Fault, boundary: datetime) -> None:
        bar = bar_at(self._feed, fault.symbol, boundary - 2 * MINUTE)
        if bar is None:
            return
        high, low = max(bar.high, fault.close), min(bar.low, fault.close)
        corrected = replace(bar, close=fault.close, high=high, low=low)
        self._markets.stream({bar.symbol: corrected}, self._feed.symbols(), "updatedBars")
