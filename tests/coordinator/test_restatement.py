"""What is told too late counts on the day it belongs to; both days stay true, and say so."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.lane import StrategySpec
from coordinator.core.orders import OrderStatus
from coordinator.core.session import Hours, SessionPlan
from coordinator.core.values import MINUTE, UNASSIGNED, Side
from coordinator.readers import session_sources
from coordinator.status import read_status
from tests.coordinator.bench import DAY, OPEN, Bench, D, bust, order_id, report, spec, stranger
from tests.coordinator.test_busts import replaced
from tests.coordinator.test_readers import keep
from tests.coordinator.test_statement import DAYS, TOMORROW, check_identities, ended
from warehouse import Store, load_session
from warehouse.queries import ask


def days_later(days: int) -> SessionPlan:
    """A stock session so many days after the first day's, of the same hours."""
    day, opens = DAY + days * DAYS, OPEN + days * DAYS
    closes = opens + timedelta(hours=6.5)
    return SessionPlan(day, Hours(day, opens, closes), None, closes)


SAID = {("SPY", 0): 1, ("SPY", 5): -1, ("SPY", 1450): 1, ("SPY", 1455): -1}


@dataclass
class House:
    """Days of strategy A, which buys 50 SPY at 100 on the first; the day closes at 110."""

    bench: Bench
    records: list[r.Record]

    def tell(self, message: m.Message) -> None:
        self.bench.handle(message)

    def next_day(self, plan: Any, *by_others: r.Record) -> None:
        """The next day; in the night other coordinators of the account booked something."""
        self.records += [*ended(self.bench), *by_others]
        for record in by_others:
            self.bench.books.apply_foreign(record)
        self.bench = Bench(*self.bench.specs, plan=plan, books=self.bench.books)
        self.bench.now = plan.stock.open

    def keep(self, home: Path) -> list[dict[str, list[dict[str, Any]]]]:
        self.records += ended(self.bench)
        self.bench.records = []
        keep(home, self.records)
        self.records = []
        return [source.rows() for source in session_sources(home)]  # type: ignore[misc]


def a_house(*more: StrategySpec, first_fill: str = "50") -> House:
    bench = Bench(spec("A", SAID, tickers=["SPY", "QQQ"], max_position_size="0.5"), *more)
    bench.minute(0, {"SPY": "100"})
    order = bench.order("A")
    if first_fill != "0":
        bench.fill(order, "100", first_fill, execution_id="x1")
    if first_fill != "50":
        bench.update(order, OrderStatus.CANCELED, first_fill)
    bench.minute(1, {"SPY": "110", "QQQ": "400"})
    return House(bench, [])


def late_fill(house: House, name: str, qty: str, price: str, at_minute: int = 1) -> None:
    """The broker tells of an execution of the first day's order that was thought dead."""
    order = house.bench.books.order(name)
    at = OPEN + at_minute * MINUTE
    total = order.booked_qty + D(qty)
    one = m.Execution("late", D(qty), D(price), total, at)
    average = ((order.filled_avg_price or D(0)) * order.booked_qty + D(price) * D(qty)) / total
    house.tell(report(order, OrderStatus.FILLED, total, at, str(average), one))


def a_late_buy_before_the_next_open(house: House) -> None:
    house.next_day(TOMORROW)
    late_fill(house, order_id("A", 1), "50", "101")
    house.bench.minute(1440, {"SPY": "112"})


def a_late_buy_of_the_order_that_a_human_put_in_its_place(house: House) -> None:
    new = replaced(house.bench, house.bench.books.order(order_id("A", 1)), "50", "by-hand")
    house.bench.update(new, OrderStatus.CANCELED, "0")
    house.next_day(TOMORROW)
    late_fill(house, "by-hand", "50", "101", at_minute=3)
    house.bench.minute(1440, {"SPY": "112"})


def a_late_rest_of_a_buy(house: House) -> None:
    house.next_day(TOMORROW)
    late_fill(house, order_id("A", 1), "30", "101")
    house.bench.minute(1440, {"SPY": "112"})


def a_late_sale_at_noon_of_the_next_day(house: House) -> None:
    house.bench.minute(5, {"SPY": "109"})
    house.bench.update(house.bench.order("A", 2), OrderStatus.CANCELED, "0")
    house.next_day(TOMORROW)
    house.bench.minute(1440, {"SPY": "112"})
    late_fill(house, order_id("A", 2), "20", "109", at_minute=6)
    house.bench.minute(1441, {"SPY": "113"})


def a_late_rest_of_a_sale(house: House) -> None:
    house.bench.minute(5, {"SPY": "109"})
    house.bench.fill(house.bench.order("A", 2), "109", "20", execution_id="x2")
    house.bench.update(house.bench.order("A", 2), OrderStatus.CANCELED, "20", price="109")
    house.next_day(TOMORROW)
    house.bench.minute(1440, {"SPY": "112"})
    late_fill(house, order_id("A", 2), "30", "109", at_minute=6)


def a_bust_on_the_next_day(house: House) -> None:
    house.next_day(TOMORROW)
    house.bench.minute(1440, {"SPY": "112"})
    order = house.bench.books.order(order_id("A"))
    wrong = m.Execution("x1", D(50), D(100), D(50), OPEN)
    house.tell(bust(order, wrong, house.bench.now))
    house.bench.minute(1441, {"SPY": "113"})


def a_busted_sale_of_shares_that_were_split_since(house: House) -> None:
    house.bench.minute(5, {"SPY": "109"})
    sale = house.bench.order("A", 2)
    house.bench.fill(sale, "109", "20", execution_id="x2")
    house.bench.update(sale, OrderStatus.CANCELED, "20", price="109")
    house.next_day(TOMORROW, split_at_night())
    wrong = m.Execution("x2", D(20), D(109), D(20), OPEN + 6 * MINUTE)
    house.tell(bust(house.bench.books.order(sale.client_order_id), wrong, house.bench.now))
    house.bench.minute(1441, {"SPY": "56"})


def a_late_buy_of_shares_that_were_split_since(house: House) -> None:
    house.next_day(TOMORROW, split_at_night())
    late_fill(house, order_id("A", 1), "20", "101")
    house.bench.minute(1441, {"SPY": "56"})


def a_late_buy_from_a_day_before_shares_were_split(house: House) -> None:
    house.next_day(TOMORROW)
    house.bench.minute(1441, {"SPY": "112"})
    house.next_day(days_later(2), split_at_night(2))
    late_fill(house, order_id("A", 1), "20", "101")
    house.bench.minute(2881, {"SPY": "56"})


def split_at_night(night: int = 1) -> r.ActivityBooked:
    """Two for one of 30 shares, booked without a price by a coordinator that knew none."""
    return r.ActivityBooked(
        OPEN + (night - 0.5) * DAYS, "split-1", "A", r.ActivityKind.SPLIT, "SPY", D(30), D(0),
        D(0), "position", DAY + night * DAYS,
    )  # fmt: skip


def a_correction_on_the_next_day(house: House) -> None:
    house.next_day(TOMORROW)
    order = house.bench.books.order(order_id("A"))
    wrong = m.Execution("x1", D(50), D(100), D(50), OPEN)
    right = m.Execution("x2", D(40), D("100.5"), D(40), house.bench.now)
    house.tell(bust(order, wrong, house.bench.now, instead=right))
    house.bench.minute(1441, {"SPY": "113"})


def a_fee_that_is_listed_on_the_next_day(house: House) -> None:
    house.bench.minute(5, {"SPY": "109"})
    house.bench.fill(house.bench.order("A", 2), "109")
    house.next_day(TOMORROW)
    fee = m.Activity("fee-1", "FEE", DAY, "", D(0), None, D("-0.37"), "TAF fee")
    house.bench.look(cash="99999", activities=(fee,))


STORIES: list[tuple[Callable[[House], None], str, dict[str, str]]] = [
    # what was told late; how much was filled in time; what the first day then says
    (a_late_buy_before_the_next_open, "0", {"end": "10450", "realized": "0", "fills": "1"}),
    (
        a_late_buy_of_the_order_that_a_human_put_in_its_place,
        "0",
        {"end": "10450", "realized": "0", "fills": "1"},
    ),
    (a_late_rest_of_a_buy, "20", {"end": "10470", "realized": "0", "fills": "2"}),
    (
        a_busted_sale_of_shares_that_were_split_since,
        "50",
        {"end": "9360", "realized": "180", "fills": "3"},
    ),
    (
        a_late_buy_of_shares_that_were_split_since,
        "30",
        {"end": "9380", "realized": "0", "fills": "2"},
    ),
    (
        a_late_buy_from_a_day_before_shares_were_split,
        "30",
        {"end": "10480", "realized": "0", "fills": "2"},
    ),
    (a_late_sale_at_noon_of_the_next_day, "50", {"end": "10450", "realized": "180", "fills": "2"}),
    (a_late_rest_of_a_sale, "50", {"end": "10450", "realized": "450", "fills": "3"}),
    (a_bust_on_the_next_day, "50", {"end": "10000", "realized": "0", "fills": "2"}),
    (a_correction_on_the_next_day, "50", {"end": "10380", "realized": "0", "fills": "3"}),
    (
        a_fee_that_is_listed_on_the_next_day,
        "50",
        {"end": "10449.63", "realized": "450", "fills": "2", "fees": "0.37"},
    ),
]
NAMES = [story.__name__ for story, *_ in STORIES]


@pytest.mark.parametrize(("story", "filled", "first_day"), STORIES, ids=NAMES)
@pytest.mark.parametrize("days_between", [0, 1])
def test_what_is_told_late_restates_its_own_day_and_only_that(
    tmp_path: Path,
    story: Callable[[House], None],
    filled: str,
    first_day: dict[str, str],
    days_between: int,
) -> None:
    house = a_house(first_fill=filled)
    story(house)
    sessions = house.keep(tmp_path)
    if days_between:
        house.next_day(days_later(2))
        house.bench.minute(2880, {"SPY": "113", "QQQ": "401"})
        sessions = house.keep(tmp_path)
    days = []
    for rows in sessions:
        if "fees" not in first_day:  # which are no fill's here
            check_identities(rows)
        days.append(next(d for d in rows["pnl_daily"] if d["strategy"] == "A"))
    for one, two in pairwise(days):
        assert two["start_equity"] == one["end_equity"]
    for day in days:
        won = day["realized_pnl"] + day["unrealized_change"] - day["fees"]
        assert day["net_pnl"] == won == day["end_equity"] - day["start_equity"]
    told = {"end": "end_equity", "realized": "realized_pnl", "fills": "fills", "fees": "fees"}
    assert {k: days[0][told[k]] for k in first_day} == {k: D(v) for k, v in first_day.items()}
    books = house.bench.books
    assert days[-1]["end_equity"] == books.ledger.equity("A")
    assert sum((d["net_pnl"] for d in days), Decimal(0)) == books.ledger.pnl("A")
    assert not any(day["realized_pnl"] for day in days[1:])
    assert not any(
        fill["execution_id"] == "late" for rows in sessions[1:] for fill in rows["fills"]
    )


@pytest.mark.thorough
@pytest.mark.parametrize(("story", "filled", "_first"), STORIES, ids=NAMES)
def test_a_restated_day_is_loaded_again_says_so_and_nothing_is_refused(
    tmp_path: Path, story: Callable[[House], None], filled: str, _first: dict[str, str]
) -> None:
    house = a_house(first_fill=filled)
    one_day_only = list(house.bench.records)
    keep(tmp_path / "first", ended(copied(house.bench, one_day_only)))
    story(house)
    house.keep(tmp_path / "then")
    with Store.open(":memory:") as store:
        (source,) = session_sources(tmp_path / "first")
        assert load_session(store, source).status == "loaded"
        results = [load_session(store, s) for s in session_sources(tmp_path / "then")]
        refused = ask(store, "SELECT table_name, reason FROM quarantine").rows
        assert refused == ()
        assert [result.message for result in results if result.status != "loaded"] == []
        assert results[0].restated
        assert "restates an earlier load" in results[0].message
        assert ask(store, "SELECT restatements FROM loads ORDER BY session_id").rows[0] == (1,)
        summed = ask(store, "SELECT sum(net_pnl) FROM pnl_daily WHERE strategy = 'A'").rows
        assert summed == ((house.bench.books.ledger.pnl("A"),),)


def test_what_is_told_late_is_in_the_curve_from_its_own_minute_on(tmp_path: Path) -> None:
    house = a_house(first_fill="0")
    for minute, close in ((2, "120"), (3, "130")):
        house.bench.minute(minute, {"SPY": close})
    house.next_day(TOMORROW)
    late_fill(house, order_id("A", 1), "50", "101", at_minute=2)
    first, _ = house.keep(tmp_path)
    curve = {row["ts"]: row["equity"] for row in first["equity"] if row["strategy"] == "A"}
    minutes = [OPEN + minute * MINUTE for minute in range(1, 5)]
    assert [curve.get(end) for end in minutes] == [None, None, D(10950), D(11450)]


def copied(bench: Bench, records: list[r.Record]) -> Bench:
    """The first day as it was before the next began."""
    same = copy.copy(bench)
    same.records, same.books = records, copy.deepcopy(bench.books)
    return same


def test_what_happens_later_stays_where_it_was_booked(tmp_path: Path) -> None:
    """A coin order that lived on overnight fills before the next session: it is that one's."""
    bench = Bench(spec("A", {("BTC/USD", 0): 1}, tickers=["BTC/USD", "SPY"]))
    bench.minute(0, {"BTC/USD": "80000", "SPY": "100"})
    bench.update(bench.order("A"), OrderStatus.NEW)
    house = House(bench, [])
    house.next_day(TOMORROW)
    order = house.bench.books.order(order_id("A"))
    at = OPEN + DAYS - MINUTE * 60
    one = m.Execution("x1", order.qty, D(80500), order.qty, at)
    house.tell(report(order, OrderStatus.FILLED, order.qty, at, "80500", one))
    house.bench.minute(1440, {"BTC/USD": "80600", "SPY": "101"})
    first, second = house.keep(tmp_path)
    assert [fill["execution_id"] for fill in (*first["fills"], *second["fills"])] == ["x1"]
    assert second["fills"]


def told_of_what_was_bought_yesterday(bench: Bench) -> m.OrderUpdate:
    late = m.Execution("late", D(50), D(101), D(50), OPEN + MINUTE)
    return report(bench.order("A"), OrderStatus.FILLED, "50", bench.now, "101", late)


def told_of_what_is_bought_today(bench: Bench) -> m.OrderUpdate:
    late = m.Execution("late", D(50), D(101), D(50), bench.now)
    return report(bench.order("A"), OrderStatus.FILLED, "50", bench.now, "101", late)


def told_of_what_was_never_sold(bench: Bench) -> m.OrderUpdate:
    sale = bench.order("A", 2)
    return bust(sale, m.Execution("x2", D(50), D(109), D(50), OPEN + 6 * MINUTE), bench.now)


@pytest.mark.parametrize(
    ("told", "first_fill"),
    [
        (told_of_what_was_bought_yesterday, "0"),
        (told_of_what_is_bought_today, "0"),
        (told_of_what_was_never_sold, "50"),
    ],
)
def test_the_book_of_a_strategy_that_left_with_nothing_has_what_is_told_of_its_orders_next_day(
    tmp_path: Path, told: Callable[[Bench], m.OrderUpdate], first_fill: str
) -> None:
    other = spec("B", {}, tickers=["QQQ"])
    house = a_house(other, first_fill=first_fill)
    if first_fill != "0":
        house.bench.minute(5, {"SPY": "109"})
        house.bench.fill(house.bench.order("A", 2), "109", execution_id="x2")
    assert house.bench.position("A", "SPY") == 0
    house.bench.specs = (other,)
    house.next_day(TOMORROW)
    house.bench.minute(1440, {"QQQ": "401"})
    house.tell(told(house.bench))
    assert house.bench.position("A", "SPY") == 50
    days = [
        next(day for day in rows["pnl_daily"] if day["strategy"] == "A")
        for rows in house.keep(tmp_path)
    ]
    books = house.bench.books
    assert days[1]["start_equity"] == days[0]["end_equity"]
    assert days[1]["end_equity"] == books.ledger.equity("A")
    assert sum((day["net_pnl"] for day in days), Decimal(0)) == books.ledger.pnl("A")
    [status] = read_status(tmp_path)
    assert {one.name: one.positions for one in status.strategies}["A"] == {"SPY": D(50)}
    with Store.open(":memory:") as store:
        results = [load_session(store, source) for source in session_sources(tmp_path)]
        assert [result.message for result in results if result.status != "loaded"] == []


@pytest.mark.parametrize("filled", ["0", "30"])
def test_what_is_told_of_an_order_when_it_is_forgotten_stays_where_it_was_booked(
    tmp_path: Path, filled: str
) -> None:
    house = a_house(first_fill=filled)
    order = copy.deepcopy(house.bench.books.order(order_id("A", 1)))
    house.next_day(days_later(7))
    late = m.Execution("late", D(20), D("101"), D(20), OPEN + MINUTE)
    house.tell(report(order, OrderStatus.FILLED, D(20), OPEN + MINUTE, "101", late))
    house.bench.minute(7 * 1440, {"SPY": "112"})
    first, second = house.keep(tmp_path)
    assert [fill["execution_id"] for fill in first["fills"]] == ["x1"] * (filled != "0")
    assert [(fill["execution_id"], fill["strategy"]) for fill in second["fills"]] == [
        ("late", UNASSIGNED)
    ]
    with Store.open(":memory:") as store:
        results = [load_session(store, source) for source in session_sources(tmp_path)]
        assert [result.status for result in results] == ["loaded", "loaded"]


def test_what_a_human_bought_and_is_listed_on_the_next_day_is_valued_at_the_close_between(
    tmp_path: Path,
) -> None:
    house = a_house()
    house.next_day(TOMORROW)
    house.tell(stranger("by-hand", "QQQ", Side.BUY, "10", "390", OPEN + MINUTE, "x9"))
    house.bench.minute(1440, {"SPY": "112", "QQQ": "401"})
    days = [
        next(day for day in rows["pnl_daily"] if day["strategy"] == UNASSIGNED)
        for rows in house.keep(tmp_path)
    ]
    assert [day["net_pnl"] for day in days] == [D(10) * (400 - 390), D(10) * (401 - 400)]
    assert days[1]["start_equity"] == days[0]["end_equity"]


def without_b(records: list[r.Record]) -> Iterator[r.Record]:
    """As a coordinator has them that does not know strategy B."""
    for record in records:
        if isinstance(record, r.SessionOpened):
            left = tuple(opening for opening in record.openings if opening.strategy != "B")
            yield replace(record, openings=left)
        elif getattr(record, "strategy", "") != "B":
            yield record


def test_a_day_begins_with_the_close_that_each_strategys_own_session_before_it_saw(
    tmp_path: Path,
) -> None:
    house = a_house(spec("B", {("SPY", 1): 1, ("SPY", 5): -1}, max_position_size="0.5"))
    house.bench.fill(house.bench.order("B"), "110")
    house.bench.minute(5, {"SPY": "109"})
    sales = {name: house.bench.order(name, 2) for name in "BA"}
    for name, sale in sales.items():
        house.bench.fill(sale, "109", execution_id=f"of {name}")
    house.next_day(TOMORROW)
    house.bench.minute(1440, {"SPY": "112"})
    house.bench.records = list(without_b(house.bench.records))
    house.next_day(days_later(2))
    for name, sale in sales.items():
        wrong = m.Execution(f"of {name}", sale.qty, D(109), sale.qty, OPEN + 6 * MINUTE)
        house.tell(
            bust(house.bench.books.order(sale.client_order_id), wrong, house.bench.now, name=name)
        )
    sessions = house.keep(tmp_path)
    assert "B" not in {day["strategy"] for day in sessions[1]["pnl_daily"]}
    for name in sales:
        days = [day for rows in sessions for day in rows["pnl_daily"] if day["strategy"] == name]
        for one, two in pairwise(days):
            assert two["start_equity"] == one["end_equity"]


@pytest.mark.parametrize(("instead", "average"), [(None, "80000"), ("80900", "80675")])
def test_the_average_of_an_order_counts_what_filled_the_day_before_when_the_rest_is_taken_back(
    tmp_path: Path, instead: str | None, average: str
) -> None:
    bench = Bench(spec("A", {("BTC/USD", 0): 1}, tickers=["BTC/USD"], max_position_size="0.8"))
    bench.minute(0, {"BTC/USD": "80000"})
    order = bench.order("A")
    bench.fill(order, "80000", order.qty / 4)
    house = House(bench, [])
    house.next_day(TOMORROW)
    order = house.bench.books.order(order_id("A"))
    rest = m.Execution("x2", order.qty * 3 / 4, D(80400), order.qty, house.bench.now)
    paid = (order.qty / 4 * 80000 + rest.qty * 80400) / order.qty
    house.tell(report(order, OrderStatus.FILLED, order.qty, house.bench.now, str(paid), rest))
    right = replace(rest, execution_id="x3", price=D(instead)) if instead else None
    house.tell(bust(order, rest, house.bench.now, instead=right))
    _, second = house.keep(tmp_path)
    (row,) = second["orders"]
    assert (row["filled_qty"], row["filled_avg_price"]) == (order.booked_qty, D(average))
    with Store.open(":memory:") as store:
        results = [load_session(store, source) for source in session_sources(tmp_path)]
        assert [result.message for result in results if result.status != "loaded"] == []


def test_a_coin_whose_closes_and_executions_have_more_than_nine_decimals_is_loaded(
    tmp_path: Path,
) -> None:
    coin = "SHIB/USD"
    said = {(coin, 0): 1, (coin, 5): -1, (coin, 1440): 1}
    bench = Bench(spec("A", said, tickers=[coin], max_position_size="0.5"))
    bench.minute(0, {coin: "0.0000123465"})
    bench.fill(bench.order("A"), "0.000012347333333333", "3000000.123456789")
    bench.fill(bench.order("A"), "0.000012348333333333")
    bench.minute(5, {coin: "0.0000123455"})
    bench.fill(bench.order("A", 2), "0.000012345677777777", "1000000.987654321")
    bench.minute(6, {coin: "0.0000123455"})
    house = House(bench, [])
    house.next_day(TOMORROW)
    house.bench.minute(1440, {coin: "0.0000123475"})
    house.keep(tmp_path)
    with Store.open(":memory:") as store:
        results = [load_session(store, source) for source in session_sources(tmp_path)]
        assert [result.message for result in results if result.status != "loaded"] == []
        summed = ask(store, "SELECT sum(net_pnl) FROM pnl_daily WHERE strategy = 'A'").rows
        assert summed == ((house.bench.books.ledger.pnl("A"),),)
