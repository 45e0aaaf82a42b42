"""`new-strategy`: writes a working strategy file, and a test of it that passes."""

from __future__ import annotations

import keyword
import re
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from string import Template

from coordinator.errors import OperatorError
from coordinator.strategies.registry import registered_types

_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
_TAKEN = re.compile(r"test_.*|.*_test|conftest|tests?")

_STRATEGY = Template('''\
"""$title: long while the close lies above the average of the last bars."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from coordinator import Bar, Strategy, Window


class $class_name(Strategy):
    """+1 when the close is above the average of the last `lookback` closes, -1 when below."""

    strategy_type: ClassVar[str] = "$name"

    lookback: Annotated[Window, Field(description="bars of the average")] = 20

    def signal(self, bars: Sequence[Bar]) -> int:
        """1: be long, -1: be flat, 0: leave it as it is.

        `bars` are the latest of one ticker, oldest first: at least `lookback`, the longest
        Window, and at most ten times as many. It is called at the close of every bar.
        """
        closes = [bar.close for bar in bars[-self.lookback :]]
        average = sum(closes) / len(closes)
        return (closes[-1] > average) - (closes[-1] < average)
''')

_TEST = Template('''\
"""What $class_name should do."""

import pytest
from $name import $class_name
from pydantic import ValidationError

from coordinator.testing import (
    assert_deterministic,
    assert_enough_history,
    assert_signals,
    bars_of,
    walk,
)


def test_it_is_long_above_its_average_and_flat_below_it() -> None:
    strategy = $class_name(lookback=3)
    assert_signals(strategy, bars_of([10, 10, 10, 13, 12, 9]), [0, 0, 0, 1, 1, -1])


def test_a_window_of_no_bars_is_refused() -> None:
    with pytest.raises(ValidationError):
        $class_name(lookback=0)


def test_its_signals_depend_on_the_bars_alone() -> None:
    assert_deterministic($class_name(), walk(300))


def test_a_restart_changes_none_of_its_signals() -> None:
    assert_enough_history($class_name(), walk(600))
''')

_TOGETHER = Template('''\
"""$title: long of the ticker that has risen most, flat of the others."""

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from coordinator import Bar, MultiTickerStrategy, Window


class $class_name(MultiTickerStrategy):
    """+1 for the ticker that has risen most over `lookback` closes, -1 for the others."""

    strategy_type: ClassVar[str] = "$name"

    lookback: Annotated[Window, Field(ge=2, description="bars of the rise")] = 20

    def signals(self, bars: Mapping[str, Sequence[Bar]]) -> Mapping[str, int]:
        """By ticker, 1: be long, -1: be flat, 0, or left out: leave it as it is.

        `bars` are the latest of each ticker, oldest first: at least `lookback`, the longest
        Window, and at most ten times as many. It is called once a minute, at the close of its bars.
        """
        rises = {
            ticker: seen[-1].close / seen[-self.lookback].close for ticker, seen in bars.items()
        }
        best = max(rises, key=lambda ticker: rises[ticker])
        return {ticker: 1 if ticker == best else -1 for ticker in rises}
''')

_TEST_TOGETHER = Template('''\
"""What $class_name should do."""

import pytest
from $name import $class_name
from pydantic import ValidationError

from coordinator.testing import (
    assert_deterministic,
    assert_enough_history,
    assert_signals,
    bars_of,
    walk,
)

TICKERS = ("SPY", "QQQ", "IWM")


def walks(count: int) -> dict[str, list]:
    return {ticker: walk(count, seed=n, ticker=ticker) for n, ticker in enumerate(TICKERS)}


def test_it_is_long_of_what_has_risen_most() -> None:
    bars = {"SPY": bars_of([10, 11, 11]), "QQQ": bars_of([20, 20, 23], ticker="QQQ")}
    first, second = {"SPY": 1, "QQQ": -1}, {"SPY": -1, "QQQ": 1}
    assert_signals($class_name(lookback=2), bars, {1: first, 2: second})


def test_a_rise_over_one_bar_is_refused() -> None:
    with pytest.raises(ValidationError):
        $class_name(lookback=1)


def test_its_signals_depend_on_the_bars_alone() -> None:
    assert_deterministic($class_name(), walks(300))


def test_a_restart_changes_none_of_its_signals() -> None:
    assert_enough_history($class_name(), walks(600))
''')


def new_strategy(name: str, folder: Path, *, together: bool = False) -> list[Path]:
    """Write `NAME.py` and `test_NAME.py` into the folder, which is created if needed.

    `together` makes a strategy that reads several tickers at once.

    Raises:
        OperatorError: the name or the folder cannot be used, or a file exists.
    """
    _refuse(name)
    words = {
        "name": name,
        "class_name": _class_name(name),
        "title": name.replace("_", " ").capitalize(),
    }
    texts = {
        folder / f"{name}.py": (_TOGETHER if together else _STRATEGY).substitute(words),
        folder / f"test_{name}.py": (_TEST_TOGETHER if together else _TEST).substitute(words),
    }
    try:
        for file in texts:
            if file.exists():
                raise OperatorError(f"{file}: exists, and is left as it is; choose another name.")
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in texts.items():
            with file.open("x", encoding="utf-8") as opened:
                opened.write(text)
    except OSError as error:
        raise OperatorError(
            f"{folder}: no strategy can be written there ({error.strerror}): name another folder by"
            " --dir."
        ) from None
    return list(texts)


def _refuse(name: str) -> None:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        example = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
        better = example if _NAME.fullmatch(example) and not keyword.iskeyword(example) else ""
        raise OperatorError(
            f"{name!r} cannot name a Python file and its strategy: use small letters, digits and _,"
            f" and begin with a letter, such as {better or 'my_strategy'}."
        )
    if _TAKEN.fullmatch(name):
        raise OperatorError(
            f"{name!r} is a name for tests, and those offer no strategies: choose another, such as"
            " my_strategy."
        )
    if name in registered_types():
        raise OperatorError(
            f"{name!r} is a strategy type already: choose another name, such as my_{name}."
        )
    if name in sys.stdlib_module_names or PathFinder.find_spec(name) is not None:
        raise OperatorError(
            f"{name!r} is a Python module already, and a test of yours would import that one:"
            f" choose another name, such as my_{name}."
        )


def _class_name(name: str) -> str:
    words = "".join(word.capitalize() for word in name.split("_"))
    return words if words.endswith("Strategy") else f"{words}Strategy"
