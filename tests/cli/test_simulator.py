"""`simulator` serves Alpaca's protocol until it is told to end, and says how to reach it."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from alpaca.trading.client import TradingClient

from tests.cli.conftest import Said, Shell

Command = Callable[[Sequence[str]], Said]
VARIABLES = (
    "APCA_API_KEY_ID",
    "APCA_API_SECRET_KEY",
    "APCA_API_BASE_URL",
    "APCA_API_DATA_URL",
    "APCA_API_STREAM_URL",
)
HEADER = "symbol,timestamp,open,high,low,close,volume,trade_count,vwap,source\n"
BAR = "SPY,2026-03-17T13:30:00Z,{open},451,449,450,100,,,{source}\n"


@contextmanager
def serving(shell: Shell, *args: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """A running simulator and the variables that it prints."""
    with shell.start("simulator", *args) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in VARIABLES]
            found = [re.fullmatch(r"export (\w+)=(\S+)\n", line) for line in lines]
            yield process, {one[1]: one[2] for one in found if one}
        finally:
            process.kill()


@pytest.mark.thorough
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_client_reaches_it_by_the_variables_and_a_signal_ends_it(
    shell: Shell, number: signal.Signals
) -> None:
    with serving(shell, "--date", "2026-03-17") as (process, variables):
        assert tuple(variables) == VARIABLES
        assert variables["APCA_API_STREAM_URL"].startswith("ws://127.0.0.1:")
        client = TradingClient(
            variables["APCA_API_KEY_ID"],
            variables["APCA_API_SECRET_KEY"],
            raw_data=True,
            url_override=variables["APCA_API_BASE_URL"],
        )
        assert client.get_clock()["timestamp"].startswith("2026-03-17T09:20")
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, "")
    assert "multi-trader run --clock-speed 600" in err
    assert "Stopping the simulator." in err
    assert "Traceback" not in err


@pytest.mark.thorough
def test_the_port_can_be_chosen(shell: Shell) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with serving(shell, "--date", "2026-03-17", "--port", str(port)) as (_, variables):
        assert variables["APCA_API_DATA_URL"] == f"http://127.0.0.1:{port}"


@pytest.mark.thorough
def test_a_port_that_is_taken_is_one_clear_sentence(shell: Shell) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = shell.run("simulator", "--date", "2026-03-17", "--port", port)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"cannot listen on port {port}: Address already in use" in done.stderr
    assert "Traceback" not in done.stderr
    assert "in Multi-Trader itself" not in done.stderr


@pytest.mark.parametrize(
    ("args", "bars", "named"),
    [
        (["--bars", "none.csv"], None, "none.csv"),
        (["--bars", "bars.csv"], "symbol,timestamp,open\nSPY,2026-03-17T13:30:00Z,450\n", "high"),
        (["--bars", "bars.csv"], HEADER + BAR.format(open="nan", source="a"), "open"),
        (
            ["--bars", "bars.csv"],
            HEADER + BAR.format(open="450", source="a") + BAR.format(open="450", source="b"),
            "source",
        ),
        (
            ["--bars", "bars.csv", "--source", "c"],
            HEADER + BAR.format(open="450", source="a"),
            "'c'; it holds: a",
        ),
        (
            ["--bars", "bars.csv", "--date", "2026-03-18"],
            HEADER + BAR.format(open="450", source="a"),
            "2026-03-17",
        ),
        (["--date", "2026-03-17", "--fill-model", "magic"], None, "magic"),
        (["--date", "2026-03-17", "--faults", "none.json"], None, "none.json"),
    ],
    ids=[
        "no file",
        "no column",
        "not a number",
        "two sources",
        "no such source",
        "no such date",
        "no such fill model",
        "no fault file",
    ],
)
def test_bars_that_cannot_be_played_are_named_with_exit_2(
    command: Command, tmp_path: Path, args: list[str], bars: str | None, named: str
) -> None:
    if bars is not None:
        (tmp_path / "bars.csv").write_text(bars)
    said = command(["simulator", *args])
    assert said.code == 2
    assert said.out == ""
    assert said.err.startswith("Error: ")
    assert named in said.err
