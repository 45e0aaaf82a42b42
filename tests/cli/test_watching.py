"""What docs/watching.md says is true: its commands run, its words are those that are used."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_type_hints

import pytest

from coordinator.core.alerts import AlertKind
from coordinator.core.explanation import Did
from coordinator.shell import log_files
from tests.cli.conftest import ROOT, Said
from tests.cli.test_explain import home as home
from tests.cli.test_explain import said

Command = Callable[[Sequence[str]], Said]
PAGE = (ROOT / "docs" / "watching.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [
    words[1:]
    for kind, text in BLOCKS
    if kind == "bash"
    for line in text.splitlines()
    if (words := shlex.split(line, comments=True))[0] == "multi-trader"
]
LOOKS = [words for words in COMMANDS if words[0] in ("status", "top", "explain")]
OF_THE_SESSION = {"SPY_Adaptive": "A", "stocks_only": "bench"}
"""What the session that a test runs calls what the page's one does."""


@pytest.mark.parametrize("words", LOOKS, ids=" ".join)
def test_each_look_shows_something_of_a_session_that_runs(
    command: Command, home: Path, words: list[str]
) -> None:
    answer = said(command, home, *(OF_THE_SESSION.get(word, word) for word in words))
    if words[0] == "status":  # the session's journal is not what this test is about
        assert answer.code == 0
        return
    assert (answer.code, answer.err) == (0, "")
    assert ("SPY" if words[0] == "explain" else "bench") in answer.out
    if "--json" in words:
        assert json.loads(answer.out)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_each_command_and_option_exists(command: Command, words: list[str]) -> None:
    answer = command([words[0], "--help"])
    assert answer.code == 0
    for option in (word for word in words if word.startswith("--")):
        assert f"{option} " in answer.out


def test_every_word_of_a_decision_is_in_the_table() -> None:
    told = {word for line in PAGE.splitlines() for word in re.findall(r"^\| (`.*?`) \|", line)}
    assert {w for words in told for w in re.findall(r"`(\w+)`", words)} == set(Did)


def test_the_fields_of_a_line_and_the_kinds_of_alerts_are_those_that_are_written() -> None:
    for name in get_type_hints(log_files.About):
        assert f"`{name}`" in PAGE
    for kind in AlertKind:
        assert f"`{kind.value}`" in PAGE
    assert f"{log_files.MOST_FILES} files of {log_files.MOST_BYTES / 1e6:.0f} MB" in PAGE
    assert f"{log_files.STRATEGY_FILES} files of {log_files.STRATEGY_BYTES / 1e6:.1f} MB" in PAGE


def test_the_pictures_are_there_and_fetch_nothing() -> None:
    for name in re.findall(r"!\[\w+\]\((.*?)\)", PAGE):
        picture = (ROOT / "docs" / name).read_text()
        assert picture.startswith("<svg")
        assert set(re.findall(r"https?://[\w./-]+", picture)) <= {
            "http://www.w3.org/2000/svg",
            "https://www.textualize.io",
        }
