"""The cookbook's queries run, and give what the book-keeper says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.warehouse.builder import DAY, Day, Source, d
from tests.warehouse.conftest import lively_day
from warehouse import QueryFailed, Store, load_session
from warehouse.queries import ask
from warehouse.schemas import TABLES

COOKBOOK = (Path(__file__).parents[2] / "docs" / "sql.md").read_text(encoding="utf-8")
QUESTIONS = re.findall(
    r"^## (\d+)\. (.+?)\n.*?```sql\n(.+?)```", COOKBOOK, re.MULTILINE | re.DOTALL
)


def two_days(day: Day) -> list[Any]:
    first = day.source()
    second = day.next_day("s2")
    second.sell("Alpha", "SPY", "6", "460", decision_price=d("460.46"))
    second.buy("Alpha", "SPY", "1", "460")
    second.activity("Beta", "dividend", "-3")
    denied = {
        "client_order_id": "Alpha.2026-03-18.9",
        "broker_order_id": None,
        "filled_qty": d("0"),
        "filled_avg_price": None,
        "status": "denied",
        "reason": "max_daily_trades",
    }
    source = second.source()
    source.tables["orders"].append({**source.tables["orders"][0], **denied})
    source.tables["discrepancies"].append(
        {
            "session_id": "s2",
            "found_at": second.at,
            "kind": "cash",
            "symbol": None,
            "strategy": None,
            "ours": d("1"),
            "brokers": d("2"),
            "note": "",
        }
    )
    return [first, source]


@pytest.fixture(scope="module")
def told() -> Iterator[Store]:
    """A warehouse in memory that holds the two days."""
    with Store.open(":memory:") as store:
        for source in two_days(lively_day()):
            assert load_session(store, source).status == "loaded"
        yield store


def test_there_are_fifteen_questions_numbered_in_order() -> None:
    assert [int(number) for number, _, _ in QUESTIONS] == list(range(1, 16))
    assert all(question.endswith("?") for _, question, _ in QUESTIONS)


@pytest.mark.thorough
@pytest.mark.parametrize(("number", "question", "sql"), QUESTIONS, ids=[q[1] for q in QUESTIONS])
def test_every_question_is_answered(told: Store, number: str, question: str, sql: str) -> None:
    answer = ask(told, sql)
    assert answer.rows, question
    if number != "14":
        assert answer.columns[:2] == ("account", "mode") or "execution_id" in answer.columns


def test_the_answers_are_the_book_keepers(told: Store) -> None:
    def answer(number: int) -> list[dict[str, Any]]:
        result = ask(told, QUESTIONS[number - 1][2])
        return [dict(zip(result.columns, row, strict=True)) for row in result.rows]

    today = {row["strategy"]: row for row in answer(1)}
    assert today["Alpha"]["net_pnl"] == 6 * (d("460") - d("452"))
    assert today["Beta"]["net_pnl"] == d("-3")
    assert [row["fills"] for row in answer(4)] == [6, 2]
    assert {row["strategy"]: row["round_trips"] for row in answer(6)} == {"Alpha": 2, "Beta": 1}
    assert {row["symbol"]: row["round_trips"] for row in answer(7)} == {"SPY": 2, "BTC/USD": 1}
    sold = next(r for r in answer(8) if (r["symbol"], r["side"]) == ("SPY", "sell"))
    assert sold["dollars"] == Decimal("2.76")
    falls = [(row["session_date"], row["strategy"]) for row in answer(10)]
    assert len(falls) == len(set(falls)) == 6  # a strategy's day once
    (capital,) = ask(told, "SELECT sum(end_equity) FROM pnl_daily WHERE session_id = 's2'").rows[0]
    held = {row["symbol"]: row for row in answer(11)}
    assert held["SPY"]["market_value"] == 460
    assert {row["of_account"] for row in held.values()} == {
        round(float(row["market_value"]) / float(str(capital)), 3) for row in held.values()
    }
    assert answer(12)[0]["reason"] == "max_daily_trades"
    assert {row["strategy"] for row in answer(13)} == {"Alpha"}
    assert len(answer(13)) == 2
    assert [(row["what"], row["detail"]) for row in answer(14)] == [("discrepancy", "cash")]
    assert [(row["strategy"], row["other"], row["days"]) for row in answer(15)] == [
        ("Alpha", "Beta", 2)
    ]


def test_what_is_held_is_told_of_each_strategys_own_latest_session(told: Store) -> None:
    older = Day("o1", DAY - timedelta(days=9), account="PA9", tickers={"Old": ["IWM"]})
    older.buy("Old", "IWM", "3", "200")
    older.bar("IWM", "200")
    other = Day("o2", DAY - timedelta(days=1), account="PA8")
    beside = Day("o3", DAY - timedelta(days=9), account="PA9", tickers={"Coin": ["BTC/USD"]})
    beside.buy("Coin", "BTC/USD", "0.1", "6000")
    for day in (older, other, beside):
        load_session(told, day.source())
    try:
        answer = ask(told, QUESTIONS[10][2])
        told_of = {(row[0], row[2]): row[5] for row in answer.rows}
        assert told_of["PA9", "IWM"] == told_of["PA9", "BTC/USD"] == 0.02  # of 30,000
        assert {account for account, _ in told_of} == {"PA1", "PA9"}
    finally:
        for name in TABLES:
            if "session_id" in TABLES[name].names:
                told.connection.execute(f"DELETE FROM {name} WHERE session_id LIKE 'o%'")


def answers_of(*days: Source) -> dict[int, list[dict[str, Any]]]:
    """What each question is answered of a warehouse that holds these days alone."""
    with Store.open(":memory:") as store:
        for day in days:
            loaded = load_session(store, day)
            assert loaded.status == "loaded", loaded.message
        found = {int(number): ask(store, sql) for number, _, sql in QUESTIONS}
    return {
        number: [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
        for number, answer in found.items()
    }


def test_a_day_within_which_a_strategy_moved_counts_once() -> None:
    first = Day("z1", tickers={"Alpha": ["SPY"], "Beta": ["QQQ"]})
    first.activity("Alpha", "dividend", "10")
    first.activity("Beta", "dividend", "5")
    days = [first.source()]
    second = first.next_day("z2")
    second.activity("Alpha", "dividend", "20")
    second.activity("Beta", "dividend", "9")
    days.append(second.source())
    moved = second.moved_to("a2")
    moved.buy("Alpha", "SPY", "10", "100")
    moved.sell("Alpha", "SPY", "9", "90")
    told = answers_of(*days, moved.source())
    alpha = {number: [r for r in told[number] if r["strategy"] == "Alpha"] for number in (1, 5)}
    assert [(row["net_pnl"], row["fills"]) for row in alpha[1]] == [(-80, 2)]
    assert [(row["best"], row["worst"]) for row in alpha[5]] == [(10, -80)]
    assert [(row["days"], row["correlation"]) for row in told[15]] == [(2, -1)]
    assert [(row["symbol"], row["market_value"]) for row in told[11]] == [("SPY", 90)]


def test_a_strategy_that_never_moved_has_no_correlation() -> None:
    first = Day("s1", tickers={"Alpha": ["SPY"], "Beta": ["QQQ"]})
    first.activity("Alpha", "dividend", "10")
    told = answers_of(first.source(), first.next_day("s2").source())
    assert [(row["correlation"], row["days"]) for row in told[15]] == [(None, 2)]


def test_the_latest_day_of_an_account_is_not_hidden_by_a_later_one_of_another() -> None:
    real = Day("s1", account="PA1", mode="paper", tickers={"Alpha": ["SPY"]})
    real.buy("Alpha", "SPY", "1", "100")
    tried = Day("s2", DAY + timedelta(days=3), account="SIM1", tickers={"Alpha": ["SPY"]})
    tried.buy("Alpha", "SPY", "2", "100")
    coins = Day("s3", DAY + timedelta(days=1), account="PA1", mode="paper", coordinator="coins",
                tickers={"Coin": ["BTC/USD"]})  # fmt: skip
    told = answers_of(real.source(), tried.source(), coins.source())
    of_day = {(row["account"], row["strategy"]) for row in told[1]} - {("PA1", "UNASSIGNED")}
    assert of_day == {("PA1", "Alpha"), ("PA1", "Coin"), ("SIM1", "Alpha"), ("SIM1", "UNASSIGNED")}
    assert [(row["account"], row["qty"]) for row in told[13]] == [("PA1", 1), ("SIM1", 2)]


def test_a_product_that_overflows_is_told_with_the_way_out(told: Store) -> None:
    with pytest.raises(QueryFailed, match=r"qty::DECIMAL\(18, 9\) \* price"):
        ask(told, "SELECT sum(qty * price) FROM fills")
    products = ask(
        told, "SELECT qty, price, qty::DECIMAL(18, 9) * price::DECIMAL(18, 9) FROM fills"
    )
    assert all(product == qty * price for qty, price, product in products.rows)
