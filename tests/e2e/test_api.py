"""The guide's script, word for word in its calls, against the simulator."""

from __future__ import annotations

import asyncio
import itertools
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from coordinator import MultiTraderCoordinator
from coordinator.strategies import MomentumStrategy
from simulator.server import Simulator
from tests.e2e.running import SPEED, environment, session_rows, simulator_options, wait_until

ROOT = Path(__file__).parents[2]
OPEN = datetime(2026, 3, 17, 13, 30, tzinfo=UTC)
CLOSE = datetime(2026, 3, 17, 20, tzinfo=UTC)
SCRIPT = """
import asyncio
from coordinator import MultiTraderCoordinator, RiskConfig
from coordinator.strategies import AdaptiveStrategy


class Rising:
    def generate_signal(self, bars):
        return 1 if bars["close"].iloc[-1] > bars["close"].iloc[-3] else -1


async def main():
    coordinator = MultiTraderCoordinator(
        strategies=[
            {"name": "MyStrategy", "strategy": AdaptiveStrategy(short_window=10, long_window=30),
             "tickers": ["SPY"], "initial_cash": 10000.0, "min_warmup_bars": 50,
             "risk_config": RiskConfig(max_position_size=0.9)},
            {"name": "Own", "strategy": Rising(), "tickers": ["QQQ"]},
        ],
        api_key="key", api_secret="secret", paper=True)
    await coordinator.run()


asyncio.run(main())
"""
NAMES_OF_THE_GUIDE = """
import coordinator, coordinator.strategies
from src.AlpacaTrading.trading.multi_trader_coordinator import (
    MultiTraderCoordinator,
    RiskConfig,
)
from src.AlpacaTrading.strategies.adaptive_strategy import AdaptiveStrategy

assert MultiTraderCoordinator is coordinator.MultiTraderCoordinator
assert RiskConfig is coordinator.RiskConfig
assert AdaptiveStrategy is coordinator.strategies.AdaptiveStrategy
"""


def test_a_script_may_import_by_the_names_that_the_guide_has() -> None:
    said = subprocess.run(
        [sys.executable, "-c", NAMES_OF_THE_GUIDE],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (said.returncode, said.stderr) == (0, "")


def test_the_guides_script_trades_and_shows_its_log_and_summary(tmp_path: Path) -> None:
    with Simulator(simulator_options()) as venue:
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT],
            env={
                **environment(venue, tmp_path),
                "HOME": str(tmp_path),
                "PYTHONIOENCODING": "utf-8",
            },
            stderr=subprocess.PIPE,
            cwd=ROOT,
            text=True,
            encoding="utf-8",
        )
        wait_until(venue, OPEN + timedelta(minutes=20), lambda: process.poll() is not None)
        process.terminate()
        _, told = process.communicate(timeout=60)

    assert process.returncode == 0, told
    assert "[INFO] [MyStrategy] ✓ Warmup complete - TRADING ACTIVE" in told
    assert "[INFO] [Own] 🟢 BUY" in told
    assert "[INFO] Stopping: waiting for the ends of open orders" in told
    assert "[INFO] MULTI-TRADER COORDINATOR SUMMARY" in told
    assert {fill["strategy"] for fill in session_rows(tmp_path)["fills"]} >= {"Own"}


@pytest.mark.thorough
def test_a_second_ctrl_c_ends_a_script_at_once_though_its_broker_is_silent(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT],
            env={
                **dict.fromkeys(("APCA_API_BASE_URL", "APCA_API_DATA_URL"), url),
                "MULTI_TRADER_HOME": str(tmp_path),
                "HOME": str(tmp_path),
                "PYTHONIOENCODING": "utf-8",
            },
            stderr=subprocess.PIPE,
            cwd=ROOT,
            text=True,
            encoding="utf-8",
        )
        assert process.stderr is not None
        with process, process.stderr as told:
            connection, _ = silent.accept()  # it asks by now, and is answered nothing
            process.send_signal(signal.SIGINT)
            heard = list(itertools.takewhile(lambda line: "Stopping:" not in line, told))
            process.send_signal(signal.SIGINT)
            heard += told
            connection.close()
    assert process.returncode == 130, heard
    assert "[WARNING] Left at once. The journal keeps what was done;" in heard[-1]
    assert not any("Traceback" in line for line in heard)


@pytest.mark.thorough
def test_a_script_that_is_told_how_fast_a_simulator_runs_misses_no_bar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with Simulator(simulator_options(start=CLOSE - timedelta(minutes=60))) as venue:
        for name, value in {**environment(venue, tmp_path), "HOME": str(tmp_path)}.items():
            monkeypatch.setenv(name, value)
        rule = MomentumStrategy(lookback_period=5, momentum_threshold=0.0005)
        strategies = [{"name": "Own", "strategy": rule, "tickers": ["SPY"]}]
        coordinator = MultiTraderCoordinator(strategies, clock_speed=SPEED)
        outcome = asyncio.run(coordinator.run())

    rows = session_rows(tmp_path)
    assert outcome.status == "Completed"
    assert sum(bar["ts"] >= CLOSE - timedelta(minutes=50) for bar in rows["bars"]) >= 45
    assert len(rows["fills"]) > 3
    assert "stepped" not in caplog.text
    assert "dropped" not in caplog.text
