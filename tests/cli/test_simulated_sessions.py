"""A simulated session while it runs: its broker is asked by the commands that ask a broker."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Shell
from tests.coordinator.own_strategies import write_folder
from tests.oracle import configs

DEADLINE_S = 60.0
MOMENTUM = configs.single("momentum")
SLOW_WORDS = """\
import time

from coordinator import Strategy


class Silent(Strategy):
    strategy_type = "silent"
    longest_window = property(lambda self: 1)
    _ticker: str = ""

    def step(self, bar):
        self._ticker = bar.symbol
        return 0

    def explain(self):
        if self._ticker == "QQQ":
            time.sleep(60)
        return {"saw": self._ticker}
"""


@contextmanager
def session(
    shell: Shell, document: Mapping[str, Any] = MOMENTUM
) -> Iterator[subprocess.Popen[str]]:
    """A session on an embedded simulator that has a control socket."""
    config = shell.folder / "one.json"
    config.write_text(json.dumps(document))
    words = ("--simulate", "--config", str(config), "--date", "2026-03-17", "--clock-speed", "60")
    with shell.start("run", *words) as process:
        try:
            until_s = time.monotonic() + DEADLINE_S
            while not list(shell.home.glob("SIM*/control/*.json")):
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < until_s
                time.sleep(0.05)
            yield process
        finally:
            process.kill()


@pytest.mark.slow
def test_a_simulated_session_is_compared_and_looked_at_while_it_runs_and_leaves_no_lease(
    short_path: Path,
) -> None:
    shell = Shell(short_path)
    with session(shell) as running:
        compared = shell.run("reconcile")
        looked_at = shell.run("import-account", "--json")
        named = shell.run("reconcile", "--account", "SIM0001", "--json")
        other = shell.run("reconcile", "--account", "SIM0002")
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=DEADLINE_S)
    ended = shell.run("reconcile", "--account", "SIM0001")
    assert compared.returncode == 0, compared.stderr
    assert compared.stdout.startswith("SIM0001: books and broker agree")
    assert json.loads(looked_at.stdout) == {
        "account": "SIM0001",
        "cash": json.loads(looked_at.stdout)["cash"],
        "left_behind": {},
        "positions": [],
    }
    assert (named.returncode, json.loads(named.stdout)["account"]) == (0, "SIM0001")
    assert other.returncode == 2
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "whose session does not run" in ended.stderr
    assert "multi-trader run --simulate" in ended.stderr
    assert list((shell.folder / ".multi-trader" / "leases").iterdir()) == []


@pytest.mark.slow
def test_of_several_simulated_sessions_one_is_named(short_path: Path) -> None:
    shell = Shell(short_path)
    with session(shell), session(shell):
        until_s = time.monotonic() + DEADLINE_S
        while len(list(shell.home.glob("SIM*/control/*.json"))) < 2:
            assert time.monotonic() < until_s
            time.sleep(0.05)
        said = shell.run("reconcile")
        named = shell.run("reconcile", "--account", "SIM0002")
    dead = " ".join(shell.run("status").stdout.split())
    assert said.returncode == 2
    assert "2 simulated sessions run; name one by --account: SIM0001, SIM0002." in said.stderr
    assert named.stdout.startswith("SIM0002: books and broker agree")
    assert "1 older simulated session is left out; --json has all." in dead
    assert dead.count("a new run begins a new account") == 1
    assert "start it again" not in dead


@pytest.mark.slow
def test_a_strategy_that_says_nothing_on_a_ticker_is_told_of_with_its_name(
    short_path: Path,
) -> None:
    shell = Shell(short_path)
    write_folder(short_path / "own", silent=SLOW_WORDS)
    one = {"name": "Mute", "strategy_type": "silent", "tickers": ["SPY", "QQQ"]}
    with session(shell, {"strategies_dir": "own", "strategies": [one]}):
        until_s = time.monotonic() + DEADLINE_S
        while "saw SPY" not in (said := shell.run("explain", "Mute")).stdout:
            assert time.monotonic() < until_s, said
    assert said.returncode == 0
    assert said.stderr.startswith("Warning: Mute did not say what it saw on QQQ: ")
    assert "no answer within 0.5 s" in said.stderr
