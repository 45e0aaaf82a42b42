"""Ctrl-C and SIGTERM ask a running process to end; a second Ctrl-C ends it at once."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.cli.conftest import ROOT, Shell
from tests.oracle import configs

SESSION = """
import asyncio
from cli.signals import StopSignals

async def session(stop):
    asked = stop.watch()
    print("running", flush=True)
    await asked.wait()
    print("asked", flush=True)
    await asyncio.Event().wait() if {stubborn} else None

with StopSignals("Stopping.") as stop:
    asyncio.run(session(stop))
print("ended", flush=True)
"""
EARLY = """
import asyncio, os, signal
from cli.signals import StopSignals

async def session(stop):
    return stop.watch().is_set()

with StopSignals("Stopping.") as stop:
    os.kill(os.getpid(), signal.SIGTERM)
    print(stop.requested, asyncio.run(session(stop)), flush=True)
"""


@pytest.fixture(autouse=True)
def from_a_terminal() -> Iterator[None]:
    """What is started here hears of a closed terminal, though the tests run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@contextmanager
def _process(shell: Shell, script: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", script],
        env=shell.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _next_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_lets_the_session_end_in_good_order(
    shell: Shell, number: signal.Signals
) -> None:
    with _process(shell, SESSION.format(stubborn=False)) as process:
        assert _next_line(process) == "running"
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert out.split() == ["asked", "ended"]
    assert err.split() == ["Stopping."]
    assert process.returncode == 0


def test_under_nohup_a_terminal_that_is_closed_ends_nothing(shell: Shell) -> None:
    ignoring = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    with _process(shell, ignoring + SESSION.format(stubborn=False)) as process:
        assert _next_line(process) == "running"
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


@pytest.mark.thorough
def test_a_session_whose_terminal_is_closed_ends_in_order_and_is_loaded(shell: Shell) -> None:
    config = str(ROOT / "configs" / "multi_trader_simple.json")
    command = [sys.executable, "-m", "cli", "run", "--date", "2026-03-17", "--config", config]
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(shell.folder)
        os.execve(sys.executable, command, shell.environment)  # noqa: S606
    said = b""
    while b"TRADING ACTIVE" not in said:
        said += os.read(terminal, 4096)
    os.close(terminal)
    os.waitpid(child, 0)
    [session] = json.loads(shell.run("status", "--json").stdout)
    assert session["state"] == "StoppedEarly"
    loaded = shell.run("sql", "--csv", "SELECT session_id FROM loads").stdout.split()
    assert loaded == ["session_id", session["session_id"]]


@pytest.mark.thorough
def test_a_session_trades_on_while_its_terminal_takes_no_line(shell: Shell) -> None:
    config = shell.folder / "config.json"
    many = configs.twenty_six()
    config.write_text(json.dumps(many | {"strategies": many["strategies"][:12]}))
    words = ["run", "--date", "2026-11-27", "--config", str(config), "--clock-speed", "5000"]
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(shell.folder)
        command = [sys.executable, "-m", "cli", *words]
        os.execve(sys.executable, command, shell.environment)  # noqa: S606
    said = b""
    while b"TRADING ACTIVE" not in said:
        said += os.read(terminal, 4096)
    until_s, state = time.monotonic() + 80, ""
    while state != "Completed" and time.monotonic() < until_s:  # as after Ctrl-S
        [session] = json.loads(shell.run("status", "--json").stdout)
        state = session["state"]
    with suppress(OSError):  # the terminal's other end is closed
        while more := os.read(terminal, 65_536):
            said += more
    _, code = os.waitpid(child, 0)
    assert (state, code) == ("Completed", 0)
    assert said.count(b"(Order ID: ") > 250
    assert b"TOTAL PnL" in said


def test_a_second_ctrl_c_leaves_at_once(shell: Shell) -> None:
    with _process(shell, SESSION.format(stubborn=True)) as process:
        assert _next_line(process) == "running"
        process.send_signal(signal.SIGINT)
        assert _next_line(process) == "asked"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert out == ""
    assert "Left at once." in err
    assert process.returncode == 130


@pytest.mark.thorough
def test_a_simulated_run_that_is_left_at_once_promises_no_resumption(shell: Shell) -> None:
    with shell.start("run", "--date", "2026-03-17", "--clock-speed", "60") as process:
        assert process.stderr is not None
        said = ""
        while "TRADING ACTIVE" not in said:
            said = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        while "Stopping" not in said:
            said = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "a simulated session is not resumed" in err
    assert "the next start resumes" not in err


def test_a_second_sigterm_still_waits_for_the_flush(shell: Shell) -> None:
    with _process(shell, SESSION.format(stubborn=True)) as process:
        assert _next_line(process) == "running"
        process.send_signal(signal.SIGTERM)
        assert _next_line(process) == "asked"
        process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.5)


def test_a_signal_before_the_session_began_is_not_missed(shell: Shell) -> None:
    with _process(shell, EARLY) as process:
        assert _next_line(process) == "True True"


BEFORE = """
import os, signal, sys

class Finder:
    def find_spec(self, name, *_):
        if name == "typer":
            os.kill(os.getpid(), signal.{number})
sys.meta_path.insert(0, Finder())
from cli.main import main
main()
"""


@pytest.mark.parametrize("number", ["SIGTERM", "SIGHUP"])
def test_a_run_that_is_stopped_while_it_is_imported_ends_as_one_that_is_stopped_later(
    shell: Shell, number: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BEFORE.format(number=number), "run", "--date", "2026-03-17"],
        cwd=shell.folder,
        env=shell.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout == "StoppedEarly: It was stopped before a session was opened.\n"
    assert "Stopping: " in done.stderr


AFTER = """
import os, signal
from cli.early import keep_signals
from cli.signals import StopSignals

keep_signals()
with StopSignals("Stopping."):
    pass
os.kill(os.getpid(), signal.{number})
print("lives on")
"""


@pytest.mark.parametrize("number", ["SIGTERM", "SIGHUP"])
def test_a_signal_after_the_session_is_not_kept_for_another_one(shell: Shell, number: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", AFTER.format(number=number)],
        env=shell.environment,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (-getattr(signal, number), b"")


@pytest.mark.parametrize("asked", [["status"], []])
def test_sigterm_ends_a_command_that_trades_nothing_at_once(shell: Shell, asked: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BEFORE.format(number="SIGTERM"), *asked],
        cwd=shell.folder,
        env=shell.environment,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, b"")


WAITING = """
import threading
from cli.signals import StopSignals

with StopSignals("Stopping.") as stop:
    if {by_thread}: threading.Thread(target=stop.request).start()
    print("waiting", flush=True)
    stop.wait()
    print(stop.signalled, flush=True)
"""


@pytest.mark.parametrize(("by_thread", "signalled"), [(False, "True"), (True, "False")])
def test_waiting_ends_by_a_signal_or_by_another_thread(
    shell: Shell, by_thread: bool, signalled: str
) -> None:
    with _process(shell, WAITING.format(by_thread=by_thread)) as process:
        assert _next_line(process) == "waiting"
        if not by_thread:
            process.send_signal(signal.SIGINT)
        assert _next_line(process) == signalled
        assert process.wait(timeout=20) == 0


def test_a_stop_is_heard_where_nobody_reads_what_is_said_of_it(shell: Shell) -> None:
    with _process(shell, SESSION.format(stubborn=False)) as process:
        assert _next_line(process) == "running"
        assert process.stderr is not None
        process.stderr.close()
        process.send_signal(signal.SIGINT)
        assert (_next_line(process), _next_line(process)) == ("asked", "ended")
