"""Wrong arguments: one sentence on stderr, exit 2, nothing on stdout, and nothing started."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.cli.conftest import Said

Command = Callable[[Sequence[str]], Said]

WRONG = [
    # arguments                                            what the sentence must name
    (["fly"], "No such command 'fly'"),
    (["rum"], "Did you mean 'run'"),
    (["--fly"], "No such option: --fly"),
    (["run", "my.json"], "my.json needs its option: --config my.json"),
    (["validate", "my config.json"], "--config 'my config.json'"),
    (["backtest", "--config", "a.json", "bars.PARQUET"], "needs its option: --bars bars.PARQUET"),
    (["run", "SPY"], "unexpected extra argument(s) (SPY)"),
    (["run", "--cofnig", "a.json"], "--config"),
    (["run", "--live", "--simulate"], "--live trades real money"),
    (["run", "--live", "--bars", "bars.parquet"], "--live trades real money"),
    (["run", "--live", "--date", "2026-03-17"], "--live trades real money"),
    (["run", "--source", "yahoo"], "--source yahoo names a set of a bars file"),
    (["run", "--simulate", "--source", "yahoo"], "add --bars FILE"),
    (["run", "--date", "2026-03-17", "--source", "yahoo"], "add --bars FILE"),
    (["run", "--fill-model", "close"], "--fill-model is the simulator's"),
    (["run", "--live", "--fill-model", "close"], "--fill-model is the simulator's"),
    (["run", "--date", "17.03.2026"], "'17.03.2026' is not a date; write it as 2026-03-17"),
    (["run", "--date", "2026-02-30"], "'2026-02-30' is not a date"),
    (["run", "--date", "0001-01-01"], "is not a date from 1991-01-01 to 2189-12-31"),
    (["run", "--date", "1990-12-31"], "'1990-12-31' is not a date from 1991-01-01"),
    (["simulator", "--date", "9999-12-31"], "'9999-12-31' is not a date from 1991-01-01"),
    (["run", "--date", "tomorrow"], "'tomorrow' is not a date"),
    (["run", "--date", ""], "'' is not a date"),
    (["run", "--date"], "'--date' requires an argument"),
    (["run", "--clock-speed", "0"], "'0' is not a number above 0"),
    (["run", "--clock-speed", "-1"], "'-1' is not a number above 0"),
    (["run", "--clock-speed", "nan"], "'nan' is not a number above 0"),
    (["run", "--clock-speed", "inf"], "'inf' is not a number above 0"),
    (["run", "--clock-speed", "fast"], "'fast' is not a number above 0"),
    (["run", "--min-warmup-bars", "-1"], "'-1' is not a whole number from 0 to 100000"),
    (["run", "--min-warmup-bars", "100001"], "'100001' is not a whole number from 0 to 100000"),
    (["run", "--min-warmup-bars", "5.5"], "'5.5' is not a whole number"),
    (["run", "--log-level", "LOUD"], "'LOUD' is not one of DEBUG, INFO, WARNING, ERROR"),
    (["validate"], "Missing option '--config'"),
    (["validate", "--config", "a.json", "b.json"], "unexpected extra argument(s) (b.json)"),
    (["sql"], "Missing argument"),
    (["sql", "SELECT 1", "SELECT 2"], "unexpected extra argument(s) (SELECT 2)"),
    (["sql", "--json", "--csv", "SELECT 1"], "--json and --csv are two formats"),
    (["end-of-day", "S1"], "unexpected extra argument(s) (S1)"),
    (["end-of-day", "--session"], "'--session' requires an argument"),
    (["report", "--session"], "'--session' requires an argument"),
    (["simulator", "--source", "yahoo"], "add --bars FILE"),
    (["simulator", "--port", "65536"], "'65536' is not a whole number from 0 to 65535"),
    (["simulator", "--port", "http"], "'http' is not a whole number"),
    (["simulator", "--seed", "x"], "'x' is not a whole number"),
    (["simulator", "--clock-speed", "0"], "'0' is not a number above 0"),
    (["simulator", "--date", "2026-13-01"], "'2026-13-01' is not a date"),
]


@pytest.mark.parametrize(("args", "named"), WRONG, ids=[" ".join(args) for args, _ in WRONG])
def test_a_wrong_argument_is_named_and_nothing_is_done(
    command: Command, tmp_path: Path, args: list[str], named: str
) -> None:
    said = command(args)
    assert said.code == 2
    assert named in said.err
    assert said.out == ""
    assert "Traceback" not in said.err
    assert not (tmp_path / "state").exists()
