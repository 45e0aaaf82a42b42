"""Alerts of a running session, handed to whoever listens; a listener takes and returns at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from coordinator.core import records as r
from coordinator.core.alerts import Alert, alerts_of, stream_alerts

Listener = Callable[[Alert], None]
"""Called on the loop; must not raise or block."""


class Alarms:
    """Finds the alerts in what a session writes and sees."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._streams: Mapping[str, str] = {}

    def listen(self, listener: Listener) -> None:
        """Tell of every alert from now on."""
        self._listeners.append(listener)

    def hear(self, records: Iterable[r.Record]) -> None:
        """Records of ours that are durable."""
        self._tell(alerts_of(records))

    def hear_others(self, records: Iterable[r.Record]) -> None:
        """Records of another process: those that concern the account as a whole."""
        ours = (r.Killed, r.DiscrepancyFound)
        self._tell(alerts_of(record for record in records if isinstance(record, ours)))

    def see(self, streams: Mapping[str, str], at: datetime) -> None:
        """Each stream's state by its name."""
        if streams != self._streams:
            before, self._streams = self._streams, streams
            self._tell(stream_alerts(before, streams, at))

    def _tell(self, alerts: Iterable[Alert]) -> None:
        if self._listeners:
            for alert in alerts:
                for listener in self._listeners:
                    listener(alert)
