"""Alerts by webhook: one JSON POST for each, to the URL that the operator names.

A thread of its own sends, so that a receiver that is slow, away or hostile costs nobody anything:
what waits is bounded, an attempt takes seconds, no redirect is followed, nothing is sent again, and
a failure is told once. Whoever knows the URL can post there, so it stands in no message.
"""

from __future__ import annotations

import http.client
import json
import logging
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from coordinator.core.alerts import Alert, AlertKind, Notice, Ration
from coordinator.errors import OperatorError
from coordinator.shell.alarms import Alarms
from coordinator.shell.lease import LeaseHeld

log = logging.getLogger("coordinator")
TIMEOUT_S = 3.0
"""Local seconds for each step of a POST, and for what waits when the session ends."""
SPACING_S = 10.0
"""Local seconds between two notices of a kind."""
MOST_WAITING = 100


class Watched(Protocol):
    """A running session, as far as its alerts go."""

    alarms: Alarms

    def view(self) -> Any:
        """How it stands now."""


class Alerts:
    """Tells of alerts by POST to `where`; without a URL nobody is told.

    It is asked where at the first alert, or when told to `begin`: not before the processes of
    users' strategies are forked, which would inherit the answer.
    """

    def __init__(
        self, where: Callable[[], str], coordinator: str, now: Callable[[], datetime]
    ) -> None:
        self._where: Callable[[], str] | None = where
        self._url, self._host = "", ""
        self._now = now
        self._about = {"coordinator": coordinator, "account": "", "session": "", "mode": ""}
        self._waiting: queue.Queue[Alert | None] = queue.Queue(MOST_WAITING)
        self._thread: threading.Thread | None = None
        self._is_away = False

    def begin(self) -> None:
        """Ask where to post, once.

        Raises:
            OperatorError: it is nowhere to post to.
        """
        if self._where is not None:
            where, self._where = self._where, None
            self._url = where()
            self._host = urlsplit(self._url).hostname or ""

    def put(self, alert: Alert) -> None:
        """Take an alert, if there is room for it; returns at once."""
        self.begin()
        if not self._url:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._send_all, daemon=True, name="webhook")
            self._thread.start()
        try:
            self._waiting.put_nowait(alert)
        except queue.Full:
            self._say_away("too many wait")

    @asynccontextmanager
    async def observe(self, live: Watched) -> AsyncIterator[None]:
        """An observer of a session: tells of its alerts, and of what holds it back already."""
        view = live.view()
        self._about |= {"account": view.account, "session": view.session_id, "mode": view.mode}
        live.alarms.listen(self.put)
        if view.killed:
            reason = "The account is killed: nothing is bought until `multi-trader revive`."
            self.put(Alert(view.at, AlertKind.HALT, "account", reason))
        for note in view.frozen.values():
            self.put(Alert(view.at, AlertKind.DISCREPANCY, "account", note))
        yield

    def differs(self, discrepancies: int) -> None:
        """The last look at the account found so many differences."""
        if discrepancies:
            reason = f"{discrepancies} differences at the end: see the day's report."
            self.put(Alert(self._now(), AlertKind.DISCREPANCY, "account", reason))

    def refused(self, why: str) -> None:
        """A session was not started."""
        name = self._about["coordinator"]
        self.put(Alert(self._now(), AlertKind.REFUSED_START, name, why))

    def end(self) -> None:
        """Send what waits, within TIMEOUT_S."""
        if self._thread is None:
            return
        try:
            self._waiting.put(None, timeout=TIMEOUT_S)
        except queue.Full:
            return  # the receiver hangs: the thread ends with the process
        self._thread.join(TIMEOUT_S)

    def _send_all(self) -> None:
        """On the thread: take, ration, send, until the end; then all that is left at once."""
        ration, is_over = Ration(SPACING_S), False
        while not is_over:
            due_s = ration.next_s()
            timeout_s = None if due_s is None else max(0.0, due_s - time.monotonic())
            try:
                alert = self._waiting.get(timeout=timeout_s)
            except queue.Empty:
                alert = None
            else:
                is_over = alert is None
            if alert is not None:
                ration.put(alert)
            for notice in ration.take(float("inf") if is_over else time.monotonic()):
                self._send(notice)

    def _send(self, notice: Notice) -> None:
        try:
            status = post(self._url, self._body(notice))
        except Exception as error:  # whatever the network does is no affair of trading
            self._say_away(type(error).__name__)
            return
        if not 200 <= status < 300:
            self._say_away(f"HTTP {status}")
        elif self._is_away:
            self._is_away = False
            log.info("the webhook at %s takes alerts again", self._host)

    def _body(self, notice: Notice) -> dict[str, object]:
        alert, about = notice.alert, self._about
        where = f"{about['coordinator']} on {about['account'] or 'no account yet'}"
        more = f" ({notice.held_back} more of this kind)" if notice.held_back else ""
        return {
            "text": f"Multi-Trader {where}: {alert.kind.value}: {alert.reason}{more}",
            "kind": alert.kind.value,
            "subject": alert.subject,
            "reason": alert.reason,
            "at": alert.at.isoformat(),
            "held_back": notice.held_back,
            **about,
        }

    def _say_away(self, why: str) -> None:
        if not self._is_away:
            self._is_away = True
            log.warning("the webhook at %s does not take alerts (%s): see here", self._host, why)


def post(url: str, body: dict[str, object], *, timeout_s: float = TIMEOUT_S) -> int:
    """The HTTP status that a POST of this JSON was answered with; redirects are not followed.

    Raises:
        OSError, http.client.HTTPException: it was not answered.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    door = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        door.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        return door.getresponse().status
    finally:
        door.close()


@contextmanager
def alerting(
    where: Callable[[], str], coordinator: str, now: Callable[[], datetime]
) -> Iterator[Alerts]:
    """Tell of alerts while the context lasts, and of its being refused, to the URL of `where`.

    `now` is for what happens before the broker's clock is known, and after it was asked last.
    That another coordinator runs already is no news: it is waited for, or it is meant.
    """
    alerts = Alerts(where, coordinator, now)
    try:
        yield alerts
    except OperatorError as error:
        if not isinstance(error, LeaseHeld):
            alerts.refused(str(error))
        raise
    finally:
        alerts.end()
