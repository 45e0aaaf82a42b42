"""Delivers order updates to the listeners, past the faults of the script.

Rule: without faults each update is sent once, in order. Chance depends only on a fault's seed and
the number of updates that it has met.
"""

from collections import Counter
from collections.abc import Callable
from datetime import datetime

from simulator.faults.script import FaultScript
from simulator.faults.wire import (
    DuplicateTradeUpdate,
    LoseTradeUpdate,
    LoseTradeUpdates,
    ReorderTradeUpdates,
)
from simulator.generated import mix, stream_key
from simulator.wire import Message

_CHANCES = 1 << 64


class Delivery:
    """Sends updates as often, as late and in the order that the script lets them through."""

    def __init__(self, script: FaultScript, send: Callable[[Message], None]) -> None:
        self._script = script
        self._send = send
        self._losing: list[LoseTradeUpdates] = []
        self._met: Counter[LoseTradeUpdates] = Counter()
        self._held: Message | None = None

    def publish(self, message: Message, now: datetime) -> None:
        """Send an update, unless a fault loses, doubles or delays it."""
        event = message["data"]["event"]
        if self._is_lost(event, now):
            return
        doubled = self._script.strikes(DuplicateTradeUpdate, now, event=event)
        if self._held is None and self._script.strikes(ReorderTradeUpdates, now, event=event):
            self._held = message
            return
        for _ in range(2 if doubled else 1):
            self._send(message)
        self.release()

    def release(self) -> None:
        """Send what was held back."""
        if self._held is not None:
            message, self._held = self._held, None
            self._send(message)

    def lose(self, fault: LoseTradeUpdates, *, begins: bool) -> None:
        """Begin or stop losing updates by chance."""
        if begins:
            self._losing.append(fault)
        else:
            self._losing.remove(fault)

    def _is_lost(self, event: str, now: datetime) -> bool:
        if self._script.strikes(LoseTradeUpdate, now, event=event):
            return True
        # a list: each fault draws for each update, whatever the others have drawn
        return any([self._chance(fault) for fault in self._losing if fault.event in (None, event)])

    def _chance(self, fault: LoseTradeUpdates) -> bool:
        self._met[fault] += 1
        drawn = mix(stream_key(fault.seed, "lost updates"), self._met[fault])
        return drawn < fault.share * _CHANCES
