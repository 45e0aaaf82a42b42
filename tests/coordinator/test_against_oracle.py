"""The engine against the oracle: on recorded days both take the same decisions, to the last digit.

The oracle (tests/oracle) was written from the contract alone, by somebody who never saw the
engine: Fractions, TA-Lib and plain loops.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from simulator.options import SimulatorOptions
from tests.in_memory import InMemorySession
from tests.oracle import configs
from tests.oracle.predict import predict
from tests.oracle.recorded import recorded_bars, recorded_data
from tests.oracle.result import OracleResult

__all__ = ["recorded_data"]

STOCKS, CRYPTO = "yahoo_2026_03", "tiingo_crypto_2026_03"
DAY = date(2026, 3, 17)
Config = Callable[[], Mapping[str, Any]]

CASES: list[tuple[str, Config, list[str], date, str]] = [
    ("one of each type on a stock", configs.one_of_each, [STOCKS], DAY, "spread"),
    ("26 on overlapping tickers", configs.twenty_six, [STOCKS], DAY, "spread"),
    ("26 without a spread", configs.twenty_six, [STOCKS], DAY, "close"),
    ("26 the day after", configs.twenty_six, [STOCKS], date(2026, 3, 18), "spread"),
    ("crypto over a UTC day", configs.crypto, [CRYPTO], date(2026, 3, 18), "spread"),
    ("stocks and crypto mixed", configs.mixed, [STOCKS, CRYPTO], DAY, "spread"),
]

LONG = {"26 without a spread", "26 the day after"}
MARKED = [
    pytest.param(*case, id=case[0], marks=pytest.mark.slow if case[0] in LONG else ())
    for case in CASES
]


@pytest.fixture(scope="session")
def bars_file(recorded_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recorded sets in one file, since a mixed session needs both."""
    path = tmp_path_factory.mktemp("bars") / "recorded.parquet"
    frames = [pd.read_parquet(recorded_data / f"{kind}_1min.parquet") for kind in KINDS]
    both = pd.concat([frame[frame["source"].isin([STOCKS, CRYPTO])] for frame in frames])
    both.to_parquet(path)
    return path


KINDS = ("stocks", "crypto")


@pytest.mark.thorough
@pytest.mark.recorded
@pytest.mark.parametrize(("case", "config", "sources", "day", "model"), MARKED)
def test_every_fill_and_the_pnl_are_those_that_the_oracle_predicts(
    bars_file: Path, case: str, config: Config, sources: list[str], day: date, model: str
) -> None:
    session = played(config(), bars_file, day, model)
    expected = predict(dict(config()), recorded_bars(*sources), day, fill_model=model)

    assert fills_of(session) == predicted_fills(expected), case
    assert len(expected.fills) > 50, "a day without trading proves nothing"
    for row in session.rows()["pnl_daily"]:
        if row["strategy"] in expected.pnl:
            assert row["net_pnl"] == expected.pnl[str(row["strategy"])], row["strategy"]


@pytest.mark.thorough
@pytest.mark.recorded
@pytest.mark.parametrize("kind", ["momentum", "rsi", "mean_reversion", "adaptive"])
def test_one_strategy_alone_agrees_with_the_oracle_on_every_fill(
    bars_file: Path, kind: str
) -> None:
    config = configs.single(kind)
    session = played(config, bars_file, DAY, "spread")
    expected = predict(dict(config), recorded_bars(STOCKS), DAY)

    assert fills_of(session) == predicted_fills(expected)
    assert expected.fills


@pytest.mark.thorough
@pytest.mark.recorded
@pytest.mark.parametrize(
    "model",
    [
        pytest.param("spread", marks=pytest.mark.slow),
        pytest.param("close", marks=pytest.mark.slow),
        "participation:0.0005",
    ],
)
def test_the_books_sum_to_the_venues_account_at_every_minute(bars_file: Path, model: str) -> None:
    session = in_memory(configs.mixed(), bars_file, DAY, model)
    while session.now < session.plan.end:
        session.step()
        assert session.differences() == []
    assert session.venue.executions


def in_memory(config: Mapping[str, Any], bars_file: Path, day: date, model: str) -> InMemorySession:
    options = SimulatorOptions(
        bars=bars_file, date=day, start=start_of(config, day), fill_model=model, cash=CASH
    )
    return InMemorySession(config, options)


CASH = Decimal(1_000_000)


def played(config: Mapping[str, Any], bars_file: Path, day: date, model: str) -> InMemorySession:
    session = in_memory(config, bars_file, day, model)
    session.run()
    session.finish()
    assert session.differences() == []
    return session


def start_of(config: Mapping[str, Any], day: date) -> Any:
    tickers = [ticker for one in config["strategies"] for ticker in one["tickers"]]
    if all("/" in ticker for ticker in tickers):
        return pd.Timestamp(day, tz="UTC").to_pydatetime()
    return None


def fills_of(session: InMemorySession) -> list[tuple[str, str, str, Decimal, Decimal, Decimal]]:
    return sorted(
        (f["strategy"], f["symbol"], f["side"], f["qty"], f["price"], f["fee"])  # type: ignore[misc]
        for f in session.rows()["fills"]
    )


def predicted_fills(
    expected: OracleResult,
) -> list[tuple[str, str, str, Decimal, Decimal, Decimal]]:
    return sorted((f.strategy, f.symbol, f.side, f.qty, f.price, f.fee) for f in expected.fills)
