"""Alerts: news that somebody should hear at once, read from records and from stream states.

An alert is for people and automations; nothing in trading waits for it or depends on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from coordinator.core import records as r
from coordinator.core.discrepancies import symbol_of
from coordinator.core.live_view import LiveView

LIVE, STOPPED = "live", "stopped"
"""The states of a stream that is connected and speaks, and of one that we closed ourselves."""


class AlertKind(Enum):
    """What kind of news it is."""

    HALT = "halt"
    DISCREPANCY = "discrepancy"
    STREAM_LOST = "stream-lost"
    STREAM_BACK = "stream-back"
    REFUSED_START = "refused-start"
    ENDED = "ended-by-error"


@dataclass(frozen=True, slots=True)
class Alert:
    """One piece of news; `at` is broker time.

    `subject` is a strategy, a symbol, a stream, or `account`. `reason` is one sentence for people,
    without secrets.
    """

    at: datetime
    kind: AlertKind
    subject: str
    reason: str


def alerts_of(records: Iterable[r.Record]) -> Iterator[Alert]:
    """The alerts in these records: entries stopped, a kill, a discrepancy and what it freezes."""
    for record in records:
        match record:
            case r.EntriesStopped():
                yield _stopped(record.at, record.strategy, record.reason)
            case r.Killed():
                reason = f"Killed by {record.by}: everything is cancelled and sold."
                yield Alert(record.at, AlertKind.HALT, "account", reason)
            case r.DiscrepancyFound():
                about = record.symbol or "account"
                yield Alert(record.at, AlertKind.DISCREPANCY, about, record.note)
                if record.discrepancy_id:
                    yield _frozen(record.at, about, record.discrepancy_id)
            case _:
                pass


def standing_alerts(view: LiveView) -> Iterator[Alert]:
    """The alerts of what halts trading at a session's start: an earlier one may not have sent them.

    They are those of the records that halted it, except that a kill is long carried out.
    """
    if view.killed:
        reason = "The account is killed: nothing is bought until `multi-trader revive`."
        yield Alert(view.at, AlertKind.HALT, "account", reason)
    for name, note in view.frozen.items():
        about = symbol_of(name) or "account"
        yield Alert(view.at, AlertKind.DISCREPANCY, about, note)
        yield _frozen(view.at, about, name)
    for one in view.strategies:
        if one.stopped:
            yield _stopped(view.at, one.name, one.stopped)


def _stopped(at: datetime, strategy: str, why: str) -> Alert:
    reason = f"{strategy} opens nothing more today: {why}."
    return Alert(at, AlertKind.HALT, strategy, reason)


def _frozen(at: datetime, about: str, discrepancy_id: str) -> Alert:
    reason = f"Nothing is bought until {discrepancy_id} is over."
    return Alert(at, AlertKind.HALT, about, reason)


def stream_alerts(
    before: Mapping[str, str], now: Mapping[str, str], at: datetime
) -> Iterator[Alert]:
    """The streams lost or restored between two looks; one not seen `before` counts as live."""
    for name, state in now.items():
        was = before.get(name, LIVE)
        if was == LIVE and state not in (LIVE, STOPPED):
            yield Alert(at, AlertKind.STREAM_LOST, name, f"The {name} stream is {state}.")
        elif was != LIVE and state == LIVE:
            yield Alert(at, AlertKind.STREAM_BACK, name, f"The {name} stream is live again.")


def differences_alert(found: int, at: datetime) -> Alert:
    """What the last look of a session at its account found, if it is anything."""
    what = "1 difference" if found == 1 else f"{found} differences"
    reason = f"{what} at the end: see the day's report."
    return Alert(at, AlertKind.DISCREPANCY, "account", reason)


@dataclass(frozen=True, slots=True)
class Notice:
    """An alert to send, and how many earlier ones of its kind were held back."""

    alert: Alert
    held_back: int = 0


@dataclass(slots=True)
class Ration:
    """Limits notices to one of a kind in `spacing_s`: the newest alert, with a count of the others.

    Times are seconds of one monotonic clock.
    """

    spacing_s: float
    _waiting: dict[AlertKind, Notice] = field(default_factory=dict)
    _sent_s: dict[AlertKind, float] = field(default_factory=dict)

    def put(self, alert: Alert) -> None:
        """Take an alert. It replaces one of its kind that still waits, which is only counted."""
        before = self._waiting.get(alert.kind)
        self._waiting[alert.kind] = Notice(alert, before.held_back + 1 if before else 0)

    def take(self, now_s: float) -> list[Notice]:
        """The notices that are due, oldest alert first; they count as sent."""
        due = [kind for kind in self._waiting if self._due_s(kind) <= now_s]
        self._sent_s.update(dict.fromkeys(due, now_s))
        return sorted((self._waiting.pop(kind) for kind in due), key=lambda one: one.alert.at)

    def next_s(self) -> float | None:
        """When the next notice is due; None if none waits."""
        return min(map(self._due_s, self._waiting), default=None)

    def _due_s(self, kind: AlertKind) -> float:
        return self._sent_s.get(kind, float("-inf")) + self.spacing_s
