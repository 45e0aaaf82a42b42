"""Every command there is: its example, its JSON, its failures, its completion."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from typer.main import get_command

from cli.app import app
from coordinator.config import default_config
from tests.cli.conftest import ROOT, Said, Shell
from tests.cli.test_sql import fill_warehouse
from tests.coordinator.test_readers import holding, keep, paper

Command = Callable[[Sequence[str]], Said]
COMMANDS = sorted(get_command(app).commands)
CONFIG = str(ROOT / "configs" / "multi_trader_simple.json")

# Without options these print what a program may want to read; `sql` needs its question.
DATA = {
    "validate": ["--config", CONFIG],
    "strategies": [],
    "status": [],
    "revive": [],
    "end-of-day": [],
    "export": [],
    "sql": ["SELECT session_id, net_pnl FROM pnl_daily"],
    "compare": ["Alpha", "Beta"],
    "report": [],
    "new-strategy": ["my_edge"],
    "run": ["--simulate", "--config", "off.json"],
}
SWITCHED_OFF = {
    "strategies": [{"name": "A", "strategy_type": "rsi", "tickers": ["SPY"], "enabled": False}]
}
# What fails, its exit code, and a word of the sentence that says what to do.
FAILURES = [
    (["run", "--config", "no.json"], 2, "give the path of a JSON file"),
    (["run", "--live", "--simulate"], 2, "give one or the other"),
    (["run", "--simulate", "--strategies", "x"], 2, "add --config FILE"),
    (["run", "--clock-speed", "0"], 2, "such as 1 or 600"),
    (["validate", "--config", "no.json"], 2, "give the path of a JSON file"),
    (["validate", "--config", "no.json", "--json"], 2, ""),
    (["validate"], 2, "--config"),
    (["backtest", "--config", CONFIG, "--bars", "no.parquet"], 2, "give --bars a Parquet or CSV"),
    (["strategies", "momentun"], 2, "did you mean 'momentum'?"),
    (["strategies", "--strategies", "nowhere"], 2, "multi-trader new-strategy NAME"),
    (["new-strategy", "My Edge"], 2, "such as my_edge"),
    (["new-strategy"], 2, "NAME"),
    (["pause", "Nobody"], 2, "Does MULTI_TRADER_HOME name"),
    (["resume", "Nobody"], 2, "Does MULTI_TRADER_HOME name"),
    (["flatten", "Nobody"], 2, "Does MULTI_TRADER_HOME name"),
    (["explain", "Nobody"], 1, "multi-trader status"),
    (["kill"], 2, "Does MULTI_TRADER_HOME name"),
    (["kill", "--json"], 2, "Does MULTI_TRADER_HOME name"),
    (["reconcile"], 2, "APCA_API_KEY_ID"),
    (["end-of-day", "--session", "none"], 2, "There is none at all"),
    (["sql", "SELECT 1"], 1, "multi-trader end-of-day"),
    (["compare", "Alpha", "Beta"], 1, "multi-trader end-of-day"),
    (["report", "--session", "none"], 1, "warehouse"),
    (["export"], 1, "warehouse"),
    (["simulator", "--port", "x"], 2, "x"),
    (["simulator", "--bars", "no.parquet"], 2, "no.parquet"),
]


@pytest.mark.parametrize("name", COMMANDS)
def test_each_explains_itself_by_an_example_that_it_understands(
    command: Command, name: str
) -> None:
    said = command([name, "--help"])
    assert said.code == 0
    examples = said.out.partition("Example:\n")[2].partition("\n\n")[0].splitlines()
    assert examples
    for example in examples:
        words = example.split()
        assert words[:2] == ["multi-trader", name]
        for option in (word for word in words if word.startswith("--")):
            assert f"{option} " in said.out, example


@pytest.mark.parametrize("name", COMMANDS)
def test_each_shows_its_use_as_it_is_typed(command: Command, name: str) -> None:
    usage = command([name, "--help"]).out.partition("\n\n")[0]
    assert usage.startswith(f"Usage: multi-trader {name} [OPTIONS]")
    assert not re.search(r"[{}]|\[\[", usage)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_refuses_an_option_that_it_does_not_know(command: Command, name: str) -> None:
    said = command([name, "--no-such-option"])
    assert said.code == 2
    assert "No such option: --no-such-option" in said.err
    assert said.out == ""


@pytest.mark.parametrize("name", COMMANDS)
def test_each_offers_json(command: Command, name: str) -> None:
    assert re.search(r"--json +Print .*JSON", command([name, "--help"]).out)


@pytest.mark.thorough
@pytest.mark.parametrize("name", DATA)
def test_each_that_prints_data_prints_it_as_json_too(
    command: Command, tmp_path: Path, name: str
) -> None:
    fill_warehouse(tmp_path / "state" / "warehouse.duckdb")
    (tmp_path / "off.json").write_text(json.dumps(SWITCHED_OFF))
    said = command([name, *DATA[name], "--json"])
    assert said.code == 0, said.err
    json.loads(said.out)


@pytest.mark.thorough
def test_an_export_says_how_much_it_wrote_and_where(command: Command, tmp_path: Path) -> None:
    fill_warehouse(tmp_path / "state" / "warehouse.duckdb")
    rows = sum(json.loads(command(["export", "--json"]).out)["rows"].values())
    said = command(["export", "--to", str(tmp_path / "books")])
    tables = [each for each in (tmp_path / "books").iterdir() if each.is_dir()]
    assert said.out == f"{rows:,} rows of {len(tables)} tables in {tmp_path / 'books'}\n"


@pytest.mark.parametrize(("words", "code", "told"), FAILURES, ids=lambda value: str(value)[:40])
def test_each_failure_ends_with_its_code_and_says_what_to_do(
    command: Command, words: list[str], code: int, told: str
) -> None:
    said = command(words)
    assert said.code == code, said
    assert told in said.err
    assert "Traceback" not in said.err
    assert "--json" in words or said.out == ""


def test_no_command_that_can_fail_is_left_out() -> None:
    never = {"status", "top", "revive"}  # without an account there is nothing to fail at
    tried = {words[0] for words, _, _ in FAILURES}
    assert set(COMMANDS) - tried - never <= {"reload", "import-account"}


def completions(shell: Shell, line: str) -> list[str]:
    """What bash offers after this line, by the script that `--show-completion` prints."""
    bin_folder = shell.folder / "bin"
    bin_folder.mkdir(exist_ok=True)
    command = bin_folder / "multi-trader"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m cli "$@"\n')
    command.chmod(0o700)
    script = (
        'eval "$(multi-trader --show-completion bash)"\n'
        f'COMP_WORDS=({line}) COMP_LINE="{line}"\n'
        '[[ $COMP_LINE == *" " ]] && COMP_WORDS+=("")\n'
        "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
        "_multi_trader_completion multi-trader\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        cwd=shell.folder,
        env={**shell.environment, "PATH": f"{bin_folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@pytest.mark.thorough
@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes_commands_options_and_strategy_types(shell: Shell) -> None:
    assert completions(shell, "multi-trader va") == ["validate"]
    assert set(completions(shell, "multi-trader ")) == set(COMMANDS)
    assert completions(shell, "multi-trader run --strat") == ["--strategies"]
    assert completions(shell, "multi-trader strategies mom") == ["momentum"]
    assert completions(shell, "multi-trader run --log-level W") == ["WARNING"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes_the_names_of_strategies_that_have_books_else_the_built_in_ones(
    shell: Shell,
) -> None:
    assert completions(shell, "multi-trader explain SPY") == ["SPY_Adaptive"]
    keep(shell.home, [*paper(holding().records)])
    for command in ("explain", "pause", "resume", "flatten", "compare", "compare A"):
        assert completions(shell, f"multi-trader {command} ") == ["A", "B"], command
    assert completions(shell, "multi-trader pause B") == ["B"]


def test_help_says_how_to_have_completion(command: Command) -> None:
    said = command(["--help"])
    assert re.search(r"--install-completion +Install completion for the current shell", said.out)


def test_the_built_in_configuration_needs_no_folder() -> None:
    assert {one.strategy.source_digest for one in default_config().strategies} == {""}


@pytest.mark.parametrize("command", ["status", "top", "explain", "reload"])
def test_looking_at_a_session_imports_nothing_that_reaches_a_broker(
    shell: Shell, command: str
) -> None:
    heavy = "{'alpaca', 'pandas', 'pyarrow', 'requests'} & set(sys.modules)"
    script = f"import sys; from cli.app import app\ntry: app()\nfinally: print('heavy:', {heavy})"
    name = ["A"] if command == "explain" else []
    done = subprocess.run(
        [sys.executable, "-c", script, command, *name],
        cwd=shell.folder,
        env=shell.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.endswith("heavy: set()\n"), done.stderr
