"""`top` and `explain` in a real terminal, beside a session that really runs."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coordinator.shell.control_protocol import addresses
from tests.cli.conftest import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not on this machine"),
]
PATIENCE_S = 40.0
DECIDES_SLOWLY = "20"
"""Broker seconds a second: a minute's bar each three seconds."""


class Terminal:
    """A terminal of 80 x 24 characters with a shell in it."""

    def __init__(self, folder: Path) -> None:
        self._tmux = ["tmux", "-S", str(folder / "t"), "-f", os.devnull]
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("APCA_", "TMUX"))},
            "HOME": str(folder),
            "MULTI_TRADER_HOME": str(folder / "s"),
            "PYTHONPATH": str(ROOT),
            "LANG": "C.UTF-8",
            "COLUMNS": "80",  # as a shell exports them that was started at this size
            "LINES": "24",
        }
        self._do("new-session", "-d", "-x", "80", "-y", "24", "env PS1='ready> ' bash --norc")
        self.until("ready>")

    def _do(self, *words: str) -> str:
        done = subprocess.run(
            [*self._tmux, *words],
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def types(self, command: str) -> None:
        """Types a command and Enter."""
        self._do("send-keys", "-l", command)
        self._do("send-keys", "Enter")

    def presses(self, *keys: str) -> None:
        """Presses keys, by tmux's names."""
        self._do("send-keys", *keys)

    def resized(self, columns: int, lines: int) -> None:
        """Makes the window another size."""
        self._do("resize-window", "-x", str(columns), "-y", str(lines))

    @property
    def screen(self) -> list[str]:
        """What is seen."""
        return self._do("capture-pane", "-p").splitlines()

    def until(self, *words: str, seen: Callable[[list[str]], bool] = lambda _: True) -> list[str]:
        """What is seen as soon as all these words are, and `seen` says so."""
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            screen = self.screen
            text = "\n".join(screen)
            if all(word in text for word in words) and seen(screen):
                return screen
            time.sleep(0.1)
        raise AssertionError(f"{words} are not seen in:\n" + "\n".join(self.screen))

    def close(self) -> None:
        """Ends it, with whatever runs in it."""
        self._do("kill-server")


@pytest.fixture
def terminal(short_path: Path) -> Iterator[Terminal]:
    """A terminal beside a simulated session that has begun to trade."""
    terminal = Terminal(short_path)
    words = ["run", "--simulate", "--clock-speed", DECIDES_SLOWLY, "--no-load"]
    session = subprocess.Popen(
        [sys.executable, "-m", "cli", *words],
        cwd=short_path,
        env=terminal.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline_s = time.monotonic() + PATIENCE_S
        while not any(list(addresses(a)) for a in (short_path / "s").glob("*")):
            assert session.poll() is None, "the session runs"
            assert time.monotonic() < deadline_s, "the session begins to trade"
            time.sleep(0.1)
        yield terminal
    finally:
        terminal.close()
        session.terminate()
        session.wait(PATIENCE_S)


def command(*words: str) -> str:
    """A command of ours, as it is typed."""
    return shlex.join([sys.executable, "-m", "cli", *words])


def rows(screen: list[str]) -> list[str]:
    """The strategies on the screen, in order."""
    ours = ("BTC_Momentum", "IWM_RSI", "QQQ_Momentum", "SPY_Adaptive", "Tech_Basket")
    return [line.split()[0] for line in screen if line.startswith(ours)]


def sums(screen: list[str]) -> list[str]:
    """The sums of the terminal's settings."""
    return [line for line in screen if line[:5].isdigit()]


def test_top_is_seen_sorted_resized_and_left_by_its_keys(terminal: Terminal) -> None:
    terminal.types(f"stty -a | sum; {command('top')}; echo ended $?; stty -a | sum")
    screen = terminal.until("q quit", "BTC_Momentum", "live: orders, stock bars, crypto bars")
    assert len(screen) <= 24
    assert screen[0].startswith("multi-trader  SIM")
    assert rows(screen) == sorted(rows(screen))
    assert len(rows(screen)) == 5

    terminal.until("last bar", seen=lambda now: now[:3] != screen[:3])  # it is live
    terminal.presses("e")
    terminal.until("by equity", seen=lambda now: rows(now)[0] == "Tech_Basket")
    terminal.presses("r")
    terminal.until("by equity, turned", seen=lambda now: rows(now)[-1] == "Tech_Basket")
    terminal.resized(120, 9)
    terminal.until("Strategies 1-2 of 5", "q quit")
    terminal.presses("Down", "Down")
    terminal.until("Strategies 3-4 of 5")
    terminal.resized(80, 24)
    terminal.presses("q")
    terminal.until("ended 0", seen=lambda now: len(sums(now)) == 2)
    assert len(set(sums(terminal.screen))) == 1, "the terminal is as it was"


def test_ctrl_c_leaves_top_and_the_terminal_as_it_was(terminal: Terminal) -> None:
    terminal.types(f"{command('top')}; echo ended $?")
    terminal.until("q quit")
    terminal.presses("C-c")
    screen = terminal.until("ended 0")
    assert "Traceback" not in "\n".join(screen)
    terminal.types("echo typed")
    terminal.until("\ntyped\n")


def test_explain_is_seen_in_eighty_columns(terminal: Terminal) -> None:
    terminal.types(f"clear; {command('explain', 'SPY_Adaptive')}; echo ended $?")
    screen = "\n".join(terminal.until("ended 0"))
    for words in ("SPY_Adaptive (adaptive) on SPY", "Indicators", "RSI(14)", "Decision"):
        assert words in screen
