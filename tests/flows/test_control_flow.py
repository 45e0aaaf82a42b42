"""Control from Prefect's form: what is done, how its run ends, and what its page shows."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from prefect import State
from prefect.client.schemas.objects import StateType
from prefect.exceptions import ParameterTypeError, SignatureMismatchError

from coordinator.commands.accounts import Operator
from coordinator.core import records as r
from coordinator.shell.journal_reading import read_kinds
from coordinator.shell.journal_rows import Entry
from flows.control import control, controlled_state
from tests.coordinator.at_the_door import Door, at_the_door
from tests.coordinator.test_readers import holding, keep, paper

DONE, FAILED = StateType.COMPLETED, StateType.FAILED
RUN = "Prefect's run 7"


class Page:
    """What the run's page shows."""

    def __init__(self) -> None:
        self.rows: Sequence[Mapping[str, str]] = ()
        self.said = ""

    async def show(self, rows: Sequence[Mapping[str, str]], said: str) -> None:
        self.rows, self.said = rows, said


@pytest.fixture
def home(short_path: Path) -> Path:
    """The state of a coordinator that ran A and B and is gone; A holds 50 SPY."""
    keep(short_path, list(paper(holding().records)))
    return short_path


def end_of(
    home: Path, action: str, strategy: str | None = None, page: Page | None = None, **where: Any
) -> State[Any]:
    operator = Operator(home, {}, RUN, lambda _: None, leases_folder=home / "leases")
    shown = (page or Page()).show
    return asyncio.run(controlled_state(operator, action, strategy, publish=shown, **where))


def ordered(home: Path) -> list[Entry]:
    """What operators have ordered, as the journal has it."""
    kinds = r.Paused, r.FlattenRequested, r.Resumed, r.Killed, r.Revived
    return read_kinds(home / "PA1" / "journal.db", *kinds)


def test_a_pause_that_nobody_answers_stands_in_the_journal_and_says_who_asked(home: Path) -> None:
    state = end_of(home, "pause", "A")
    assert state.type == DONE
    assert str(state.message).startswith("PA1: A is paused: it opens nothing")
    assert "No coordinator answered" in str(state.message)
    [entry] = ordered(home)
    assert isinstance(entry.record, r.Paused)
    assert (entry.record.strategy, entry.record.by) == ("A", RUN)
    assert end_of(home, "resume", "A").type == DONE
    assert len(ordered(home)) == 2


def test_a_coordinator_that_runs_is_asked_and_its_sentence_is_the_runs_state(
    short_path: Path,
) -> None:
    async def story(door: Door) -> None:
        bench = door.desk.bench
        door.desk.live._journal.append(bench.name.session_id, list(paper(bench.records)))
        operator = Operator(short_path, {}, RUN, lambda _: None)
        page = Page()
        paused = await controlled_state(operator, "pause", "A", publish=page.show)
        unknown = await controlled_state(operator, "flatten", "Aa", publish=page.show)
        killed = await door.ask("kill")
        status = await controlled_state(operator, "status", None, publish=page.show)
        assert (paused.type, unknown.type, status.type) == (DONE, FAILED, DONE)
        assert str(paused.message).startswith("PA1: A is paused")
        assert "No coordinator" not in str(paused.message)
        assert "did you mean 'A'? (known: A)" in str(unknown.message)
        assert killed.done
        assert status.message == page.said == "bench on PA1: running, KILLED."
        assert [(row["Strategy"], row["State"], row["Session"]) for row in page.rows] == [
            ("A", "paused", "running")
        ]

    at_the_door(short_path, story)
    assert [(type(e.record).__name__, e.coordinator) for e in ordered(short_path)] == [
        ("Paused", "bench"),
        ("Killed", "bench"),
    ]


def test_status_shows_a_row_for_each_strategy_of_what_does_not_run_as_well(home: Path) -> None:
    page = Page()
    end_of(home, "pause", "B")
    state = end_of(home, "status", page=page)
    assert state.type == DONE
    assert state.message == "No coordinator runs; the journals have: bench on PA1: not running."
    assert [(row["Strategy"], row["State"]) for row in page.rows] == [
        ("A", "-"),
        ("B", "paused"),
    ]


@pytest.mark.parametrize(
    ("action", "strategy", "says"),
    [
        ("pause", None, "takes the name of a strategy"),
        ("flatten", "", "takes the name of a strategy"),
        ("kill", "A", "takes no strategy"),
        ("status", "A", "takes no strategy"),
        ("pause", "Alfa", "known: A, B"),
    ],
)
def test_what_cannot_be_done_fails_with_what_to_do_and_changes_nothing(
    home: Path, action: str, strategy: str | None, says: str
) -> None:
    state = end_of(home, action, strategy)
    assert state.type == FAILED
    assert says in str(state.message)
    assert ordered(home) == []


def test_without_any_books_it_fails_and_says_where_it_looked(short_path: Path) -> None:
    for action, strategy in [("pause", "A"), ("kill", None)]:
        state = end_of(short_path, action, strategy)
        assert state.type == FAILED
        assert str(short_path) in str(state.message)
    assert end_of(short_path, "status").type == DONE


def test_what_could_not_be_sold_from_here_is_red_and_says_what_is_left(home: Path) -> None:
    state = end_of(home, "flatten", "A")
    assert state.type == FAILED
    assert "A holds 50 SPY" in str(state.message)
    assert [type(e.record) for e in ordered(home)] == [r.FlattenRequested]


def test_a_kill_stands_and_a_revival_before_flat_is_refused(home: Path) -> None:
    killed, revived = end_of(home, "kill"), end_of(home, "revive")
    assert (killed.type, revived.type) == (FAILED, FAILED)
    assert "A holds 50 SPY" in str(killed.message)
    assert "is not revived" in str(revived.message)
    assert [type(e.record) for e in ordered(home)] == [r.Killed]


def test_one_of_two_accounts_is_said_by_its_number(home: Path) -> None:
    keep(home, list(paper(holding().records)), account="PA2", name="other")
    assert "--account PA2" in str(end_of(home, "pause", "A").message)
    assert str(end_of(home, "pause", "A", account="PA2").message).startswith("PA2: A is paused")
    assert str(end_of(home, "pause", "A", coordinator="bench").message).startswith("PA1: A is")


@pytest.mark.parametrize(
    "wrong",
    [
        {"action": "reboot"},
        {"action": "reload", "remove": "everything"},
        {"action": ""},
        {"action": "pause", "strategy": "../A"},
        {"action": "pause", "strategy": "A; DROP TABLE records"},
        {"action": "pause", "strategy": "A" * 49},
        {"api_key": "x"},
    ],
)
def test_a_wrong_parameter_is_refused_before_the_run_does_anything(wrong: dict[str, Any]) -> None:
    with pytest.raises((ParameterTypeError, SignatureMismatchError)):
        control.validate_parameters(wrong)


def test_the_form_offers_what_there_is_and_prefect_never_repeats_it() -> None:
    shown = control.parameters.properties
    offered = ["status", "pause", "resume", "flatten", "reload", "kill", "revive"]
    assert shown["action"]["enum"] == offered
    assert control.retries == 0


def test_status_shows_the_accounts_beside_a_damaged_one_and_its_run_is_red(home: Path) -> None:
    (home / "PA0").mkdir()
    (home / "PA0" / "journal.db").write_bytes(b"something else" * 100)
    page = Page()
    state = end_of(home, "status", page=page)
    assert (state.type, bool(page.rows)) == (FAILED, True)
    assert "Not shown: " in (state.message or "")
    assert "bench on PA1: not running." in (state.message or "")
