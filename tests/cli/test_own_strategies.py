"""`multi-trader new-strategy` and `strategies`: from nothing to a strategy of one's own."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from coordinator.strategies.registry import BUILT_IN
from tests.backtest.recording import MONDAY, TUESDAY, write_recording
from tests.cli.conftest import Said, Shell

Command = Callable[[Sequence[str]], Said]


TALKING = """
from coordinator import Strategy, Window

print("imported")


class Talking(Strategy):
    strategy_type = "talking"
    lookback: Window = 2

    def signal(self, bars):
        print("stepped")
        return 0
"""


def write_config(place: Path, kind: str, **more: Any) -> str:
    one = {"name": "Mine", "strategy_type": kind, "tickers": ["SPY"], "min_warmup_bars": 5}
    place.write_text(json.dumps({"strategies": [one], **more}))
    return str(place)


@pytest.mark.thorough
@pytest.mark.parametrize("options", [[], ["--together"]])
def test_what_it_writes_works_as_it_is(shell: Shell, options: list[str]) -> None:
    made = shell.run("new-strategy", "my_edge", *options)
    assert (made.returncode, made.stderr) == (0, "")
    files = sorted((shell.folder / "strategies").iterdir())
    assert [file.name for file in files] == ["my_edge.py", "test_my_edge.py"]
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "strategies"],
        cwd=shell.folder,
        env=shell.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout
    assert "4 passed" in tested.stdout
    config = write_config(shell.folder / "my.json", "my_edge", strategies_dir="strategies")
    assert shell.run("validate", "--config", config).returncode == 0


@pytest.mark.parametrize("options", [[], ["--together"]])
def test_what_it_writes_is_well_formed(
    command: Command, tmp_path: Path, options: list[str]
) -> None:
    name = "long_name_of_mine_strategy"
    assert command(["new-strategy", name, "--dir", "a/b", *options]).code == 0
    written = tmp_path / "a" / "b"
    for check in (["check", "--select", "E,F,W,UP,B,SIM,RUF"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *check, "--isolated", "--line-length", "100", written],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
    base = "MultiTickerStrategy" if options else "Strategy"
    assert f"class LongNameOfMineStrategy({base})" in (
        written / "long_name_of_mine_strategy.py"
    ).read_text(encoding="utf-8")


def test_what_it_writes_nobody_else_can_write_to(command: Command, tmp_path: Path) -> None:
    command(["new-strategy", "my_edge"])
    for path in (tmp_path / "strategies", *(tmp_path / "strategies").iterdir()):
        assert not path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH)


@pytest.mark.parametrize("existing", ["my_edge.py", "test_my_edge.py"])
def test_a_file_that_exists_is_left_as_it_is(
    command: Command, tmp_path: Path, existing: str
) -> None:
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / existing).write_text("mine")
    said = command(["new-strategy", "my_edge"])
    assert said.code == 2
    assert said.err == (
        f"Error: strategies/{existing}: exists, and is left as it is; choose another name.\n"
    )
    assert [file.read_text() for file in (tmp_path / "strategies").iterdir()] == ["mine"]


@pytest.mark.parametrize("folder", ["notes.txt", "notes.txt/mine"])
def test_a_folder_that_cannot_be_written_to_is_refused_with_what_to_do(
    command: Command, tmp_path: Path, folder: str
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    said = command(["new-strategy", "my_edge", "--dir", folder])
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"Error: {folder}: no strategy can be written there (")
    assert said.err.endswith("): name another folder by --dir.\n")


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("My-Edge", "my_edge"),
        ("2fast", "my_strategy"),
        ("a/b", "a_b"),
        ("../evil", "evil"),
        ("class", "my_strategy"),
        ("", "my_strategy"),
        ("über", "ber"),
        ("x" * 49, "my_strategy"),
        ("json", "my_json"),
        ("pandas", "my_pandas"),
        ("coordinator", "my_coordinator"),
        ("momentum", "my_momentum"),
        ("test_mine", "my_strategy"),
        ("conftest", "my_strategy"),
    ],
)
def test_a_name_that_will_not_do_is_refused_with_a_better_one(
    command: Command, tmp_path: Path, name: str, better: str
) -> None:
    said = command(["new-strategy", name])
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert said.err.endswith(f"such as {better}.\n")
    assert not (tmp_path / "strategies").exists()


def test_every_type_is_listed_with_its_parameters_defaults_ranges_and_a_sentence(
    command: Command,
) -> None:
    said = command(["strategies"])
    assert said.code == 0
    blocks = said.out.strip().split("\n\n")
    assert [block.partition("\n")[0] for block in blocks] == [k.strategy_type for k in BUILT_IN]
    adaptive = " ".join(blocks[0].split())
    assert "+1 when the votes sum to at least 2, -1 when they sum to at most -2." in adaptive
    assert "short_window = 10 integer, 1 to 100000: bars of the short average" in adaptive
    assert adaptive.endswith("short_window < long_window; rsi_oversold < rsi_overbought")


def test_a_type_that_looks_at_its_tickers_together_says_so(command: Command) -> None:
    command(["new-strategy", "my_pick", "--together"])
    told = command(["strategies", "my_pick", "--strategies", "strategies"]).out.splitlines()
    assert told[1] == "  Looks at its tickers together."
    [document] = json.loads(
        command(["strategies", "my_pick", "--strategies", "strategies", "--json"]).out
    )
    assert document["together"] is True


def test_every_built_in_parameter_is_described(command: Command) -> None:
    types = json.loads(command(["strategies", "--json"]).out)
    assert [one["strategy_type"] for one in types] == [kind.strategy_type for kind in BUILT_IN]
    for one in types:
        assert one["summary"], one
        for parameter in one["parameters"]:
            assert parameter["description"], (one["strategy_type"], parameter)
            assert parameter["kind"] in {"integer", "number"}
            assert parameter["range"]
    (momentum,) = [one for one in types if one["strategy_type"] == "momentum"]
    assert momentum["parameters"][1] == {
        "name": "momentum_threshold",
        "kind": "number",
        "required": False,
        "default": 0.02,
        "range": ">= 0",
        "description": "change over n bars, as a fraction: 0.02 is 2 %",
    }


def test_one_type_is_told_whole(command: Command) -> None:
    said = command(["strategies", "adaptive"])
    assert "  The votes: sign(SMA_short - SMA_long);" in said.out
    entry = said.out.rpartition("In a configuration:\n")[2]
    assert json.loads("{" + entry + "}")["strategy_params"]["long_window"] == 30


def test_an_unknown_type_is_refused_with_the_nearest(command: Command) -> None:
    said = command(["strategies", "momentun"])
    assert said.code == 2
    assert "did you mean 'momentum'?" in said.err


OWN = '''\
from typing import Literal

class Mine:
    """Mine alone."""

    strategy_type = "mine"

    def __init__(self, side: Literal["up", "down"], levels: tuple[float, ...] = (1.0,), on=True):
        ...

    def generate_signal(self, bars):
        return 0
'''


def test_ones_own_are_listed_too_and_the_broken_ones_told_with_file_and_line(
    command: Command, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    own.mkdir(mode=0o700)
    for name, text in (("mine", OWN), ("broken", "x = ("), ("fails", OWN.replace("0\n", "0\n1/0"))):
        (own / f"{name}.py").write_text(text.replace("mine", name, 1))
        (own / f"{name}.py").chmod(0o600)
    said = command(["strategies", "--strategies", "own"])
    assert said.code == 2
    assert "own/broken.py:1: is not Python" in said.err
    assert "own/fails.py:13: ZeroDivisionError when it was imported" in said.err
    shown = said.out.rpartition("\n\n")[2]
    assert shown.startswith("mine  (own/mine.py:3)\n  Mine alone.\n")
    assert "side (required)" in shown
    assert "one of up, down" in shown
    assert "levels = [1.0]" in shown
    assert "list of number" in shown
    one = command(["strategies", "mine", "--strategies", "own", "--json"])
    assert one.code == 0
    assert json.loads(one.out)[0]["origin"] == "own/mine.py:3"


def test_a_backtest_and_a_session_run_it_and_tell_where_it_fails(
    command: Command, tmp_path: Path
) -> None:
    assert command(["new-strategy", "my_edge"]).code == 0
    bars = str(write_recording(tmp_path / "bars.parquet", ["SPY"], MONDAY, TUESDAY))
    config = write_config(tmp_path / "my.json", "my_edge")
    ask = ["backtest", "--config", config, "--bars", bars, "--json", "--start", "2026-03-17"]
    refused = command(ask)
    assert refused.code == 2
    assert "unknown strategy type 'my_edge'" in refused.err
    assert 'your own: name its folder, by "strategies_dir" or --strategies DIR' in refused.err
    first = command([*ask, "--strategies", "strategies"])
    assert first.code == 0
    assert json.loads(first.out)["strategies"][0]["fills"] > 0
    file = tmp_path / "strategies" / "my_edge.py"
    file.write_text(file.read_text().replace("closes = [", "closes = [1 / 0 for bar in bars] + ["))
    second = command([*ask, "--strategies", "strategies"])
    assert json.loads(second.out)["strategies"][0]["fills"] == 0
    assert json.loads(second.out)["account"] != json.loads(first.out)["account"]


@pytest.mark.parametrize("sweep", [{}, {"sweep": {"lookback": [2, 3]}}])
def test_what_a_strategy_prints_is_not_mixed_into_the_json_of_a_backtest(
    shell: Shell, sweep: dict[str, Any]
) -> None:
    folder = shell.folder / "own"
    folder.mkdir(mode=0o755)
    (folder / "talking.py").write_text(TALKING)
    one = {"name": "Mine", "strategy_type": "talking", "tickers": ["SPY"], **sweep}
    config = shell.folder / "my.json"
    config.write_text(json.dumps({"strategies_dir": "own", "strategies": [one]}))
    write_recording(shell.folder / "bars.parquet", ["SPY"], MONDAY, MONDAY)
    done = shell.run("backtest", "--config", "my.json", "--bars", "bars.parquet", "--json")
    assert json.loads(done.stdout)["mode"] == "backtest"
    assert {"imported", "stepped"} <= set(done.stderr.split())


@pytest.mark.slow
def test_a_session_runs_ones_own_strategy(shell: Shell) -> None:
    assert shell.run("new-strategy", "my_edge").returncode == 0
    write_recording(shell.folder / "bars.parquet", ["SPY"], MONDAY, TUESDAY)
    config = write_config(shell.folder / "my.json", "my_edge")
    done = shell.run(
        *("run", "--config", config, "--strategies", "strategies", "--bars", "bars.parquet"),
        *("--date", "2026-03-17", "--clock-speed", "20000", "--no-load"),
        deadline_s=110,
    )
    assert done.returncode == 0, done.stderr
    assert "[Mine] 🟢 BUY" in done.stderr
    assert "[Mine]" in done.stdout


def test_strategies_without_a_configuration_are_refused(command: Command) -> None:
    said = command(["run", "--simulate", "--strategies", "strategies"])
    assert said.code == 2
    assert "add --config FILE" in said.err
