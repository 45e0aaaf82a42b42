"""Tables on a terminal: texts fold, numbers are whole."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from cli import tables

HEADINGS = ("Strategy", "Cash", "Equity", "PnL", "Day PnL", "Entries", "Orders", "Positions")
NUMBERS = ("9,951.68", "119,951.68", "-1,048.32", "-1,048.32", "23", "0")
ROW = ("BigTech_Momentum", *NUMBERS, "17.1435 SPY, 12.22 MSFT")


@pytest.mark.parametrize("width", [80, 100, 160])
def test_no_number_loses_a_digit_on_a_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    console = Console(file=said, width=width, highlight=False)
    monkeypatch.setattr(tables, "stdout", lambda: console)
    tables.print_table(HEADINGS, [ROW], right=range(1, 7))
    lines = said.getvalue().splitlines()
    assert all(len(line) <= width for line in lines)
    assert any(all(number in line.split() for number in NUMBERS) for line in lines)
    assert "…" not in said.getvalue()
