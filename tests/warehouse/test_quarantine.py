"""Corrupted rows: each is refused with a reason that names table, column and row."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.warehouse.builder import DAY, Day, Row, Source, d
from tests.warehouse.conftest import Load, Rows, lively_day
from warehouse import Store, load_session
from warehouse.judging import judge
from warehouse.queries import ask
from warehouse.schemas import TABLES

Tables = dict[str, list[Row]]


def put(table: str, row_no: int, **values: Any) -> Callable[[Tables], None]:
    """Overwrites columns of one row."""
    return lambda tables: tables[table][row_no - 1].update(values)


def add(table: str, row_no: int, **values: Any) -> Callable[[Tables], None]:
    """Adds to a column of one row."""

    def change(tables: Tables) -> None:
        row = tables[table][row_no - 1]
        row.update({name: row[name] + value for name, value in values.items()})

    return change


def drop(table: str, row_no: int, column: str) -> Callable[[Tables], None]:
    return lambda tables: tables[table][row_no - 1].pop(column)


def repeat(table: str, row_no: int, **values: Any) -> Callable[[Tables], None]:
    return lambda tables: tables[table].append({**tables[table][row_no - 1], **values})


def lose(table: str, row_no: int) -> Callable[[Tables], None]:
    return lambda tables: tables[table].pop(row_no - 1)


def _replace(tables: Tables, table: str, value: Any) -> None:
    tables[table][0] = value


ROWS = [
    # single rows: type, digits, words, limits
    (put("fills", 2, qty=0.1), "fills.qty row 2: 0.1 is a float, not a Decimal"),
    (put("fills", 2, qty="0.1"), "fills.qty row 2: '0.1' is a str, not a Decimal"),
    (put("fills", 1, price=Decimal("NaN")), "fills.price row 1: Decimal('NaN') is not a finite"),
    (put("fills", 1, price=Decimal("Infinity")), "fills.price row 1: Decimal('Infinity') is not"),
    (put("fills", 1, price=d("-450")), "fills.price row 1: -450.000000000000000000 is not more"),
    (put("fills", 1, price=d("0")), "fills.price row 1: 0E-18 is not more than 0"),
    (put("fills", 1, price=d("1e-19")), "fills.price row 1: Decimal('1E-19') does not fit"),
    (put("fills", 1, price=d("1e21")), "fills.price row 1: Decimal('1E+21') does not fit"),
    (put("fills", 1, price=d("9e19")), "0000.000000000000000000 is beyond 1,000,000,000,000,000"),
    (put("fills", 1, qty=d("0")), "fills.qty row 1: 0E-18 is zero"),
    (put("fills", 1, side="hold"), "fills.side row 1: hold is none of buy, sell"),
    (put("fills", 1, execution_id=None), "fills.execution_id row 1: is missing (NULL)"),
    (put("fills", 1, execution_id=""), "fills.execution_id row 1:  is empty"),
    (put("fills", 1, execution_id=7), "fills.execution_id row 1: 7 is an int, not a text"),
    (put("fills", 1, note="x"), "fills.note row 1: unknown column note"),
    (drop("fills", 1, "fee"), "fills.fee row 1: has no column fee"),
    (lambda t: _replace(t, "fills", None), "fills.* row 1: is no row but None"),
    (put("fills", 1, filled_at=datetime(2026, 3, 17, 13)), "fills.filled_at row 1: datetime"),  # noqa: DTZ001
    (put("fills", 1, session_date="2026-03-17"), "fills.session_date row 1: '2026-03-17' is a str"),
    (put("orders", 1, status="fillled"), "orders.status row 1: fillled is none of new,"),
    (put("orders", 1, qty=d("-10")), "orders.qty row 1: -10.000000000000000000 is less than 0"),
    (put("orders", 3, filled_qty=d("-4")), "orders.filled_qty row 3: -4.000000000000000000 is"),
    (put("sessions", 1, mode="real"), "sessions.mode row 1: real is none of paper, live, simul"),
    (put("sessions", 1, status="ok"), "sessions.status row 1: ok is none of open, closed"),
    (put("strategies", 1, params="{broken"), "strategies.params row 1: '{broken' is not JSON"),
    (put("orders", 1, reason="\ud800"), "orders.reason row 1: '\\ud800' does not fit a text: 'utf"),
    (put("strategies", 1, params='"\ud800"'), "strategies.params row 1: '\"\\ud800\"' is not JSON"),
    (put("strategies", 1, params='"\\ud800"'), "strategies.params row 1: '\"\\\\ud800\"' is not J"),
    (put("strategies", 1, params="[" * 10**5), "strategies.params row 1: '[[[[[[[[[[[[[[[[[[[[[["),
    (put("strategies", 1, tickers=[1]), "strategies.tickers row 1: [1] does not fit a list of te"),
    (put("strategies", 1, tickers="SPY"), "strategies.tickers row 1: 'SPY' is a str, not a list"),
    (put("strategies", 1, initial_cash=d("-1")), "strategies.initial_cash row 1: -1.000000000"),
    (put("bars", 1, origin="guess"), "bars.origin row 1: guess is none of backfill, live, corr"),
    (put("bars", 1, volume=d("-1")), "bars.volume row 1: -1.000000000000000000 is less than 0"),
    (put("bars", 1, trade_count=True), "bars.trade_count row 1: True is a bool, not a whole"),
    (put("bars", 1, trade_count=2**70), "bars.trade_count row 1: 1180591620717411303424 does not"),
    (put("activities", 1, kind="bonus"), "activities.kind row 1: bonus is none of dividend,"),
    (put("pnl_daily", 1, max_drawdown=float("inf")), "pnl_daily.max_drawdown row 1: inf is not a"),
    (put("pnl_daily", 1, return_pct=float("nan")), "pnl_daily.return_pct row 1: nan is not a fin"),
    (put("pnl_daily", 1, max_drawdown=-0.1), "pnl_daily.max_drawdown row 1: -0.1 is less than 0"),
    (put("pnl_daily", 1, fills=-1), "pnl_daily.fills row 1: -1 is less than 0"),
    (put("equity", 2, ts=date(2026, 3, 17)), "equity.ts row 2: datetime.date(2026, 3, 17) is a"),
    # rows that do not belong
    (put("fills", 1, session_id="s9"), "fills.session_id row 1: s9 is not the session's id"),
    (put("fills", 1, session_date=date(2026, 3, 16)), "fills.session_date row 1: 2026-03-16 is"),
    (put("positions", 1, strategy="Gamma"), "positions.strategy row 1: Gamma is no strategy of"),
    (repeat("fills", 1), "fills.execution_id row 7: repeats the key (session_id s1, execution_id"),
    (repeat("fills", 1, strategy="Beta"), "fills.execution_id row 7: repeats the key (session_id"),
    (repeat("orders", 2), "orders.client_order_id row 6: repeats the key (session_id s1,"),
    (repeat("bars", 1, close=d("450.25")), "bars.origin row 3: repeats the key (account PA1,"),
    (repeat("equity", 1), "equity.ts row 28: repeats the key (session_id s1, strategy Alpha, ts"),
    # rows that contradict others
    (add("fills", 1, qty=d("1")), "fills.qty row 1: the fills of Alpha.2026-03-17.1 sum to 11.00"),
    (add("fills", 1, qty=d("1")), "orders.filled_qty row 1: 10.000000000000000000 is not the sum"),
    (add("orders", 1, filled_qty=d("1")), "orders.filled_qty row 1: 11.000000000000000000 is more"),
    (lose("fills", 3), "orders.filled_qty row 3: 4.000000000000000000 is not the sum of"),
    (put("orders", 1, filled_avg_price=None), "orders.filled_avg_price row 1: is missing, alth"),
    (put("orders", 1, filled_avg_price=d("451")), "orders.filled_avg_price row 1: 451.00000000000"),
    (lose("orders", 1), "fills.client_order_id row 1: 'Alpha.2026-03-17.1' is no order of the"),
    (put("fills", 1, strategy="Beta"), "fills.strategy row 1: 'Beta' differs from its order's"),
    (put("fills", 1, symbol="QQQ"), "fills.symbol row 1: 'QQQ' differs from its order's 'SPY'"),
    (put("fills", 1, side="sell"), "fills.side row 1: 'sell' differs from its order's 'buy'"),
    (put("fills", 1, fee=d("-1")), "fills.fee row 1: -1.000000000000000000 is no fee of 10.0000"),
    (put("fills", 1, fee=d("5000")), "fills.fee row 1: 5000.000000000000000000 is no fee of 10.00"),
    (put("bars", 1, high=d("450")), "bars.high row 1: high 450.000000000000000000 and low 450.25"),
    (add("equity", 4, cash=d("0.01")), "equity.equity row 4: 10000.000000000000000000 is not"),
    (add("positions", 1, market_value=d("1")), "positions.market_value row 1: 27"),
    (
        put("positions", 1, qty=d("7"), market_value=d("3164")),
        "positions.qty row 1: 7.000000000000000000 of SPY, but the fills leave 6.0000000000000000",
    ),
    (lose("positions", 1), "strategies.strategy row 1: no positions row for SPY, of which the"),
    (add("pnl_daily", 1, net_pnl=d("0.01")), "pnl_daily.net_pnl row 1: "),
    (add("pnl_daily", 1, realized_pnl=d("1e-18")), "is not realized_pnl + unrealized_change - fe"),
    (add("pnl_daily", 1, start_equity=d("1e-18")), "is not end_equity - start_equity - transfers,"),
    (add("pnl_daily", 1, end_equity=d("1"), net_pnl=d("1"), realized_pnl=d("1")),
     "pnl_daily.end_equity row 1: "),
    (add("pnl_daily", 2, fees=d("1"), realized_pnl=d("1")), "pnl_daily.fees row 2: 31.1251"),
    (add("pnl_daily", 1, return_pct=0.01), "pnl_daily.return_pct row 1: 0.01"),
    (put("pnl_daily", 1, max_drawdown=0.5), "pnl_daily.max_drawdown row 1: 0.5 is not the deepest"),
    (put("pnl_daily", 1, max_drawdown=None), "pnl_daily.max_drawdown row 1: NULL is not the deepe"),
    (add("pnl_daily", 2, max_drawdown=2e-15), "pnl_daily.max_drawdown row 2: 0.00"),
    (add("pnl_daily", 1, transfers=d("1"), start_equity=d("-1")),
     "pnl_daily.transfers row 1: 1.000000000000000000 is not the sum of the transfer"),
    (repeat("activities", 1, activity_id="x", kind="transfer"),
     "pnl_daily.transfers row 1: 0.000000000000000000 is not the sum of the transfer"),
    (put("positions", 1, symbol="QQQ"), "positions.qty row 1: 6.000000000000000000 of QQQ, but"),
    (add("pnl_daily", 1, fills=1), "pnl_daily.fills row 1: 5 is not the number of executions, 4"),
    (lose("pnl_daily", 3), "strategies.strategy row 3: 'UNASSIGNED' has no pnl_daily row"),
]  # fmt: skip


def broken(day: Day, corrupt: Callable[[Tables], None]) -> Source:
    source = day.source()
    tables = {name: [dict(row) for row in table] for name, table in source.tables.items()}
    corrupt(tables)
    return Source("s1", "broken", tables)


@pytest.mark.thorough
@pytest.mark.parametrize(("corrupt", "reason"), ROWS, ids=[reason for _, reason in ROWS])
def test_a_corrupted_row_is_quarantined_with_its_reason_and_nothing_is_dropped(
    day: Day, store: Store, corrupt: Callable[[Tables], None], reason: str
) -> None:
    source = broken(day, corrupt)
    judged = judge(store.connection, "s1", source.tables)
    said = [rejection.reason for rejection in judged.rejections]
    assert [words for words in said if reason in words], said
    for name, frame in judged.frames.items():
        refused = {r.row_no for r in judged.rejections if r.table == name}
        accepted = set(frame.arrow["row_no"].to_pylist())
        assert accepted.isdisjoint(refused)
        assert accepted | refused == set(range(1, len(source.tables[name]) + 1))


@pytest.mark.thorough
@pytest.mark.parametrize(
    "corrupt",
    [ROWS[0][0], ROWS[-1][0], put("sessions", 1, mode="real"), repeat("fills", 1),
     add("fills", 1, qty=d("1")), put("equity", 2, ts=None), put("bars", 1, note=object())],
)  # fmt: skip
def test_a_repaired_load_empties_the_quarantine_even_if_the_mark_is_the_same(
    day: Day, store: Store, corrupt: Callable[[Tables], None]
) -> None:
    result = load_session(store, broken(day, corrupt))
    kept = ask(store, "SELECT table_name, reason, row, quarantined_at FROM quarantine").rows
    assert (result.status, result.quarantined) == ("incomplete", len(kept))
    for table, said, row, _ in kept:
        assert str(said).startswith(f"{table}.")
        assert isinstance(json.loads(str(row)), dict)
    for name, table_rows in broken(day, corrupt).tables.items():
        refused = sum(table == name for table, *_ in kept)
        assert result.rows[name] + refused == len(table_rows)
    assert set(ask(store, "SELECT status FROM sessions").rows) <= {("incomplete",)}
    repaired = load_session(store, day.source("broken"))
    assert (repaired.status, repaired.quarantined) == ("loaded", 0)
    assert ask(store, "SELECT count(*) FROM quarantine").rows == ((0,),)
    assert ask(store, "SELECT status FROM sessions").rows == (("closed",),)


NEIGHBOURS = [
    # what was corrupted, and the only rows that may be refused for it
    (put("fills", 1, price=Decimal("NaN")), {("fills", 1)}),
    (put("fills", 1, side="hold"), {("fills", 1)}),
    (put("orders", 1, status="fillled"), {("orders", 1)}),
    (put("equity", 27, cash=d("1")), {("equity", 27)}),
    (add("pnl_daily", 1, realized_pnl=d("1")), {("pnl_daily", 1)}),
    (put("sessions", 1, mode="real"), {("sessions", 1)}),
    (repeat("fills", 1), {("fills", 7)}),
]


@pytest.mark.thorough
@pytest.mark.parametrize(("corrupt", "refused"), NEIGHBOURS)
def test_one_bad_row_does_not_drag_its_neighbours_along(
    day: Day,
    load: Load,
    rows: Rows,
    corrupt: Callable[[Tables], None],
    refused: set[tuple[str, int]],
) -> None:
    source = day.source()
    corrupt(source.tables)
    load(source)
    kept = rows("SELECT table_name, regexp_extract(reason, 'row (\\d+)', 1)::INT FROM quarantine")
    assert set(kept) == refused


def test_a_session_of_which_every_row_is_refused_is_incomplete_and_not_an_error(
    load: Load, rows: Rows
) -> None:
    source = Day().source()
    source.tables = {name: [] for name in TABLES} | {"sessions": source.tables["sessions"]}
    source.tables["sessions"][0]["mode"] = "real"
    assert load(source).status == "incomplete"
    assert rows("SELECT table_name FROM quarantine") == [("sessions",)]


@pytest.mark.parametrize("rows_of", [list, pa.Table.from_pylist])
def test_a_session_whose_own_row_lacks_its_mode_is_incomplete_and_not_an_error(
    day: Day, load: Load, rows_of: Callable[[list[Row]], Any]
) -> None:
    source = broken(day, drop("sessions", 1, "mode"))
    source.tables["sessions"] = rows_of(source.tables["sessions"])
    assert "sessions.mode row 1: has no column mode" in load(source).message


def test_one_execution_in_two_strategies_or_two_sessions_is_refused(load: Load, rows: Rows) -> None:
    day = Day(mode="paper")
    day.buy("Alpha", "SPY", "1", "450")
    load(day.source())
    after = day.next_day("s2")
    after.buy("Beta", "SPY", "1", "450")
    source = after.source()
    source.tables["fills"][0]["execution_id"] = "s1-e1"
    assert load(source).status == "incomplete"
    assert rows("SELECT reason FROM quarantine") == [
        ("fills.execution_id row 1: 's1-e1' is already in session s1 for Alpha",)
    ]


def a_usurped_day() -> Day:
    """Alpha's second order was refused, because a human's order stood under its id and filled."""
    day = Day(mode="paper")
    day.buy("Alpha", "SPY", "1", "450")
    day.buy("UNASSIGNED", "QQQ", "3", "400")
    (_, order), (_, fill) = day.rows["orders"], day.rows["fills"]
    order["client_order_id"] = fill["client_order_id"] = f"Alpha.{day.day}.2"
    never = {"filled_qty": d(0), "filled_avg_price": None, "broker_order_id": None}
    order |= {"strategy": "Alpha", "symbol": "SPY", "status": "rejected", **never}
    return day


def test_what_a_human_filled_under_the_id_of_an_order_that_was_refused_is_whole(
    load: Load, rows: Rows
) -> None:
    assert load(a_usurped_day().source()).message == "s1: loaded, 2 fills."
    assert rows("SELECT strategy, symbol FROM fills ORDER BY ALL") == [
        ("Alpha", "SPY"),
        ("UNASSIGNED", "QQQ"),
    ]
    assert rows("SELECT strategy, symbol FROM v_slippage") == [("Alpha", "SPY")]


@pytest.mark.thorough
def test_an_order_that_stood_at_the_broker_is_still_held_against_its_fills(
    load: Load, rows: Rows
) -> None:
    source = a_usurped_day().source()
    source.tables["orders"][1]["broker_order_id"] = "b-2"
    assert load(source).status == "incomplete"


def a_replaced_day(order_id: str, second: str) -> Day:
    """Alpha's order was replaced by one of this id, whose second execution is in that book."""
    day = Day(mode="paper")
    day.buy("UNASSIGNED", "SPY", "1", "450")
    day.buy(second, "SPY", "3", "450")
    order, other = day.rows["orders"]
    for fill in day.rows["fills"]:
        fill["client_order_id"] = order_id
    order |= {"client_order_id": order_id, "strategy": "Alpha", "qty": d(4), "filled_qty": d(4)}
    day.rows["orders"].remove(other)
    return day


def test_what_filled_of_a_humans_order_before_it_was_known_to_be_a_strategys_is_whole(
    load: Load, rows: Rows
) -> None:
    assert load(a_replaced_day("by-hand", "Alpha").source()).message == "s1: loaded, 2 fills."
    assert rows("SELECT strategy, qty FROM fills ORDER BY ALL") == [("Alpha", 3), ("UNASSIGNED", 1)]


# an order of the strategy's own, and one by hand of which another strategy has a part
@pytest.mark.parametrize(("order_id", "second"), [(f"Alpha.{DAY}.1", "Alpha"), ("by-hand", "Beta")])
def test_fills_of_a_strategys_order_in_a_book_that_cannot_have_them_are_refused(
    order_id: str, second: str, load: Load
) -> None:
    assert load(a_replaced_day(order_id, second).source()).status == "incomplete"


def test_the_same_execution_id_on_another_account_is_another_execution(load: Load) -> None:
    for account in ("PA1", "PA2"):
        day = Day(session_id=account, account=account, mode="paper")
        day.buy("Alpha", "SPY", "1", "450")
        source = day.source()
        source.tables["fills"][0]["execution_id"] = "e1"
        assert load(source).status == "loaded"


def test_an_order_from_an_earlier_session_may_have_fills_there(load: Load) -> None:
    day = Day()
    day.buy("Alpha", "SPY", "1", "450")
    source = day.source()
    source.tables["orders"][0] |= {
        "decided_at": day.opened_at - timedelta(days=1),
        "qty": d("5"),
        "filled_qty": d("4"),
    }
    assert load(source).message == "s1: loaded, 1 fill."


def two_days() -> tuple[Source, Day]:
    """Alpha holds 6 SPY over night, of which 2 are sold; Beta holds coins and does nothing more."""
    first = lively_day()
    first.mode = "paper"
    source = first.source()
    second = first.next_day("s2")
    second.sell("Alpha", "SPY", "2", "455")
    return source, second


DAY_AFTER = [
    (put("pnl_daily", 2, start_equity=d("9000"), end_equity=d("9000")),
     "pnl_daily.start_equity row 2: 9000.000000000000000000 is not the end_equity of s1, 10"),
    (add("pnl_daily", 1, start_equity=d("1e-18")), "is not the end_equity of s1, 10017"),
    (put("positions", 1, qty=d("5"), market_value=d("2275")),
     "positions.qty row 1: 5.000000000000000000 of SPY, but the fills leave 4.000000000000000000"),
    (lose("positions", 2), "strategies.strategy row 2: no positions row for BTC/USD, of which the"),
    (put("positions", 2, symbol="ETH/USD"), "positions.qty row 2: 0.0"),
]  # fmt: skip


@pytest.mark.thorough
@pytest.mark.parametrize(("corrupt", "reason"), DAY_AFTER, ids=[said for _, said in DAY_AFTER])
def test_a_day_begins_with_what_the_day_before_left(
    store: Store, corrupt: Callable[[Tables], None], reason: str
) -> None:
    first, second = two_days()
    assert load_session(store, first).status == "loaded"
    source = second.source()
    corrupt(source.tables)
    judged = judge(store.connection, "s2", source.tables)
    said = [rejection.reason for rejection in judged.rejections]
    assert [words for words in said if reason in words], said


@pytest.mark.thorough
def test_a_split_and_shares_that_were_given_are_no_gap_between_two_days(load: Load) -> None:
    first, second = two_days()
    load(first)
    second.split("Alpha", "SPY", 2)
    second.activity("Alpha", "transfer", "2275", "SPY")
    second.rows["activities"][-1] |= {"qty": d("10")}
    book = second.books["Alpha"]
    book.cash -= 2275
    book.held["SPY"][0] += 10
    book.held["SPY"][1] += 2275
    second.rows["equity"] = [r for r in second.rows["equity"] if r["ts"] < second.at]
    second._mark_equity()
    third = load(second.source())
    assert third.status == "loaded", third.message


class Follows(Source):
    follows: tuple[str, str] | None = None


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("follows", "status"),
    [
        (("s1", "m1"), "incomplete"),
        (("s1", "restated since"), "loaded"),
        (("a day that was not loaded", "m1"), "loaded"),
        (None, "loaded"),
    ],
)
def test_a_day_is_held_against_the_one_before_only_where_that_is_as_the_journal_has_it(
    load: Load, follows: tuple[str, str] | None, status: str
) -> None:
    first, second = two_days()
    load(first)
    tables = second.source().tables
    put("pnl_daily", 2, start_equity=d("9000"), end_equity=d("9000"), net_pnl=d("0"))(tables)
    put("pnl_daily", 2, realized_pnl=d("0"), unrealized_change=d("0"), return_pct=0.0)(tables)
    for row in tables["equity"]:
        if row["strategy"] == "Beta":
            row |= {"cash": d("9000") - row["market_value"], "equity": d("9000")}
    source = Follows("s2", "m2", tables)
    source.follows = follows
    assert load(source).status == status


@pytest.mark.thorough
def test_a_symbol_with_a_discrepancy_may_differ_from_its_fills(load: Load) -> None:
    day = Day()
    day.buy("Alpha", "SPY", "5", "450")
    source = day.source()
    held = source.tables["positions"][0]
    held |= {"qty": d("4"), "market_value": d("1800")}
    source.tables["discrepancies"].append(
        {
            "session_id": "s1",
            "found_at": day.at,
            "kind": "position",
            "symbol": "SPY",
            "strategy": "Alpha",
            "ours": d("5"),
            "brokers": d("4"),
            "note": "accepted",
        }
    )
    refused = load(source)
    assert "positions.qty" not in refused.message
    assert refused.quarantined == 1  # the last equity row still says that 5 were held


GARBAGE: list[Any] = [
    None, "", "x", "NULL", 0, -1, 7, 2**70, True, 1.5, -0.0, float("nan"), float("-inf"), d("0"),
    d("-3"), d("1e14"), d("9e29"), d("1e-30"), d("NaN"), b"x", [], ["SPY"], [None], {}, {"a": 1},
    date(2026, 3, 17), date(1, 1, 1),
    datetime(2026, 3, 17, tzinfo=UTC).replace(tzinfo=None), datetime(9999, 1, 1, tzinfo=UTC),
    "DROP TABLE fills", "s1", "Alpha", object(), "\ud800", '"\\ud800"',
]  # fmt: skip


def test_a_journal_cannot_say_what_only_the_end_of_day_finds(load: Load, rows: Rows) -> None:
    day = Day()
    nobody = dict.fromkeys(("symbol", "strategy", "ours", "brokers", "note"))
    row = {"session_id": "s1", "found_at": day.at, "kind": "fill", **nobody}
    day.rows["discrepancies"].append(row)
    assert load(day.source()).quarantined == 1
    assert rows("SELECT reason FROM quarantine") == [
        ("discrepancies.kind row 1: 'fill' is what only the end of day finds",)
    ]


@pytest.mark.parametrize("reason", ["of \ud800", "\\ud800 \udfff"])
def test_a_text_that_no_file_can_hold_is_refused_and_readable_in_quarantine(
    day: Day, load: Load, rows: Rows, reason: str
) -> None:
    assert load(broken(day, put("orders", 1, reason=reason))).quarantined > 0
    assert rows("SELECT row->>'reason' FROM quarantine WHERE table_name = 'orders'") == [
        (reason.encode(errors="backslashreplace").decode(),)
    ]


EMPTY = {"discrepancies", "variants", "faults"}
CELLS = [(t.name, c.name) for t in TABLES.values() if t.name not in EMPTY for c in t.columns]


@pytest.mark.thorough
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    cells=st.lists(
        st.tuples(st.sampled_from(CELLS), st.integers(0, 50), st.sampled_from(GARBAGE)),
        min_size=1,
        max_size=4,
    )
)
def test_whatever_stands_in_a_cell_the_load_goes_on_and_every_row_is_kept(
    store: Store, cells: list[tuple[tuple[str, str], int, Any]]
) -> None:
    store.connection.execute("DELETE FROM loads")
    source = lively_day().source()
    for (table, column), row, garbage in cells:
        rows = source.tables[table]
        rows[row % len(rows)][column] = garbage
    result = load_session(store, source)
    kept = ask(store, "SELECT table_name, count(*) FROM quarantine GROUP BY 1").rows
    refused: dict[Any, Any] = dict(kept)
    for name, table_rows in source.tables.items():
        assert result.rows[name] + refused.get(name, 0) == len(table_rows)
    assert (result.status == "incomplete") == bool(refused)
