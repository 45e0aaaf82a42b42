"""State is its user's alone, whatever the umask of the shell (row 3), and no crash dumps keys (17).

The command and `make up` set a umask of their own; a Python program or somebody's own worker has
the usual 022, so that every file must be made private by whoever makes it.
"""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from coordinator.bootstrap import RunOptions, WarmupOutcome, session_sources, warming
from coordinator.embedded import Simulation, claim_account
from simulator.server import Simulator
from tests.e2e.running import environment, run_here, simulator_options
from tests.oracle import configs
from warehouse import Store, load_sessions
from warehouse.report import write_report

ROOT = Path(__file__).parents[2]
USUAL = 0o022
MINUTE = datetime(2026, 3, 17, 13, 31, tzinfo=UTC)


@pytest.fixture
def _usual_umask() -> Iterator[None]:
    before = os.umask(USUAL)
    yield
    os.umask(before)


def open_to_others(folder: Path) -> dict[str, str]:
    """Everything in the folder, and itself, that others may read, write or enter; with its mode."""
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}
    return {path.name: f"{mode:o}" for path, mode in modes.items() if mode & 0o077}


@pytest.mark.thorough
@pytest.mark.usefixtures("_usual_umask")
def test_a_session_its_warehouse_and_its_report_are_private_under_the_usual_umask(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    with Simulator(simulator_options()) as venue:
        run_here(venue, configs.single("rsi"), home, until=MINUTE)
    sources = session_sources(home)
    with Store.open(home / "warehouse.duckdb") as store:
        load_sessions(store, sources)
        assert (home / "warehouse.duckdb.wal").exists(), "its log is looked at as well"
        assert open_to_others(home) == {}
    write_report(home / "warehouse.duckdb", sources[0].session_id, home / "reports" / "day.html")
    assert {file.name for file in home.rglob("*")} >= {
        "journal.db",
        "warehouse.duckdb",
        "day.html",
    }
    assert open_to_others(home) == {}


async def warmed(options: RunOptions, known: dict[str, str]) -> WarmupOutcome:
    async with warming(options, environment=known) as warm_up:
        warm_up.fetch(warm_up.tickers)
        return warm_up.write()


@pytest.mark.usefixtures("_usual_umask")
def test_a_warm_up_and_a_claimed_account_are_private_under_the_usual_umask(
    tmp_path: Path,
) -> None:
    home, config = tmp_path / "home", ROOT / "configs/multi_trader_simple.json"
    with Simulator(simulator_options()) as venue:
        done = asyncio.run(warmed(RunOptions(config=config), environment(venue, home)))
    assert done.path is not None
    assert done.path.exists()
    claim_account(Simulation(home, ["SPY"], simulator_options().cash, 600.0, date(2026, 3, 17)))
    assert open_to_others(home) == {}


HOW_PRIVATE = "import os, resource; print(os.umask(0), resource.getrlimit(resource.RLIMIT_CORE))"
ENTRANCES: dict[str, tuple[str, list[str]]] = {
    "multi-trader": ("from cli.main import main", ["--version"]),
    "make up and make demo": (
        "from flows.server.__main__ import main",
        ["--help"],
    ),
}


@pytest.mark.parametrize("way", ENTRANCES)
def test_files_are_private_and_a_crash_dumps_nothing_in_all_that_we_start(
    way: str, tmp_path: Path
) -> None:
    entrance, arguments = ENTRANCES[way]
    code = f"import atexit\n{entrance}\n"
    code += f"atexit.register(lambda: exec({HOW_PRIVATE!r}))\nmain()"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        umask=USUAL,
    )
    assert done.stdout.splitlines()[-1] == f"{0o077} (0, 0)"


def test_a_flow_dumps_nothing_under_somebody_elses_worker() -> None:
    code = "import resource; from coordinator.private import leave_no_core; leave_no_core()\n"
    code += "print(resource.getrlimit(resource.RLIMIT_CORE))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "(0, 0)"
    for flow in ("coordinator", "warmup"):
        assert "    leave_no_core()\n" in (ROOT / "flows" / f"{flow}.py").read_text()
