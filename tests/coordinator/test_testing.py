"""The kit for users' tests: its examples are true, and each check fails where it should."""

from __future__ import annotations

import doctest
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

import pandas as pd
import pytest

import coordinator.testing
from coordinator import Bar, MultiTickerStrategy, Strategy, Window
from coordinator.errors import OperatorError
from coordinator.strategies.registry import BUILT_IN
from coordinator.testing import (
    assert_deterministic,
    assert_enough_history,
    assert_signals,
    bars_of,
    read_bars,
    replay,
    walk,
)
from tests.backtest.recording import write_recording
from tests.coordinator.pairs import FORMS, Leader

FRIDAY = date(2026, 3, 13)


def test_its_examples_are_true() -> None:
    done = doctest.testmod(coordinator.testing)
    assert done.attempted > 15
    assert done.failed == 0


def test_everything_in_it_shows_an_example() -> None:
    for name in coordinator.testing.__all__:
        assert ">>> " in (getattr(coordinator.testing, name).__doc__ or ""), name


class Last(Strategy):
    """Long above the average of its window, and nothing else."""

    strategy_type: ClassVar[str] = "last"
    window: Window = 3

    def signal(self, bars: Sequence[Bar]) -> int:
        closes = [bar.close for bar in bars[-self.window :]]
        return 1 if closes[-1] * len(closes) > sum(closes) else -1


class Forgetless(Last):
    """Long above the average of all that it ever saw."""

    def start(self) -> Callable[[Bar], int]:
        seen: list[Decimal] = []

        def step(bar: Bar) -> int:
            seen.append(bar.close)
            return 1 if seen[-1] * len(seen) > sum(seen) else -1

        return step


class Shares(Last):
    """Remembers in its class what every ticker's bars were."""

    closes: ClassVar[list[Decimal]] = []

    def signal(self, bars: Sequence[Bar]) -> int:
        self.closes.append(bars[-1].close)
        return 1 if self.closes[-1] > max([*self.closes[-3:-1], Decimal(0)]) else -1


class Throws(Last):
    """Throws a coin."""

    def signal(self, bars: Sequence[Bar]) -> int:
        return secrets.choice((1, -1))


def test_a_wrong_signal_is_told_with_its_bar() -> None:
    with pytest.raises(AssertionError) as failed:
        assert_signals(Last(), bars_of([1, 1, 2, 3]), [0, 0, 1, -1])
    assert str(failed.value) == (
        "at bar 3 (SPY 2026-03-17 13:33, close 3) the signal is 1, expected -1"
    )


def test_as_many_signals_as_bars_are_needed() -> None:
    with pytest.raises(ValueError, match="2 bars need as many signals, got 1"):
        assert_signals(Last(), bars_of([1, 1]), [0])


@pytest.mark.parametrize("kind", [Shares, Throws])
def test_one_that_remembers_what_it_should_not_is_caught(kind: type[Strategy]) -> None:
    with pytest.raises(AssertionError, match=r"at bar \d+ \(SPY .*\) the signal is"):
        assert_deterministic(kind(), walk(300))


def test_one_that_never_forgets_is_caught() -> None:
    assert_enough_history(Last(), walk(300))
    with pytest.raises(AssertionError, match="with 30 bars of history; raise history_bars"):
        assert_enough_history(Forgetless(), walk(300))


def test_how_much_history_it_says_it_needs_is_put_to_the_test() -> None:
    class Modest(Last):
        history_bars = property(lambda self: 4)

    class TooModest(Forgetless):
        history_bars = property(lambda self: 4)

    assert_enough_history(Modest(), walk(8))
    with pytest.raises(AssertionError, match="with 4 bars of history; raise history_bars"):
        assert_enough_history(TooModest(), walk(300))


def test_too_few_bars_prove_nothing() -> None:
    with pytest.raises(ValueError, match="give at least 60 bars, got 59: the history is 30"):
        assert_enough_history(Last(), walk(59))


@pytest.mark.parametrize("kind", BUILT_IN)
def test_the_built_in_strategies_pass(kind: type[Strategy]) -> None:
    strategy = kind()
    assert_deterministic(strategy, walk(400))
    assert_enough_history(strategy, walk(25 * strategy.longest_window))


def test_bars_of_two_tickers_or_out_of_order_are_no_replay() -> None:
    first, second = bars_of([1, 2])
    with pytest.raises(ValueError, match="oldest first"):
        replay(Last(), [second, first])
    with pytest.raises(ValueError, match="one ticker"):
        replay(Last(), [first, *bars_of([1], ticker="QQQ")])


def test_decimals_are_as_exact_as_in_a_session() -> None:
    class Thirds(Last):
        def signal(self, bars: Sequence[Bar]) -> int:
            return 1 if len(str(bars[-1].close / 3)) > 90 else -1

    assert replay(Thirds(window=1), bars_of([1])) == [1]


def test_a_recording_gives_the_bars_of_regular_sessions(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "bars.parquet", ["SPY", "BTC/USD"], FRIDAY, FRIDAY)
    stock, crypto = read_bars(path, "SPY"), read_bars(str(path), "BTC/USD")
    assert len(crypto) > 1400
    assert 380 <= len(stock) <= 390
    assert stock[0].start == datetime(2026, 3, 13, 13, 30, tzinfo=UTC)
    assert stock[-1].start < datetime(2026, 3, 13, 20, 0, tzinfo=UTC)
    frame = pd.read_parquet(path)
    assert read_bars(frame, "SPY") == stock
    with pytest.raises(ValueError, match=r"has no bars of QQQ; it holds BTC/USD, SPY"):
        read_bars(path, "QQQ")
    with pytest.raises(ValueError, match="column 'close' is missing"):
        read_bars(frame.drop(columns="close"), "SPY")


def test_a_recording_before_the_open_is_left_out(tmp_path: Path) -> None:
    times = pd.to_datetime(["2026-03-13 13:29Z", "2026-03-13 13:30Z", "2026-03-13 20:00Z"])
    prices = {name: 5.0 for name in ("open", "high", "low", "close", "volume")}
    frame = pd.DataFrame({"symbol": "SPY", "timestamp": times, **prices})
    assert [bar.start.minute for bar in read_bars(frame, "SPY")] == [30]


def walks(count: int) -> dict[str, list[Bar]]:
    return {ticker: walk(count, seed=n, ticker=ticker) for n, ticker in enumerate(("SPY", "QQQ"))}


@pytest.mark.parametrize("kind", FORMS)
def test_one_that_looks_at_several_tickers_is_fed_and_checked_by_ticker(
    kind: type[MultiTickerStrategy],
) -> None:
    bars = {"SPY": bars_of([100, 101, 101]), "QQQ": bars_of([50, 50, 52], ticker="QQQ")}
    found = [{"SPY": 0, "QQQ": 0}, {"SPY": 1, "QQQ": -1}, {"SPY": -1, "QQQ": 1}]
    assert replay(kind(), bars) == found
    assert_signals(kind(), bars, found)
    assert_signals(kind(), bars, {-1: {"QQQ": 1}})
    assert_deterministic(kind(), walks(100))
    assert_enough_history(kind(), walks(100))


def test_a_minute_has_the_tickers_that_have_a_bar_in_it() -> None:
    bars = {"SPY": bars_of([1, 2, 3]), "QQQ": bars_of([1, 2], ticker="QQQ")}
    assert [list(signals) for signals in replay(Leader(), bars)][1:] == [["SPY", "QQQ"], ["SPY"]]


class SharesTogether(Leader):
    """Remembers in its class."""

    seen: ClassVar[list[Decimal]] = []

    def signals(self, bars: Mapping[str, Sequence[Bar]]) -> dict[str, int]:
        self.seen.append(bars["SPY"][-1].close)
        return {"SPY": 1 if self.seen[-1] > max([*self.seen[-3:-1], Decimal(0)]) else -1}


def test_a_wrong_signal_by_ticker_is_told_with_its_minute() -> None:
    bars = {"SPY": bars_of([100, 101]), "QQQ": bars_of([50, 50], ticker="QQQ")}
    with pytest.raises(AssertionError) as failed:
        assert_signals(Leader(), bars, {1: {"SPY": 0}})
    assert str(failed.value) == (
        "at minute 1 (2026-03-17 13:31, closes SPY 101, QQQ 50) the signal is {'SPY': 1}, expected"
        " {'SPY': 0}"
    )
    with pytest.raises(AssertionError, match=r"at minute \d+ \(.*\) the signal is"):
        assert_deterministic(SharesTogether(), walks(100))


def test_bars_by_ticker_and_bars_of_one_are_for_their_own_kind_of_strategy() -> None:
    with pytest.raises(ValueError, match="bars by ticker are for a MultiTickerStrategy"):
        replay(Last(), walks(3))
    with pytest.raises(OperatorError, match="give it the bars of each, by ticker"):
        replay(Leader(), walk(3))
    with pytest.raises(ValueError, match="the bars of QQQ are those of SPY"):
        replay(Leader(), {"QQQ": walk(3)})
