"""Carries out the script's faults of connections and messages.

Rule: with an empty script nothing here changes anything. Faults of the account are passed on to
`act`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from simulator.delivery import Delivery
from simulator.faults import AccountFault, WireFault
from simulator.faults.script import FaultScript
from simulator.faults.wire import (
    CutFrame,
    DropData,
    DropOrders,
    GarbageFrame,
    Halt,
    LoseTradeUpdates,
    MuteData,
    MuteOrders,
    Refuse406,
    StreamError,
    UpdatedBar,
)
from simulator.feed import Feed, bar_at
from simulator.halts import status_message
from simulator.outbox import Outbox
from simulator.protocols import ORDER_PATH, Access
from simulator.sockets import MarketHub, OrderHub
from simulator.values import MINUTE
from simulator.wire import error


class Mischief:
    """Carries out a script. act: carries out a fault of the account."""

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
        self.delivery = Delivery(script, orders.publish)
        self._markets = markets
        self._orders = orders
        self._access = access
        self._feed = feed
        self._act = act

    def turn(self, boundary: datetime) -> bool:
        """Carry out what is due at a minute's end; returns whether anything was."""
        self.delivery.release()
        due = self.script.due(boundary)
        for turn in due:
            if isinstance(turn.fault, AccountFault):
                self._act(turn.fault)
            else:
                self._carry_out(turn.fault, begins=turn.begins, boundary=boundary)
        return bool(due)

    def _carry_out(self, fault: WireFault, *, begins: bool, boundary: datetime) -> None:
        match fault:
            case DropData():
                for _, outbox in self._markets.on(fault.path):
                    outbox.abandon(None)
            case DropOrders():
                for outbox in self._outboxes(ORDER_PATH):
                    outbox.abandon(None)
            case MuteData():
                for _, outbox in self._markets.on(fault.path):
                    outbox.is_muted = begins
            case MuteOrders():
                for outbox in self._outboxes(ORDER_PATH):
                    outbox.is_muted = begins
            case Refuse406():
                self._access.full = fault.path or "/" if begins else None
            case StreamError():
                for talk, outbox in self._markets.on(fault.path):
                    outbox.put(talk.encode(error(fault.code)))
            case UpdatedBar():
                self._correct(fault, boundary)
            case GarbageFrame():
                for outbox in self._outboxes(fault.path):
                    outbox.put(fault.frame)
            case CutFrame():
                for outbox in self._outboxes(fault.path):
                    outbox.cut(fault.keep_bytes)
            case Halt():
                status = status_message(fault.symbol, halted=begins, at=boundary)
                self._markets.tell("statuses", status)
            case LoseTradeUpdates():
                self.delivery.lose(fault, begins=begins)
            case _:
                assert_never(fault)

    def _outboxes(self, path: str | None) -> Sequence[Outbox]:
        """Outboxes of the order connections, or of the market-data ones of a path (None: all)."""
        if path == ORDER_PATH:
            return list(self._orders.connections.values())
        return [outbox for _, outbox in self._markets.on(path)]

    def _correct(self, fault: UpdatedBar, boundary: datetime) -> None:
        bar = bar_at(self._feed, fault.symbol, boundary - 2 * MINUTE)
        if bar is None:
            return
        high, low = max(bar.high, fault.close), min(bar.low, fault.close)
        corrected = replace(bar, close=fault.close, high=high, low=low)
        self._markets.stream({bar.symbol: corrected}, "updatedBars")
