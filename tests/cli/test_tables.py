"""Tables on a terminal: texts fold, numbers are whole."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import TextIO

import pytest
from rich.console import Console

from cli import tables
from cli.status import SPARE
from tests.cli.conftest import Shell

HEADINGS = ("Strategy", "Cash", "Equity", "PnL", "Day PnL", "Entries", "Orders", "Positions")
NUMBERS = ("9,951.68", "119,951.68", "-1,048.32", "-1,048.32", "23", "0")
ROW = ("BigTech_Momentum", *NUMBERS, "17.1435 SPY, 12.22 MSFT")


@pytest.mark.parametrize("width", [20, 40, 80, 100, 160])
def test_no_number_loses_a_digit_on_a_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    console = Console(file=said, width=width, highlight=False)
    monkeypatch.setattr(tables, "stdout", lambda: console)
    tables.print_table(HEADINGS, [ROW], right=range(1, 7))
    lines = said.getvalue().splitlines()
    assert all(len(line) <= width for line in lines)
    words = said.getvalue().split()
    assert all(number in words for number in NUMBERS)
    assert "…" not in said.getvalue()
    assert ROW[0] in words, "a name is whole, too"


@pytest.mark.parametrize("name", ["A", "SPY", "ABCDE FGHIJ", "BigTech_Momentum"])
def test_no_width_cuts_a_number_however_short_the_names_are(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    headings = ("Strategy", "Start equity", "End equity", "Net P&L", "Return", "Fees", "Fills")
    numbers = ("10,000.00", "10,123.45", "123.45", "+1.23%", "0.00", "12")
    for width in range(20, 100):
        said = io.StringIO()
        console = Console(file=said, width=width, highlight=False)
        monkeypatch.setattr(tables, "stdout", lambda console=console: console)
        tables.print_table(headings, [(name, *numbers)], right=range(1, 7))
        assert "…" not in said.getvalue(), width
        assert set(numbers) <= set(said.getvalue().split()), width


NAMES = ["SPY_Adaptive_of_the_morning", "BigTech_Momentum"]
LEFT_OUT = [(160, 0), (94, 0), (93, 1), (80, 2), (73, 3), (60, 4), (50, 5)]
"""A terminal's width, and how many columns it has no room for."""


@pytest.mark.parametrize(("width", "count"), LEFT_OUT)
def test_a_narrow_terminal_leaves_out_the_least_important_columns_before_it_breaks_a_name(
    width: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = io.StringIO()
    console = Console(file=said, width=width, highlight=False)
    monkeypatch.setattr(tables, "stdout", lambda: console)
    rows = [(name, *ROW[1:-1], "3 SPY") for name in NAMES]
    told = tables.print_table(HEADINGS, rows, right=range(1, 7), spare=SPARE)
    assert told == SPARE[:count]
    words = said.getvalue().split()
    assert set(NAMES) <= set(words)
    assert "-1,048.32" in words, "the day's gain or loss is never left out"
    shown = said.getvalue().replace("Day PnL", "")
    assert {name for name in SPARE if name not in shown} == set(told)


@pytest.mark.parametrize("is_terminal", [True, False])
@pytest.mark.parametrize("cell", ["", "10 SPY, 2 MSFT", "two  words", "déjà", "日本", "two\nlines"])
def test_a_table_looks_as_rich_draws_it_also_where_that_is_left_out_to_be_fast(
    cell: str, is_terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drawn() -> str:
        said = io.StringIO()
        console = Console(file=said, width=100, highlight=False, force_terminal=is_terminal)
        monkeypatch.setattr(tables, "stdout", lambda: console)
        tables.print_table(HEADINGS, [ROW, (*ROW[:-1], cell)], right=range(1, 7), title="[PA1]")
        return said.getvalue()

    fast = drawn()
    monkeypatch.setattr(tables, "_are_plain", lambda _: False)
    assert fast == drawn()


@pytest.mark.parametrize("words", [["strategies"], ["strategies", "rsi", "--json"], ["--version"]])
def test_where_output_has_no_room_the_disk_is_named_and_not_the_program(
    shell: Shell, words: list[str]
) -> None:
    with Path("/dev/full").open("w") as full:
        said = _run_buffered(shell, words, full)
    assert said.returncode == 1
    assert said.stderr.startswith("Error: No space left on device: make room where the output goes")
    assert said.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [["strategies"], ["strategies", "rsi", "--json"], ["--version"]])
def test_a_reader_that_closes_the_pipe_is_not_told_of_it(shell: Shell, words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        said = _run_buffered(shell, words, pipe)
    assert (said.returncode, said.stderr) == (1, "")


def _run_buffered(
    shell: Shell, words: list[str], stdout: TextIO
) -> subprocess.CompletedProcess[str]:
    """A command as a user's shell starts it: PYTHONUNBUFFERED would write each line at once."""
    return subprocess.run(
        [sys.executable, "-m", "cli", *words],
        cwd=shell.folder,
        env={k: v for k, v in shell.environment.items() if k != "PYTHONUNBUFFERED"},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
