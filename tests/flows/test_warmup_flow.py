"""The warm-up flow for real: a task a batch, progress, and one file for the coordinator."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.testing.utilities import prefect_test_harness

from coordinator.shell.history import read_bars
from flows.warmup import warmup

CONFIG = "configs/multi_trader_simple.json"


@pytest.fixture(scope="module")
def _prefect() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.mark.slow
@pytest.mark.usefixtures("_prefect")
def test_a_warm_up_fetches_in_tasks_shows_progress_and_leaves_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MULTI_TRADER_HOME", str(tmp_path))
    state = asyncio.run(
        warmup(config=CONFIG, session_date="2026-03-17", return_state=True)  # type: ignore[call-overload]
    )
    assert state.name == "Completed"
    [file] = tmp_path.glob("*/warmup/*.parquet")
    assert file.name == "2026-03-17.parquet"
    bars = read_bars(file)
    assert {"SPY", "QQQ"} <= set(bars)
    assert min(map(len, bars.values())) >= 50
    with get_client(sync_client=True) as client:
        tasks = client.read_task_runs()
        [progress] = [one for one in client.read_artifacts() if one.type == "progress"]
    named = sorted(task.name.partition("-")[0] for task in tasks)
    assert [name for name in named if name.startswith("fetch")] == named[: len(bars)]
    assert len(named) == len(bars) + 1
    assert float(str(progress.data)) == 100.0
    assert progress.key == "warmup-multi-trader-simple"
    assert f"SPY {len(bars['SPY']):,}" in str(progress.description)
