"""A session that is played at once says, row by row, what the engine says message by message."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from coordinator.backtest import Backtest, BacktestOptions, Means, PlayedSession
from coordinator.core.risk import COIN_ORDER_DOLLARS
from coordinator.core.values import Bar
from coordinator.strategies import Strategy, registry

DAYS = (date(2026, 3, 16), date(2026, 3, 17), date(2026, 3, 18))
OPEN, MIDNIGHT = timedelta(hours=13, minutes=30), timedelta(0)
MARKETS = {"stocks": ("AAPL", "MSFT", "SPY"), "coins": ("BTC/USD", "ETH/USD")}
MINUTES = 24


class Moody(Strategy):
    """A user's rule: its signals are the closes' last digits, and one close makes it raise."""

    strategy_type: ClassVar[str] = "instant_moody"

    raises_at: int = 0

    @property
    def longest_window(self) -> int:
        return 2

    def start(self) -> Callable[[Bar], int]:
        def step(bar: Bar) -> int:
            digit = int(bar.close * 100) % 10
            if digit and digit == self.raises_at:
                raise ValueError(f"no {digit}")
            return (digit < 4) - (digit > 5)

        return step


@pytest.fixture(scope="module", autouse=True)
def moody_is_known() -> Iterator[None]:
    """Registered for these tests alone: others list what is registered."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry._registered, Moody.strategy_type, Moody)
        yield


@dataclass(frozen=True)
class Tape:
    """Closes by ticker and day, in cents; None where the ticker has no bar."""

    market: str
    closes: dict[tuple[str, date], list[int | None]]

    def write(self, path: Path) -> Path:
        begin = OPEN if self.market == "stocks" else MIDNIGHT
        rows = []
        for (symbol, day), cents in self.closes.items():
            start = datetime(day.year, day.month, day.day, tzinfo=UTC) + begin
            for at, cent in enumerate(cents):
                if cent is not None:
                    price = cent / 100
                    row = {"open": price, "high": price, "low": price, "close": price}
                    row["high"] += at % 3 / 100
                    row["low"] -= at % 4 / 1000
                    when = start + timedelta(minutes=at)
                    rows.append({"symbol": symbol, "timestamp": when, "volume": 7.5 + at, **row})
        pd.DataFrame(rows).to_parquet(path)
        return path


@st.composite
def tapes(draw: st.DrawFn) -> Tape:
    """Prices that wander in whole cents, so that they tie, with minutes left out."""
    market = draw(st.sampled_from(sorted(MARKETS)))
    closes: dict[tuple[str, date], list[int | None]] = {}
    for symbol in MARKETS[market]:
        cents = draw(st.sampled_from([700, 10_000]))
        for day in DAYS:
            moves = draw(st.lists(st.integers(-9, 9), min_size=MINUTES, max_size=MINUTES))
            gaps = draw(st.sets(st.integers(1, MINUTES - 1), max_size=8))
            line: list[int | None] = []
            for at, move in enumerate(moves):
                cents += move
                line.append(None if at in gaps else cents)
            closes[symbol, day] = line
    return Tape(market, closes)


RULES = st.one_of(
    st.builds(
        lambda n: ("momentum", {"lookback_period": n, "momentum_threshold": 0.0002}),
        st.integers(1, 4),
    ),
    st.builds(
        lambda n: ("rsi", {"rsi_period": n, "rsi_oversold": 45, "rsi_overbought": 55}),
        st.integers(2, 4),
    ),
    st.builds(lambda n: ("mean_reversion", {"lookback_period": n}), st.integers(2, 5)),
    st.builds(
        lambda n: ("macd", {"fast_window": n, "slow_window": n + 2, "signal_window": n}),
        st.integers(2, 4),
    ),
    st.builds(lambda n: ("donchian", {"entry_window": n, "exit_window": 4 - n}), st.integers(1, 3)),
    st.builds(
        lambda n: ("vwap_reversion", {"lookback_period": n, "entry_threshold": 0.0002}),
        st.integers(2, 4),
    ),
    st.builds(lambda n: ("instant_moody", {"raises_at": n}), st.sampled_from([0, 0, 0, 1, 9])),
)
RISK = st.fixed_dictionaries(
    {},
    optional={
        "max_position_size": st.sampled_from([0.05, 0.4, 1.0]),
        "max_daily_trades": st.integers(0, 3),
        "max_daily_loss": st.sampled_from([0.5, 3.0, 20.0]),
        "stop_loss_pct": st.sampled_from([0.0005, 0.001, 0.01]),
        "take_profit_pct": st.sampled_from([0.0005, 0.002]),
    },
)


@st.composite
def configurations(draw: st.DrawFn, market: str) -> dict[str, Any]:
    """Strategies of every kind on one market, that meet on its tickers."""
    strategies = []
    for number in range(draw(st.integers(1, 5))):
        kind, params = draw(RULES)
        tickers = draw(st.lists(st.sampled_from(MARKETS[market]), min_size=1, unique=True))
        strategies.append(
            {
                "name": f"S{number}",
                "strategy_type": kind,
                "strategy_params": params,
                "tickers": tickers,
                "initial_cash": draw(st.sampled_from([3.0, 50.0, 10_000.0, 2_000_000.0])),
                "min_warmup_bars": draw(st.integers(0, 8)),
                "risk_config": draw(RISK),
            }
        )
    return {"strategies": strategies}


FEW = settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # an example takes long to shrink
)
MODELS = st.sampled_from(["close", "spread", "slippage:20"])


@pytest.mark.thorough
@FEW
@given(st.data(), tapes(), MODELS)
def test_at_once_and_by_message_are_the_same_rows(
    data: st.DataObject, tape: Tape, model: str
) -> None:
    same_rows(data, tape, model)


@pytest.mark.slow
@settings(FEW, max_examples=400)
@given(st.data(), tapes(), MODELS)
def test_at_once_and_by_message_are_the_same_rows_in_many_more_sessions(
    data: st.DataObject, tape: Tape, model: str
) -> None:
    same_rows(data, tape, model)


def same_rows(data: st.DataObject, tape: Tape, model: str) -> None:
    with TemporaryDirectory() as folder:
        bars = tape.write(Path(folder) / "bars.parquet")
        config = data.draw(configurations(tape.market))
        apart = data.draw(st.booleans())
        at_once, by_message = both(Path(folder), config, bars, model, apart=apart)
    assert [said(one) for one in at_once] == [said(one) for one in by_message]
    if not any(map(sells_in_parts, by_message)):
        assert all(one.means is Means.AT_ONCE for one in at_once)
    assert all(one.means is Means.BY_MESSAGE for one in by_message)


def sells_in_parts(session: PlayedSession) -> bool:
    """Whether coins were sold for as much as one order may be, and the rest in the next."""
    orders = session.rows()["orders"]
    sales = [one for one in orders if one["side"] == "sell" and "/" in one["symbol"]]
    return any(one["qty"] * one["decision_price"] > COIN_ORDER_DOLLARS - 1 for one in sales)


CASES = {
    "a fill model that limits what executes": ({}, "participation:0.01"),
    "a price that the account freezes": ({"controls": {"price_collar": 0.003}}, "spread"),
    "crossing inside": ({"crossing": True}, "spread"),
    "a limit of the whole account": ({"controls": {"max_order_notional": 20_000}}, "spread"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_may_not_fill_at_once_is_played_by_message(tmp_path: Path, case: str) -> None:
    more, model = CASES[case]
    closes = {("SPY", day): [10_000 + (at % 5) * 9 for at in range(40)] for day in DAYS[:2]}
    bars = Tape("stocks", dict(closes)).write(tmp_path / "bars.parquet")
    params = {"lookback_period": 1, "momentum_threshold": 0.0001}
    one = {"name": "A", "strategy_type": "momentum", "strategy_params": params}
    config = {"strategies": [one | {"tickers": ["SPY"], "min_warmup_bars": 0}], **more}
    at_once, by_message = both(tmp_path, config, bars, model)
    assert all(one.means is Means.BY_MESSAGE for one in at_once)
    assert [said(one) for one in at_once] == [said(one) for one in by_message]
    assert sum(len(one.rows()["fills"]) for one in at_once) > 1


def both(
    folder: Path, config: dict[str, Any], bars: Path, model: str, *, apart: bool = False
) -> tuple[list[PlayedSession], list[PlayedSession]]:
    path = folder / "test.json"
    path.write_text(json.dumps(config))
    options = BacktestOptions(path, bars, fill_model=model)
    at_once, by_message = (Backtest(options, apart=apart) for _ in range(2))
    return list(at_once.play(means=Means.AT_ONCE)), list(by_message.play(means=Means.BY_MESSAGE))


def said(session: PlayedSession) -> tuple[object, ...]:
    rows = {table: list(rows) for table, rows in session.rows().items()}
    return session.session_id, session.session_date, session.summary, rows


def test_a_price_that_leapt_overnight_is_judged_alike_however_the_day_before_was_played(
    tmp_path: Path,
) -> None:
    """Its strategy has sold all on the day before, so that only orders that ended tell of it."""
    tape = Tape(
        "stocks", {("SPY", DAYS[0]): [10_000, 10_100, 9_900], ("SPY", DAYS[1]): [4_000, 4_100]}
    )
    rising = {"lookback_period": 1, "momentum_threshold": 0}
    one = {"name": "A", "strategy_type": "momentum", "strategy_params": rising, "tickers": ["SPY"]}
    config = tmp_path / "test.json"
    config.write_text(json.dumps({"strategies": [one | {"min_warmup_bars": 0}]}))
    options = BacktestOptions(config, tape.write(tmp_path / "bars.parquet"))
    told = [
        [(list(day.rows()["fills"]), list(day.rows()["discrepancies"])) for day in test]
        for test in (Backtest(options).play(means=means) for means in Means)
    ]
    assert told[0] == told[1] == told[2]
    assert [row["side"] for row in told[0][0][0]] == ["buy", "sell"]
