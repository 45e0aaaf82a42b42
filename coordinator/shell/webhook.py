"""Alerts by webhook: one JSON POST for each, to the URL that the operator names.

A thread of its own sends, so that a receiver that is slow, away or hostile holds nothing up: the
queue is bounded, an attempt takes seconds, no redirect is followed, nothing is sent again, and a
failure is logged once. Whoever knows the URL can post there, so no message contains it.
"""

from __future__ import annotations

import http.client
import json
import logging
import queue
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import Protocol
from urllib.parse import urlsplit

from coordinator.core.alerts import (
    Alert,
    AlertKind,
    Notice,
    Ration,
    differences_alert,
    standing_alerts,
)
from coordinator.core.live_view import LiveView
from coordinator.errors import BrokerUnavailable, MultiTraderError
from coordinator.shell.alarms import Alarms
from coordinator.shell.lease import LeaseHeld

log = logging.getLogger("coordinator")
TIMEOUT_S = 3.0
"""Local seconds for a POST, and for the queue when the session ends."""
SPACING_S = 10.0
"""Local seconds between two notices of a kind."""
MOST_WAITING = 100
_STATUS_BYTES = len("HTTP/1.1 200")


class Watched(Protocol):
    """The part of a running session that its alerts need."""

    alarms: Alarms

    def view(self) -> LiveView:
        """Its state now."""


class Alerts:
    """Posts alerts to the URL that `where` returns, if it is not empty.

    `where` is called by `begin`, or at the first alert: the processes of users' strategies, which
    are forked before, must not inherit the URL.
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
        """Get the URL, once.

        Raises:
            OperatorError: it cannot be posted to.
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
        """An observer of a session: posts its alerts, and those of halts that hold already."""
        view = live.view()
        self._about |= {"account": view.account, "session": view.session_id, "mode": view.mode}
        live.alarms.listen(self.put)
        for alert in standing_alerts(view):
            self.put(alert)
        yield

    def differs(self, discrepancies: int) -> None:
        """Alert of this many differences that the last look at the account found, if any."""
        if discrepancies:
            self.put(differences_alert(discrepancies, self._now()))

    def failed(self, error: Exception) -> None:
        """Alert that this error ended the session, or that none was started because of it.

        A broker that does not answer a start is no alert: whoever started it tries again.
        """
        kind = AlertKind.ENDED if self._about["session"] else AlertKind.REFUSED_START
        if kind is AlertKind.ENDED or not isinstance(error, BrokerUnavailable):
            ours = isinstance(error, MultiTraderError)  # others' texts may hold anything
            why = str(error) if ours else f"{type(error).__name__}: see what it printed"
            self.put(Alert(self._now(), kind, self._about["coordinator"], why))

    def end(self) -> None:
        """Send the queued alerts, within TIMEOUT_S."""
        if self._thread is None:
            return
        try:
            self._waiting.put(None, timeout=TIMEOUT_S)
        except queue.Full:
            return  # the receiver hangs: the thread ends with the process
        self._thread.join(TIMEOUT_S)

    def _send_all(self) -> None:
        """On the thread: take, ration and send until the end, then send the rest at once."""
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
        except Exception as error:  # no failure of the network may reach trading
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
    """POST this JSON, following no redirect; returns the HTTP status.

    `timeout_s` are the local seconds in which it must be answered; to connect, each address of the
    host has as many.

    Raises:
        OSError, http.client.HTTPException: it was not answered.
    """
    until_s = time.monotonic() + timeout_s
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        return _status(connection.sock, until_s)
    finally:
        connection.close()


def _status(answer: socket.socket, until_s: float) -> int:
    """The HTTP status of an answer, of which no more is read."""
    line = b""
    while len(line) < _STATUS_BYTES:
        # a socket's own time-out begins anew with each byte
        answer.settimeout(max(until_s - time.monotonic(), 0.001))
        part = answer.recv(_STATUS_BYTES - len(line))
        if not part:
            raise http.client.RemoteDisconnected("it closed without a status")
        line += part
    try:
        return int(line[-3:])
    except ValueError:
        raise http.client.BadStatusLine(repr(line)) from None


@contextmanager
def alerting(
    where: Callable[[], str], coordinator: str, now: Callable[[], datetime]
) -> Iterator[Alerts]:
    """Post alerts to the URL of `where` while the context lasts, and one if an error ends it.

    `now` dates alerts from before the broker's clock is known, and from after the session.
    That another coordinator holds the lease is no alert: it is waited for, or it is meant to run.
    """
    alerts = Alerts(where, coordinator, now)
    try:
        yield alerts
    except LeaseHeld:
        raise
    except Exception as error:
        alerts.failed(error)
        raise
    finally:
        alerts.end()
