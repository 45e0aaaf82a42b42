"""Strategies that look at several tickers, in whole sessions over sockets: as in their backtest."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from coordinator.commands.new_strategy import new_strategy
from coordinator.core.statement import Rows
from coordinator.strategies import registry as registry_module
from coordinator.strategies.registry import BUILT_IN, register
from simulator.server import Simulator
from tests.backtest.recording import TUESDAY, backtest, strategy, write_recording
from tests.backtest.test_over_sockets import same_day
from tests.coordinator.pairs import FORMS
from tests.e2e.running import run_command, session_rows, simulator_options, wait_until

OPEN = datetime(2026, 3, 17, 13, 30, tzinfo=UTC)
TICKERS = ("SPY", "QQQ", "IWM")
REMEMBERS = '''\
from coordinator import MultiTickerStrategy, Window


class Remembers(MultiTickerStrategy):
    """Long of whichever has closed higher than before more often than the others, by a count."""

    strategy_type = "remembers"
    window: Window = 5
    _count: dict = {}
    _before: dict = {}

    def step(self, bars):
        for ticker, bar in bars.items():
            rose = bar.close > self._before.get(ticker, bar.close)
            self._count[ticker] = (self._count.get(ticker, 0) * 4 + 10 * rose) // 5
            self._before[ticker] = bar.close
        most = max(self._count.values())
        return {ticker: 1 if self._count[ticker] == most else -1 for ticker in bars}
'''


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    """Two days of three tickers."""
    return write_recording(tmp_path / "b.parquet", TICKERS, TUESDAY - timedelta(days=1), TUESDAY)


def together(kind: str, name: str, *tickers: str, **params: Any) -> dict[str, Any]:
    given = {"strategy_type": kind, "strategy_params": params, "min_warmup_bars": 5}
    return {**strategy(name, *tickers), **given, "risk_config": {"max_position_size": 0.5}}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_day_of_them_is_the_same_over_sockets_and_in_a_backtest(
    tmp_path: Path, bars: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {kind.strategy_type: kind for kind in BUILT_IN}
    monkeypatch.setattr(registry_module, "_registered", known)
    for kind in FORMS:
        register(kind)
    pairs = [together(kind.strategy_type, kind.__name__, "SPY", "QQQ") for kind in FORMS]
    ranking = together("leader", "Ranking", *TICKERS, lookback=9)
    config = {"strategies": [*pairs, ranking, strategy("Fast", "SPY")]}
    same_day(config, bars, TUESDAY, tmp_path, fill_model="spread")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_again_and_again_they_make_the_orders_and_fills_of_their_backtest(
    tmp_path: Path, bars: Path
) -> None:
    own = tmp_path / "strategies"
    new_strategy("ranks", own, together=True)
    (own / "remembers.py").write_text(REMEMBERS)
    for file in own.iterdir():
        file.chmod(0o600)
    ranks = together("ranks", "Ranks", *TICKERS, lookback=4)
    config = {
        "strategies_dir": "strategies",
        "strategies": [ranks, together("remembers", "Remembers", *TICKERS)],
    }
    until = OPEN + timedelta(minutes=60)
    with Simulator(simulator_options(bars=bars, date=TUESDAY, fill_model="spread")) as venue:
        file = tmp_path / "own.json"
        file.write_text(json.dumps(config))
        for minutes in (7, 20, 41):
            process = run_command(venue, file, tmp_path, "--no-load")
            wait_until(venue, OPEN + timedelta(minutes=minutes), lambda p=process: ended(p))
            process.kill()
            process.communicate()
        process = run_command(venue, file, tmp_path, "--no-load")
        wait_until(venue, until, lambda: ended(process))
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    options = {"start": TUESDAY, "end": TUESDAY, "fill_model": "spread"}
    [played] = backtest(tmp_path, config, bars, **options).play()
    found, expected = session_rows(tmp_path), played.rows()
    assert {row["strategy"] for row in expected["fills"]} == {"Ranks", "Remembers"}
    assert len(fills_of(expected, until)) > 30
    assert fills_of(found, until) == fills_of(expected, until)


def ended(process: subprocess.Popen[str]) -> bool:
    return process.poll() is not None


def fills_of(rows: Rows, until: datetime) -> Sequence[tuple[object, ...]]:
    """What was filled of every order that was decided well before then."""
    decided = {order["client_order_id"]: order["decided_at"] for order in rows["orders"]}
    names = ("client_order_id", "symbol", "side", "qty", "price")
    found = [
        tuple(fill[name] for name in names)
        for fill in rows["fills"]
        if decided[fill["client_order_id"]] < until - timedelta(minutes=2)
    ]
    return sorted(found, key=lambda fill: str(fill[0]))
