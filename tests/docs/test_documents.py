"""What the documents say is true: commands run, configurations are valid, links lead on."""

from __future__ import annotations

import ast
import functools
import importlib.util
import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from cli.app import app
from coordinator.commands.import_plan import parse_plan
from coordinator.config import load_config
from coordinator.core.values import Denial
from docs import configuration
from tests.cli.conftest import Said, Shell, _logging_as_before, command
from tests.cli.test_sql import fill_warehouse
from tests.docs.reading import ROOT, Block, Line, blocks, inline, lines, save_files
from tests.structure.house import PACKAGES
from tests.warehouse.conftest import lively_day
from tests.warehouse.test_docs import two_days
from warehouse import Store, load_session
from warehouse.queries import ask

__all__ = ["_logging_as_before", "command"]  # fixtures
Command = Callable[[Sequence[str]], Said]

LINES = lines()
OURS = [line for line in LINES if line.words[0] == "multi-trader"]
OTHERS = {"cd", "grep", "chmod", "export", "git", "pytest", "source"}
"""Programs of the reader's machine, which a document may name."""
TOLD_ELSEWHERE = {"docs/strategies.md"}
"""tests/cli/test_docs_strategies.py carries out all of it."""
COMMANDS = {
    one.name or one.callback.__name__.replace("_", "-")
    for one in app.registered_commands
    if one.callback is not None
}
OFFLINE = {"validate", "strategies", "new-strategy", "sql", "status"}
"""Commands that need neither a broker nor a session, and are carried out as they stand."""


def test_there_is_something_to_hold_true() -> None:
    documents = {line.document for line in OURS}
    assert {"README.md", "docs/quick-start.md", "docs/migrating.md", "docs/faq.md"} <= documents
    assert len(OURS) > 30


@functools.cache
def help_of(name: str) -> str:
    """What a command says of itself."""
    said = CliRunner().invoke(app, [name, "--help"], prog_name="multi-trader")
    assert said.exit_code == 0, said.output
    return said.stdout


@pytest.mark.parametrize("line", sorted(set(OURS), key=str), ids=str)
def test_each_command_and_option_exists(line: Line) -> None:
    shown = help_of(line.words[1])
    for option in (word for word in line.words if word.startswith("--")):
        assert re.search(rf"{option}[ ,\n]", shown), option


@pytest.mark.parametrize(("document", "name"), inline(r"`multi-trader ([a-z][a-z-]*)"))
def test_each_command_that_prose_names_exists(document: str, name: str) -> None:
    assert name in COMMANDS, document


@pytest.mark.parametrize("line", [one for one in LINES if one not in OURS], ids=str)
def test_every_other_line_names_what_there_is(line: Line) -> None:
    program, *rest = line.words
    if program == "make":
        makefile = (ROOT / "Makefile").read_text()
        targets = [word for word in rest if "=" not in word]
        assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
    elif program == "prefect":
        known = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
        assert rest[:2] == ["deployment", "run"]
        flow, _, name = rest[2].partition("/")
        assert name in {one["name"] for one in known}, flow
    elif program == "python" and rest[0] == "-m":
        assert importlib.util.find_spec(rest[1]) is not None
    elif program == "python":
        assert rest[0] in {block.file for block in blocks("python")}
    else:
        assert program in OTHERS


@pytest.mark.parametrize(
    ("document", "target"), inline(r"\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)"), ids=str
)
def test_each_link_and_picture_leads_to_a_file(document: str, target: str) -> None:
    assert (ROOT / document).parent.joinpath(target).exists()


@pytest.mark.parametrize(("document", "path"), inline(r"`(configs/[\w.-]+)`"))
def test_each_configuration_that_prose_names_exists(document: str, path: str) -> None:
    assert (ROOT / path).exists(), document


@pytest.mark.parametrize(
    "block",
    [b for b in blocks("json") if b.document not in TOLD_ELSEWHERE],
    ids=lambda block: block.document,
)
def test_each_json_block_is_a_configuration_or_a_plan(block: Block, tmp_path: Path) -> None:
    if "moves" in json.loads(block.text):
        assert parse_plan(json.loads(block.text), block.document).moves
        return
    save_files(block.document, tmp_path)
    file = tmp_path / (block.file or "shown.json")
    file.write_text(block.text, encoding="utf-8")
    assert load_config(file).strategies


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.document)
def test_each_python_block_is_python_whose_imports_of_ours_exist(block: Block) -> None:
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PACKAGES:
            found = importlib.import_module(str(node.module))
            assert [one.name for one in node.names if not hasattr(found, one.name)] == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a reader stands: beside the repository's configurations."""
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    return tmp_path


STORIES = sorted({line.document for line in OURS if line.words[1] in OFFLINE} - TOLD_ELSEWHERE)


@pytest.mark.thorough
@pytest.mark.parametrize("document", STORIES)
def test_what_needs_no_broker_is_carried_out_as_it_stands_one_after_another(
    document: str, command: Command, folder: Path
) -> None:
    save_files(document, folder)
    (folder / "state").mkdir()
    fill_warehouse(folder / "state" / "warehouse.duckdb")
    for line in OURS:
        if line.document == document and line.words[1] in OFFLINE:
            said = command(line.words[1:])
            assert said.code == 0, f"{line}\n{said.err}"
            assert said.out or line.words[1] == "status"


@pytest.fixture(scope="module")
def told() -> Iterator[Store]:
    """A warehouse in memory that holds two days."""
    with Store.open(":memory:") as store:
        for source in two_days(lively_day()):
            load_session(store, source)
        yield store


@pytest.mark.parametrize(
    "block", [b for b in blocks("sql") if b.document != "docs/sql.md"], ids=lambda b: b.document
)
def test_each_question_is_answered(told: Store, block: Block) -> None:
    assert ask(told, block.text).columns


SIMULATED = sorted(
    {line for line in OURS if line.words[1] == "run" and "--simulate" in line.words}, key=str
)


@pytest.mark.slow
@pytest.mark.parametrize("line", SIMULATED, ids=str)
def test_a_simulated_session_runs_as_it_stands(line: Line, folder: Path) -> None:
    save_files(line.document, folder)
    done = Shell(folder).run(*line.words[1:], deadline_s=500)
    assert done.returncode == 0, done.stderr
    assert "TOTAL PnL ACROSS ALL STRATEGIES" in done.stdout


def test_the_reference_of_the_configuration_is_what_its_models_say() -> None:
    written = configuration.PAGE.read_text(encoding="utf-8")
    assert written == configuration.page(), "make it anew: python -m docs.configuration"


def test_each_reason_why_an_entry_is_denied_stands_in_the_table_of_them() -> None:
    page = (ROOT / "docs" / "risk.md").read_text(encoding="utf-8")
    table = page.partition("## Why an entry was denied")[2].partition("\n## ")[0]
    reasons = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert sorted(re.findall(r"`(\w+)`", "".join(reasons))) == sorted(Denial)
