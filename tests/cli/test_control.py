"""`pause`, `resume` and `flatten`: a session that runs is asked, and without one the journal is."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from coordinator.core import records as r
from coordinator.shell.control_protocol import addresses
from coordinator.shell.folders import JOURNAL
from coordinator.shell.journal_reading import read_kinds
from coordinator.shell.lease import Leases
from simulator.server import Simulator
from tests.cli.conftest import Said
from tests.cli.test_kill import ACCOUNT, CLOSE, FAST, OPEN, hold, venue
from tests.coordinator.test_readers import holding, keep, paper
from tests.e2e.running import environment, run_command, run_here, wait_until
from tests.oracle import configs

Command = Callable[[Sequence[str]], Said]
NAME = "momentum_00"


def kinds(folder: Path) -> list[tuple[str, str]]:
    """(kind, strategy) of what operators have ordered."""
    wanted = r.Paused, r.FlattenRequested, r.Resumed
    return [
        (type(e.record).__name__, e.record.strategy)
        for e in read_kinds(folder / JOURNAL, *wanted)
        if isinstance(e.record, wanted)
    ]


@pytest.fixture
def books(tmp_path: Path) -> Path:
    """The state of a coordinator that ran A and B and is gone: A holds 50 SPY. Its folder."""
    keep(tmp_path / "state", [*paper(holding().records)])
    return tmp_path / "state" / "PA1"


# --- nobody runs


def test_without_a_coordinator_a_pause_is_in_the_journal_for_the_next(
    command: Command, books: Path
) -> None:
    said = command(["pause", "A"])
    again = command(["pause", "A"])
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("PA1: A is paused: it opens nothing until `multi-trader resume A`;")
    assert "No coordinator answered" in said.out
    assert "A is paused already, until `multi-trader resume A`." in again.out
    assert kinds(books) == [("Paused", "A")]
    assert "A (paused)" in command(["status"]).out
    assert command(["resume", "A"]).out.startswith("PA1: A is resumed")
    assert kinds(books) == [("Paused", "A"), ("Resumed", "A")]
    assert "paused" not in command(["status"]).out


@pytest.mark.parametrize("act", ["pause", "flatten", "resume"])
def test_beside_a_damaged_journal_a_strategy_is_touched_only_on_the_account_that_is_named(
    command: Command, books: Path, act: str
) -> None:
    damaged = books.parents[0] / "PA0" / JOURNAL
    damaged.parent.mkdir()
    damaged.write_bytes(b"something else" * 100)
    said = command([act, "A"])
    assert (said.code, said.out, kinds(books)) == (2, "", [])
    assert f"A may have another book: {damaged} cannot be used as a journal" in said.err
    assert said.err.rstrip().endswith("Say which: --account PA1 --coordinator bench.")
    assert command([act, "A", "--account", "PA1"]).out.startswith("PA1: A ")
    for asked in (["pause", "A", "--account", "PA0"], ["pause", "Nobody"]):
        said = command(asked)
        assert said.code == 1, "where it could be cannot be read"
        assert said.err.startswith(f"Error: {damaged} cannot be used as a journal")


def test_what_was_done_as_json(command: Command, books: Path) -> None:
    told = json.loads(command(["pause", "B", "--json"]).out)
    expected = {"act": "pause", "account": "PA1", "coordinator": "bench", "strategy": "B"}
    assert {key: told[key] for key in expected} == expected
    assert (told["done"], told["running"], told["left"]) == (True, False, None)


def test_a_flatten_that_cannot_reach_the_broker_says_what_to_do_and_stands(
    command: Command, books: Path
) -> None:
    said = command(["flatten", "A"])
    assert said.code == 1
    assert "A holds 50 SPY" in said.out
    assert "multi-trader run --simulate. Look at `multi-trader status`, and run" in said.out
    assert "run `multi-trader flatten A` again" in said.out
    assert kinds(books) == [("FlattenRequested", "A")]
    assert "A (flattened)" in command(["status"]).out


def test_a_strategy_that_nobody_knows_is_refused_with_the_nearest_that_is(
    command: Command, books: Path
) -> None:
    said = command(["pause", "a"])
    assert said.code == 2
    assert "unknown strategy 'a'; did you mean 'A'? (known: A, B)" in said.err
    assert kinds(books) == []


def test_without_any_books_it_says_where_it_looked(command: Command, tmp_path: Path) -> None:
    said = command(["pause", "A"])
    assert said.code == 2
    assert str(tmp_path / "state") in said.err
    assert "MULTI_TRADER_HOME" in said.err


def test_a_name_with_two_books_is_asked_about_and_the_account_decides(
    command: Command, books: Path
) -> None:
    keep(books.parent, [*paper(holding().records)], account="PA2", name="other")
    said = command(["pause", "A"])
    assert said.code == 2
    assert "--account PA1 --coordinator bench; --account PA2 --coordinator other" in said.err
    assert command(["pause", "A", "--account", "PA2"]).out.startswith("PA2: A is paused")
    assert command(["pause", "A", "--coordinator", "bench"]).out.startswith("PA1: A is paused")
    nowhere = command(["pause", "A", "--account", "PA3"])
    assert nowhere.code == 2
    assert "for account PA3" in nowhere.err


def test_status_says_that_a_coordinator_that_was_killed_does_not_run(
    command: Command, books: Path
) -> None:
    assert "not running (nothing since 2026-03-17 13:32" in (said := command(["status"]).out)
    assert "start it again to go on" in said
    [session] = json.loads(command(["status", "--json"]).out)
    assert (session["state"], session["live"]) == ("not running", None)


def test_status_says_that_one_that_runs_does_not_answer(command: Command, books: Path) -> None:
    with Leases() as leases:
        leases.take_for_coordinator("PA1", "bench")
        assert "running (no answer" in command(["status"]).out


# --- where nobody runs, but the broker can be reached


@pytest.fixture
def at(command: Command, short_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """Runs a command with the keys of a venue and the state of `short_path`."""
    monkeypatch.setenv("HOME", str(short_path))

    def run(running: Simulator, *args: str) -> Said:
        with monkeypatch.context() as keys:
            for name, value in environment(running, short_path).items():
                keys.setenv(name, value)
            return command([*args, *(FAST if args[0] in ("flatten", "kill") else ())])

    return run


@pytest.mark.slow
def test_the_command_itself_sells_what_the_strategy_holds_and_it_stays_paused(
    at: Callable[..., Said], short_path: Path
) -> None:
    with venue(short_path) as running:
        hold(running, short_path)
        said = at(running, "flatten", NAME)
        account = running.snapshot()
        later = OPEN + timedelta(minutes=15)
        outcome = run_here(running, configs.single("momentum"), short_path, until=later)
        end = running.snapshot()
    assert said.code == 0
    assert f"{ACCOUNT}: {NAME} is flat." in said.out
    assert account.positions == end.positions == {}
    assert outcome.discrepancies == 0
    assert kinds(short_path / ACCOUNT) == [("FlattenRequested", NAME)]


# --- a session that runs as a process of its own


@pytest.mark.slow
def test_a_session_that_runs_is_asked_and_status_shows_it_live_and_dead(
    at: Callable[..., Said], short_path: Path
) -> None:
    config = short_path / "one.json"
    config.write_text(json.dumps(configs.single("momentum")))
    account = short_path / ACCOUNT
    with venue(short_path, clock_speed=60.0) as running:
        process = run_command(running, config, short_path)
        try:
            wait_until(
                running, CLOSE, lambda: process.poll() is not None or any(addresses(account))
            )
            paused = at(running, "pause", NAME)
            live = at(running, "status")
            flat = json.loads(at(running, "flatten", NAME, "--json").out)
            killed = at(running, "kill")
        finally:
            process.kill()
            process.communicate()
        dead = at(running, "status")
    assert paused.out.startswith(f"{ACCOUNT}: {NAME} is paused")
    assert "Streams: orders live, stock bars live; last bar 2026-03-1" in live.out
    assert "closes at 2026-03-17 20:00:00 UTC" in live.out
    assert f"{NAME} (paused)" in live.out
    assert (flat["done"], flat["running"]) == (True, True)
    assert killed.code == 0
    assert "not running (nothing since 2026-03-17" in dead.out
    assert "Streams" not in dead.out
    journal = account / JOURNAL
    by = {e.coordinator for e in read_kinds(journal, r.Paused, r.FlattenRequested)}
    assert by == {configs.single("momentum").get("name", "one")}, "the session wrote it itself"
