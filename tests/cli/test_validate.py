"""`validate` names every error of a configuration with its place, or says that there is none."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Said

Command = Callable[[Sequence[str]], Said]
CONFIGS = sorted(
    path for path in (ROOT / "configs").glob("*.json") if not path.name.endswith(".schema.json")
)


@pytest.mark.parametrize("path", CONFIGS, ids=[path.name for path in CONFIGS])
def test_each_configuration_that_we_ship_is_valid(command: Command, path: Path) -> None:
    said = command(["validate", "--config", str(path)])
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(f"{path}: valid: ")
    assert said.out.count("\n") == 1


def test_the_one_line_counts_what_will_run(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    one = {"name": "A", "strategy_type": "rsi", "tickers": ["SPY", "BTC/USD"]}
    two = {"name": "B", "strategy_type": "rsi", "tickers": ["SPY"], "initial_cash": 2500.5}
    off = {"name": "C", "strategy_type": "rsi", "tickers": ["QQQ"], "enabled": False}
    path.write_text(json.dumps({"strategies": [one, two, off]}))
    assert command(["validate", "--config", str(path)]).out == (
        f"{path}: valid: 2 of 3 strategies enabled, 2 tickers, "
        "$12,500.50 of initial cash, mode paper.\n"
    )


def test_every_error_comes_at_once_with_its_path(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "wrong.json"
    strategies = [
        {"name": "A", "strategy_type": "rsi", "tickers": ["spy"]},
        {"name": "A", "strategy_type": "rsy", "tickers": ["QQQ"], "initial_cash": -1},
        {"name": "B", "strategy_type": "rsi", "tickers": ["QQQ"], "risk_config": {"max_los": 1}},
    ]
    path.write_text(json.dumps({"strategies": strategies}))
    said = command(["validate", "--config", str(path)])
    assert said.code == 2
    assert said.out == ""
    for place in (
        "strategies[0].tickers[0]",
        "strategies[1].strategy_type",
        "strategies[1].initial_cash",
        "strategies[2].risk_config.max_los",
    ):
        assert place in said.err


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (None, "No such file"),
        (b"", "$"),
        (b"{", "line 1"),
        (b"[]", "$"),
        (b"\xff\xfe", "UTF-8"),
        (b'{"strategies": []}', "strategies"),
    ],
    ids=["absent", "empty", "cut off", "a list", "not text", "no strategies"],
)
def test_a_file_that_is_no_configuration_is_one_clear_error(
    command: Command, tmp_path: Path, content: bytes | None, named: str
) -> None:
    path = tmp_path / "odd.json"
    if content is not None:
        path.write_bytes(content)
    said = command(["validate", "--config", str(path)])
    assert said.code == 2
    assert str(path) in said.err
    assert named in said.err
    assert "Traceback" not in said.err


def test_shadows_that_no_session_would_take_are_told(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "mixed.json"
    live = {"name": "A", "strategy_type": "rsi", "tickers": ["SPY"]}
    ghost = {"name": "B", "strategy_type": "rsi", "tickers": ["BTC/USD"], "mode": "shadow"}
    path.write_text(json.dumps({"strategies": [live, ghost]}))
    said = command(["validate", "--config", str(path)])
    assert (said.code, said.out.count("valid")) == (0, 1)
    assert said.err.startswith("but `multi-trader run` will refuse it: the shadow strategies B are")


def test_a_pair_that_no_session_would_trade_is_told(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "pairs.json"
    pairs = {"name": "A", "strategy_type": "rsi", "tickers": ["BTC/USD", "ETH/BTC"]}
    path.write_text(json.dumps({"strategies": [pairs]}))
    said = command(["validate", "--config", str(path)])
    assert (said.code, said.out.count("valid")) == (0, 1)
    assert said.err.startswith("but `multi-trader run` will refuse it: ETH/BTC: pairs are traded")
    as_json = command(["validate", "--config", str(path), "--json"])
    assert (json.loads(as_json.out)["valid"], as_json.err) == (True, said.err)


def test_pairs_that_are_written_as_stocks_and_more_stocks_than_are_free_are_told(
    command: Command, tmp_path: Path
) -> None:
    def told(feed: str, *tickers: str) -> str:
        path = tmp_path / "many.json"
        one = {"name": "A", "strategy_type": "rsi", "tickers": tickers}
        path.write_text(json.dumps({"feed": feed, "strategies": [one]}))
        said = command(["validate", "--config", str(path)])
        assert (said.code, f"valid: 1 of 1 strategy enabled, {len(tickers)} " in said.out) == (
            0,
            True,
        )
        return said.err

    many = [f"A{chr(65 + number // 26)}{chr(65 + number % 26)}" for number in range(31)]
    assert "free plan streams 30 stocks, and these are 31" in told("iex", *many)
    assert told("iex", *many[1:], "BTC/USD") == ""
    assert told("sip", *many) == ""
    assert told("iex", "SPY", "BTCUSD") == "but BTCUSD is a stock here; the coin is BTC/USD.\n"


@pytest.mark.parametrize(
    ("text", "repair"),
    [
        ('{"strategies": [{"name": "A",}]}', "remove the comma before the }"),
        ('{"strategies": [\n  1,\n]}', "remove the comma before the ]"),
        ("{'strategies': []}", "write \" in place of '"),
        ('{\n  // mine\n  "strategies": []}', "(line 2, column 3); remove the comment"),
        ('# mine\n{"strategies": []}', "remove the comment"),
        ('{"strategies": [{"enabled": True}]}', "write true in place of True"),
        ('{"strategies" []}', "correct it there"),
    ],
)
def test_what_json_is_not_is_told_with_its_repair(
    command: Command, tmp_path: Path, text: str, repair: str
) -> None:
    path = tmp_path / "odd.json"
    path.write_text(text)
    said = command(["validate", "--config", str(path)])
    assert (said.code, repair in said.err) == (2, True), said.err
