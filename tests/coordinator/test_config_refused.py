"""Bad configurations: every problem of a document at once, each at its path."""

from __future__ import annotations

import pickle
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest

from coordinator.config import configure, load_config, parse_config
from coordinator.errors import ConfigError, OperatorError
from coordinator.strategies import RsiStrategy, registry
from tests.coordinator.bad_configs import BAD, R0, S0, entry, one, params, risk, several
from tests.coordinator.pairs import Leader


@pytest.mark.parametrize(
    ("document", "paths"), [case[1:] for case in BAD], ids=[case[0] for case in BAD]
)
def test_a_bad_configuration_yields_all_its_errors_with_their_paths(
    document: str | bytes, paths: list[str]
) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_config(document, "bad")
    assert [problem.path for problem in refused.value.problems] == paths
    for problem in refused.value.problems:
        assert len(problem.message) > 10
        assert str(problem) in str(refused.value)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"initial_cash": Decimal("sNaN")}, f"{S0}.initial_cash"),
        ({"strategy_params": {"momentum_threshold": Decimal("sNaN")}}, f"{S0}.strategy_params"),
        ({"sweep": {"initial_cash": [1, Decimal("sNaN")]}}, f"{S0}.sweep.initial_cash[1]"),
    ],
)
def test_a_signalling_nan_of_a_python_program_is_no_number_either(
    changes: dict[str, Any], path: str
) -> None:
    with pytest.raises(ConfigError, match="should be a finite number, got sNaN") as refused:
        configure([entry(**changes)])
    [problem] = refused.value.problems
    assert problem.path.startswith(path)


def test_a_device_without_an_end_is_no_configuration() -> None:
    with pytest.raises(ConfigError, match="cannot be read: File too large"):
        load_config("/dev/zero")


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (one(tikers=["SPY"]), "unknown key 'tikers'; did you mean 'tickers'?"),
        (one(Initial_Cash=1), "did you mean 'initial_cash'?"),
        (risk(max_loss=1), "did you mean 'max_daily_loss'?"),
        (params("rsi", period=3), "did you mean 'rsi_period'?"),
        (one(stop_loss_pct=0.02), "it belongs in risk_config"),
        (risk(initial_cash=5), "it belongs in a strategy"),
        (several(entry(), feeds="sip"), "did you mean 'feed'?"),
        (
            several(entry(), zzzz=1),
            "(known: mode, feed, crossing, crypto_fee_rate, controls, name, strategies_dir, "
            "$schema, strategies)",
        ),
        (one(strategy_type="momentun"), "did you mean 'momentum'?"),
        (one(strategy_type="??"), "(known: adaptive, momentum, mean_reversion, rsi"),
        (one(tickers="SPY"), "strategies[0].tickers: should be a list, got 'SPY'"),
        (one(tickers=["spy"]), "did you mean 'SPY'?"),
        (one(tickers=["BRK-B"]), "did you mean 'BRK.B'?"),
        (one(tickers=["btc-usd"]), "did you mean 'BTC/USD'?"),
        (several(entry(), mode="Live"), "'paper' or 'live', got 'Live'"),
        (risk(max_position_size=1.5), "less than or equal to 1, got 1.5"),
        (one(min_warmup_bars=10.5), "should be an integer, got 10.5"),
        (several(entry(), entry()), "already the name of strategies[0]"),
        ('{"strategies": [\n  {"name": }]}', "line 2, column 12"),
        (b'{\n\n "name": "\xe9"}', "byte 0xe9 on line 3"),
    ],
)
def test_an_error_says_what_was_found_and_what_was_probably_meant(
    document: str | bytes, words: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_config(document, "bad")
    assert words in str(refused.value)


def test_a_secret_put_into_a_configuration_by_mistake_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as refused:
        parse_config(several(entry(), **{"api_secret": "hunter2"}), "bad")
    assert "api_secret" in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert "hunter2" not in repr(pickle.dumps(refused.value))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path, reason in [
        (tmp_path / "absent.json", "No such file"),
        (tmp_path, "Is a directory"),
        (Path("nul\0byte"), "null byte"),
    ]:
        with pytest.raises(ConfigError) as refused:
            load_config(path)
        assert refused.value.source == str(path)
        assert reason in refused.value.problems[0].message


def test_an_error_of_the_configuration_survives_pickling() -> None:
    with pytest.raises(OperatorError) as refused:
        parse_config(one(name="?", tickers=[]), "bad")
    again = pickle.loads(pickle.dumps(refused.value))  # noqa: S301  our own bytes
    assert type(again) is ConfigError
    assert str(again) == str(refused.value)
    assert again.problems == refused.value.problems  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"strategy": object()}, f"{S0}.strategy"),
        ({"strategy": None}, f"{S0}.strategy"),
        ({"strategy": RsiStrategy}, f"{S0}.strategy"),
        ({"strategy": RsiStrategy(), "strategy_params": {}}, f"{S0}.strategy_params"),
        ({"strategy": RsiStrategy(), "tickers": ["spy"]}, f"{S0}.tickers[0]"),
        ({"strategy": RsiStrategy(), "risk_config": 5}, R0),
        ({"initial_cash": Decimal("NaN")}, f"{S0}.initial_cash"),
        ({"min_warmup_bars": True}, f"{S0}.min_warmup_bars"),
        ({"min_warmup_bars": Decimal("sNaN")}, f"{S0}.min_warmup_bars"),
    ],
)
def test_a_python_program_gets_the_same_errors(changes: dict[str, Any], path: str) -> None:
    made = entry(**changes)
    if "strategy" in changes:
        del made["strategy_type"]
    with pytest.raises(ConfigError) as refused:
        configure([made])
    assert [problem.path for problem in refused.value.problems] == [path]


def test_a_python_program_is_told_that_it_may_give_an_object() -> None:
    made = {"name": "A", "strategi": RsiStrategy(), "tickers": ["SPY"]}
    with pytest.raises(ConfigError, match=r"did you mean 'strategy'\? \(known: strategy, name,"):
        configure([made])
    with pytest.raises(ConfigError, match=r"did you mean 'strategy_type'\? \(known: name,"):
        parse_config(one(strategi="rsi"), "bad")


def test_strategies_must_stand_in_a_list_in_python_too() -> None:
    with pytest.raises(ConfigError) as refused:
        configure([])
    assert [problem.path for problem in refused.value.problems] == ["strategies"]


class Two(Leader):
    """A strategy that looks at two tickers and no other number."""

    strategy_type: ClassVar[str] = "two"
    ticker_count: ClassVar[int] = 2


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"tickers": ["SPY", "QQQ"]}, []),
        ({"tickers": ["SPY", "BTC/USD"]}, []),
        ({"strategy_type": "leader", "tickers": ["SPY"]}, []),
        ({"strategy_type": "leader", "tickers": ["SPY", "QQQ", "IWM"]}, []),
        ({"tickers": ["SPY"]}, [f"{S0}.tickers: two looks at 2 together, got 1; add 1"]),
        (
            {"tickers": ["SPY", "QQQ", "IWM", "DIA"]},
            [f"{S0}.tickers: two looks at 2 together, got 4; take out 2"],
        ),
        ({"tickers": ["SPY", "QQQ"], "sweep": {"initial_cash": [1000, 2000]}}, []),
        (
            {"tickers": ["SPY"], "sweep": {"initial_cash": [1000, 2000]}},
            [f"{S0}.tickers: two looks at 2 together, got 1; add 1"],
        ),
        (
            {"sweep": {"tickers": [["SPY", "QQQ"], "SPY", ["SPY", "QQQ", "IWM"]]}},
            [
                f"{S0}.sweep.tickers[1]: two looks at 2 together, got 1; add 1",
                f"{S0}.sweep.tickers[2]: two looks at 2 together, got 3; take out 1",
            ],
        ),
        ({"strategy_type": "leader", "sweep": {"tickers": ["SPY", ["QQQ", "IWM"]]}}, []),
    ],
)
def test_a_strategy_of_two_tickers_is_given_two_and_one_of_any_number_any_swept_or_not(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], wrong: list[str]
) -> None:
    monkeypatch.setattr(registry, "_registered", {"two": Two, "leader": Leader})
    told: list[str] = []
    try:
        parse_config({"strategies": [{"name": "A", "strategy_type": "two"} | changes]}, "test")
    except ConfigError as error:
        told = [str(problem) for problem in error.problems]
    assert told == wrong


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("momentun", "momentum"),
        ("Momentum", "momentum"),
        ("macrossover", "ma_crossover"),
        ("bolinger", "bollinger"),
        ("crossover", "ma_crossover"),
        ("hold", "buy_and_hold"),
        ("reversion", "vwap_reversion"),
        ("my_edge", None),
        ("my_pick", None),
        ("pairs_trading", None),
        ("trend", None),
        ("", None),
    ],
)
def test_only_a_type_that_may_well_have_been_meant_is_proposed_and_all_are_listed(
    typed: str, meant: str | None
) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_config(one(strategy_type=typed), "bad")
    told = refused.value.problems[0].message
    assert (f"; did you mean {meant!r}?" in told) is (meant is not None)
    assert ("did you mean" in told) is (meant is not None)
    assert "adaptive" in told
