"""No test connects to another machine, least of all where real money is (row 14)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest
import requests
from websockets.legacy import client as websockets_legacy

from coordinator.settings import LIVE_TRADING, MARKET_STREAM, PAPER_TRADING
from tests.security.guard import GUARD, is_here
from tests.structure.house import sources

TEST_NET = "192.0.2.1"
"""An address that RFC 5737 gives to nobody."""


def connect_asyncio(host: str) -> None:
    asyncio.run(asyncio.wait_for(asyncio.open_connection(host, 443), 5))


def connect_websocket(url: str) -> None:
    async def connect() -> None:
        await websockets_legacy.connect(url, open_timeout=5)

    asyncio.run(connect())


def send_datagram(host: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", (host, 9))


def connect_quietly(host: str) -> None:
    with socket.socket() as caller:
        assert caller.connect_ex((host, 443)) != 0


ATTEMPTS: dict[str, Callable[[], object]] = {
    "requests, live": lambda: requests.get(f"{LIVE_TRADING}/v2/account", timeout=5),
    "requests, paper": lambda: requests.get(f"{PAPER_TRADING}/v2/account", timeout=5),
    "a websocket": lambda: connect_websocket(f"{MARKET_STREAM}/v2/iex"),
    "asyncio": lambda: connect_asyncio(TEST_NET),
    "a socket": lambda: socket.create_connection((TEST_NET, 443), timeout=5),
    "a socket that reports and does not raise": lambda: connect_quietly(TEST_NET),
    "a datagram": lambda: send_datagram(TEST_NET),
    "a name": lambda: socket.getaddrinfo("api.alpaca.markets", 443),
}


@pytest.mark.parametrize("way", ATTEMPTS)
def test_whoever_tries_to_leave_this_machine_is_refused_and_counted(way: str) -> None:
    with GUARD.provoked() as attempts, pytest.raises(OSError, match=r"tests stay on this machine"):
        ATTEMPTS[way]()
    assert len(attempts) >= 1
    assert GUARD.take() == []


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("localhost", True),
        (None, True),
        ("/run/socket", False),
        ("0.0.0.0", False),  # noqa: S104  refused, not bound
        ("10.0.0.1", False),
        ("::ffff:192.0.2.1", False),
        ("api.alpaca.markets", False),
        ("localhost.evil.example", False),
        (b"api.alpaca.markets", False),
    ],
)
def test_only_loopback_is_here(host: str | bytes | None, here: bool) -> None:
    assert is_here(host) is here


def test_a_connection_on_this_machine_is_none_of_the_guards_business() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()
    left, right = socket.socketpair()
    left.close()
    right.close()
    assert GUARD.take() == []


def test_the_live_host_is_named_in_the_settings_alone() -> None:
    naming = {source.module for source in sources() if "//api.alpaca.markets" in source.text}
    assert naming == {"coordinator.settings"}
