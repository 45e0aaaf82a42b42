"""docs/strategies.md is true: its files work, its commands run in the order in which they stand."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from pydantic import ValidationError

from coordinator import MultiTickerStrategy
from coordinator.commands.new_strategy import new_strategy
from coordinator.config import load_config
from coordinator.shell.isolation import Budget
from coordinator.strategies.registry import GROUP, registered_types
from coordinator.testing import assert_deterministic, replay, walk
from tests.cli.conftest import ROOT, Said, Shell

Command = Callable[[Sequence[str]], Said]
PAGE = (ROOT / "docs" / "strategies.md").read_text(encoding="utf-8")
BLOCKS: list[tuple[str, str, str]] = re.findall(
    r"(?:^`([\w./]+)`:\n\n)?^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL
)
FILES = {name: text for name, _, text in BLOCKS if name}
SPAN = re.compile(r"`([^`]+)`")
LINES = [line for _, kind, text in BLOCKS if kind == "bash" for line in text.splitlines()]


def write_files(folder: Path) -> None:
    (folder / "strategies").mkdir(mode=0o700)
    for name, text in FILES.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)


def test_every_block_is_a_file_a_command_or_the_entry_point() -> None:
    others = [kind for name, kind, _ in BLOCKS if not name and kind != "bash"]
    assert others == ["text", "toml"], "what is printed, and the entry point"
    assert len(FILES) == 10
    assert {shlex.split(line)[0] for line in LINES} == {"multi-trader", "pytest", "python"}


def test_the_strategy_that_it_shows_is_the_one_that_is_written(tmp_path: Path) -> None:
    strategy, _ = new_strategy("my_edge", tmp_path)
    assert strategy.read_text() == FILES["strategies/my_edge.py"]


@pytest.mark.parametrize("kind", ["my_edge", "breakout", "fading"])
def test_each_strategy_trades_and_depends_on_its_bars_alone(tmp_path: Path, kind: str) -> None:
    write_files(tmp_path)
    strategy = registered_types(tmp_path / "strategies")[kind]()
    assert {1, -1} <= set(replay(strategy, walk(400)))
    assert_deterministic(strategy, walk(100))


@pytest.mark.thorough
def test_the_pair_trades_both_ways_and_depends_on_its_bars_alone(tmp_path: Path) -> None:
    write_files(tmp_path)
    pair = registered_types(tmp_path / "strategies")["pair"]()
    bars = {ticker: walk(400, seed=n, ticker=ticker) for n, ticker in enumerate(("SPY", "QQQ"))}
    assert isinstance(pair, MultiTickerStrategy)
    found = replay(pair, bars)
    for signals in ((1, -1), (-1, 1), (-1, -1)):
        assert dict(zip(bars, signals, strict=True)) in found
    assert_deterministic(pair, bars)


def test_what_a_strategy_explains_is_what_it_remembers(tmp_path: Path) -> None:
    write_files(tmp_path)
    step = registered_types(tmp_path / "strategies")["fading"]().start()
    for bar in walk(3):
        step(bar)
    explain = getattr(step, "__self__").explain  # noqa: B009
    assert set(explain()) == {"average"}
    assert 99 < explain()["average"] < 101


def test_the_configuration_is_valid(tmp_path: Path) -> None:
    write_files(tmp_path)
    (strategy,) = load_config(tmp_path / "my.json").strategies
    assert (strategy.name, strategy.strategy_params) == ("SPY_Edge", {"lookback": 15})
    beside = load_config(tmp_path / "shadow.json")
    assert [one.name for one in beside.shadows] == ["SPY_Faster"]
    (pair,) = load_config(tmp_path / "pair.json").strategies
    assert pair.tickers == ("SPY", "QQQ")


def test_the_entry_point_is_of_the_group_that_is_looked_at() -> None:
    (text,) = [text for _, kind, text in BLOCKS if kind == "toml"]
    assert list(tomllib.loads(text)["project"]["entry-points"]) == [GROUP]


def test_each_message_that_it_explains_is_one_that_is_said() -> None:
    rows = re.findall(r"^\| (`[^|]*`.*?) \|", PAGE.partition("| message |")[2], re.MULTILINE)
    files = (file for place in ("coordinator", "cli") for file in (ROOT / place).rglob("*.py"))
    said = "".join(file.read_text() for file in files)
    said = re.sub(r'"\n\s*f?"', "", said)
    with pytest.raises(ValidationError) as of_pydantic:
        registered_types()["momentum"]().lookback = 3
    said += str(of_pydantic.value)
    words = [
        part for row in rows for span in SPAN.findall(row) for part in re.split(r"\.\.\.|: ", span)
    ]
    assert len(words) >= 9
    assert [word for word in words if word.strip(" :") not in said] == []


def test_the_limits_that_it_names_are_those_of_a_session() -> None:
    assert (Budget().answer_s, Budget().growth_bytes) == (1.0, 512 * 2**20)


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("multi-trader")])
def test_each_command_and_option_exists(command: Command, line: str) -> None:
    words = shlex.split(line)
    said = command([words[1], "--help"])
    assert said.code == 0
    for option in (word for word in words if word.startswith("--")):
        assert f"{option} " in said.out


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_whole_page_works_in_an_empty_folder(shell: Shell) -> None:
    waiting = dict(FILES)
    for name, kind, text in BLOCKS:
        if name == "strategies/my_edge.py":
            assert (shell.folder / name).read_text() == text
        elif name:
            (shell.folder / name).write_text(text)
            (shell.folder / name).chmod(0o600)
            del waiting[name]
        elif kind == "bash":
            for line in text.splitlines():
                run(shell, line)
    assert list(waiting) == ["strategies/my_edge.py"]


def run(shell: Shell, line: str) -> None:
    """Runs a line of the page, a session as fast as it goes."""
    words = shlex.split(line)
    module = {"multi-trader": ["-m", "cli"], "pytest": ["-m", "pytest"], "python": []}[words[0]]
    faster = ["--clock-speed", "20000"] if words[:2] == ["multi-trader", "run"] else []
    done = subprocess.run(
        [sys.executable, *module, *words[1:], *faster],
        cwd=shell.folder,
        env={**shell.environment, "PYTEST_ADDOPTS": "-p no:cacheprovider"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        preexec_fn=lambda: os.umask(0o077),
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
