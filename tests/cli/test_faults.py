"""Whose fault an error is decides the exit code; its words are all that the user sees."""

from __future__ import annotations

import errno
import logging
import os
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
import typer

from cli.faults import exit_code, plainly, sentence
from coordinator.errors import (
    BrokerRejected,
    BrokerUnavailable,
    ConfigError,
    CredentialsError,
    InvariantError,
    JournalDamaged,
    OperatorError,
    Problem,
    SafetyRefusal,
)
from simulator.errors import FeedError, OptionsError, Rejection
from warehouse.errors import (
    ExportRefused,
    QueryFailed,
    QueryRefused,
    WarehouseLocked,
    WarehouseMissing,
    WarehouseNewer,
    WarehouseUnreadable,
)

CODES = [
    (ConfigError("a.json", [Problem("$", "is empty")]), 2),
    (CredentialsError("No keys: set APCA_API_KEY_ID."), 2),
    (OperatorError("No such session."), 2),
    (FeedError("bars.csv: no column close"), 2),
    (OptionsError("no fill model 'magic'"), 2),
    (QueryRefused("read-only"), 2),
    (QueryFailed("no column net"), 2),
    (ExportRefused("x holds something that is no export"), 2),
    (SafetyRefusal("Another coordinator holds the lease."), 3),
    (BrokerUnavailable("Alpaca did not answer within 10 s."), 1),
    (BrokerRejected(403, 40310000, "insufficient buying power"), 1),
    (InvariantError("the books do not sum"), 1),
    (JournalDamaged("journal.db: record 3 does not follow record 2"), 1),
    (WarehouseLocked("in use by process 7"), 1),
    (WarehouseMissing("none yet"), 1),
    (WarehouseNewer("schema 9"), 1),
    (WarehouseUnreadable("no DuckDB file"), 1),
    (Rejection(403, 40310000, "no"), 1),
    (PermissionError(13, "Permission denied", "/state"), 1),
    (OSError(errno.ENAMETOOLONG, "File name too long", "dir" * 100), 2),
    (ZeroDivisionError("division by zero"), 1),
    (KeyError("SPY"), 1),
]


@pytest.mark.parametrize(("error", "code"), CODES, ids=[type(e).__name__ for e, _ in CODES])
def test_an_error_ends_the_command_with_its_exit_code_and_one_message(
    capsys: pytest.CaptureFixture[str], error: Exception, code: int
) -> None:
    @plainly
    def command() -> None:
        raise error

    with pytest.raises(typer.Exit) as ended:
        command()
    said = capsys.readouterr()
    assert ended.value.exit_code == code == exit_code(error)
    assert said.out == ""
    assert said.err == sentence(error) + "\n"
    assert said.err.startswith("Error")
    assert "Traceback" not in said.err


def test_errors_raised_on_purpose_are_shown_in_their_own_words() -> None:
    assert sentence(WarehouseMissing("There is no warehouse yet.")) == (
        "Error: There is no warehouse yet."
    )
    assert sentence(ConfigError("a.json", [Problem("mode", "x"), Problem("feed", "y")])) == (
        "Error: a.json: 2 problems; correct and try again\n  mode: x\n  feed: y"
    )


def test_a_file_that_may_not_be_read_is_named() -> None:
    denied = PermissionError(13, "Permission denied", "/state")
    assert sentence(denied) == "Error: /state: Permission denied."


def test_where_duckdb_finds_no_room_the_disk_is_named_and_not_the_program() -> None:
    with pytest.raises(duckdb.IOException) as full:
        duckdb.sql("COPY (SELECT 1) TO '/dev/full' (FORMAT csv)")
    assert sentence(full.value).startswith("Error: No space left on device: make room")


def test_a_bug_of_ours_says_so_and_where() -> None:
    try:
        Decimal(1) / 0
    except ArithmeticError as error:
        told = sentence(error)
    assert "in Multi-Trader itself: DivisionByZero" in told
    assert "test_faults.py, line" in told
    assert "The journal keeps every session" in told
    assert "in Multi-Trader itself" in sentence(InvariantError("the books do not sum"))


def test_a_damaged_journal_is_told_as_it_stands_and_is_no_bug_to_report() -> None:
    assert sentence(JournalDamaged("journal.db: damaged")) == "Error: journal.db: damaged"


def test_a_traceback_is_told_at_debug_only(caplog: pytest.LogCaptureFixture) -> None:
    @plainly
    def command() -> None:
        raise OperatorError("No such session.")

    for level, expected in ((logging.INFO, 0), (logging.DEBUG, 1)):
        caplog.clear()
        with caplog.at_level(level, logger="cli"), pytest.raises(typer.Exit):
            command()
        assert sum(record.exc_info is not None for record in caplog.records) == expected


def test_ctrl_c_is_no_error_of_anybody(capsys: pytest.CaptureFixture[str]) -> None:
    @plainly
    def command() -> None:
        raise KeyboardInterrupt

    with pytest.raises(typer.Exit) as ended:
        command()
    assert ended.value.exit_code == 130
    assert "Nothing is lost" in capsys.readouterr().err


def test_the_command_s_own_exit_code_stays() -> None:
    @plainly
    def command() -> None:
        raise typer.Exit(1)

    with pytest.raises(typer.Exit) as ended:
        command()
    assert ended.value.exit_code == 1


@pytest.mark.parametrize(
    ("number", "place", "helps"),
    [
        (errno.EROFS, "SIM0001", True),
        (errno.EACCES, ".", True),
        (errno.EACCES, "../bars.parquet", False),
        (errno.ENOENT, "SIM0001", False),
    ],
)
def test_where_state_cannot_be_written_the_user_is_told_how_to_name_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, place: str, helps: bool
) -> None:
    home = tmp_path / "state"
    monkeypatch.setenv("MULTI_TRADER_HOME", str(home))
    path = os.path.normpath(home / place)
    said = sentence(OSError(number, os.strerror(number), path))
    assert said.startswith(f"Error: {path}: {os.strerror(number)}.")
    assert ("can write to by MULTI_TRADER_HOME" in said) is helps
