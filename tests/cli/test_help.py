"""The help is quick, complete and true."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from cli.app import app
from tests.cli.conftest import ROOT, Said, Shell

COMMANDS = (
    *("run", "validate", "backtest", "strategies", "new-strategy"),
    *("status", "top", "explain", "pause", "resume", "flatten", "reload"),
    *("reconcile", "kill", "revive"),
    *("import-account", "end-of-day", "sql", "compare", "report", "export", "simulator"),
)
HEAVY = (
    "alpaca",
    "coordinator",
    "duckdb",
    "exchange_calendars",
    "numpy",
    "pandas",
    "pandera",
    "prefect",
    "pyarrow",
    "simulator",
    "starlette",
    "warehouse",
    "websockets",
)
Command = Callable[[Sequence[str]], Said]


def _loaded_by(shell: Shell, *args: str) -> set[str]:
    """The top-level packages that a command has imported when it ends."""
    script = (
        "import json, sys\n"
        "from cli.app import app\n"
        "try: app(sys.argv[1:], prog_name='multi-trader')\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *args],
        env=shell.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_help_imports_nothing_heavy(shell: Shell) -> None:
    loaded = _loaded_by(shell, "--help")
    assert "typer" in loaded
    assert not loaded.intersection(HEAVY)


def test_the_help_of_a_command_imports_nothing_heavy(shell: Shell) -> None:
    loaded = _loaded_by(shell, "run", "--help")
    assert not loaded.intersection(HEAVY)


def test_validating_needs_no_broker_no_frames_and_no_database(shell: Shell) -> None:
    loaded = _loaded_by(
        shell, "validate", "--config", str(ROOT / "configs" / "multi_trader_simple.json")
    )
    assert "coordinator" in loaded
    assert not loaded.intersection({"alpaca", "duckdb", "numpy", "pandas", "prefect", "pyarrow"})


def test_the_help_lists_exactly_the_commands_that_exist(command: Command) -> None:
    said = command(["--help"])
    listed = re.findall(r"^  ([a-z-]+)  +\S", said.out.partition("Commands:")[2], re.MULTILINE)
    assert said.code == 0
    assert tuple(listed) == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself_with_an_example(command: Command, name: str) -> None:
    said = command([name, "--help"])
    assert said.code == 0
    assert re.search(rf"Example:\n +multi-trader {name}\b", said.out)


@pytest.mark.parametrize("name", COMMANDS)
def test_no_summary_is_cut_short_in_the_list(command: Command, name: str) -> None:
    line = next(line for line in command(["--help"]).out.splitlines() if line[2:].startswith(name))
    assert line.rstrip().endswith(".")
    assert not line.rstrip().endswith("...")
    assert len(line.rstrip()) <= 78, "a real terminal of 80 columns shows two less than this one"


def test_the_help_of_run_says_where_keys_come_from(command: Command) -> None:
    words = " ".join(command(["run", "--help"]).out.split())
    assert "APCA_API_KEY_ID" in words
    assert "`.env` of mode 600" in words


def test_the_version_is_told(command: Command) -> None:
    said = command(["--version"])
    assert said.code == 0
    assert said.out.startswith("multi-trader ")


@pytest.mark.parametrize("asked", ["--help", "--version"])
def test_help_that_cannot_be_written_is_one_sentence(shell: Shell, asked: str) -> None:
    with Path("/dev/full").open("w") as full:
        args = [sys.executable, "-m", "cli", asked]
        said = subprocess.run(args, env=shell.environment, stdout=full, stderr=subprocess.PIPE)
    assert said.returncode == 1
    assert said.stderr.startswith(b"Error: No space left on device")
    assert said.stderr.count(b"\n") == 1


def test_every_option_of_the_contract_is_there(command: Command) -> None:
    wanted = {
        "run": "config strategies live simulate bars source date clock-speed fill-model log-level "
        "min-warmup-bars no-load",
        "validate": "config strategies json",
        "strategies": "strategies json",
        "new-strategy": "dir",
        "backtest": "config strategies bars source start end fill-model warehouse json",
        "reconcile": "accept json",
        "end-of-day": "session",
        "report": "session",
        "sql": "json csv",
        "simulator": "bars source date seed port clock-speed fill-model faults",
    }
    for name, options in wanted.items():
        shown = command([name, "--help"]).out
        missing = [one for one in options.split() if f"--{one} " not in shown]
        assert not missing, f"{name}: {missing}"


def test_the_table_of_contents_is_the_app_itself() -> None:
    assert len(app.registered_commands) == len(COMMANDS)
