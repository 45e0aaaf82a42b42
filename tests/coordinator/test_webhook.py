"""Alerts by webhook: posted once, rationed by kind, and never in anybody's way."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from http.client import BadStatusLine, RemoteDisconnected
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.bootstrap import RunOptions, run_configured
from coordinator.config import parse_config
from coordinator.core import records as r
from coordinator.core.alerts import Alert, AlertKind, Notice, Ration
from coordinator.errors import (
    BrokerRejected,
    BrokerUnavailable,
    MultiTraderError,
    OperatorError,
    SafetyRefusal,
    StorageError,
)
from coordinator.settings import webhook_url
from coordinator.shell import webhook
from coordinator.shell.lease import LeaseHeld
from coordinator.shell.webhook import Alerts, alerting, post
from tests.coordinator.bench import OPEN
from tests.corpus.answers import answering
from tests.corpus.test_session import Desk
from tests.oracle import configs


def alert(kind: AlertKind = AlertKind.HALT, n: int = 0) -> Alert:
    """The n-th alert of a kind."""
    return Alert(OPEN + timedelta(seconds=n), kind, f"s{n}", f"reason {n}")


class Receiver:
    """A server on this machine that keeps what is posted, and answers with a status."""

    def __init__(self, status: int) -> None:
        self.status, self.bodies, self.paths = status, list[dict[str, Any]](), list[str]()
        self.answers = threading.Event()
        self.answers.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                status = receiver.status
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.paths.append(self.path)
                receiver.bodies.append(json.loads(raw))
                receiver.answers.wait()
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/services/SECRET?wait=true"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Answer whoever still waits, and end."""
        self.answers.set()
        self._server.shutdown()
        self._server.server_close()

    def until(self, count: int) -> None:
        """Wait for so many posts."""
        deadline_s = time.monotonic() + 20
        while len(self.bodies) < count:
            assert time.monotonic() < deadline_s, f"{len(self.bodies)} of {count} have come"
            threading.Event().wait(0.01)


@contextmanager
def receiving(status: int = 200) -> Iterator[Receiver]:
    """A receiver while the context lasts."""
    receiver = Receiver(status)
    try:
        yield receiver
    finally:
        receiver.close()


# --- how often


def test_the_first_of_a_kind_is_told_at_once_and_the_next_with_a_count_after_a_while() -> None:
    ration = Ration(spacing_s=10)
    ration.put(alert(n=0))
    assert ration.take(100) == [Notice(alert(n=0))]
    for n in (1, 2, 3):
        ration.put(alert(n=n))
    ration.put(alert(AlertKind.STREAM_LOST, 4))
    assert ration.take(105) == [Notice(alert(AlertKind.STREAM_LOST, 4))]
    assert ration.next_s() == 110
    assert ration.take(109.9) == []
    assert ration.take(110) == [Notice(alert(n=3), held_back=2)]
    assert ration.next_s() is None


@given(st.lists(st.tuples(st.sampled_from(AlertKind), st.integers(0, 30)), max_size=40))
def test_each_alert_is_told_or_counted_and_a_kind_never_too_often(
    comings: list[tuple[AlertKind, int]],
) -> None:
    ration, now_s = Ration(spacing_s=10), 0
    told: list[tuple[float, Notice]] = []
    for n, (kind, pause_s) in enumerate(comings):
        now_s += pause_s
        ration.put(alert(kind, n))
        told += [(now_s, notice) for notice in ration.take(now_s)]
    told += [(now_s + 10, notice) for notice in ration.take(now_s + 10)]
    assert sum(1 + notice.held_back for _, notice in told) == len(comings)
    for kind in AlertKind:
        times = [at_s for at_s, notice in told if notice.alert.kind is kind]
        assert all(later - before >= 10 for before, later in pairwise(times))


# --- over the wire


def test_an_alert_is_one_post_that_a_chat_shows() -> None:
    with receiving() as there, alerting(lambda: there.url, "stocks", lambda: OPEN) as alerts:
        alerts.put(alert(n=1))
        there.until(1)
        assert there.paths == ["/services/SECRET?wait=true"]
        assert there.bodies == [
            {
                "text": "Multi-Trader stocks on no account yet: halt: reason 1",
                "kind": "halt",
                "subject": "s1",
                "reason": "reason 1",
                "at": "2026-03-17T13:30:01+00:00",
                "held_back": 0,
                "coordinator": "stocks",
                "account": "",
                "session": "",
                "mode": "",
            }
        ]


def test_a_kill_that_holds_when_a_session_begins_is_told(tmp_path: Path) -> None:
    async def play(alerts: Alerts, desk: Desk) -> None:
        async with alerts.observe(desk.live.clerk):
            pass

    with (
        receiving() as there,
        answering() as (broker, _),
        alerting(lambda: there.url, "bench", lambda: OPEN) as alerts,
    ):
        desk = Desk(tmp_path / "PA1", broker)
        desk.bench.books.halts.apply(r.Killed(OPEN, "operator"))
        asyncio.run(play(alerts, desk))
        there.until(1)
    [body] = there.bodies
    assert (body["kind"], body["subject"], body["account"]) == ("halt", "account", "PA1")
    assert "multi-trader revive" in body["reason"]


def test_a_sessions_own_news_is_told_with_its_account(tmp_path: Path) -> None:
    async def play(alerts: Alerts, desk: Desk) -> None:
        async with alerts.observe(desk.live.clerk):
            desk.live.clerk.alarms.on_records([r.EntriesStopped(OPEN, "A", "max_daily_loss")])
            desk.live.clerk.alarms.on_streams({"orders": "lost"}, OPEN)

    with (
        receiving() as there,
        answering() as (broker, _),
        alerting(lambda: there.url, "bench", lambda: OPEN) as alerts,
    ):
        asyncio.run(play(alerts, Desk(tmp_path / "PA1", broker)))
        there.until(2)
    assert [(b["kind"], b["account"], b["mode"]) for b in there.bodies] == [
        ("halt", "PA1", "simulated"),
        ("stream-lost", "PA1", "simulated"),
    ]
    assert there.bodies[0]["text"].endswith("A opens nothing more today: max_daily_loss.")


def test_what_still_waits_at_the_end_is_sent_with_the_count_of_the_others() -> None:
    with receiving() as there:
        with alerting(lambda: there.url, "c", lambda: OPEN) as alerts:
            alerts.put(alert(n=0))
            there.until(1)
            for n in range(1, 6):
                alerts.put(alert(n=n))
        assert [(b["reason"], b["held_back"]) for b in there.bodies] == [
            ("reason 0", 0),
            ("reason 5", 4),
        ]
        assert there.bodies[1]["text"].endswith("reason 5 (4 more of this kind)")


def test_a_receiver_that_hangs_holds_up_nobody_and_is_told_of_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(webhook, "MOST_WAITING", 5)
    monkeypatch.setattr(webhook, "TIMEOUT_S", 0.3)
    monkeypatch.setattr(post, "__kwdefaults__", {"timeout_s": 0.3})
    with receiving() as there, caplog.at_level(logging.INFO, "coordinator"):
        there.answers.clear()
        with alerting(lambda: there.url, "c", lambda: OPEN) as alerts:
            alerts.put(alert())
            there.until(1)
            for n in range(1_000):  # returns, though nobody takes them
                alerts.put(alert(AlertKind.STREAM_LOST, n))
            assert alerts._waiting.qsize() <= 5
        assert caplog.text.count("does not take alerts") == 1
        assert "SECRET" not in caplog.text
    assert alerts._thread is not None
    alerts._thread.join(20)  # so that it says nothing in another test


@pytest.mark.parametrize(
    ("answer", "pause_s", "said"),
    [
        (b"H" * 100, 0.4, TimeoutError),
        (b"HTTP", 0.0, RemoteDisconnected),
        (b"SSH-2.0-Open", 0.0, BadStatusLine),
    ],
    ids=["dribbles for minutes", "breaks off", "is not HTTP"],
)
def test_a_receiver_that_answers_byte_by_byte_has_no_more_time_than_another(
    answer: bytes, pause_s: float, said: type[Exception]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def dribble() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                request = b""
                while not request.endswith(b"{}"):  # closed with some unread it would be reset
                    request += connection.recv(1 << 16)
                for byte in answer:
                    connection.sendall(bytes([byte]))
                    time.sleep(pause_s)

        threading.Thread(target=dribble, daemon=True).start()
        begun_s = time.monotonic()
        with pytest.raises(said):
            post(f"http://127.0.0.1:{server.getsockname()[1]}/", {}, timeout_s=1.0)
        assert time.monotonic() - begun_s < 20


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("status", "said"), [(302, "HTTP 302"), (404, "HTTP 404"), (500, "HTTP 500")]
)
def test_another_answer_than_yes_is_told_of_once_and_no_redirect_is_followed(
    caplog: pytest.LogCaptureFixture, status: int, said: str
) -> None:
    with receiving(status) as there:
        with alerting(lambda: there.url, "c", lambda: OPEN) as alerts:
            for kind in AlertKind:
                alerts.put(alert(kind))
        assert len(there.bodies) == len(AlertKind)
        assert "/elsewhere" not in there.paths
    assert [one.getMessage() for one in caplog.records] == [
        f"the webhook at 127.0.0.1 does not take alerts ({said}): see here"
    ]


def test_when_it_takes_alerts_again_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "coordinator")
    with receiving(500) as there, alerting(lambda: there.url, "c", lambda: OPEN) as alerts:
        alerts.put(alert(AlertKind.HALT))
        there.until(1)
        there.status = 200
        alerts.put(alert(AlertKind.DISCREPANCY))
        there.until(2)
    assert "takes alerts again" in caplog.text


def test_nobody_there_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with alerting(lambda: f"http://127.0.0.1:{port}/SECRET", "c", lambda: OPEN) as alerts:
        alerts.put(alert(AlertKind.HALT))
        alerts.put(alert(AlertKind.STREAM_LOST))
    assert caplog.text.count("ConnectionRefusedError") == 1
    assert "SECRET" not in caplog.text


# --- refused starts


@pytest.mark.parametrize(
    "refusal",
    [
        SafetyRefusal("books apart"),
        BrokerRejected(401, None, "request is not authorized"),
        StorageError("no room on the disk"),
    ],
)
def test_a_refused_start_is_told_and_still_refused(refusal: MultiTraderError) -> None:
    with receiving() as there:
        with pytest.raises(type(refusal)), alerting(lambda: there.url, "c", lambda: OPEN):
            raise refusal
        assert [(b["kind"], b["reason"]) for b in there.bodies] == [("refused-start", str(refusal))]


@pytest.mark.parametrize("no_news", [LeaseHeld("it runs"), BrokerUnavailable("no answer")])
def test_that_another_one_runs_already_is_no_news_nor_a_broker_that_is_asked_again(
    no_news: MultiTraderError,
) -> None:
    with receiving() as there:
        with pytest.raises(type(no_news)), alerting(lambda: there.url, "c", lambda: OPEN):
            raise no_news
        assert there.bodies == []


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (StorageError("no room on the disk"), "no room on the disk"),
        (BrokerUnavailable("the stock bars stream ended"), "the stock bars stream ended"),
        (SafetyRefusal("another process trades as bench"), "another process trades as bench"),
        (ValueError("SECRET"), "ValueError: see what it printed"),
    ],
)
def test_an_error_that_ends_a_session_is_told(tmp_path: Path, error: Exception, why: str) -> None:
    async def play(alerts: Alerts, desk: Desk) -> None:
        async with alerts.observe(desk.live.clerk):
            raise error

    with receiving() as there, answering() as (broker, _):
        with pytest.raises(type(error)), alerting(lambda: there.url, "bench", lambda: OPEN) as told:
            asyncio.run(play(told, Desk(tmp_path / "PA1", broker)))
        [body] = there.bodies
    assert (body["kind"], body["reason"], body["account"]) == ("ended-by-error", why, "PA1")


def test_a_run_that_is_refused_tells_its_webhook(tmp_path: Path) -> None:
    with receiving() as there:
        known = {"MULTI_TRADER_WEBHOOK_URL": there.url, "MULTI_TRADER_HOME": str(tmp_path)}
        config = parse_config(configs.single("rsi") | {"mode": "live"}, "mine")
        with pytest.raises(OperatorError):
            asyncio.run(run_configured(config, RunOptions(), known))
        [body] = there.bodies
        assert (body["kind"], body["coordinator"]) == ("refused-start", config.name)
        assert "--live was not given" in body["text"]


# --- where it may go


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.slack.com/services/T0/B0/xyz",
        "https://discord.com/api/webhooks/1/a-b_c/slack?wait=true",
        "http://127.0.0.1:8080/hook",
        "http://localhost/hook",
        "http://[::1]:9/",
    ],
)
def test_alerts_go_over_https_or_to_this_machine(url: str) -> None:
    assert webhook_url({"MULTI_TRADER_WEBHOOK_URL": f" {url} "}) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.slack.com/SECRET",
        "ftp://127.0.0.1/SECRET",
        "https://user:SECRET@example.com/",
        "https:///SECRET",
        "SECRET",
        "https://example.com:SECRET/",
        "https://example.com/SECRET with space",
        "https://example.com/SECRET\r\nHost: other",
        "http://127.0.0.1.example.com/SECRET",
    ],
)
def test_any_other_url_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(OperatorError, match="https") as refused:
        webhook_url({"MULTI_TRADER_WEBHOOK_URL": url})
    assert "SECRET" not in str(refused.value)


def test_without_a_url_nobody_is_told_and_no_thread_runs() -> None:
    with alerting(lambda: webhook_url({}), "c", lambda: OPEN) as alerts:
        alerts.put(alert())
        assert "webhook" not in {thread.name for thread in threading.enumerate()}
