"""A variant of a sweep without details: it has days and sums, and no table says more of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cli.compare import show
from tests.warehouse.builder import Book, Day, Source, d
from tests.warehouse.conftest import lively_day
from warehouse import MEASURES, LoadStatus, Store, add_details, load_session, ranked
from warehouse.compare import compare
from warehouse.queries import ask
from warehouse.report import render_report

DETAILS = ("orders", "fills", "positions", "equity", "activities")


def a_sweep(mode: str = "backtest", **changes: Any) -> Source:
    """A day on which Alpha's details are not kept, and Beta's are."""
    source = in_full(mode)
    tables = source.tables
    tables["variants"] = [row_of(tables, "Alpha", "none") | changes, row_of(tables, "Beta", "kept")]
    for name in DETAILS:
        tables[name] = [row for row in tables[name] if row["strategy"] != "Alpha"]
    return source


def in_full(mode: str = "backtest") -> Source:
    source = lively_day().source()
    source.tables["sessions"][0]["mode"] = mode
    return source


def row_of(tables: dict[str, list[dict[str, Any]]], name: str, details: str) -> dict[str, Any]:
    mine = [row for row in tables["fills"] if row["strategy"] == name]
    return {
        "session_id": "s1",
        "strategy": name,
        "sweep_of": "Grid",
        "swept": {"short_window": 5},
        "orders": sum(row["strategy"] == name for row in tables["orders"]),
        "turnover": sum((row["qty"] * row["price"] for row in mine), d(0)),
        "details": details,
    }


def refused(store: Store, source: Source) -> list[str]:
    load_session(store, source)
    sql = "SELECT table_name || ': ' || reason FROM quarantine ORDER BY 1"
    return [str(row[0]) for row in ask(store, sql).rows]


def test_a_day_without_details_is_loaded_and_its_neighbours_are_checked(store: Store) -> None:
    assert load_session(store, a_sweep()).status is LoadStatus.LOADED
    rows = ask(store, "SELECT strategy, details FROM variants ORDER BY 1").rows
    assert rows == (("Alpha", "none"), ("Beta", "kept"))
    source = a_sweep()
    source.mark = "again"
    source.tables["fills"].pop()
    assert load_session(store, source).status is LoadStatus.INCOMPLETE


@pytest.mark.thorough
def test_without_the_mark_missing_details_are_an_error_in_a_backtest_too(store: Store) -> None:
    source = a_sweep()
    del source.tables["variants"]
    told = "\n".join(refused(store, source))
    assert "is not the number of executions, 0" in told
    assert "is not the last equity row's, which is missing" in told


@pytest.mark.thorough
@pytest.mark.parametrize("mode", ["simulated", "paper", "live"])
def test_only_a_backtest_may_leave_details_out(store: Store, mode: str) -> None:
    told = refused(store, a_sweep(mode))
    assert any(f"'none' in a session of mode {mode}" in one for one in told)


@pytest.mark.thorough
@pytest.mark.parametrize("table", ["orders", "fills", "positions", "equity"])
def test_a_variant_without_details_has_no_row_of_them(store: Store, table: str) -> None:
    source = a_sweep()
    whole = in_full().tables[table]
    source.tables[table] += [row for row in whole if row["strategy"] == "Alpha"]
    assert any("Alpha is a variant without details" in one for one in refused(store, source))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"turnover": d(0)}, "although pnl_daily counts"),
        ({"turnover": d(-1)}, "is less than 0"),
        ({"orders": -1}, "is less than 0"),
        ({"details": "some"}, "is none of kept, none"),
        ({"details": "kept"}, "is not the number of orders rows, 0"),
        ({"strategy": "Gamma"}, "is no strategy of the session"),
    ],
)
def test_what_a_variant_says_of_itself_is_judged(
    store: Store, changes: dict[str, Any], words: str
) -> None:
    assert any(words in one for one in refused(store, a_sweep(**changes)))


@pytest.mark.thorough
def test_details_that_are_added_restate_nothing(store: Store) -> None:
    source, whole = a_sweep(), in_full().tables
    source.tables["variants"][1]["details"] = "none"
    for name in DETAILS:
        source.tables[name] = [r for r in source.tables[name] if r["strategy"] == "UNASSIGNED"]
    assert load_session(store, source).status == "loaded"
    details = {name: [r for r in whole[name] if r["strategy"] == "Alpha"] for name in DETAILS}
    result = add_details(store, "s1", ["Alpha"], {**details, "bars": []})
    assert (result.status, result.restated, result.quarantined) == ("loaded", False, 0)
    assert "restates" not in result.message
    assert ask(store, "SELECT restatements FROM loads").rows == ((0,),)
    kept = ask(store, "SELECT strategy, details FROM variants ORDER BY 1").rows
    assert kept == (("Alpha", "kept"), ("Beta", "none"))


@pytest.mark.thorough
def test_details_that_are_added_one_after_another_all_stay(store: Store) -> None:
    source, whole = a_sweep(), in_full().tables
    source.tables["variants"][1]["details"] = "none"
    for name in DETAILS:
        source.tables[name] = [r for r in source.tables[name] if r["strategy"] == "UNASSIGNED"]
    load_session(store, source)
    for added in ("Alpha", "Beta", "Alpha"):
        details = {name: [r for r in whole[name] if r["strategy"] == added] for name in DETAILS}
        result = add_details(store, "s1", [added], {**details, "bars": []})
        assert (result.status, result.restated, result.quarantined) == ("loaded", False, 0)
    for name in DETAILS:
        assert result.rows[name] == len(whole[name])
    assert ask(store, "SELECT DISTINCT details FROM variants").rows == (("kept",),)


@pytest.mark.thorough
def test_a_comparison_says_that_details_were_not_kept_and_not_that_nothing_was_traded(
    location: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Store.open(location) as store:
        load_session(store, a_sweep())
    found = compare(location, "Alpha", "Beta")
    assert (found.of_a.round_trips, found.of_b.round_trips) == (None, 1)
    assert (found.of_a.fills, found.of_b.fills) == (4, 2)
    show(found)
    told = capsys.readouterr().out
    assert "no details kept (--keep)" in told
    assert "Decisions: no details kept of Alpha (backtest, PA1); sweep with a larger" in told
    assert "no ticker in common" not in told


def test_a_report_says_of_how_many_variants_it_has_the_fills(store: Store) -> None:
    load_session(store, a_sweep())
    assert "Of 2 variants, fills, positions, round trips and slippage are those of the 1 whose" in (
        render_report(store, "s1")
    )
    whole = in_full()
    whole.mark = "again"
    load_session(store, whole)
    assert " variants, " not in render_report(store, "s1")


def test_no_view_says_that_it_held_or_traded_nothing(store: Store) -> None:
    load_session(store, a_sweep())
    held = ask(store, "SELECT DISTINCT strategy FROM v_exposure").rows
    assert ("Alpha",) not in held
    turnover = dict(ask(store, "SELECT strategy, turnover FROM v_performance").rows)
    with Store.open(":memory:") as other:
        load_session(other, in_full())
        told = dict(ask(other, "SELECT strategy, turnover FROM v_performance").rows)
    assert turnover == pytest.approx(told)


def test_the_ranking_tells_what_was_tried_and_how_it_did(store: Store) -> None:
    load_session(store, a_sweep())
    sql = """SELECT place, strategy, sweep_of, swept->>'short_window', days_in_detail
             FROM v_sweep ORDER BY place"""
    rows = ask(store, sql).rows
    assert [row[2:4] for row in rows] == [("Grid", "5")] * 2
    assert {row[1]: row[4] for row in rows} == {"Alpha": 0, "Beta": 1}
    assert [row[0] for row in rows] == [1, 2]


GAINS = {
    "Rich": ("100000", (500, -200, 500)),
    "Small": ("1000", (150, -60, 120)),
    "Steady": ("10000", (20, -2, 21)),
    "Jumpy": ("10000", (200, 1, -1)),
    "Still": ("10000", (1, 0, 0)),
}
"""Dollars that a book begins with, and what it gains on each of three days."""
BEST = {
    "net-pnl": "Rich",
    "return": "Small",
    "sharpe": "Steady",
    "sortino": "Jumpy",
    "drawdown": "Still",
}


def three_days() -> list[Source]:
    """A sweep of five variants, each the best by another measure."""
    books = {name: Book(d(cash)) for name, (cash, _) in GAINS.items()}
    day = Day(
        books=books | {"UNASSIGNED": Book(d(10000))},
        tickers={name: ["SPY"] for name in GAINS},
        mode="backtest",
    )
    found = []
    for number in range(3):
        if number:
            day = day.next_day(f"s{number + 1}")
        for name, (_, gains) in GAINS.items():
            day.buy(name, "SPY", "1", "1000")
            day.sell(name, "SPY", "1", str(1000 + gains[number]))
        source = day.source()
        rows = [row_of(source.tables, name, "kept") for name in GAINS]
        source.tables["variants"] = [{**row, "session_id": day.session_id} for row in rows]
        found.append(source)
    return found


def test_each_measure_has_a_best_of_its_own(store: Store) -> None:
    for source in three_days():
        assert load_session(store, source).status is LoadStatus.LOADED
    best = {measure: ranked(store, "PA1", measure)[0]["strategy"] for measure in MEASURES}
    assert best == BEST
