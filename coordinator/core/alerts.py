"""What somebody should be told of at once: read from records and from the streams' states.

An alert is news for people and automations; nothing in trading waits for it or depends on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from coordinator.core import records as r

LIVE, STOPPED = "live", "stopped"
"""States of a stream that speaks, and of one that we ended ourselves."""


class AlertKind(Enum):
    """What kind of news it is."""

    HALT = "halt"
    DISCREPANCY = "discrepancy"
    STREAM_LOST = "stream-lost"
    STREAM_BACK = "stream-back"
    REFUSED_START = "refused-start"


@dataclass(frozen=True, slots=True)
class Alert:
    """One piece of news, at `at` of the broker's clock.

    `subject` is what it is about: a strategy, a symbol, a stream, or `account`. `reason` is one
    sentence for people, without secrets.
    """

    at: datetime
    kind: AlertKind
    subject: str
    reason: str


def alerts_of(records: Iterable[r.Record]) -> Iterator[Alert]:
    """The news in these records: entries stopped, a kill, a difference and what it freezes."""
    for record in records:
        match record:
            case r.EntriesStopped():
                reason = f"{record.strategy} opens nothing more today: {record.reason}."
                yield Alert(record.at, AlertKind.HALT, record.strategy, reason)
            case r.Killed():
                reason = f"Killed by {record.by}: everything is cancelled and sold."
                yield Alert(record.at, AlertKind.HALT, "account", reason)
            case r.DiscrepancyFound():
                about = record.symbol or "account"
                yield Alert(record.at, AlertKind.DISCREPANCY, about, record.note)
                if record.discrepancy_id:
                    reason = f"Nothing is bought until {record.discrepancy_id} is over."
                    yield Alert(record.at, AlertKind.HALT, about, reason)
            case _:
                pass


def stream_alerts(
    before: Mapping[str, str], now: Mapping[str, str], at: datetime
) -> Iterator[Alert]:
    """The streams that were lost or came back between two looks; one never seen was well."""
    for name, state in now.items():
        was = before.get(name, LIVE)
        if was == LIVE and state not in (LIVE, STOPPED):
            yield Alert(at, AlertKind.STREAM_LOST, name, f"The {name} stream is {state}.")
        elif was != LIVE and state == LIVE:
            yield Alert(at, AlertKind.STREAM_BACK, name, f"The {name} stream is live again.")
