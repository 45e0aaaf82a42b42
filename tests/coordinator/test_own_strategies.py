"""The ways in which one's own strategy may read bars, and what it remembers meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Annotated, Any, ClassVar

import pandas as pd
import pytest
from pydantic import Field, PrivateAttr, ValidationError

from coordinator import Bar, Strategy, Window
from coordinator.errors import OperatorError
from coordinator.testing import bars_of, replay

UP_AND_DOWN = [5, 6, 7, 6, 5, 5, 8]
ALIKE = [0, 1, 1, -1, -1, 0, 1]
"""What each of the strategies below answers there: whether the close rises."""


class ByBars(Strategy):
    strategy_type: ClassVar[str] = "by_bars"
    window: Window = 2

    def signal(self, bars: Sequence[Bar]) -> int:
        return (bars[-1].close > bars[-2].close) - (bars[-1].close < bars[-2].close)


class ByFrame(Strategy):
    strategy_type: ClassVar[str] = "by_frame"
    window: Window = 2

    def generate_signal(self, frame: pd.DataFrame) -> float:
        before, now = frame["close"].iloc[-2:]
        return float(now > before) - float(now < before)


class ByStep(Strategy):
    strategy_type: ClassVar[str] = "by_step"
    window: Window = 2
    _before: Decimal | None = PrivateAttr(None)

    def step(self, bar: Bar) -> int:
        before, self._before = self._before or bar.close, bar.close
        return (bar.close > before) - (bar.close < before)


class ByStart(Strategy):
    strategy_type: ClassVar[str] = "by_start"
    window: Window = 2

    def start(self) -> Callable[[Bar], int]:
        seen: list[Decimal] = []

        def step(bar: Bar) -> int:
            before = seen[-1] if seen else bar.close
            seen.append(bar.close)
            return (bar.close > before) - (bar.close < before)

        return step


FORMS = (ByBars, ByFrame, ByStep, ByStart)


@pytest.mark.parametrize("kind", FORMS)
def test_every_form_answers_the_same_and_begins_anew_each_time(kind: type[Strategy]) -> None:
    strategy = kind()
    assert replay(strategy, bars_of(UP_AND_DOWN)) == ALIKE
    assert replay(strategy, bars_of(UP_AND_DOWN)) == ALIKE


@pytest.mark.parametrize("kind", FORMS)
def test_two_tickers_share_no_memory(kind: type[Strategy]) -> None:
    strategy = kind()
    spy, qqq = strategy.start(), strategy.start()
    pairs = zip(bars_of(UP_AND_DOWN), bars_of(UP_AND_DOWN[::-1], ticker="QQQ"), strict=True)
    found = [(spy(ours), qqq(theirs)) for ours, theirs in pairs]
    assert [ours for ours, _ in found] == ALIKE
    assert [theirs for _, theirs in found] == [0, -1, 0, 1, 1, -1, -1]


@pytest.mark.parametrize("kind", FORMS)
def test_what_it_remembers_is_no_part_of_what_it_is(kind: type[Strategy]) -> None:
    used, fresh = kind(), kind()
    replay(used, bars_of(UP_AND_DOWN))
    if isinstance(used, ByStep):
        used._before = Decimal(1)
    assert used == fresh
    assert hash(used) == hash(fresh)
    assert used != kind(window=3)  # type: ignore[call-arg]


def test_a_memory_that_cannot_be_compared_does_not_matter() -> None:
    class Remembers(ByStep):
        _frame: Any = PrivateAttr(default_factory=lambda: pd.DataFrame({"a": [1, 2]}))

    assert Remembers() == Remembers()


def test_it_is_asked_once_it_has_its_window_and_sees_ten_windows_at_most() -> None:
    seen: list[list[int]] = []

    class Looks(Strategy):
        strategy_type: ClassVar[str] = "looks"
        window: Window = 2

        def signal(self, bars: Sequence[Bar]) -> int:
            seen.append([int(bar.close) for bar in bars])
            return 0

    replay(Looks(), bars_of(range(1, 31)))
    assert seen == [list(range(max(1, end - 19), end + 1)) for end in range(2, 31)]


def test_how_far_it_looks_back_is_its_longest_window() -> None:
    class Two(Strategy):
        strategy_type: ClassVar[str] = "two"
        short: Window = 3
        long: Annotated[Window, Field(ge=2, description="bars")] = 8
        trades: int = 500

    assert Two().longest_window == 8
    assert Two(short=9).longest_window == 9


class Lists(Strategy):
    strategy_type: ClassVar[str] = "lists"
    window: Window = 2
    later: Window | None = None
    windows: tuple[Window, ...] = ()
    pair: tuple[int, float] = (1, 1.0)
    by_name: dict[str, int] = Field(default_factory=dict)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({"window": 5.0}, {"window": 5}),
        ({"later": 5.0}, {"later": 5}),
        ({"windows": [5.0, Decimal("10.0")]}, {"windows": [5, 10]}),
        ({"pair": [5.0, 10.0]}, {"pair": [5, 10.0]}),
        ({"by_name": {"short": 5.0}}, {"by_name": {"short": 5}}),
    ],
)
def test_a_whole_number_is_an_integer_of_its_parameters_wherever_one_is_meant(
    written: dict[str, Any], meant: dict[str, Any]
) -> None:
    assert Lists(**written).parameters == Lists(**meant).parameters
    assert repr(Lists(**written)) == repr(Lists(**meant)), "of the same types"


@pytest.mark.parametrize(
    "wrong",
    [{"windows": [5.5]}, {"windows": [True]}, {"pair": [1, 2.0, 3.0]}, {"by_name": {"short": 5.5}}],
)
def test_what_is_not_whole_is_none_of_them(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Lists(**wrong)


def test_its_history_is_ten_windows_unless_it_says_otherwise() -> None:
    class Usual(Strategy):
        strategy_type: ClassVar[str] = "usual"
        window: Window = 3

    class Brief(Usual):
        @property
        def history_bars(self) -> int:
            return self.window + 1

    assert Usual().history_bars == 30
    assert Brief().history_bars == 4
    assert Brief(window=9).history_bars == 10


def test_one_that_does_not_say_how_far_it_looks_back_is_told_so() -> None:
    class Endless(Strategy):
        strategy_type: ClassVar[str] = "endless"
        bars: int = 3

    with pytest.raises(OperatorError, match="Endless has no parameter that is a Window; add one"):
        _ = Endless().longest_window


def test_one_that_reads_no_bars_is_told_what_to_give_it() -> None:
    class Blind(Strategy):
        strategy_type: ClassVar[str] = "blind"
        window: Window = 3

    with pytest.raises(OperatorError, match=r"Blind cannot read bars; give it one of start\(\)"):
        Blind().start()


@pytest.mark.parametrize("answer", [2, None, True, 0.5, "buy"])
@pytest.mark.parametrize("method", ["signal", "generate_signal", "step"])
def test_an_answer_that_is_no_signal_is_an_error_that_names_the_method(
    method: str, answer: object
) -> None:
    made = type(
        "Wrong",
        (Strategy,),
        {
            "strategy_type": "wrong",
            "__annotations__": {"strategy_type": ClassVar[str]},
            "longest_window": property(lambda self: 1),
            method: lambda self, bars: answer,
        },
    )
    with pytest.raises(OperatorError, match=rf"Wrong\.{method} answered .*; it must answer 1, -1"):
        replay(made(), bars_of([1]))
