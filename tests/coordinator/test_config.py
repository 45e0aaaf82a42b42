"""Good configurations: what they mean, their defaults, their hash, their schema, the six files."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pydantic
import pytest
from jsonschema import Draft202012Validator

from coordinator.config import (
    Feed,
    Mode,
    RiskConfig,
    config_hash,
    configure,
    default_config,
    load_config,
    parse_config,
)
from coordinator.config.schema import SCHEMA_PATH, schema, schema_text
from coordinator.core.controls import Controls
from coordinator.errors import ConfigError
from coordinator.strategies import AdaptiveStrategy, MomentumStrategy
from coordinator.strategies.registry import BUILT_IN
from tests.coordinator.bad_configs import BAD, controls, entry, one, params, risk, several

CONFIGS = Path(__file__).parents[2] / "configs"
FILES = {
    "multi_trader_simple": 3,
    "multi_trader_example": 10,
    "sector_rotation": 6,
    "multi_asset": 4,
    "stocks_only": 4,
    "crypto_only": 3,
}

GUIDE = """{
  "strategies": [
    {
      "name": "SPY_Adaptive",
      "strategy_type": "adaptive",
      "strategy_params": {"short_window": 10, "long_window": 30, "rsi_period": 14},
      "tickers": ["SPY"],
      "initial_cash": 10000.0,
      "min_warmup_bars": 50,
      "risk_config": {"max_position_size": 0.95, "max_daily_trades": 10, "max_daily_loss": 500.0}
    },
    {
      "name": "Crypto_Portfolio",
      "strategy_type": "momentum",
      "strategy_params": {"lookback_period": 20},
      "tickers": ["BTC/USD", "ETH/USD"],
      "initial_cash": 15000.0,
      "min_warmup_bars": 60,
      "risk_config": {"max_position_size": 0.4, "max_daily_trades": 8}
    }
  ]
}"""


def test_the_guides_example_means_what_it_says() -> None:
    config = parse_config(GUIDE, "guide")
    spy, crypto = config.strategies
    assert (config.name, config.mode, config.feed) == ("guide", Mode.PAPER, Feed.IEX)
    assert config.tickers == ("SPY", "BTC/USD", "ETH/USD")
    assert spy.strategy == AdaptiveStrategy(short_window=10, long_window=30, rsi_period=14)
    assert (spy.initial_cash, spy.min_warmup_bars, spy.enabled) == (Decimal(10000), 50, True)
    assert spy.risk_config == RiskConfig(
        max_position_size=0.95, max_daily_trades=10, max_daily_loss=500.0
    )
    assert crypto.strategy == MomentumStrategy(lookback_period=20)
    assert (crypto.min_warmup_bars, crypto.risk_config.max_daily_loss) == (60, None)
    assert (spy.crypto_only, crypto.crypto_only) == (False, True)


def test_what_is_left_out_has_the_contracts_defaults() -> None:
    (only,) = parse_config(one(), "plain").strategies
    assert only.as_document() == {
        "name": "SPY_Momentum",
        "strategy_type": "momentum",
        "strategy_params": {"lookback_period": 20, "momentum_threshold": 0.02},
        "tickers": ["SPY"],
        "initial_cash": 10000,
        "min_warmup_bars": 50,
        "enabled": True,
        "risk_config": {"max_position_size": 1},
    }


def test_what_is_said_of_the_account_has_the_contracts_defaults_too() -> None:
    config = parse_config(one(), "plain")
    assert (config.crossing, config.crypto_fee_rate) == (False, Decimal("0.0025"))
    assert config.controls.as_controls() == Controls(price_collar=Decimal("0.5"))


def test_controls_are_exactly_those_that_were_written_and_null_takes_the_collar_off() -> None:
    document = controls(price_collar=None, max_order_notional=25000.1, max_orders_per_minute=7)
    assert parse_config(document, "limits").controls.as_controls() == Controls(
        price_collar=None, max_order_notional=Decimal("25000.1"), max_orders_per_minute=7
    )
    again = parse_config(parse_config(document, "limits").as_document(), "limits")
    assert again.controls.price_collar is None, "null is written as null, and so it stays"


def test_every_strategy_types_parameters_have_their_defaults() -> None:
    rsi = {"rsi_period": 14, "rsi_overbought": 70, "rsi_oversold": 30}
    averages = {"short_window": 10, "long_window": 30, "volume_window": 20}
    assert {kind.strategy_type: kind().parameters for kind in BUILT_IN} == {
        "momentum": {"lookback_period": 20, "momentum_threshold": 0.02},
        "rsi": rsi,
        "mean_reversion": {"lookback_period": 20, "entry_threshold": 2, "exit_threshold": 0.5},
        "adaptive": averages | rsi,
        "ma_crossover": {"short_window": 10, "long_window": 30},
        "bollinger": {"lookback_period": 20, "band_width": 2},
        "macd": {"fast_window": 12, "slow_window": 26, "signal_window": 9},
        "donchian": {"entry_window": 20, "exit_window": 10},
        "vwap_reversion": {"lookback_period": 30, "entry_threshold": 0.005, "exit_threshold": 0},
        "buy_and_hold": {},
    }


@pytest.mark.parametrize("text", ["0.1", "0.10", "1e-1", "100.000000000000000001", "1000000"])
def test_amounts_are_exactly_the_decimals_that_were_written(text: str) -> None:
    document = one(initial_cash=5).replace('"initial_cash": 5', f'"initial_cash": {text}')
    assert parse_config(document, "cash").strategies[0].initial_cash == Decimal(text)


def test_thresholds_are_exactly_the_decimals_that_were_written() -> None:
    strategy = MomentumStrategy(momentum_threshold=0.1)
    assert strategy.momentum_threshold == Decimal("0.1")
    assert strategy == MomentumStrategy(momentum_threshold=Decimal("0.10"))
    assert RiskConfig(stop_loss_pct=0.02).stop_loss_pct == Decimal("0.02")


@pytest.mark.parametrize(
    "document",
    [
        one(name="a" * 48),
        one(name="0-_"),
        one(tickers=["BRK.B", "BTC/USDT", "A", "ABCDEFGHIJ/ABCDEFGHIJ"]),
        one(min_warmup_bars=0),
        one(min_warmup_bars=100_000),
        one(enabled=False),
        one(strategy_params={"lookback_period": 1, "momentum_threshold": 0}),
        one(strategy_type="rsi", strategy_params={"rsi_period": 2, "rsi_oversold": 0}),
        one(strategy_type="rsi", strategy_params={"rsi_overbought": 100, "rsi_oversold": 99.9}),
        one(strategy_type="adaptive", strategy_params={"short_window": 1, "long_window": 2}),
        risk(max_position_size=1, max_daily_trades=0, max_daily_loss=0.01),
        risk(max_position_size=0.0001, stop_loss_pct=0.9999, take_profit_pct=25),
        several(entry(), mode="live", feed="sip", name="Mein Händler № 1"),
        several(entry(), crossing=False, crypto_fee_rate=0),
        several(entry(), crypto_fee_rate=0.999999),
        controls(price_collar=None),
        controls(price_collar=3.5, max_order_qty=0.0001, max_orders_per_minute=1),
        controls(max_order_notional=0.01, max_symbol_notional=1e9),
        ("\ufeff" + one()).encode(),
    ],
)
def test_the_limits_of_each_range_are_still_accepted(document: str | bytes) -> None:
    assert parse_config(document, "edge").strategies


def test_a_file_without_a_name_is_called_after_its_stem(tmp_path: Path) -> None:
    file = tmp_path / "my_traders.json"
    file.write_text(one(), encoding="utf-8")
    assert load_config(file).name == "my_traders"
    file.write_text(several(entry(), name="Desk 4"), encoding="utf-8")
    assert load_config(str(file)).name == "Desk 4"


def test_a_name_after_a_long_stem_is_cut_to_what_a_name_may_have(tmp_path: Path) -> None:
    file = tmp_path / f"a{'€' * 80}.json"
    file.write_text(one(), encoding="utf-8")
    assert load_config(file).name == f"a{'€' * 66}"


def test_a_strategy_switched_off_is_known_but_not_run() -> None:
    document = several(entry(), entry(name="B", tickers=["QQQ"], enabled=False))
    config = parse_config(document, "two")
    assert [strategy.name for strategy in config.strategies] == ["SPY_Momentum", "B"]
    assert [strategy.name for strategy in config.active] == ["SPY_Momentum"]
    assert config.tickers == ("SPY",)


def test_a_python_program_configures_as_the_contract_shows() -> None:
    config = configure(
        [
            {
                "name": "MyStrategy",
                "strategy": AdaptiveStrategy(short_window=10, long_window=30),
                "tickers": ["SPY"],
                "initial_cash": 10000.0,
                "min_warmup_bars": 50,
                "risk_config": RiskConfig(max_position_size=0.9),
            },
            entry(),
        ],
        mode="live",
    )
    mine, other = config.strategies
    assert config.mode is Mode.LIVE
    assert mine.strategy_type == "adaptive"
    assert mine.risk_config.max_position_size == Decimal("0.9")
    assert other.strategy == MomentumStrategy()


def test_limits_out_of_range_are_refused_in_python_too() -> None:
    for limits in [{"max_position_size": 1.5}, {"stop_loss_pct": 1.0}, {"max_trades": 3}]:
        with pytest.raises(pydantic.ValidationError):
            RiskConfig(**limits)


def test_a_configuration_cannot_be_changed_afterwards() -> None:
    config = default_config()
    with pytest.raises(pydantic.ValidationError):
        config.mode = Mode.LIVE
    with pytest.raises(pydantic.ValidationError):
        config.strategies[0].risk_config.max_position_size = Decimal(1)


def test_the_built_in_five_are_those_of_the_contract() -> None:
    strategies = default_config().strategies
    assert [(one.strategy_type, one.tickers) for one in strategies] == [
        ("adaptive", ("SPY",)),
        ("momentum", ("QQQ",)),
        ("rsi", ("IWM",)),
        ("adaptive", ("AAPL", "MSFT", "GOOGL", "AMZN")),
        ("momentum", ("BTC/USD",)),
    ]
    assert sum(one.initial_cash for one in strategies) <= 100_000


def test_the_hash_is_of_the_meaning_and_not_of_the_spelling() -> None:
    plain = config_hash(parse_config(one(), "x"))
    spelt = one(initial_cash=1e4, strategy_params={"momentum_threshold": 0.020}, enabled=True)
    assert config_hash(parse_config(spelt, "x")) == plain
    written_out = parse_config(parse_config(one(), "x").as_document(), "y")
    assert config_hash(written_out) == plain
    assert len(plain) == 64


@pytest.mark.parametrize(
    "changed",
    [
        one(name="Other"),
        one(tickers=["SPY", "QQQ"]),
        one(initial_cash=10000.01),
        one(min_warmup_bars=51),
        one(enabled=False),
        one(strategy_params={"momentum_threshold": 0.021}),
        risk(max_position_size=0.99),
        risk(stop_loss_pct=0.02),
        several(entry(), feed="sip"),
        several(entry(), mode="live"),
        several(entry(), crossing=True),
        several(entry(), crypto_fee_rate=0.0015),
        controls(price_collar=None),
        controls(price_collar=0.4),
        controls(max_order_qty=500),
    ],
)
def test_every_change_of_the_meaning_changes_the_hash(changed: str) -> None:
    assert config_hash(parse_config(changed, "x")) != config_hash(parse_config(one(), "x"))


@pytest.mark.parametrize(("stem", "count"), FILES.items())
def test_each_file_in_configs_is_valid_and_fits_a_paper_account(stem: str, count: int) -> None:
    config = load_config(CONFIGS / f"{stem}.json")
    assert len(config.active) == count
    assert sum(one.initial_cash for one in config.active) <= 100_000
    for strategy in config.active:
        share = strategy.risk_config.max_position_size * len(strategy.tickers)
        assert share <= Decimal("1.5"), f"{strategy.name} could never hold all of its tickers"


def test_there_are_no_other_files_in_configs() -> None:
    assert {file.stem for file in CONFIGS.glob("*.json")} == {*FILES, "multi_trader.schema"}


def test_stocks_only_and_crypto_only_can_run_side_by_side_on_one_account() -> None:
    stocks, crypto = (load_config(CONFIGS / f"{name}_only.json") for name in ("stocks", "crypto"))
    together = stocks.active + crypto.active
    assert len({strategy.name for strategy in together}) == len(together)
    assert sum(strategy.initial_cash for strategy in together) <= 100_000
    assert not any(strategy.crypto_only for strategy in stocks.active)
    assert all(strategy.crypto_only for strategy in crypto.active)


def test_the_schema_file_is_what_the_models_generate() -> None:
    wrote = SCHEMA_PATH.read_text(encoding="utf-8")
    assert wrote == schema_text(), "run: python -m coordinator.config"


def test_the_schema_accepts_every_file_in_configs_and_the_guides_example() -> None:
    judge = Draft202012Validator(schema())
    Draft202012Validator.check_schema(schema())
    for stem in FILES:
        judge.validate(json.loads((CONFIGS / f"{stem}.json").read_text(encoding="utf-8")))
    judge.validate(json.loads(GUIDE))
    judge.validate(default_config().as_document())
    judge.validate(json.loads(controls(price_collar=None)))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (one(min_warmup_bars=50.0), one(min_warmup_bars=50)),
        (risk(max_daily_trades=5.0), risk(max_daily_trades=5)),
        (controls(max_orders_per_minute=3.0), controls(max_orders_per_minute=3)),
        (params("momentum", lookback_period=20.0), params("momentum", lookback_period=20)),
        (one(min_warmup_bars=5).replace("5", "5e1"), one(min_warmup_bars=50)),
    ],
)
def test_an_integer_may_be_written_with_a_decimal_point_as_the_schema_has_it(
    written: str, meant: str
) -> None:
    Draft202012Validator(schema()).validate(json.loads(written))
    assert written != meant
    assert config_hash(parse_config(written, "x")) == config_hash(parse_config(meant, "x"))


def test_a_file_may_name_the_schema_for_its_editor_and_means_the_same() -> None:
    document = {"$schema": "multi_trader.schema.json"} | json.loads(GUIDE)
    Draft202012Validator(schema()).validate(document)
    named = parse_config(json.dumps(document), "x")
    assert config_hash(named) == config_hash(parse_config(GUIDE, "x"))


SCHEMA_CANNOT_KNOW = {
    "a name given to two strategies",
    "a key given twice",
    "entries beyond every number",
    "cash beyond any account",
    "cash beyond every float",
    "cash finer than any coin",
    "cash of 19 decimals",
    "RSI bounds that are equal",
    "RSI bounds crossed by one",
    "windows that are equal",
    "a long window below the default short one",
    "both orders of an adaptive wrong",
    "a type that is a module",
    "a type that is a path",
    "a type in capitals",
    "a number in an unknown type's parameters",
    "a name with a line's end",
    "a name too long for a file's, in bytes",
    "a folder of nobody's",
    "a ticker with a line's end",
}
"""Uniqueness, order, spelling of numbers, what exists; and `$` before a line's end."""


def test_the_schema_refuses_whatever_a_schema_can_refuse() -> None:
    judge = Draft202012Validator(schema())
    accepted = set()
    for label, text, _ in BAD:
        try:
            document: Any = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if judge.is_valid(document) and "NaN" not in str(text) and "Infinity" not in str(text):
            accepted.add(label)
    assert accepted <= SCHEMA_CANNOT_KNOW
    assert len(BAD) - len(accepted) > 80


def test_a_parameter_error_of_a_file_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text(one(tickers=[]), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"mine\.json: 1 problem"):
        load_config(file)
