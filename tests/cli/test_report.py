"""`report` of a range of dates: which days it is of, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conftest import Said, Shell
from tests.warehouse.builder import Day
from warehouse import Store, load_session

Command = Callable[[Sequence[str]], Said]


@pytest.fixture
def _two_days(tmp_path: Path) -> None:
    day = Day("s1")
    day.buy("Alpha", "SPY", "1", "450")
    with Store.open(tmp_path / "state" / "warehouse.duckdb") as store:
        load_session(store, day.source())
        load_session(store, day.next_day("s2").source())


@pytest.mark.usefixtures("_two_days")
def test_a_range_is_closed_by_what_the_warehouse_holds(command: Command, tmp_path: Path) -> None:
    told = command(["report", "--start", "2026-03-01"])
    page = Path(told.out.strip())
    assert (told.code, page.name) == (0, "2026-03-01_2026-03-18.html"), told.err
    assert "2 sessions from 2026-03-17 to 2026-03-18" in page.read_text()


@pytest.mark.usefixtures("_two_days")
def test_a_report_of_one_account_is_of_all_its_days_and_of_no_other_account(
    command: Command, tmp_path: Path
) -> None:
    with Store.open(tmp_path / "state" / "warehouse.duckdb") as store:
        load_session(store, Day("b1", account="BT-1", mode="backtest").source())
    told = command(["report", "--account", "BT-1"])
    page = Path(told.out.strip())
    assert (told.code, page.name) == (0, "BT-1_2026-03-17_2026-03-17.html"), told.err
    words = page.read_text()
    assert "1 session from 2026-03-17 to 2026-03-17, backtest" in words
    assert "Account BT-1" in words
    assert "Account PA1" not in words


@pytest.mark.parametrize("last", ["a_config", "z_config"])
def test_of_simulated_sessions_that_opened_at_one_moment_the_last_one_loaded_is_reported(
    last: str, command: Command, tmp_path: Path
) -> None:
    with Store.open(tmp_path / "state" / "warehouse.duckdb") as store:
        for name in ("m_config", last):
            load_session(store, Day(name, account=f"SIM-{name}", mode="simulated").source())
    told = command(["report"])
    assert (told.code, Path(told.out.strip()).stem) == (0, last), told.err


@pytest.mark.thorough
@pytest.mark.usefixtures("_two_days")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--start", "2026-03-18", "--end", "2026-03-17"], "The range ends before it begins"),
        (["--session", "s1", "--end", "2026-03-17"], "Give one or the other"),
        (["--session", "s1", "--account", "PA1"], "Give one or the other"),
        (["--account", "BT-9"], "no account 'BT-9'"),
        (["--account", "PA1", "--start", "2026-05-01", "--end", "2026-06-01"], "of account PA1"),
        (["--end", "2026-02-01"], "not hold any session to 2026-02-01: those that it has are from"),
        (["--start", "2026-05-01"], "not hold any session from 2026-05-01: those that it has are"),
        (["--start", "2026-05-01", "--end", "2026-06-01"], "does not hold any session from"),
    ],
)
def test_a_range_that_cannot_be_is_refused(
    command: Command, options: list[str], words: str
) -> None:
    told = command(["report", *options])
    assert told.code in (1, 2)
    assert words in told.err


@pytest.mark.usefixtures("_two_days")
@pytest.mark.parametrize("of", [[], ["--start", "2026-03-01"]], ids=["a session", "a range"])
def test_the_page_is_shown_in_the_browser_that_the_user_has(
    shell: Shell, tmp_path: Path, of: list[str]
) -> None:
    seen, browser = tmp_path / "seen", tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {seen}\n')
    browser.chmod(0o700)
    shown = replace(shell, variables={"BROWSER": f"{browser} %s"}).run("report", *of, "--open")
    assert (shown.returncode, shown.stderr) == (0, "")
    page = (shell.folder / shown.stdout.strip()).resolve()
    assert seen.read_text() == page.as_uri()


@pytest.mark.usefixtures("_two_days")
def test_without_a_browser_the_page_is_written_and_that_is_said(shell: Shell) -> None:
    nothing = replace(shell, variables={"PATH": str(shell.folder), "BROWSER": ""})
    shown = nothing.run("report", "--open")
    assert (shown.returncode, Path(shell.folder / shown.stdout.strip()).exists()) == (0, True)
    assert shown.stderr.startswith("Warning: no browser was found on this machine")
