"""A start with strategies of one's own: what their files do when imported reaches nobody else."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from coordinator.bootstrap import RunOptions, warming
from coordinator.joining import read_unmade
from coordinator.shell import strategy_process
from flows.coordinator import name_of
from tests.backtest.recording import MONDAY, TUESDAY, write_recording
from tests.cli.conftest import Said, Shell
from tests.coordinator.own_strategies import write_folder

Command = Callable[[Sequence[str]], Said]
RUN = ("run", "--simulate", "--no-load", "--config", "my.json")
MINE = """\
from coordinator import Strategy, Window


class Mine(Strategy):
    strategy_type = "mine"
    window: Window = 2

    def step(self, bar):
        return 1
"""
LOOKS = """\
import json
import os
from pathlib import Path

SEEN = {**os.environ, "proc": Path("/proc/self/environ").read_text(), "pid": os.getpid()}
Path(__file__).with_suffix(".json").write_text(json.dumps(SEEN))
"""
LIVES_ON = """\
import os
import threading
import time
from pathlib import Path

ENOUGH = Path(__file__).with_suffix(".enough")


def end_it_all():
    while not ENOUGH.exists():
        time.sleep(0.001)
    os._exit(7)


threading.Thread(target=end_it_all, daemon=True).start()
"""


def strategy(name: str, kind: str, **more: Any) -> dict[str, Any]:
    small = {"tickers": ["SPY"], "min_warmup_bars": 0}
    return {"name": name, "strategy_type": kind, **small, **more}


def write(place: Path, *before: str, **files: str) -> Path:
    """A configuration of one's own strategy, and its file with this text before it."""
    own = write_folder(place / "own", mine="".join(before) + MINE, **files)
    whole = {"strategies_dir": "own", "strategies": [strategy("Mine", "mine")]}
    (place / "my.json").write_text(json.dumps(whole))
    return own


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import os\nos._exit(0)\n", "its process ended by itself, with exit status 0"),
        ("import os\nos.kill(os.getpid(), 9)\n", "its process was ended by SIGKILL"),
    ],
)
def test_a_file_that_ends_its_process_is_refused_by_its_name(
    shell: Shell, text: str, words: str
) -> None:
    write(shell.folder, text)
    done = shell.run(*RUN)
    assert done.returncode == 2
    line = MINE.count("\n", 0, MINE.index("class")) + text.count("\n") + 1
    said = f"own/mine.py:{line}: strategy type 'mine': {words}; repair it, and ask again"
    assert done.stderr.strip() == f"Error: {said}"
    assert not (shell.home / "SIM0001").exists()


def test_a_file_that_hangs_is_refused_within_a_deadline(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strategy_process, "LOAD_S", 0.5)
    write(tmp_path, "import time\ntime.sleep(60)\n")
    said = command(RUN)
    assert said.code == 2
    assert re.search(r"own/mine\.py:.*(TimeoutError|not loaded within 0\.5 s)", said.err)


def test_what_is_wrong_with_it_is_told_with_everything_else_and_what_it_prints_is_logged(
    command: Command, tmp_path: Path
) -> None:
    own = write(tmp_path, "print('here I am')\n1 / 0\n")
    whole = json.loads((tmp_path / "my.json").read_text())
    whole["strategies"] += [strategy("Other", "momentun"), strategy("Mine", "rsi")]
    (tmp_path / "my.json").write_text(json.dumps(whole))
    said = command(RUN)
    assert said.code == 2
    assert f"{own / 'mine.py'}:2: ZeroDivisionError when it was imported" in said.err
    assert "did you mean 'momentum'?" in said.err
    assert "'Mine' is already the name of" in said.err
    assert re.search(r"own/mine\.py:6: strategy type 'mine' says: here I am", said.err)
    assert said.out == ""


@pytest.mark.skipif(sys.platform != "linux", reason="it looks where Linux shows them")
def test_a_file_sees_no_keys_when_a_session_imports_it(shell: Shell) -> None:
    own = write(shell.folder, LOOKS, "raise SystemExit\n")
    private = {"APCA_API_KEY_ID": "CANARY", "MULTI_TRADER_WEBHOOK_URL": "CANARY"}
    shell.variables.update(private, KEPT="yes")
    assert shell.run(*RUN).returncode == 2
    seen = json.loads((own / "mine.json").read_text())
    assert seen["KEPT"] == "yes", "it is where it looks that things are"
    assert "CANARY" not in json.dumps(seen)


def test_a_warm_up_imports_no_file_in_its_own_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APCA_API_KEY_ID", "CANARY")
    own = write(tmp_path, LOOKS)
    options = RunOptions(config=tmp_path / "my.json", simulate=True, home=tmp_path / "state")

    async def warm_up() -> None:
        async with warming(options):
            pass

    asyncio.run(warm_up())
    seen = json.loads((own / "mine.json").read_text())
    assert seen["pid"] != os.getpid()
    assert "CANARY" not in json.dumps(seen)


def test_who_wants_names_and_tickers_alone_imports_nothing(tmp_path: Path) -> None:
    own = write(tmp_path, LOOKS)
    config = read_unmade(tmp_path / "my.json")
    assert [(one.name, one.tickers) for one in config.strategies] == [("Mine", ("SPY",))]
    assert name_of(RunOptions(config=tmp_path / "my.json")) == "my"
    assert not (own / "mine.json").exists()


@pytest.mark.slow
def test_a_thread_that_an_import_leaves_behind_ends_its_strategy_and_nobody_else(
    shell: Shell,
) -> None:
    own = write(shell.folder, LIVES_ON)
    file = own / "mine.py"
    file.write_text(file.read_text().replace("return 1", "return ENOUGH.touch() or 1"))
    whole = json.loads((shell.folder / "my.json").read_text())
    params = {"lookback_period": 3, "momentum_threshold": 0.0001}
    whole["strategies"].append(strategy("Ours", "momentum", strategy_params=params))
    (shell.folder / "my.json").write_text(json.dumps(whole))
    write_recording(shell.folder / "bars.parquet", ["SPY"], MONDAY, TUESDAY)
    done = shell.run(
        *("run", "--config", "my.json", "--bars", "bars.parquet", "--date", "2026-03-17"),
        *("--clock-speed", "20000", "--no-load"),
        deadline_s=110,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"\[Mine\] entries stopped: fault: StrategyDied .* exit status 7", done.stderr)
    assert "[Ours]" in done.stderr
    assert "traded to its end" in done.stdout
