"""A crypto session that is started before 00:00 UTC starts again then, whatever the broker does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from coordinator.core.setup import Setup
from coordinator.errors import BrokerUnavailable
from coordinator.settings import simulator_settings
from coordinator.shell.alpaca_rest import AlpacaRest
from coordinator.shell.pace import Budgets
from coordinator.shell.ports import Ports
from coordinator.shell.run import Run, RunResult
from coordinator.shell.session import trade_session
from simulator.server import Simulator, SimulatorOptions
from tests.coordinator.bench import spec

MIDNIGHT = datetime(2026, 3, 18, tzinfo=UTC)
SPEED = 600.0


class SilentAt(AlpacaRest):
    """Alpaca's REST; while `is_silent`, it answers nothing."""

    is_silent: Callable[[], bool]

    def get(self, api: Any, path: str, query: Any) -> Any:
        if self.is_silent():
            raise BrokerUnavailable("the broker did not answer")
        return super().get(api, path, query)


def session(
    home: Path, stop: asyncio.Event, silent: Callable[[int], bool], lost: int = 0
) -> RunResult | None:
    """A session that is started two minutes before midnight and stopped in its second trading.

    `silent` says whether the n-th question from midnight on stays unanswered. At midnight the
    account has `lost` dollars.
    """
    options = SimulatorOptions(
        date=MIDNIGHT.date() - timedelta(days=1),
        start=MIDNIGHT - timedelta(minutes=2),
        clock_speed=SPEED,
        quiet=frozenset(),
    )
    asked, trading = [0], [0]
    with Simulator(options) as venue:

        def is_silent() -> bool:
            asked[0] += venue.snapshot().at >= MIDNIGHT
            if asked[0] == 1:
                venue.exchange.venue.ledger.pay(Decimal(-lost))
            return asked[0] > 0 and silent(asked[0])

        @asynccontextmanager
        async def observed(_: object) -> AsyncIterator[None]:
            trading[0] += 1
            if trading[0] == 2:
                stop.set()
            yield

        def rest(settings: Any) -> SilentAt:
            made = SilentAt(settings)
            made.is_silent = is_silent
            return made

        settings = simulator_settings(venue.url, home)
        setup = Setup("bench", "paper", "iex", "hash", (spec("A", {("BTC/USD", 0): 1}),))
        ports = Ports.real(Budgets(settings, speed=SPEED, folder=home / "leases"))
        ports = replace(ports, rest=rest, sleep=lambda _: None)
        run = Run(setup, settings, SPEED, lambda _: None, observers=(observed,))
        return asyncio.run(trade_session(run, stop, ports))


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coordinator.shell.patience.AGAIN_S", 0.05)


def test_a_broker_that_is_silent_at_midnight_is_waited_for_and_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    result = session(tmp_path, asyncio.Event(), lambda n: n <= 40)
    assert result is not None
    assert result.status == "StoppedEarly"
    assert any("did not answer. The session starts again in" in line for line in caplog.messages)


def test_a_broker_that_stays_silent_ends_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coordinator.shell.patience.SILENT_S", 0.2)
    with pytest.raises(BrokerUnavailable, match="did not answer"):
        session(tmp_path, asyncio.Event(), lambda n: True)


def test_a_session_that_waits_for_the_broker_can_be_stopped(tmp_path: Path) -> None:
    stop = asyncio.Event()

    def stops(n: int) -> bool:
        if n == 10:
            stop.set()
        return True

    assert session(tmp_path, stop, stops) is None


def test_a_difference_at_midnight_freezes_entries_and_does_not_end_the_session(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    result = session(tmp_path, asyncio.Event(), lambda _: False, lost=25)
    assert result is not None
    assert (result.status, result.discrepancies) == ("StoppedEarly", 1)
    assert any("the books' cash is" in line and "(cash)" in line for line in caplog.messages)
