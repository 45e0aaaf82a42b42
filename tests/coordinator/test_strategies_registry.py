"""Own strategies: the registry, entry points, objects that read pandas frames."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable
from decimal import Decimal
from importlib.metadata import EntryPoint
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

from coordinator.config import config_hash, configure, parse_config
from coordinator.core.values import Bar
from coordinator.errors import ConfigError, OperatorError
from coordinator.strategies import MomentumStrategy, Strategy, adapt, register, registered_types
from coordinator.strategies import registry as registry_module
from coordinator.strategies.registry import BUILT_IN, GROUP, StrategyTypes
from tests.coordinator.bad_configs import entry, one
from tests.coordinator.reading import OPEN, decimals, signals


class LevelsStrategy(Strategy):
    """A user's own: long below the first level, flat above the last."""

    strategy_type: ClassVar[str] = "levels"
    levels: tuple[float, ...] = (10.0, 20.0)
    scale: float = 1.0

    @property
    def longest_window(self) -> int:
        if math.isclose(self.scale, 13):
            raise RuntimeError("unlucky")
        return int(self.scale)

    def start(self) -> Callable[[Bar], int]:
        low, high = self.levels[0] * self.scale, self.levels[-1] * self.scale
        return lambda bar: (bar.close < low) - (bar.close > high)


@pytest.fixture
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_module, "_registered", {})


def offered(name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=value, group=GROUP)


def test_the_types_of_the_contract_and_of_the_library_are_there() -> None:
    contract = {"adaptive", "momentum", "mean_reversion", "rsi"}
    library = {"ma_crossover", "bollinger", "macd", "donchian", "vwap_reversion", "buy_and_hold"}
    assert {kind.strategy_type for kind in BUILT_IN} == contract | library
    assert contract | library <= set(registered_types())
    assert "os:system" not in registered_types()


@pytest.mark.usefixtures("own_registry")
def test_a_users_strategy_is_one_class_that_a_configuration_can_name() -> None:
    assert register(LevelsStrategy) is LevelsStrategy
    register(LevelsStrategy)
    document = one(strategy_type="levels", strategy_params={"levels": [1.5, 2], "scale": 2})
    (strategy,) = parse_config(document, "own").strategies
    assert strategy.strategy == LevelsStrategy(levels=(1.5, 2.0), scale=2.0)
    assert strategy.strategy_params == {"levels": [1.5, 2.0], "scale": 2.0}
    assert signals(strategy.strategy, decimals([2, 3.5, 5])) == [1, 0, -1]


@pytest.mark.usefixtures("own_registry")
@pytest.mark.parametrize(
    ("parameters", "path"),
    [
        ({"levels": [1, "2"]}, "strategies[0].strategy_params.levels[1]"),
        ({"level": [1]}, "strategies[0].strategy_params.level"),
        ({"scale": True}, "strategies[0].strategy_params.scale"),
        ({"scale": 0.5}, "strategies[0].strategy_type"),
        ({"scale": 13}, "strategies[0].strategy_type"),
    ],
)
def test_its_parameters_are_checked_like_any_other(parameters: dict[str, Any], path: str) -> None:
    register(LevelsStrategy)
    with pytest.raises(ConfigError) as refused:
        parse_config(one(strategy_type="levels", strategy_params=parameters), "own")
    assert [problem.path for problem in refused.value.problems] == [path]


@pytest.mark.usefixtures("own_registry")
def test_a_name_belongs_to_one_class() -> None:
    class Other(LevelsStrategy):
        strategy_type = "momentum"

    with pytest.raises(OperatorError, match=r"'momentum' is already .*MomentumStrategy"):
        register(Other)
    assert registered_types()["momentum"] is MomentumStrategy


@pytest.mark.usefixtures("own_registry")
def test_only_a_named_strategy_class_can_be_registered() -> None:
    class Nameless(Strategy):
        """Everything but a strategy_type."""

    with pytest.raises(OperatorError, match="has no name"):
        register(Nameless)
    with pytest.raises(OperatorError, match="is not a class derived from"):
        register(int)  # type: ignore[type-var]


def test_an_entry_point_is_loaded_when_it_is_asked_for_and_not_before() -> None:
    here = f"{__name__}:LevelsStrategy"
    types = StrategyTypes((), [offered("levels", here), offered("gone", "no_such_module:X")])
    assert list(types) == [*(kind.strategy_type for kind in BUILT_IN), "levels", "gone"]
    assert "gone" in types
    assert len(types) == len(BUILT_IN) + 2
    assert types["levels"] is LevelsStrategy
    assert "no_such_module" not in sys.modules


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ([offered("x", "no_such_module:X")], "ModuleNotFoundError"),
        ([offered("x", "math:pi")], "is not a class derived from"),
        ([offered("x", "json:nothing")], "AttributeError"),
        ([offered("x", "a:A"), offered("x", "b:B")], r"offered twice \(a:A, b:B\)"),
    ],
)
def test_a_broken_entry_point_is_an_error_that_names_it(
    entries: list[EntryPoint], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    types = StrategyTypes((), entries)
    with pytest.raises(OperatorError, match=reason):
        types["x"]
    monkeypatch.setattr("coordinator.config.reading.registered_types", lambda folder=None: types)
    with pytest.raises(ConfigError) as refused:
        parse_config(one(strategy_type="x"), "own")
    assert [problem.path for problem in refused.value.problems] == ["strategies[0].strategy_type"]
    assert parse_config(one(), "own").strategies, "others are not disturbed by it"


def test_a_built_in_name_always_means_the_built_in_strategy() -> None:
    types = StrategyTypes((), [offered("momentum", f"{__name__}:LevelsStrategy")])
    assert types["momentum"] is MomentumStrategy
    assert len(types) == len(BUILT_IN)


class Crossover:
    """What a pandas user brings: long above the mean of the last three closes."""

    lookback = 3

    def __init__(self) -> None:
        self.frames: list[pd.DataFrame] = []

    def generate_signal(self, bars: pd.DataFrame) -> int:
        self.frames.append(bars)
        return int(np.sign(bars["close"].iloc[-1] - bars["close"].tail(3).mean()))


def test_an_object_that_reads_a_frame_is_a_strategy_too() -> None:
    source = Crossover()
    strategy = adapt(source)
    assert strategy.longest_window == 3
    closes = decimals([*range(1, 101), 5])
    assert signals(strategy, closes) == [0, 0, *[1] * 98, -1]
    assert [len(frame) for frame in source.frames] == [*range(3, 30), *[30] * 72]
    for end, frame in enumerate(source.frames, 3):
        assert frame["close"].tolist() == [float(close) for close in closes[max(0, end - 30) : end]]
    last = source.frames[-1]
    assert list(last.columns) == ["open", "high", "low", "close", "volume"]
    assert set(map(str, last.dtypes)) == {"float64"}
    assert isinstance(last.index, pd.DatetimeIndex)
    assert str(last.index.tz) == "UTC"
    assert last.index[-1] == OPEN + pd.Timedelta(minutes=100)
    assert last.index.is_monotonic_increasing


def test_what_it_does_to_its_frame_changes_nothing_for_the_next_bar() -> None:
    class Vandal(Crossover):
        def generate_signal(self, bars: pd.DataFrame) -> int:
            signal = super().generate_signal(bars.copy())
            bars.loc[:, "close"] = 0.0
            return signal

    closes = decimals([1, 2, 3, 4, 3, 2, 5])
    assert signals(adapt(Vandal()), closes) == signals(adapt(Crossover()), closes)


@pytest.mark.parametrize("answer", [1, -1, 0, 1.0, np.int64(-1), np.float64(0)])
def test_its_answer_may_be_any_kind_of_number(answer: Any) -> None:
    source = Crossover()
    source.generate_signal = lambda bars: answer  # type: ignore[method-assign]
    found = signals(adapt(source), decimals([1, 2, 3]))
    assert found == [0, 0, int(answer)]
    assert type(found[-1]) is int


@pytest.mark.parametrize("answer", [2, None, "buy", True, float("nan"), np.bool_(True), 0.5])
def test_any_other_answer_is_an_error_that_names_its_class(answer: Any) -> None:
    source = Crossover()
    source.generate_signal = lambda bars: answer  # type: ignore[method-assign]
    with pytest.raises(OperatorError, match=r"Crossover\.generate_signal answered"):
        signals(adapt(source), decimals([1, 2, 3]))


def test_each_object_is_a_strategy_of_its_own() -> None:
    source = Crossover()
    one_of_two, other = adapt(source), adapt(source)
    assert one_of_two != other
    assert len({one_of_two, other, one_of_two}) == 2
    assert adapt(one_of_two) is one_of_two
    assert one_of_two.parameters["class"].endswith("Crossover")


@pytest.mark.parametrize(
    ("attributes", "window"),
    [({}, 100), ({"longest_window": 7, "lookback": 5}, 7), ({"window": 4}, 4)],
)
def test_how_far_an_object_looks_back_is_read_from_it(
    attributes: dict[str, int], window: int
) -> None:
    made = type("Own", (), {"generate_signal": lambda self, bars: 0} | attributes)
    assert adapt(made()).longest_window == window


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (Crossover, r"write Crossover\(\.\.\.\)"),
        (MomentumStrategy, r"write MomentumStrategy\(\.\.\.\)"),
        (object(), "is not a strategy"),
        (None, "is not a strategy"),
        (lambda bars: 1, "is not a strategy"),
    ],
)
def test_anything_else_is_not_a_strategy(candidate: object, reason: str) -> None:
    with pytest.raises(OperatorError, match=reason):
        adapt(candidate)


@pytest.mark.parametrize("lookback", [0, -3, "20", 2.5, True, 10**9])
def test_a_look_back_must_be_a_number_of_bars(lookback: Any) -> None:
    source = Crossover()
    source.lookback = lookback
    with pytest.raises(OperatorError, match=rf"lookback is {re.escape(repr(lookback))};"):
        adapt(source)


def test_an_object_can_be_configured_in_python_beside_the_others() -> None:
    source = Crossover()
    made = {"name": "Own", "strategy": source, "tickers": ["QQQ"]}
    config = configure([made, entry()])
    own = config.strategies[0]
    assert (own.strategy_type, own.strategy_params["window"]) == ("frame", 3)
    assert own.initial_cash == Decimal(10000)
    assert config_hash(config) == config_hash(configure([made, entry()]))
