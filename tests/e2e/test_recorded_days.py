"""Whole recorded days over sockets agree with the oracle and with a backtest, to the last cent."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from simulator.server import Simulator
from tests.backtest.test_over_sockets import is_its_backtest
from tests.coordinator.test_against_oracle import bars_file
from tests.e2e.running import run_here, session_rows, simulator_options
from tests.oracle import configs
from tests.oracle.predict import predict
from tests.oracle.recorded import recorded_bars, recorded_data

__all__ = ["bars_file", "recorded_data"]
STOCKS, CRYPTO = "yahoo_2026_03", "tiingo_crypto_2026_03"
CASES = {
    "26 strategies on 10 tickers": (configs.twenty_six, [STOCKS], date(2026, 3, 17)),
    "100 strategies on 30 tickers": (configs.hundred, [STOCKS], date(2026, 3, 18)),
    "a UTC day of crypto": (configs.crypto, [CRYPTO], date(2026, 3, 18)),
    "stocks and crypto": (configs.mixed, [STOCKS, CRYPTO], date(2026, 3, 17)),
}


@pytest.mark.slow
@pytest.mark.recorded
@pytest.mark.timeout(900)
@pytest.mark.parametrize("case", CASES)
def test_a_recorded_day_over_sockets_is_what_the_oracle_predicts_and_a_backtest_plays(
    bars_file: Path, tmp_path: Path, case: str
) -> None:
    make, sources, day = CASES[case]
    config = make()
    start = datetime.combine(day, time(0), UTC) if sources == [CRYPTO] else None
    with Simulator(simulator_options(bars=bars_file, date=day, start=start)) as venue:
        outcome = run_here(venue, config, tmp_path)
        account = venue.snapshot()
    rows = session_rows(tmp_path)
    expected = predict(config, recorded_bars(*sources), day)

    assert (outcome.status, outcome.discrepancies) == ("Completed", 0)
    assert fills(rows) == sorted(
        (f.strategy, f.symbol, f.side, f.qty, f.price, f.fee) for f in expected.fills
    )
    pnl = {str(row["strategy"]): row["net_pnl"] for row in rows["pnl_daily"]}
    assert {name: pnl[name] for name in expected.pnl} == expected.pnl
    assert sum_of_books(rows) == (account.cash, account.positions)
    assert account.most_connections["/v2/iex"] == int(STOCKS in sources)
    assert account.most_connections["/v1beta3/crypto/us"] == int(CRYPTO in sources)
    is_its_backtest(rows, config, bars_file, day, tmp_path)


def fills(rows: dict[str, list[dict[str, Any]]]) -> list[tuple[Any, ...]]:
    names = ("strategy", "symbol", "side", "qty", "price", "fee")
    return sorted(tuple(fill[name] for name in names) for fill in rows["fills"])


def sum_of_books(
    rows: dict[str, list[dict[str, Any]]],
) -> tuple[Decimal, dict[str, Decimal]]:
    cash = {row["strategy"]: row["cash"] for row in rows["equity"]}
    held: dict[str, Decimal] = {}
    for position in rows["positions"]:
        symbol = position["symbol"]
        held[symbol] = held.get(symbol, Decimal(0)) + position["qty"]
    return sum(cash.values(), Decimal(0)), {s: q for s, q in held.items() if q}
