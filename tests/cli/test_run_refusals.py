"""What `run` refuses before it talks to anybody: exit 2 or 3, one clear message, no network."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Said, Shell

Command = Callable[[Sequence[str]], Said]

GOOD = {"strategies": [{"name": "A", "strategy_type": "rsi", "tickers": ["SPY"]}]}
BAD = {
    "strategies": [
        {"name": "A", "strategy_type": "rsi", "tickers": ["spy"]},
        {"name": "B", "strategy_type": "rsy", "tickers": ["SPY"]},
    ]
}


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch, command: Command) -> Iterator[socket.socket]:
    """Keys and a broker's address in the environment, at which no call may arrive."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        monkeypatch.setenv("APCA_API_KEY_ID", "PKCANARY")
        monkeypatch.setenv("APCA_API_SECRET_KEY", "canary-secret")
        monkeypatch.setenv("APCA_API_BASE_URL", f"http://{address}")
        monkeypatch.setenv("APCA_API_DATA_URL", f"http://{address}")
        monkeypatch.setenv("APCA_API_STREAM_URL", f"ws://{address}")
        yield listener
        with pytest.raises(BlockingIOError):
            listener.accept()


def _config(folder: Path, document: object) -> str:
    path = folder / "mine.json"
    path.write_text(json.dumps(document))
    return str(path)


@pytest.mark.usefixtures("listener")
def test_a_bad_configuration_is_told_whole_before_any_call(
    command: Command, tmp_path: Path
) -> None:
    said = command(["run", "--config", _config(tmp_path, BAD)])
    assert (said.code, said.out) == (2, "")
    assert "strategies[0].tickers[0]" in said.err
    assert "strategies[1].strategy_type" in said.err
    assert "Traceback" not in said.err
    assert not (tmp_path / "state").exists()


@pytest.mark.thorough
def test_without_keys_one_sentence_says_what_to_set(shell: Shell) -> None:
    done = shell.run("run", "--config", _config(shell.folder, GOOD))
    assert (done.returncode, done.stdout) == (2, "")
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error")]
    assert len(errors) == 1
    assert "Missing Alpaca API credentials" in errors[0]
    assert "APCA_API_KEY_ID" in errors[0]
    assert "APCA_API_SECRET_KEY" in errors[0]
    assert "Traceback" not in done.stderr


def test_keys_that_others_can_read_are_refused(command: Command, tmp_path: Path) -> None:
    keys = tmp_path / ".env"
    keys.write_text("APCA_API_KEY_ID=PKCANARY\nAPCA_API_SECRET_KEY=canary-secret\n")
    keys.chmod(0o644)
    said = command(["run", "--config", _config(tmp_path, GOOD)])
    assert (said.code, said.out) == (2, "")
    assert "chmod 600" in said.err
    assert "canary" not in said.err


@pytest.mark.usefixtures("listener")
def test_live_is_refused_for_safety_while_the_configuration_says_paper(
    command: Command, tmp_path: Path
) -> None:
    said = command(["run", "--live", "--config", _config(tmp_path, GOOD)])
    assert (said.code, said.out) == (3, "")
    assert '"mode": "live"' in said.err
    assert "canary" not in said.err


@pytest.mark.usefixtures("listener")
def test_a_broker_elsewhere_is_refused_before_any_call(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APCA_API_BASE_URL", "http://broker.example")
    said = command(["run", "--config", _config(tmp_path, GOOD)])
    assert (said.code, said.out) == (2, "")
    assert "broker.example" in said.err
    assert "canary" not in said.err


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (["--bars", "none.parquet"], "none.parquet"),
        (["--simulate", "--date", "2026-03-17", "--fill-model", "magic"], "magic"),
    ],
    ids=["no bars file", "no such fill model"],
)
def test_a_simulation_that_cannot_be_played_is_exit_2(
    command: Command, tmp_path: Path, args: list[str], named: str
) -> None:
    said = command(["run", *args, "--config", _config(tmp_path, GOOD)])
    assert (said.code, said.out) == (2, "")
    assert named in said.err
    assert "Traceback" not in said.err


@pytest.mark.thorough
def test_a_sunday_has_no_stock_session_and_that_is_no_error(shell: Shell) -> None:
    done = shell.run("run", "--date", "2026-03-15", "--config", _config(shell.folder, GOOD))
    assert done.returncode == 0
    told = "MarketClosed: No session is left for these strategies on 2026-03-15: "
    assert done.stdout == f"{told}choose another date.\n"
    assert list(shell.home.iterdir()) == [], "no account was played on, and none is left"


@pytest.mark.thorough
def test_a_live_configuration_is_simulated_without_being_armed(shell: Shell) -> None:
    live = _config(shell.folder, {**GOOD, "mode": "live"})
    done = shell.run("run", "--date", "2026-03-15", "--config", live)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("MarketClosed: ")


@pytest.mark.usefixtures("listener")
def test_debug_shows_where_it_happened_and_no_key(command: Command, tmp_path: Path) -> None:
    config = _config(tmp_path, BAD)
    said = command(["run", "--log-level", "DEBUG", "--config", config])
    assert said.code == 2
    assert "Traceback" in said.err
    assert "canary" not in said.err


def test_the_configuration_that_is_not_there_is_named(command: Command) -> None:
    said = command(["run", "--config", "none.json"])
    assert (said.code, said.out) == (2, "")
    assert "none.json" in said.err


def _launched(shell: Shell, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The guide's launcher, run where nothing is installed but what the variables name."""
    launcher = ROOT / "scripts" / "traders" / "run_multi_trader.py"
    return subprocess.run(
        [sys.executable, "-S", str(launcher), *arguments],
        cwd=shell.folder,
        env={**shell.environment, "PYTHONPATH": "", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.thorough
def test_the_guide_s_launcher_is_the_same_command_with_nothing_but_the_lock_installed(
    shell: Shell,
) -> None:
    asked = ("--date", "2026-03-15", "--config", _config(shell.folder, GOOD))
    launched = _launched(shell, *asked, PYTHONPATH=sysconfig.get_path("purelib"))
    own = shell.run("run", *asked)
    assert (launched.returncode, launched.stdout) == (own.returncode, own.stdout)
    assert launched.stdout.startswith("MarketClosed: ")


def test_the_guide_s_launcher_says_how_to_install_what_it_misses(shell: Shell) -> None:
    launched = _launched(shell)
    assert (launched.returncode, launched.stdout) == (1, "")
    assert "make install" in launched.stderr
    assert "Traceback" not in launched.stderr
