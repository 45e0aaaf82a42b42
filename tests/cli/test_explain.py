"""`multi-trader explain`: a session that runs says why; without one it says what to do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.cli.conftest import Said
from tests.coordinator.at_the_door import Door, at_the_door

Command = Callable[[Sequence[str]], Said]


def said(command: Command, home: Path, *args: str) -> Said:
    """What the command answers while a session of A on SPY and QQQ runs."""
    found: list[Said] = []

    async def story(_: Door) -> None:
        found.append(await asyncio.to_thread(command, args))

    at_the_door(home, story)
    return found[0]


@pytest.fixture
def home(short_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state folder of the command and of the session."""
    monkeypatch.setenv("MULTI_TRADER_HOME", str(short_path))
    return short_path


def test_it_says_what_the_strategy_saw_and_did(command: Command, home: Path) -> None:
    answer = said(command, home, "explain", "A", "spy")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("A (says) on SPY, at 2026-03-17 13:40:00 UTC")
    for words in (
        "Last bar           ended 2026-03-17 13:31:00 UTC, close 100",
        "Bars               1 seen, 0 needed",
        "Position           none",
        "Decision           entry: Order A.2026-03-17.1 (signal): buy 99.0099",
    ):
        assert words in answer.out
    assert "QQQ" not in answer.out


def test_all_its_tickers_as_json(command: Command, home: Path) -> None:
    answer = said(command, home, "explain", "A", "--json")
    assert [(one["ticker"], one["did"]) for one in json.loads(answer.out)] == [
        ("SPY", "entry"),
        ("QQQ", "no_signal"),
    ]


def test_a_name_that_does_not_trade_is_refused_and_those_that_do_are_named(
    command: Command, home: Path
) -> None:
    for args, words in [
        (("B",), "PA1 bench: no strategy 'B' trades here; there are: A."),
        (("A", "TLT"), "A does not trade TLT; it trades SPY, QQQ."),
        (("A", "two words"), "Not to be explained: ticker"),
    ]:
        answer = said(command, home, "explain", *args)
        assert (answer.code, answer.out) == (2, "")
        assert words in answer.err


def test_without_a_coordinator_it_says_what_to_do_next(command: Command) -> None:
    answer = command(["explain", "A"])
    assert (answer.code, answer.out) == (1, "")
    assert "No coordinator that runs answers" in answer.err
    assert "multi-trader run" in answer.err
    assert "What a strategy did in one that has ended is in `multi-trader report`" in answer.err
    other = command(["explain", "A", "--account", "PA9", "--coordinator", "x"])
    assert "for account PA9 and coordinator x" in other.err
