"""Alerts of a running session, passed to listeners; a listener must return at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from coordinator.core import records as r
from coordinator.core.alerts import Alert, alerts_of, stream_alerts

Listener = Callable[[Alert], None]
"""Called on the loop; must not raise or block."""


class Alarms:
    """Finds the alerts in a session's records and in the state of its streams."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._streams: Mapping[str, str] = {}

    def listen(self, listener: Listener) -> None:
        """Call the listener with every alert from now on."""
        self._listeners.append(listener)

    def on_records(self, records: Iterable[r.Record]) -> None:
        """Take in this session's own records, once they are durable."""
        self._tell(alerts_of(records))

    def on_foreign_records(self, records: Iterable[r.Record]) -> None:
        """Take in another process's records; only those on the whole account make alerts."""
        shared = (r.Killed, r.DiscrepancyFound)
        self._tell(alerts_of(record for record in records if isinstance(record, shared)))

    def on_streams(self, streams: Mapping[str, str], at: datetime) -> None:
        """Take in each stream's state, by its name."""
        if streams != self._streams:
            before, self._streams = self._streams, streams
            self._tell(stream_alerts(before, streams, at))

    def _tell(self, alerts: Iterable[Alert]) -> None:
        if self._listeners:
            for alert in alerts:
                for listener in self._listeners:
                    listener(alert)
