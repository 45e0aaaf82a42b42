"""Recorded days in one backtest: every fill and every cent is what the oracle predicts.

The oracle (tests/oracle) knows the contract alone; it takes a day's books over from the day before.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from coordinator.backtest import Backtest, BacktestOptions, PlayedSession
from tests.coordinator.test_against_oracle import CRYPTO, STOCKS, bars_file
from tests.oracle import configs
from tests.oracle.predict import predict
from tests.oracle.recorded import recorded_bars, recorded_data
from tests.oracle.result import OracleResult

__all__ = ["bars_file", "recorded_data"]

WEDNESDAY = date(2026, 3, 18)
CASES = {
    "one of each type on a stock": (configs.one_of_each, [STOCKS], date(2026, 3, 12), 6, "spread"),
    "26 on overlapping tickers": (configs.twenty_six, [STOCKS], date(2026, 3, 17), 2, "spread"),
    "26 without a spread": (configs.twenty_six, [STOCKS], WEDNESDAY, 2, "close"),
    "crypto over UTC days": (configs.crypto, [CRYPTO], WEDNESDAY, 2, "spread"),
    "stocks and crypto mixed": (configs.mixed, [STOCKS, CRYPTO], WEDNESDAY, 2, "spread"),
}
LONG = {"26 without a spread", "crypto over UTC days", "stocks and crypto mixed"}
MARKED = [
    pytest.param(case, marks=pytest.mark.slow if case in LONG else (), id=case) for case in CASES
]


@pytest.mark.thorough
@pytest.mark.recorded
@pytest.mark.parametrize("case", MARKED)
def test_every_fill_of_every_day_is_the_oracles(bars_file: Path, tmp_path: Path, case: str) -> None:
    make, sources, first, days, model = CASES[case]
    played = play(make(), tmp_path, bars_file, first, days, model)
    bars = recorded_bars(*sources)

    assert len(played) == days
    expected: OracleResult | None = None
    for session in played:
        expected = predict(make(), bars, session.session_date, fill_model=model, previous=expected)
        assert fills(session) == predicted(expected), session.session_date
        assert len(expected.fills) > 10, "a day without trading proves nothing"
    assert expected is not None
    assert equity(played[-1]) == expected.equity


def play(
    config: dict[str, Any], folder: Path, bars: Path, first: date, days: int, model: str
) -> list[PlayedSession]:
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    options = BacktestOptions(path, bars, start=first, fill_model=model)
    return [session for session, _ in zip(Backtest(options).play(), range(days), strict=False)]


def fills(session: PlayedSession) -> list[tuple[object, ...]]:
    names = ("strategy", "symbol", "side", "qty", "price", "fee")
    return sorted(tuple(fill[name] for name in names) for fill in session.rows()["fills"])


def predicted(expected: OracleResult) -> list[tuple[object, ...]]:
    return sorted((f.strategy, f.symbol, f.side, f.qty, f.price, f.fee) for f in expected.fills)


def equity(session: PlayedSession) -> dict[str, object]:
    ends = {str(row["strategy"]): row["end_equity"] for row in session.rows()["pnl_daily"]}
    ends.pop("UNASSIGNED")
    return ends
