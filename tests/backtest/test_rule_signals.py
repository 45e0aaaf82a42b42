"""A rule that is stepped beforehand is stepped in the order in which the engine would step it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import getcontext
from pathlib import Path
from typing import ClassVar

import pytest

from coordinator.backtest import Means
from coordinator.core.values import EXACT, Bar
from coordinator.strategies import Strategy, registry
from tests.backtest.recording import MONDAY, TUESDAY, backtest, write_recording


class Noting(Strategy):
    """Notes in one list for all what it is asked; it raises at its n-th bar, if n is given."""

    strategy_type: ClassVar[str] = "foreseen_noting"
    asked: ClassVar[list[tuple[str, str, datetime]]] = []

    name: str
    raises_at: int = 0

    _seen: int = 0

    @property
    def longest_window(self) -> int:
        return 2

    def step(self, bar: Bar) -> int:
        self._seen += 1
        self.asked.append((self.name, bar.symbol, bar.start))
        if self._seen == self.raises_at:
            raise ValueError("enough")
        return self._seen % 3 - 1


@pytest.fixture(autouse=True)
def noting_is_known(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Registered for these tests alone: others list what is registered."""
    monkeypatch.setitem(registry._registered, Noting.strategy_type, Noting)
    yield
    Noting.asked.clear()


# Who raises is not for machine code, and would be asked again.
@pytest.mark.thorough
@pytest.mark.parametrize(
    ("means", "raising"),
    [
        (Means.COMPILED, {}),
        (Means.AT_ONCE, {}),
        (Means.AT_ONCE, {"B": 20}),
        (Means.AT_ONCE, {"A": 21, "B": 30, "C": 30}),
        (Means.AT_ONCE, {"C": 5}),
    ],
)
def test_what_its_tickers_share_is_the_same_at_each_step(
    tmp_path: Path, raising: dict[str, int], means: Means
) -> None:
    bars = write_recording(tmp_path / "bars.parquet", ["AAPL", "MSFT", "SPY"], MONDAY, TUESDAY)
    tickers = {"A": ["SPY"], "B": ["SPY", "AAPL"], "C": ["AAPL", "SPY"], "B-too": ["MSFT"]}
    config = {
        "strategies": [
            {
                "name": name,
                "strategy_type": Noting.strategy_type,
                "strategy_params": {"name": name[0], "raises_at": raising.get(name[0], 0)},
                "tickers": tickers[name],
            }
            for name in tickers
        ]
    }
    asked = {}
    for way in (means, Means.BY_MESSAGE):
        Noting.asked.clear()
        sessions = list(backtest(tmp_path, config, bars).play(means=way))
        asked[way] = {name: [one for one in Noting.asked if one[0] == name] for name in "ABC"}
        assert len(sessions) == 2
        assert [one.means for one in sessions] == [way] * 2
        failed = {name for name in tickers if name[0] in raising}
        assert [set(one.faults) for one in sessions] == [failed] * 2
    assert asked[means] == asked[Means.BY_MESSAGE]


class Odd(Strategy):
    """Its n-th answer on a ticker is 2, which is no signal; the others are."""

    strategy_type: ClassVar[str] = "foreseen_odd"
    tells: int
    longest_window: ClassVar[int] = 2

    def start(self) -> Callable[[Bar], int]:
        answers = itertools.count(1)
        return lambda bar: 2 if (number := next(answers)) == self.tells else number % 3 - 1


@pytest.mark.parametrize("tickers", [["SPY"], ["AAPL", "SPY"]])
@pytest.mark.parametrize("tells", [5, 60])
def test_an_answer_that_is_no_signal_stops_it_where_a_session_would(
    tmp_path: Path, tells: int, tickers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry._registered, Odd.strategy_type, Odd)
    bars = write_recording(tmp_path / "bars.parquet", ["AAPL", "SPY"], MONDAY, TUESDAY)
    entry = {
        "name": "A",
        "strategy_type": Odd.strategy_type,
        "strategy_params": {"tells": tells},
        "tickers": tickers,
    }
    config = {"strategies": [entry]}
    found = []
    for way in (Means.AT_ONCE, Means.BY_MESSAGE):
        sessions = list(backtest(tmp_path, config, bars).play(means=way))
        assert [one.means for one in sessions] == [way] * 2
        assert "it answered 2; it must answer 1, -1 or 0" in sessions[-1].faults["A"]
        found.append([{name: list(some) for name, some in one.rows().items()} for one in sessions])
    assert found[0] == found[1]


class Coarse(Strategy):
    """Up and down in turn; at each step, and when it starts, it sets how decimals are rounded."""

    strategy_type: ClassVar[str] = "foreseen_coarse"
    digits: int
    longest_window: ClassVar[int] = 2

    def start(self) -> Callable[[Bar], int]:
        signals = itertools.cycle((1, -1))

        def step(bar: Bar) -> int:
            getcontext().prec = self.digits
            return next(signals)

        getcontext().prec = self.digits
        return step


@pytest.mark.parametrize("means", [Means.COMPILED, Means.AT_ONCE, Means.BY_MESSAGE])
@pytest.mark.parametrize("tickers", [["SPY"], ["AAPL", "SPY"]])
def test_how_a_strategy_rounds_moves_no_money(
    tmp_path: Path, means: Means, tickers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry._registered, Coarse.strategy_type, Coarse)
    bars = write_recording(tmp_path / "bars.parquet", ["AAPL", "SPY"], MONDAY, TUESDAY)
    found = []
    for digits in (100, 4):
        entry = {"strategy_type": Coarse.strategy_type, "strategy_params": {"digits": digits}}
        config = {"strategies": [entry | {"name": "A", "tickers": tickers}]}
        sessions = list(backtest(tmp_path, config, bars).play(means=means))
        assert [one.means for one in sessions] == [means] * 2
        found.append([row["net_pnl"] for one in sessions for row in one.rows()["pnl_daily"]])
    assert found[0] == found[1]
    assert EXACT.prec == 100


class Peeking(Strategy):
    """Fails where it finds the account's keys, or not Prefect's, which the run itself needs."""

    strategy_type: ClassVar[str] = "foreseen_peeking"
    longest_window: ClassVar[int] = 2

    def start(self) -> Callable[[Bar], int]:
        return self.peek

    def peek(self, bar: Bar) -> int:
        assert "APCA_API_SECRET_KEY" not in os.environ
        assert "PREFECT_API_KEY" in os.environ
        return 1


@pytest.mark.parametrize("means", [Means.COMPILED, Means.AT_ONCE, Means.BY_MESSAGE])
def test_a_strategy_finds_no_keys_of_the_account(
    tmp_path: Path, means: Means, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry._registered, Peeking.strategy_type, Peeking)
    monkeypatch.setenv("APCA_API_SECRET_KEY", "S1")
    monkeypatch.setenv("PREFECT_API_KEY", "P1")
    bars = write_recording(tmp_path / "bars.parquet", ["SPY"], MONDAY, TUESDAY)
    entry = {"name": "A", "strategy_type": Peeking.strategy_type, "tickers": ["SPY"]}
    sessions = list(backtest(tmp_path, {"strategies": [entry]}, bars).play(means=means))
    assert [(one.means, one.faults) for one in sessions] == [(means, {})] * 2
    assert "APCA_API_SECRET_KEY" in os.environ
