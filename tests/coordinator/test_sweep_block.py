"""A `sweep` block: which strategies it makes, what they are called, and what it refuses."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from coordinator.arming import refuse_sweep
from coordinator.config import CoordinatorConfig, config_hash, parse_config
from coordinator.config.sweep_block import SweepRange, variant_names
from coordinator.core.values import NAME_PATTERN
from coordinator.errors import ConfigError, OperatorError

NAMES = st.from_regex(NAME_PATTERN, fullmatch=True)


def document(sweep: object, **entry: Any) -> str:
    kind = {"name": "MA", "strategy_type": "adaptive", "tickers": ["SPY"]} | entry
    return json.dumps({"strategies": [{**kind, "sweep": sweep}]})


def swept(sweep: object, **entry: Any) -> CoordinatorConfig:
    return parse_config(document(sweep, **entry), "test")


def names(config: CoordinatorConfig) -> list[str]:
    return [one.name for one in config.strategies]


def test_every_combination_of_lists_and_ranges_is_a_strategy_named_after_its_values() -> None:
    config = swept({"short_window": {"from": 5, "to": 15, "step": 5}, "rsi_period": [7, 14]})
    assert names(config) == [
        *("MA-sw5-rp7", "MA-sw5-rp14", "MA-sw10-rp7"),
        *("MA-sw10-rp14", "MA-sw15-rp7", "MA-sw15-rp14"),
    ]
    params = config.strategies[3].strategy_params
    assert (params["short_window"], params["rsi_period"], params["long_window"]) == (10, 14, 30)
    assert config.strategies[3].swept == {"short_window": 10, "rsi_period": 14}
    assert {one.sweep_of for one in config.strategies} == {"MA"}


def test_a_combination_that_the_strategy_refuses_is_left_out_and_counted() -> None:
    config = swept({"short_window": [5, 20, 40], "long_window": [10, 30]})
    assert names(config) == ["MA-sw5-lw10", "MA-sw5-lw30", "MA-sw20-lw30"]
    assert config.left_out == 3


def test_tickers_cash_warm_up_and_limits_can_be_swept_as_parameters_are() -> None:
    sweep = {
        "tickers": ["SPY", ["QQQ", "BTC/USD"]],
        "initial_cash": [5000],
        "min_warmup_bars": [0],
        "risk_config.stop_loss_pct": [None, 0.015],
    }
    entry = {"name": "MA", "strategy_type": "adaptive", "sweep": sweep}
    entry["risk_config"] = {"max_daily_trades": 3}
    config = parse_config({"strategies": [entry]}, "test")
    assert names(config) == [
        *("MA-SPY-ic5000-mwb0-slpnone", "MA-SPY-ic5000-mwb0-slp0_015"),
        *("MA-QQQ_BTCUSD-ic5000-mwb0-slpnone", "MA-QQQ_BTCUSD-ic5000-mwb0-slp0_015"),
    ]
    last = config.strategies[-1]
    assert (last.tickers, last.initial_cash, last.min_warmup_bars) == (("QQQ", "BTC/USD"), 5000, 0)
    assert last.risk_config.stop_loss_pct == Decimal("0.015")
    assert {one.risk_config.max_daily_trades for one in config.strategies} == {3}
    assert config.strategies[0].risk_config.stop_loss_pct is None


@pytest.mark.parametrize(
    ("written", "values"),
    [
        ('{"from": 1, "to": 4, "step": 1}', "[1, 2, 3, 4]"),
        ('{"from": 1, "to": 4, "step": 2}', "[1, 3]"),
        ('{"from": 2, "to": 2, "step": 9}', "[2]"),
        ('{"from": 0.1, "to": 0.3, "step": 0.1}', "[0.1, 0.2, 0.3]"),
        ('{"from": -1, "to": 1, "step": 0.5}', "[-1.0, -0.5, 0.0, 0.5, 1.0]"),
    ],
)
def test_the_steps_of_a_range_are_exact_and_its_end_belongs_to_it(
    written: str, values: str
) -> None:
    read = json.loads(written, parse_float=Decimal)
    found = SweepRange.model_validate(read)
    assert found.values() == json.loads(values, parse_float=Decimal)
    assert found.count == len(found.values())
    whole = all(isinstance(number, int) for number in read.values())
    assert all(isinstance(value, int) is whole for value in found.values())


@pytest.mark.parametrize(
    ("sweep", "entry", "path", "words"),
    [
        ({}, {}, "sweep", "at least one"),
        (None, {}, "sweep", "leave the key out"),
        ([5], {}, "sweep", "should be an object"),
        ({"short_window": 5}, {}, "sweep.short_window", "list of values, or a range"),
        ({"short_window": []}, {}, "sweep.short_window", "at least one"),
        ({"short_windw": [5]}, {}, "sweep.short_windw", "did you mean 'short_window'?"),
        ({"short_window": [5, 0]}, {}, "sweep.short_window[1]", "greater than or equal to 1"),
        ({"short_window": [5, "x"]}, {}, "sweep.short_window[1]", "should be an integer"),
        ({"short_window": [5, 5]}, {}, "sweep.short_window[1]", "given twice; keep one"),
        ({"rsi_oversold": [30, 30.0]}, {}, "sweep.rsi_oversold[1]", "given twice; keep one"),
        (
            {"short_window": {"from": 1.5, "to": 9, "step": 1}},
            {},
            "sweep.short_window",
            "should be an integer, got 1.5",
        ),
        (
            {"short_window": {"from": 9, "to": 1, "step": 1}},
            {},
            "sweep.short_window",
            "from above its to; swap them",
        ),
        (
            {"short_window": {"from": 1, "to": 9, "step": 0}},
            {},
            "sweep.short_window.step",
            "greater than 0",
        ),
        (
            {"short_window": {"from": 1, "to": 9, "step": 1, "stp": 1}},
            {},
            "sweep.short_window.stp",
            "did you mean 'step'?",
        ),
        ({"short_window": {"from": 1, "to": 9}}, {}, "sweep.short_window.step", "required"),
        ({"tickers": ["QQQ"]}, {}, "sweep.tickers", "strategies[0].tickers is a value of it too"),
        (
            {"short_window": [5]},
            {"strategy_params": {"short_window": 7}},
            "sweep.short_window",
            "strategies[0].strategy_params.short_window is a value of it too; drop one",
        ),
        ({"risk_config.stop_loss_pct": [2]}, {}, 'sweep["risk_config.stop_loss_pct"][0]', "less"),
        ({"short_window": [40, 50]}, {}, "sweep", "no combination that is valid"),
        (
            {"short_window": {"from": 1, "to": 1e9, "step": 1e-9}},
            {},
            "sweep",
            "has at most 20,000; widen a step or take values out",
        ),
        ({"short_window": [5]}, {"name": "M" * 47}, "name", "is too long for a sweep"),
    ],
)
def test_what_is_wrong_in_a_sweep_is_named_at_its_place(
    sweep: object, entry: dict[str, Any], path: str, words: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        swept(sweep, **entry)
    told = {problem.path: problem.message for problem in refused.value.problems}
    assert list(told) == [f"strategies[0].{path}"]
    assert words in told[f"strategies[0].{path}"]


def test_a_swept_ticker_is_judged_as_a_ticker_is() -> None:
    entry = {"name": "MA", "strategy_type": "adaptive"}
    sweep = {"tickers": ["SPY", "spy", ["QQQ", "QQQ"]]}
    with pytest.raises(ConfigError) as refused:
        parse_config({"strategies": [{**entry, "sweep": sweep}]}, "test")
    assert [(p.path, p.message) for p in refused.value.problems] == [
        (
            "strategies[0].sweep.tickers[1]",
            "should be a ticker such as \"SPY\" or \"BTC/USD\", got 'spy'; did you mean 'SPY'?",
        ),
        ("strategies[0].sweep.tickers[2]", "has a ticker twice; keep one"),
    ]


def test_a_variant_may_not_have_the_name_of_another_strategy() -> None:
    plain = {"name": "MA-sw5", "strategy_type": "adaptive", "tickers": ["SPY"]}
    both = json.loads(document({"short_window": [5, 6]}))
    with pytest.raises(ConfigError, match=r"'MA-sw5' is already in strategies\[1\]; rename one"):
        parse_config({"strategies": [*both["strategies"], plain]}, "test")


@given(
    stem=NAMES,
    values=st.lists(st.integers(-999, 999) | st.decimals(-9, 9, places=4), unique=True, min_size=1),
    others=st.lists(st.sampled_from(["SPY", "BTC/USD", None, True]), unique=True, min_size=1),
)
def test_names_are_valid_different_and_the_same_every_time(
    stem: str, values: list[object], others: list[object]
) -> None:
    combinations = [{"a_b": x, "c": y} for x in values for y in others]
    made = variant_names(stem, combinations)
    assert made == variant_names(stem, combinations)
    assert len(set(made)) == len(combinations)
    assume(len(stem) <= 43)
    assert all(NAME_PATTERN.fullmatch(name) for name in made)


def test_names_that_would_be_too_long_are_numbers() -> None:
    sweep = {
        "short_window": [5, 6],
        "long_window": [30],
        "volume_window": {"from": 10, "to": 15, "step": 1},
    }
    assert names(swept(sweep, name="A" * 40))[::11] == [f"{'A' * 40}-01", f"{'A' * 40}-12"]


def test_a_sweep_and_the_same_strategies_written_out_are_different_tests() -> None:
    config = swept({"short_window": [5]})
    plain = {"name": "MA-sw5", "strategy_type": "adaptive", "tickers": ["SPY"]}
    plain["strategy_params"] = {"short_window": 5}  # type: ignore[assignment]
    assert config_hash(config) != config_hash(parse_config({"strategies": [plain]}, "test"))


def test_a_sweep_is_not_traded() -> None:
    with pytest.raises(OperatorError, match=r'sweep in "MA" \(2 variants\).*multi-trader backtest'):
        refuse_sweep(swept({"short_window": [5, 6]}))
    refuse_sweep(swept({"short_window": [5]}, enabled=False))
