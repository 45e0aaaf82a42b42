"""What the README says is true: its commands exist, its configuration is valid, its queries run."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from coordinator.config import parse_config
from tests.cli.conftest import ROOT, Said
from tests.cli.test_sql import fill_warehouse

Command = Callable[[Sequence[str]], Said]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
LINES = [line for kind, text in BLOCKS if kind == "bash" for line in text.splitlines() if line]
COMMANDS = [
    words[1:] for line in LINES if (words := shlex.split(line, comments=True))[0] == "multi-trader"
]
NAMED = re.findall(r"`(configs/[\w./]+)`|(configs/\S+\.json)|\]\(([\w./]+)\)", README)


def test_there_is_something_to_hold_true() -> None:
    assert {words[0] for words in COMMANDS} >= {"run", "validate", "status", "sql", "report"}


@pytest.mark.parametrize("words", COMMANDS, ids=[" ".join(words) for words in COMMANDS])
def test_each_command_and_option_exists(command: Command, words: list[str]) -> None:
    said = command([words[0], "--help"])
    assert said.code == 0
    for option in (word for word in words if word.startswith("--")):
        assert f"{option} " in said.out


@pytest.mark.parametrize(
    "target", sorted({target for line in LINES for target in re.findall(r"\bmake ([a-z-]+)", line)})
)
def test_each_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_each_file_that_is_named_exists() -> None:
    paths = {path for found in NAMED for path in found if path}
    assert "docs/sql.md" in paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_configuration_is_valid() -> None:
    (text,) = [text for kind, text in BLOCKS if kind == "json"]
    assert [one.name for one in parse_config(json.loads(text), "README").strategies] == [
        "SPY_Adaptive"
    ]


def test_the_queries_have_answers(command: Command, tmp_path: Path) -> None:
    fill_warehouse(tmp_path / "state" / "warehouse.duckdb")
    queries = [words for words in COMMANDS if words[0] == "sql"]
    assert queries
    for words in queries:
        said = command([*words, "--csv"])
        assert (said.code, said.err) == (0, "")
        assert said.out.count("\n") > 1
