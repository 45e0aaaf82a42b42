"""A session that is stopped while it starts ends soon, and in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from coordinator.core import records as r
from coordinator.core.setup import Setup
from coordinator.errors import BrokerUnavailable
from coordinator.settings import simulator_settings
from coordinator.shell.pace import Budgets
from coordinator.shell.ports import Ports
from coordinator.shell.run import Run, RunResult
from coordinator.shell.session import trade_session
from coordinator.shell.stream_watch import StreamWatch
from simulator.server import Simulator, SimulatorOptions
from tests.coordinator.bench import spec
from tests.coordinator.test_after_the_close import ACCOUNT, ends

NOON = datetime(2026, 3, 17, 16, tzinfo=UTC)


@dataclass
class Silent:
    """A connection over which nothing ever comes; `tried` is told that it is made."""

    watch: StreamWatch
    tried: Callable[[str], object]

    def start(self, on_end: Callable[[str], None]) -> None:
        asyncio.get_running_loop().call_soon(self.tried, self.watch.name)

    async def subscribe(self, symbols: Sequence[str]) -> None:
        raise AssertionError("nobody subscribes to more")

    def restart(self) -> None:
        raise AssertionError("nobody restarts it")

    async def stop(self) -> None:
        """There is nothing to free."""


def start(home: Path, tried: Callable[[asyncio.Event, str], object], **silent: bool) -> RunResult:
    """A start at noon, in which the streams named in `silent` do not come up."""
    stop = asyncio.Event()

    @asynccontextmanager
    async def stops(_: object) -> AsyncIterator[None]:
        stop.set()  # once it trades
        yield

    def no_stream(*arguments: Any) -> Silent:
        return Silent(arguments[-1], lambda name: tried(stop, name))

    with Simulator(SimulatorOptions(date=NOON.date(), start=NOON, account_number=ACCOUNT)) as venue:
        settings = simulator_settings(venue.url, home)
        ports = Ports.real(Budgets(settings, speed=600, folder=home / "leases"))
        ports = replace(ports, sleep=lambda _: None, **dict.fromkeys(silent, no_stream))
        setup = Setup("bench", "paper", "iex", "hash", (spec("A", {("SPY", 0): 1}, cash="1000"),))
        run = Run(setup, settings, 600, lambda _: None, observers=(stops,))
        result = asyncio.run(trade_session(run, stop, ports))
    assert result is not None
    return result


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream is waited for longer than any test may take."""
    monkeypatch.setattr("coordinator.shell.session.BARS_DEADLINE_S", 1000.0)
    monkeypatch.setattr("coordinator.shell.session.ORDERS_DEADLINE_S", 1000.0)


@pytest.mark.parametrize("at", ["orders", "stock bars"])
def test_a_stop_ends_the_wait_for_a_stream_and_connects_no_other(tmp_path: Path, at: str) -> None:
    tried: list[str] = []

    def stopped(stop: asyncio.Event, name: str) -> None:
        tried.append(name)
        if name == at:
            stop.set()

    silent = {"market_stream": True} | ({"order_stream": True} if at == "orders" else {})
    result = start(tmp_path, stopped, **silent)
    assert result.status is r.SessionEnd.STOPPED_EARLY
    assert ends(tmp_path) == [r.SessionEnd.STOPPED_EARLY]
    assert tried == [at]


def test_without_a_stop_a_stream_of_bars_is_waited_for_and_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coordinator.shell.session.BARS_DEADLINE_S", 0.1)
    with pytest.raises(BrokerUnavailable, match="stock bars stream did not come up within 0 s"):
        start(tmp_path, lambda stop, name: None, market_stream=True)
