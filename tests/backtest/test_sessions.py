"""Sessions one after another: books live on, nothing leaks from one day into another's rules."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from coordinator.backtest import PlayedSession
from coordinator.backtest.exchange import Exchange
from coordinator.backtest.session import Session
from coordinator.backtest.setup import Opened
from coordinator.backtest.tape import Recording
from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.fees import CRYPTO_FEE_RATE
from coordinator.core.reconcile import compare
from coordinator.core.statement import Rows, statement
from simulator.fills import fill_model
from tests.backtest.recording import MONDAY, TUESDAY, backtest, strategy, write_recording

MIXED = {
    "strategies": [
        strategy("Stocks", "SPY", "QQQ", risk_config={"max_daily_trades": 20}),
        strategy("Coins", "BTC/USD", kind="rsi", risk_config={"stop_loss_pct": 0.002}),
        strategy("Both", "SPY", "BTC/USD", kind="rsi", risk_config={"max_position_size": 0.4}),
    ]
}
SMALL = "participation:0.0002"
SUNDAY = date(2026, 3, 15)
MODELS = [pytest.param("spread", marks=pytest.mark.slow), SMALL]


@pytest.fixture(scope="session")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stocks and crypto from a Sunday to the Tuesday after it."""
    path = tmp_path_factory.mktemp("recording") / "mixed.parquet"
    return write_recording(path, ["SPY", "QQQ", "BTC/USD"], SUNDAY, TUESDAY)


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory, bars: Path) -> list[PlayedSession]:
    return list(backtest(tmp_path_factory.mktemp("played"), MIXED, bars).play())


def test_a_sunday_is_for_crypto_and_monday_is_for_both(played: list[PlayedSession]) -> None:
    traded = {
        session.session_date: {str(row["symbol"]) for row in session.rows()["fills"]}
        for session in played
    }
    assert list(traded) == [SUNDAY, MONDAY, TUESDAY]
    assert traded[SUNDAY] == {"BTC/USD"}
    assert traded[MONDAY] == {"SPY", "QQQ", "BTC/USD"}


def test_a_day_begins_with_the_equity_that_the_day_before_ended_with(
    played: list[PlayedSession],
) -> None:
    before: dict[str, object] = {"Stocks": Decimal(10000), "Coins": Decimal(10000)}
    for session in played:
        days = {str(row["strategy"]): row for row in session.rows()["pnl_daily"]}
        for name, equity in before.items():
            assert days[name]["start_equity"] == equity, (session.session_date, name)
        before = {name: day["end_equity"] for name, day in days.items()}


@pytest.mark.parametrize("model", MODELS)
def test_the_books_sum_to_the_exchanges_account_after_every_session(
    tmp_path: Path, bars: Path, model: str
) -> None:
    partial = 0
    for session, books, exchange in sessions(tmp_path, bars, model, restarted=False):
        cash, positions = exchange.venue.ledger.cash, exchange.positions()
        assert compare(books.ledger, cash, positions, session.now) == []
        partial += sum(f.qty < books.order(f.client_order_id).qty for f in fills(session))
    assert (partial > 10) is (model == SMALL)


@pytest.mark.thorough
@pytest.mark.parametrize("model", MODELS)
def test_days_in_one_run_are_the_same_days_run_one_after_another(
    tmp_path: Path, bars: Path, model: str
) -> None:
    # between two runs only the records live on, as in a journal
    one_run = [rows(s) for s, *_ in sessions(tmp_path, bars, model, restarted=False)]
    restarted = [rows(s) for s, *_ in sessions(tmp_path, bars, model, restarted=True)]
    assert one_run == restarted
    assert len(one_run) == 3


def sessions(folder: Path, bars: Path, model: str, *, restarted: bool) -> Any:
    """Each session, its books and the exchange; if restarted, on books made from the records."""
    test = backtest(folder, MIXED, bars, fill_model=model)
    recording = Recording(bars, None, test.setup.tickers)
    exchange = Exchange(
        recording.feed,
        recording.tape.calendar,
        Decimal(100_000),
        fill_model(model),
        CRYPTO_FEE_RATE,
    )
    books, records = Books(), list[r.Record]()
    for start in recording.starts(None, None):
        if restarted:
            books = Books()
            books.apply_all(records)
        opened = Opened.on(books, test.setup, recording.tape, exchange, start)
        session = Session(test.setup, recording.tape, exchange, books, opened)
        while session.now < session.plan.end:
            session.step()
        session.finish()
        records += session.records
        yield session, books, exchange


def rows(session: Session) -> Rows:
    return statement(session.records)


def fills(session: Session) -> list[r.FillBooked]:
    return [record for record in session.records if isinstance(record, r.FillBooked)]
