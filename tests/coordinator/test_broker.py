"""Every REST call against the real simulator: exact numbers, no hidden repeats, errors by proof."""

from __future__ import annotations

import json
import logging
import pickle
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from alpaca.trading.client import TradingClient

from coordinator.core.messages import SubmitOrder
from coordinator.core.orders import OrderStatus
from coordinator.core.values import Side
from coordinator.errors import BrokerRejected, BrokerUnavailable
from coordinator.settings import Settings, simulator_settings
from coordinator.shell.alpaca_rest import RESTED_S, TIMEOUT_S, AlpacaRest
from coordinator.shell.broker import Broker
from coordinator.shell.budget import Urgency
from coordinator.shell.pace import Budgets, NotYet, impatient
from coordinator.shell.ports import Ports
from coordinator.shell.rest import Api
from coordinator.shell.streams import quiet_sdk
from simulator.server import Simulator, SimulatorOptions

D = Decimal
DAY = date(2026, 3, 17)
OPEN = datetime(2026, 3, 17, 13, 30, tzinfo=UTC)
NOW = datetime(2026, 3, 17, 15, tzinfo=UTC)
SECRET, WRONG = "canary-secret", "wrong-canary"


@contextmanager
def broker(
    faults: list[dict[str, object]] | None = None,
    folder: Path | None = None,
    *,
    timeout_s: float = TIMEOUT_S,
    secret: str = SECRET,
    start: datetime = NOW,
) -> Iterator[tuple[Broker, Simulator]]:
    """A broker's REST, its clock standing at a time in the middle of a session."""
    script = None
    if faults is not None and folder is not None:
        script = folder / "faults.json"
        script.write_text(json.dumps(faults))
    options = SimulatorOptions(date=DAY, start=start, credentials=("PK1", SECRET), faults=script)
    with Simulator(options) as simulator:
        settings = Settings(
            "PK1", secret, simulator.url, simulator.url, simulator.stream_url, Path("x"), ""
        )
        yield Broker(AlpacaRest(settings, timeout_s=timeout_s), feed="iex"), simulator


@pytest.fixture(scope="module")
def quiet() -> Iterator[tuple[Broker, Simulator]]:
    """One simulator for all tests that leave no trace which another one minds."""
    with broker() as both:
        yield both


def order(number: int, side: Side = Side.BUY, symbol: str = "SPY", qty: str = "1.5") -> SubmitOrder:
    tif = "gtc" if "/" in symbol else "day"
    return SubmitOrder(f"A.2026-03-17.{number}", symbol, side, D(qty), tif)


def test_account_clock_and_calendar_are_read_exactly(quiet: tuple[Broker, Simulator]) -> None:
    asked, _ = quiet
    account = asked.account()
    assert account.number == "PA3SIM000001"
    assert asked.clock() == NOW
    days = asked.calendar(date(2026, 3, 6), date(2026, 3, 9))  # summer time began on the 8th
    assert [(s.date.day, s.open.hour, s.close.hour) for s in days] == [(6, 14, 21), (9, 13, 20)]


def test_assets_of_both_classes_are_read(quiet: tuple[Broker, Simulator]) -> None:
    asked, _ = quiet
    assert asked.asset("SPY").increment == D("0.0001")
    assert asked.asset("BTC/USD").increment == D("1e-9")
    with pytest.raises(BrokerRejected) as refusal:
        asked.asset("no ticker")
    assert refusal.value.status == 404


def test_an_order_is_placed_once_and_found_by_its_id_with_every_digit() -> None:
    with broker() as (asked, simulator):
        answer = asked.submit(order(1, Side.BUY, "BTC/USD", "0.123456789"))
        found = asked.order("A.2026-03-17.1")
        assert found is not None
        assert (found.broker_order_id, found.qty) == (answer.broker_order_id, D("0.123456789"))
        assert (found.status, found.filled_qty) == (OrderStatus.FILLED, D("0.123456789"))
        (execution,) = asked.executions(found.broker_order_id, NOW - timedelta(minutes=1))
        assert (execution.qty, execution.cum_qty) == (D("0.123456789"), D("0.123456789"))
        assert execution.price == found.filled_avg_price
        (held,) = asked.positions()
        assert (held.symbol, held.qty) == ("BTC/USD", D("0.123456789") - D("0.000308642"))
        (booked,) = simulator.snapshot().executions
        assert (execution.execution_id, execution.price) == (booked.activity_id, booked.price)
        assert asked.account().cash == simulator.snapshot().cash


def test_an_id_that_the_broker_does_not_know_is_no_order(quiet: tuple[Broker, Simulator]) -> None:
    assert quiet[0].order("A.2026-03-17.999") is None


def test_all_orders_since_a_moment_are_listed_page_by_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("coordinator.shell.broker.PAGE_ORDERS", 3)
    monkeypatch.setattr("coordinator.shell.broker.PAGE_FILLS", 2)
    with broker() as (asked, _):
        for number in range(8):
            asked.submit(order(number))
        ids = [update.client_order_id for update in asked.orders_after(NOW - timedelta(days=2))]
        assert ids == [f"A.2026-03-17.{number}" for number in range(8)]
        assert list(asked.orders_after(NOW + timedelta(days=1))) == []


@pytest.mark.thorough
def test_all_open_orders_are_listed_though_a_page_has_500_of_them() -> None:
    with broker(start=OPEN - timedelta(hours=1)) as (asked, simulator):
        ids = [asked.submit(order(number, qty="0.1")).client_order_id for number in range(502)]
        asked.cancel(asked.open_orders()[0].broker_order_id)
        assert [update.client_order_id for update in asked.open_orders()] == ids[1:]
        assert simulator.snapshot().requests["GET /v2/orders"] == 4


def test_a_cancelled_order_that_is_filled_is_refused_and_an_open_one_ends() -> None:
    with broker() as (asked, _):
        filled = asked.submit(order(1))
        with pytest.raises(BrokerRejected) as refusal:
            asked.cancel(filled.broker_order_id)
        assert refusal.value.status == 422
        with pytest.raises(BrokerRejected) as unknown:
            asked.cancel("00000000-0000-0000-0000-000000000000")
        assert unknown.value.status == 404


def test_each_answers_status_and_headers_are_heard_refusals_included() -> None:
    heard: list[tuple[Api, int, str]] = []

    def note(api: Api, status: int, headers: Mapping[str, str]) -> None:
        heard.append((api, status, headers["x-ratelimit-limit"]))

    with broker() as (_, simulator):
        url = simulator.url
        known = Settings("PK1", SECRET, url, url, simulator.stream_url, Path("x"), "")
        asked = Broker(AlpacaRest(known, on_answer=note), feed="iex")
        asked.clock()
        asked.order("A.2026-03-17.999")
        asked.bars(["SPY"], OPEN, NOW)
        asked.bars(["BTC/USD"], OPEN, NOW)
    assert heard == [
        (Api.TRADING, 200, "200"),
        (Api.TRADING, 404, "200"),
        (Api.STOCKS, 200, "200"),
        (Api.CRYPTO, 200, "200"),
    ]


def test_each_request_asks_for_its_turn_as_urgently_as_it_is() -> None:
    turns: list[tuple[Api, Urgency]] = []

    def pace(api: Api, urgency: Urgency) -> None:
        turns.append((api, urgency))

    with broker() as (_, simulator):
        url = simulator.url
        known = Settings("PK1", SECRET, url, url, simulator.stream_url, Path("x"), "")
        asked = Broker(AlpacaRest(known), feed="iex", pace=pace)
        asked.clock()
        bought = asked.submit(order(1, Side.BUY))
        asked.submit(order(2, Side.SELL, qty="1"))
        with pytest.raises(BrokerRejected):
            asked.cancel(bought.broker_order_id)
        asked.bars(["BTC/USD"], OPEN, NOW)
    assert turns == [
        (Api.TRADING, Urgency.QUESTION),
        (Api.TRADING, Urgency.ENTRY),
        (Api.TRADING, Urgency.EXIT),
        (Api.TRADING, Urgency.EXIT),
        (Api.CRYPTO, Urgency.QUESTION),
    ]


def test_a_request_whose_turn_has_not_come_is_not_sent() -> None:
    with broker() as (_, simulator):
        url = simulator.url
        known = Settings("PK1", SECRET, url, url, simulator.stream_url, Path("x"), "")
        asked = Broker(AlpacaRest(known), feed="iex", pace=impatient(lambda *_: 3.0))
        for ask in (asked.account, lambda: asked.submit(order(1)), lambda: asked.cancel("x")):
            with pytest.raises(NotYet):
                ask()
        assert not simulator.snapshot().requests


Refused = tuple[SubmitOrder, int, str]
REFUSALS: dict[str, Refused] = {
    "more than the cash": (order(1, qty="100000"), 403, "insufficient buying power"),
    "more than is held": (order(2, Side.SELL, "BTC/USD", "1"), 403, "insufficient"),
    "an id that was used": (order(0), 422, "client_order_id must be unique"),
    "no ticker": (order(3, symbol="SPY1X!"), 422, ""),
    "less than a dollar": (order(4, qty="0.0001"), 422, "minimal amount"),
    "less than ten dollars of crypto": (order(5, symbol="BTC/USD", qty="0.00002"), 403, "10"),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_a_definite_no_is_a_rejection_in_the_brokers_words(
    what: str, refusing: tuple[Broker, Simulator]
) -> None:
    asked, simulator = refusing
    wanted, status, words = REFUSALS[what]
    before = len(simulator.snapshot().orders)
    with pytest.raises(BrokerRejected) as refusal:
        asked.submit(wanted)
    assert refusal.value.status == status
    assert words in refusal.value.message
    assert len(simulator.snapshot().orders) == before


@pytest.fixture(scope="module")
def refusing() -> Iterator[tuple[Broker, Simulator]]:
    """A broker at which the id of order 0 was used."""
    with broker() as (asked, simulator):
        asked.submit(order(0))
        yield asked, simulator


def test_a_refusal_names_the_order_that_stands_in_the_way() -> None:
    by_hand = {"symbol": "SPY", "qty": "1", "side": "buy", "type": "limit", "limit_price": "1"}
    with broker() as (asked, simulator):
        keys = {"APCA-API-KEY-ID": "PK1", "APCA-API-SECRET-KEY": SECRET}
        asked_for = by_hand | {"time_in_force": "day"}
        url = f"{simulator.url}/v2/orders"
        stands = requests.post(url, json=asked_for, headers=keys, timeout=10).json()["id"]
        with pytest.raises(BrokerRejected, match=rf"wash trade .*{stands} stands in the way"):
            asked.submit(order(1, Side.SELL, qty="1"))


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_an_order_whose_answer_was_lost_is_unclear_and_was_sent_once(
    tmp_path: Path, status: int
) -> None:
    faults: list[dict[str, object]] = [
        {"kind": "http_500_after_accept", "times": 1, "status": status}
    ]
    with broker(faults, tmp_path) as (asked, simulator):
        with pytest.raises(BrokerUnavailable, match=f"HTTP {status}: .*Alpaca's status page"):
            asked.submit(order(1))
        assert len(simulator.snapshot().orders) == 1
        assert simulator.snapshot().requests["POST /v2/orders"] == 1
        assert asked.order("A.2026-03-17.1") is not None


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (408, "look at Alpaca's status page"),
        (429, "run fewer programs on the account"),
        (500, "look at Alpaca's status page"),
        (503, "look at Alpaca's status page"),
        (504, "look at Alpaca's status page"),
    ],
)
def test_an_answer_that_proves_nothing_is_not_asked_for_again_behind_our_back(
    tmp_path: Path, status: int, remedy: str
) -> None:
    faults: list[dict[str, object]] = [{"kind": "http_error", "status": status, "times": 9}]
    with broker(faults, tmp_path) as (asked, simulator):
        for ask in (asked.account, asked.clock, lambda: asked.submit(order(1))):
            with pytest.raises(BrokerUnavailable, match=f"HTTP {status}: .*; .*{remedy}"):
                ask()
        counts = simulator.snapshot().requests
        assert set(counts.values()) == {1}


def test_a_429_that_says_when_to_come_again_is_heard_whatever_was_asked(tmp_path: Path) -> None:
    faults: list[dict[str, object]] = [{"kind": "http_429", "retry_after_s": 7, "times": 9}]
    heard: list[tuple[int, str]] = []
    with broker(faults, tmp_path) as (_, simulator):
        url = simulator.url
        known = Settings("PK1", SECRET, url, url, simulator.stream_url, Path("x"), "")

        def listen(_: Api, status: int, headers: Mapping[str, str]) -> None:
            heard.append((status, headers["Retry-After"]))

        asked = Broker(AlpacaRest(known, on_answer=listen), feed="iex")
        for ask in (asked.clock, lambda: asked.cancel("1"), lambda: asked.submit(order(1))):
            with pytest.raises(BrokerUnavailable, match=r"HTTP 429: .*; run fewer programs"):
                ask()
        assert set(simulator.snapshot().requests.values()) == {1}
    assert heard == [(429, "7")] * 3


def test_a_request_that_hangs_ends_with_our_own_deadline(tmp_path: Path) -> None:
    faults: list[dict[str, object]] = [{"kind": "delay_response", "delay_s": 2, "times": 1}]
    with (
        broker(faults, tmp_path, timeout_s=0.2) as (asked, _),
        pytest.raises(BrokerUnavailable, match=r"Timeout\)\. If it stays so"),
    ):
        asked.account()


def test_only_of_an_order_without_an_answer_is_it_said_that_it_may_be_done(tmp_path: Path) -> None:
    faults: list[dict[str, object]] = [{"kind": "delay_response", "delay_s": 2, "times": 1}]
    with (
        broker(faults, tmp_path, timeout_s=0.2) as (asked, _),
        pytest.raises(BrokerUnavailable, match=r"Timeout\); it may have done what was asked\."),
    ):
        asked.submit(order(1))


def test_a_broker_that_is_not_there_is_unavailable() -> None:
    with broker() as (asked, _):
        pass
    with pytest.raises(BrokerUnavailable, match="ConnectionError"):
        asked.account()


def test_an_answer_that_breaks_off_in_its_head_is_told_in_a_sentence_and_no_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def answer_half(listener: socket.socket) -> None:
        client, _ = listener.accept()
        with client:
            client.recv(65_536)
            client.sendall(b"HTTP/1.1 200 OK\r\ncontent-type")

    with socket.create_server(("127.0.0.1", 0)) as listener, quiet_sdk():
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        threading.Thread(target=answer_half, args=(listener,)).start()
        known = Settings("PK1", SECRET, url, url, url, Path("x"), "")
        with pytest.raises(BrokerUnavailable):
            Broker(AlpacaRest(known), feed="iex").account()
    assert [one.getMessage() for one in caplog.records if one.exc_info] == []


@pytest.mark.parametrize("at_once", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n"])
def test_an_answer_that_drips_is_given_up_as_one_that_never_comes_is(at_once: bytes) -> None:
    dripping = threading.Event()

    def drip(listener: socket.socket) -> None:
        client, _ = listener.accept()
        with client, suppress(OSError):
            client.recv(65_536)
            client.sendall(at_once)
            for byte in b"HTTP/1.1 200 OK\r\nx-" + b"y" * 900:
                client.sendall(bytes([byte]))
                if dripping.wait(0.05):
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = threading.Thread(target=drip, args=(listener,))
        server.start()
        known = Settings("PK1", SECRET, url, url, url, Path("x"), "")
        begun_s = time.monotonic()
        with pytest.raises(BrokerUnavailable, match="it may have done what was asked"):
            Broker(AlpacaRest(known, timeout_s=0.4), feed="iex").submit(order(1))
        took_s = time.monotonic() - begun_s
        dripping.set()
        server.join()
    assert took_s < 20, "its bytes would have taken 45 s"


@pytest.mark.parametrize(("failures", "is_sent"), [(1, True), (2, False)])
def test_an_order_is_sent_though_the_name_of_the_host_could_not_be_looked_up_at_first(
    failures: int, is_sent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_up, tries = socket.getaddrinfo, iter(range(failures))

    def failing(*args: Any, **options: Any) -> Any:
        if next(tries, None) is not None:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return look_up(*args, **options)

    with broker() as (asked, _):
        monkeypatch.setattr(socket, "getaddrinfo", failing)
        if is_sent:
            assert asked.submit(order(1)).client_order_id == "A.2026-03-17.1"
        else:
            with pytest.raises(BrokerUnavailable, match="ConnectionError"):
                asked.submit(order(1))
        monkeypatch.undo()
        assert (asked.order("A.2026-03-17.1") is not None) is is_sent


class Forgetful(BaseHTTPRequestHandler):
    """Answers one order on each connection; what is sent over it later is lost."""

    protocol_version = "HTTP/1.1"
    answered = 0

    def do_POST(self) -> None:
        """Answer the first one, and none after it."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.close_connection = bool(self.answered)
        if not self.answered:
            told = {**body, "id": "b1", "status": "new", "updated_at": NOW.isoformat()}
            answer = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
        self.answered += 1

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_an_order_is_not_lost_on_a_connection_that_rested_and_was_forgotten_on_the_way() -> None:
    now_s = 0.0
    with ThreadingHTTPServer(("127.0.0.1", 0), Forgetful) as server:
        threading.Thread(target=server.serve_forever).start()
        url = f"http://127.0.0.1:{server.server_port}"
        known = Settings("PK1", SECRET, url, url, url, Path("x"), "")
        asked = Broker(AlpacaRest(known, monotonic=lambda: now_s), feed="iex")
        for rested_s in (0.0, RESTED_S + 1, 3600.0):
            now_s += rested_s
            assert asked.submit(order(1)).broker_order_id == "b1"
        now_s += RESTED_S
        with pytest.raises(BrokerUnavailable, match="it may have done what was asked"):
            asked.submit(order(1))  # it was sent over the same one
        server.shutdown()


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="Linux's own clock")
def test_an_order_is_not_lost_on_a_connection_over_which_the_machine_slept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real, slept_s = time.clock_gettime, {time.CLOCK_BOOTTIME: 0.0}
    monkeypatch.setattr(time, "clock_gettime", lambda clock: real(clock) + slept_s.get(clock, 0.0))
    with ThreadingHTTPServer(("127.0.0.1", 0), Forgetful) as server:
        threading.Thread(target=server.serve_forever).start()
        known = simulator_settings(f"http://127.0.0.1:{server.server_port}", tmp_path)
        ports = Ports.real(Budgets(known, speed=1, folder=tmp_path))
        asked = Broker(ports.rest(known), feed="iex")
        try:
            for _ in range(2):
                assert asked.submit(order(1)).broker_order_id == "b1"
                slept_s[time.CLOCK_BOOTTIME] += 3600.0
        finally:
            server.shutdown()


@contextmanager
def answering(text: str) -> Iterator[Broker]:
    """A broker that gives this answer to every request."""

    def answer(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client:
                    client.recv(65_536)
                    head = f"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {len(text)}"
                    client.sendall(f"{head}\r\n\r\n{text}".encode())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        threading.Thread(target=answer, args=(listener,), daemon=True).start()
        known = Settings("PK1", SECRET, url, url, url, Path("x"), "")
        try:
            yield Broker(AlpacaRest(known), feed="iex")
        finally:
            listener.shutdown(socket.SHUT_RDWR)


def test_an_answer_that_is_not_json_is_told_as_such_and_leaves_only_an_order_in_doubt() -> None:
    with answering('{"id":') as asked:
        with pytest.raises(BrokerUnavailable, match="the broker's answer was not JSON; perhaps"):
            asked.account()
        with pytest.raises(
            BrokerUnavailable, match="JSON; it may have done what was asked; perhaps"
        ):
            asked.submit(order(1))


def test_cash_is_read_to_the_last_digit_that_is_stored() -> None:
    exact = '{"account_number": "PA1", "cash": "59999.9999999982352164750875"}'
    with answering(exact) as asked:
        assert asked.account().cash == D("59999.999999998235216475")


def test_wrong_keys_are_refused_and_the_secret_is_in_no_trace_of_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG), broker(secret=WRONG) as (asked, _):
        with pytest.raises(BrokerRejected) as refusal:
            asked.account()
        assert refusal.value.status == 401
        traces = f"{refusal.value!r} {pickle.dumps(refusal.value)!r} {caplog.text}"
        assert WRONG not in traces
        assert refusal.value.__suppress_context__


def test_bars_of_both_classes_stop_at_the_clock_and_start_where_asked(
    quiet: tuple[Broker, Simulator],
) -> None:
    asked, _ = quiet
    found = asked.bars(["SPY", "QQQ"], NOW - timedelta(minutes=30), NOW + timedelta(hours=1))
    assert set(found) == {"SPY", "QQQ"}
    assert [b.start for b in found["SPY"]] == sorted({b.start for b in found["SPY"]})
    assert found["SPY"][-1].end <= NOW
    assert found["SPY"][0].start >= NOW - timedelta(minutes=30)
    coins = asked.bars(["BTC/USD"], NOW - timedelta(minutes=3), NOW)
    assert len(coins["BTC/USD"]) == 3


def test_bars_come_page_by_page_and_the_newest_may_be_asked_for(
    quiet: tuple[Broker, Simulator], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, _ = quiet
    start = NOW - timedelta(minutes=60)
    whole = asked.bars(["BTC/USD", "ETH/USD"], start, NOW)
    monkeypatch.setattr("coordinator.shell.broker.PAGE_BARS", 7)
    assert asked.bars(["BTC/USD", "ETH/USD"], start, NOW) == whole
    newest = asked.bars(["BTC/USD"], start, NOW, latest=5)["BTC/USD"]
    assert newest == whole["BTC/USD"][-5:]


def test_a_proxy_of_the_environment_does_not_come_between(
    quiet: tuple[Broker, Simulator], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert quiet[0].clock() == NOW


def test_a_page_that_is_no_json_is_no_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def garbled(client: object, path: str, query: object = None) -> object:
        return json.loads("<html>")

    with broker() as (asked, _):
        monkeypatch.setattr(TradingClient, "get", garbled)
        with pytest.raises(BrokerUnavailable, match=r"not JSON.*APCA_API_BASE_URL"):
            asked.account()
