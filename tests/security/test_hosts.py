"""The keys go to Alpaca over TLS or to this machine, whatever an address looks like (row 15).

The plain cases are in tests/coordinator/test_settings.py; here are those that two readers of one
address could understand differently, the command's exit code, and addresses that lead on.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from coordinator.errors import BrokerUnavailable, OperatorError
from coordinator.settings import KEYS, Settings, read_settings
from coordinator.shell.alpaca_rest import AlpacaRest
from coordinator.shell.rest import Api
from coordinator.shell.stream_watch import StreamWatch
from coordinator.shell.streams import Stream, market_stream, order_stream, quiet_sdk
from tests.cli.conftest import Said

Command = Callable[[Sequence[str]], Said]
NAMES = ("APCA_API_BASE_URL", "APCA_API_DATA_URL", "APCA_API_STREAM_URL")
PAIR = dict(zip(KEYS, ("PKCANARY", "canary-secret"), strict=True))
EVIL = [
    "http://evil",
    "https://api.alpaca.markets.evil.com",
    "https://api.alpaca.markets.",  # the root's dot: another name to a certificate
    "https://api-alpaca.markets",
    "https://xalpaca.markets",
    "https://api.alpaca.markets:443@evil.example",
    "https://api.alpaca.markets%40evil.example",
    "https://evil.example:443#@api.alpaca.markets",
    "https://evil.example/@api.alpaca.markets",
    "https://evil.example\\@api.alpaca.markets",
    "https://api.alpaca.markets\n.evil.example",
    "https://api.alpaca.markets\t",
    "https://[::1]@api.alpaca.markets",
    "https://\u0430pi.alpaca.markets",  # a Cyrillic a
    "https://api.alpaca\u3002markets",  # a full stop that IDNA reads as a dot
    "https://api.alpaca.market\u017f",  # a long s, which case folding turns into s
    "https://xn--alpaca-.markets",
    "https:/api.alpaca.markets",
    "https:api.alpaca.markets",
    "https:///api.alpaca.markets",
    "https://api.alpaca.markets:99999",
    "https://api.alpaca.markets:-1",
    "http://127.1",
    "http://2130706433",
    "http://0x7f.0.0.1",
    "http://0177.0.0.1",
    "http://[::ffff:127.0.0.1]",
    "http://[::1%25lo]",
    "http://localhost.evil.example",
    "http://localhost@evil.example",
    "file:///etc/passwd",
    "javascript://api.alpaca.markets/%0aalert(1)",
]


def as_stream(url: str) -> str:
    """The same address for a websocket."""
    return url.replace("http", "ws", 1)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("url", EVIL)
def test_an_address_that_could_be_read_as_another_host_is_refused(
    name: str, url: str, tmp_path: Path
) -> None:
    given = as_stream(url) if name == NAMES[2] else url
    with pytest.raises(OperatorError, match=name) as refusal:
        read_settings({**PAIR, name: given}, live=True, folder=tmp_path)
    assert refusal.value.exit_code == 2
    assert "canary" not in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://API.ALPACA.MARKETS",
        "HTTPS://api.alpaca.markets",
        "https://api.alpaca.markets:443",
        "https://api.alpaca.markets/v2",
        "https://api.alpaca.markets/",
    ],
)
def test_the_live_host_is_known_as_such_however_it_is_written(url: str, tmp_path: Path) -> None:
    known = {**PAIR, "APCA_API_BASE_URL": url}
    with pytest.raises(OperatorError, match="live trading is not armed") as refusal:
        read_settings(known, live=False, folder=tmp_path)
    assert refusal.value.exit_code == 3
    armed = read_settings(known, live=True, folder=tmp_path)
    assert armed.order_stream_url.lower().startswith("wss://api.alpaca.markets")


@pytest.mark.parametrize("name", NAMES)
def test_the_command_ends_with_exit_2_before_any_call(
    name: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in PAIR.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv(name, as_stream("http://evil") if name == NAMES[2] else "http://evil")
    entry = {"name": "A", "strategy_type": "rsi", "tickers": ["SPY"]}
    (tmp_path / "mine.json").write_text(json.dumps({"strategies": [entry]}))
    said = command(["run", "--config", "mine.json", "--log-level", "DEBUG"])
    assert (said.code, said.out) == (2, "")
    assert name in said.err
    assert "canary" not in said.err.lower()


class Leads(ThreadingHTTPServer):
    """A server that sends everybody elsewhere, and one that counts who came."""

    daemon_threads = True
    to: str | None = None

    def __init__(self) -> None:
        self.came: list[str] = []
        super().__init__(("127.0.0.1", 0), _Leading)

    @property
    def netloc(self) -> str:
        """Its address, without a scheme."""
        return f"127.0.0.1:{self.server_port}"


class _Leading(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # else a websocket does not even read the redirect
    server: Leads

    def do_GET(self) -> None:
        self.server.came.append(self.path)
        self.send_response(302 if self.server.to else 500)
        if self.server.to:
            self.send_header("Location", self.server.to)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_DELETE = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@contextmanager
def a_server() -> Iterator[Leads]:
    """One that serves on a loopback port meanwhile."""
    with Leads() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def settings_for(server: Leads) -> Settings:
    """Everything at this server."""
    http = f"http://{server.netloc}"
    return Settings("PKCANARY", "canary", http, http, as_stream(http), Path(), "")


def test_a_rest_answer_that_leads_elsewhere_is_no_answer_and_is_not_followed() -> None:
    with a_server() as broker, a_server() as elsewhere:
        broker.to = f"http://{elsewhere.netloc}/v2/account"
        rest = AlpacaRest(settings_for(broker))
        for ask in (
            lambda: rest.get(Api.TRADING, "/account", {}),
            lambda: rest.post(Api.TRADING, "/orders", {"symbol": "SPY"}),
            lambda: rest.get(Api.STOCKS, "/stocks/bars", {}),
        ):
            with pytest.raises(BrokerUnavailable, match="empty"):
                ask()
        assert len(broker.came) == 3
        assert elsewhere.came == []


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["bars", "orders"])
def test_a_stream_that_leads_elsewhere_is_not_followed(kind: str) -> None:
    def make(known: Settings) -> Stream:
        watch = StreamWatch(kind, lambda: None)
        if kind == "orders":
            return order_stream(known, lambda raw: None, watch)
        return market_stream(known, "iex", ["SPY"], lambda raw: None, watch)

    async def meet(known: Settings) -> None:
        stream = make(known)
        stream.start(lambda name: None)
        with pytest.raises(BrokerUnavailable, match="did not come up"):
            await stream.watch.until_live(0.5)
        await stream.stop()

    with a_server() as broker, a_server() as elsewhere, quiet_sdk():
        broker.to = f"ws://{elsewhere.netloc}/stream"
        asyncio.run(meet(settings_for(broker)))
        assert len(broker.came) >= 1
        assert elsewhere.came == []
