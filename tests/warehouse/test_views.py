"""What the views say of days that a trader can check by hand."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.warehouse.builder import Book, Day, Source, d
from tests.warehouse.conftest import Load, Rows
from warehouse import Store, load_session
from warehouse.queries import ask


def test_a_crypto_strategy_has_a_year_of_365_days(load: Load, rows: Rows) -> None:
    load(Day(tickers={"A": ["SPY"], "B": ["BTC/USD"], "C": ["SPY", "BTC/USD"]}).source())
    assert rows("SELECT strategy, days_a_year FROM v_performance ORDER BY 1") == [
        ("A", 252),
        ("B", 365),
        ("C", 252),
        ("UNASSIGNED", 252),
    ]


def test_unassigned_of_a_crypto_session_counts_365_days_too(load: Load, rows: Rows) -> None:
    load(Day(tickers={"B": ["BTC/USD"]}).source())
    assert rows("SELECT DISTINCT days_a_year FROM v_performance") == [(365,)]


def test_a_strategy_that_did_nothing_has_no_ratio_rather_than_a_wrong_one(
    load: Load, rows: Rows
) -> None:
    day = Day()
    load(day.source())
    load(day.next_day("s2").source())
    assert rows(
        "SELECT total_return, sharpe, sortino, max_drawdown, win_rate, profit_factor, turnover "
        "FROM v_performance WHERE strategy = 'Alpha'"
    ) == [(0, None, None, 0, None, None, 0)]


def test_no_view_sums_across_accounts_or_modes(load: Load, rows: Rows) -> None:
    for number, (account, mode) in enumerate(
        [("PA1", "paper"), ("PA1", "backtest"), ("LV1", "live")]
    ):
        day = Day(session_id=f"s{number}", account=account, mode=mode)
        day.buy("Alpha", "SPY", "1", "100")
        day.sell("Alpha", "SPY", "1", str(101 + number))
        load(day.source())
    gains = rows(
        "SELECT account, mode, net_pnl FROM v_performance WHERE strategy = 'Alpha' ORDER BY net_pnl"
    )
    assert gains == [("PA1", "paper", 1), ("PA1", "backtest", 2), ("LV1", "live", 3)]
    for view in ("v_pnl_history", "v_round_trips", "v_slippage", "v_equity", "v_exposure"):
        assert rows(f"SELECT DISTINCT account, mode FROM {view} ORDER BY 2") == [
            ("PA1", "backtest"),
            ("LV1", "live"),
            ("PA1", "paper"),
        ], view
    assert rows("SELECT DISTINCT cumulative_net_pnl FROM v_pnl_history ORDER BY 1 DESC") == [
        (3,), (2,), (1,), (0,),
    ]  # fmt: skip


def test_history_adds_up_day_by_day(load: Load, rows: Rows) -> None:
    day = Day()
    for number, gain in enumerate(["5", "-2", "1.5"]):
        day.activity("Alpha", "dividend", gain)
        load(day.source())
        day = day.next_day(f"s{number + 2}")
    assert rows(
        "SELECT net_pnl, cumulative_net_pnl FROM v_pnl_history WHERE strategy = 'Alpha' "
        "ORDER BY session_date"
    ) == [(d("5"), d("5")), (d("-2"), d("3")), (d("1.5"), d("4.5"))]


def test_the_days_of_a_strategy_stand_in_the_order_in_which_it_had_them(
    load: Load, rows: Rows
) -> None:
    day = Day()
    day.activity("Alpha", "dividend", "1000")
    load(day.source())
    day = day.moved_to("s0")
    day.activity("Alpha", "dividend", "-550")
    load(day.source())
    history = "SELECT session_id, cumulative_net_pnl FROM v_pnl_history WHERE strategy = 'Alpha'"
    assert rows(f"{history} ORDER BY 2") == [("s0", 450), ("s1", 1000)]
    assert rows(
        "SELECT start_equity, end_equity, round(max_drawdown, 9) FROM v_performance"
        " WHERE strategy = 'Alpha'"
    ) == [(10000, 10450, 0.0)]


def test_a_day_within_which_a_strategy_moved_is_one_day(load: Load, rows: Rows) -> None:
    figures = """SELECT days, round(annualised_return, 9), round(volatility, 9), round(sharpe, 9),
                        round(sortino, 9), round(max_drawdown, 9), win_rate, turnover
                 FROM v_performance WHERE strategy = 'Alpha'"""
    found = []
    for account, moves in (("PA1", False), ("PA2", True)):
        day = Day(f"{account}.1", account=account)
        day.activity("Alpha", "dividend", "-100")
        load(day.source())
        day = day.next_day(f"{account}.3")
        day.activity("Alpha", "dividend", "300")
        if moves:
            load(day.source())
            day = day.moved_to(f"{account}.2")
        day.activity("Alpha", "dividend", "-150")
        load(day.source())
        found += rows(f"{figures} AND account = '{account}'")
    assert found[0] == found[1]
    assert found[0][0] == 2


def test_a_day_whose_tickers_are_not_known_makes_no_stock_of_a_coin(load: Load, rows: Rows) -> None:
    day = Day(tickers={"B": ["BTC/USD"]})
    load(day.source())
    unknown = day.next_day("s2")
    unknown.tickers = {"B": []}
    load(unknown.source())
    assert rows("SELECT days, days_a_year FROM v_performance WHERE strategy = 'B'") == [(2, 365)]


# side qty price fee | round trips: qty entry exit gross fees
FIFO = {
    "in and out": (
        ["buy 10 100", "sell 10 101"],
        ["10 100 101 10 0"],
    ),
    "first in, first out": (
        ["buy 10 100", "buy 10 110", "sell 10 120", "sell 10 120"],
        ["10 100 120 200 0", "10 110 120 100 0"],
    ),
    "one exit of two entries": (
        ["buy 4 100", "buy 6 110", "sell 10 120"],
        ["4 100 120 80 0", "6 110 120 60 0"],
    ),
    "two exits of one entry": (
        ["buy 10 100 1", "sell 4 90 0.4", "sell 6 110 0.6"],
        ["4 100 90 -40 0.8", "6 100 110 60 1.2"],
    ),
    "a part stays open": (
        ["buy 10 100 1", "sell 4 110"],
        ["4 100 110 40 0.4"],
    ),
    "exits overlap entries": (
        ["buy 5 100", "buy 5 110", "sell 3 120", "sell 7 130"],
        ["3 100 120 60 0", "2 100 130 60 0", "5 110 130 100 0"],
    ),
    "flat in between": (
        ["buy 1 100", "sell 1 101", "buy 1 200", "sell 1 199"],
        ["1 100 101 1 0", "1 200 199 -1 0"],
    ),
    "sold short and bought back": (
        ["sell 5 100 1", "sell 5 105", "buy 8 90 0.8", "buy 5 91"],
        ["5 90 100 50 1.5", "3 90 105 45 0.3", "2 91 105 28 0"],
    ),
    "sold beyond what was bought": (
        ["buy 5 90", "sell 8 100", "buy 2 80", "sell 2 81", "buy 4 79"],
        ["5 90 100 50 0", "2 80 100 40 0", "1 79 100 21 0", "2 79 81 4 0"],
    ),
    "nothing sold": (["buy 5 90"], []),
}
TRIPS = (
    "SELECT qty, entry_price, exit_price, gross_pnl, fees FROM v_round_trips "
    "ORDER BY exited_at, entered_at, qty DESC"
)


def play(day: Day, moves: list[str], strategy: str = "Alpha", symbol: str = "SPY") -> None:
    for move in moves:
        side, *numbers = move.split()
        getattr(day, side)(strategy, symbol, *numbers)


OVERNIGHT = ["exits overlap entries", "a part stays open", "sold beyond what was bought"]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("case", "overnight"), [(case, False) for case in FIFO] + [(case, True) for case in OVERNIGHT]
)
def test_round_trips_are_first_in_first_out(
    load: Load, rows: Rows, case: str, overnight: bool
) -> None:
    moves, trips = FIFO[case]
    day = Day()
    for number, move in enumerate(moves):
        play(day, [move])
        if overnight:
            load(day.source())
            day = day.next_day(f"s{number + 2}")
    load(day.source())
    assert rows(TRIPS) == [tuple(map(Decimal, trip.split())) for trip in trips]


def test_what_was_held_and_never_bought_here_has_no_entry(load: Load, rows: Rows) -> None:
    books = {name: Book(d("10000")) for name in ("Alpha", "UNASSIGNED")}
    books["Alpha"].held["SPY"] = [d(5), d(450)]
    day = Day(books=books, tickers={"Alpha": ["SPY"]}, marks={"SPY": d(95)})
    play(day, ["buy 5 90", "sell 8 100", "buy 5 80", "sell 7 81"])
    assert load(day.source()).quarantined == 0
    assert rows(TRIPS) == [(5, 90, 100, 50, 0), (5, 80, 81, 5, 0)]
    assert rows("SELECT count(*) FROM open_lots") == [(0,)]


def test_a_busted_execution_makes_no_round_trip(load: Load, rows: Rows) -> None:
    day = Day()
    play(day, ["buy 10 100"])
    day.bust(day.buy("Alpha", "SPY", "10", "105"))
    day.bust(day.buy("Alpha", "SPY", "10", "105"))
    play(day, ["sell 10 110"])
    assert load(day.source()).quarantined == 0
    assert rows(TRIPS) == [(10, 100, 110, 100, 0)]
    assert rows("SELECT realized_pnl FROM pnl_daily WHERE strategy = 'Alpha'") == [(100,)]


LOTS = "SELECT qty, price, cost FROM open_lots WHERE session_id = ? ORDER BY strategy, place"


def test_a_purchase_that_is_corrected_after_its_sale_is_still_the_entry_of_it(
    load: Load, rows: Rows
) -> None:
    day = Day()
    bought = day.buy("Alpha", "SPY", "10", "100", "1")
    play(day, ["buy 10 105 1", "sell 10 110 1"])
    day.correct(day.correct(bought, "10", "98"), "10", "99")
    assert load(day.source()).quarantined == 0
    assert rows(TRIPS) == [(10, 99, 110, 110, 2)]
    assert rows("SELECT entered_at FROM v_round_trips WHERE entered_at < exited_at") == rows(
        "SELECT filled_at FROM fills WHERE execution_id = ?", bought
    )
    assert rows(LOTS, "s1") == [(10, 105, 1050)]


def test_a_trade_by_hand_without_an_orders_id_is_no_correction_of_another_ticker(
    load: Load, rows: Rows
) -> None:
    day = Day()
    taken = day.buy("UNASSIGNED", "QQQ", "1", "400")
    play(day, ["buy 10 100", "buy 5 105"], "UNASSIGNED")
    day.bust(taken)
    (*_, bought, bust) = day.rows["fills"]
    bought["filled_at"] = bust["filled_at"]
    for fill in day.rows["fills"]:
        fill["client_order_id"] = None
    play(day, ["sell 10 101"], "UNASSIGNED")
    load(day.source())
    assert rows(TRIPS) == [(10, 100, 101, 10, 0)]


def test_a_sale_whose_purchase_is_taken_back_is_matched_with_the_next_one(
    load: Load, rows: Rows
) -> None:
    day = Day()
    bought = day.buy("Alpha", "SPY", "10", "100")
    play(day, ["sell 10 110 1"])
    day.bust(bought)
    assert load(day.source()).quarantined == 0
    assert rows(TRIPS) == []
    assert rows(LOTS, "s1") == [(-10, 110, -1100)]
    day = day.next_day("s2")
    play(day, ["buy 4 105", "buy 8 104", "sell 2 106"])
    assert load(day.source()).quarantined == 0
    assert rows(TRIPS + " LIMIT 3") == [
        (4, 105, 110, 20, d("0.4")),
        (6, 104, 110, 36, d("0.6")),
        (2, 104, 106, 4, 0),
    ]
    assert rows(LOTS, "s2") == []
    assert rows("SELECT sum(realized_pnl) FROM v_pnl_history WHERE strategy = 'Alpha'") == [(60,)]


def test_a_sale_that_is_corrected_to_more_than_was_held_leaves_the_rest_short(
    load: Load, rows: Rows
) -> None:
    day = Day()
    play(day, ["buy 10 100"])
    day.correct(day.sell("Alpha", "SPY", "10", "110"), "12", "111")
    assert load(day.source()).quarantined == 0
    assert rows(TRIPS) == [(10, 100, 111, 110, 0)]
    assert rows(LOTS, "s1") == [(-2, 111, -222)]


def test_a_split_that_follows_a_plan_on_the_same_day_keeps_the_price_of_each_lot(
    load: Load, rows: Rows
) -> None:
    day = Day(tickers={"Alpha": ["SPY"], "Beta": ["SPY"]})
    for name in ("Alpha", "Beta"):
        play(day, ["buy 10 100"], name)
    load(day.source())
    day = day.next_day("s2")
    day.transfer("Alpha", "SPY", "-4")
    day.transfer("Beta", "SPY", "30")
    day.split("Alpha", "SPY", 2)
    day.marks["SPY"] *= 2  # which is one split for both
    day.split("Beta", "SPY", 2)
    assert load(day.source()).quarantined == 0
    assert rows(LOTS, "s2") == [(12, 50, 600), (20, 50, 1000)]


def test_a_split_of_what_was_bought_on_its_own_day_is_of_all_that_was_bought_before_it(
    load: Load, rows: Rows
) -> None:
    day = Day()
    play(day, ["buy 3 12"])
    day.split("Alpha", "SPY", 3)  # what it gives
    day.split("Alpha", "SPY", d(2) / 3)  # what it takes
    day.marks["SPY"] = d(6)
    play(day, ["sell 4 7", "buy 1 8"])
    assert load(day.source()).quarantined == 0
    assert rows(TRIPS) == [(4, 6, 7, 4, 0)]
    assert rows(LOTS, "s1") == [(2, 6, 12), (1, 8, 8)]


def test_what_a_split_takes_may_stand_before_what_it_gives_at_the_same_time(
    load: Load, rows: Rows
) -> None:
    day = Day()
    play(day, ["buy 3 12"])
    day.split("Alpha", "SPY", 3)
    day.split("Alpha", "SPY", d("0.5"))
    gives, takes = day.rows["activities"]
    gives["activity_id"], takes["activity_id"] = "2", "1"
    gives["booked_at"] = takes["booked_at"]
    takes["qty"], gives["qty"] = d("-4.5"), d(6)
    play(day, ["sell 4.5 9"])
    assert load(day.source()).quarantined == 0
    assert rows(TRIPS) == [(d("4.5"), 8, 9, d("4.5"), 0)]


def test_a_plan_between_the_days_first_purchase_and_its_split_is_of_the_old_shares(
    load: Load, rows: Rows
) -> None:
    day = Day()
    play(day, ["buy 10 100"])
    load(day.source())
    day = day.next_day("s2")
    play(day, ["buy 4 51", "sell 2 56"])  # of the new shares, before the broker lists the split
    day.transfer("Alpha", "SPY", "-4")
    day.split("Alpha", "SPY", d("1.75"))  # of the 8 held, 6 are as many old ones
    assert load(day.source()).quarantined == 0
    assert rows(TRIPS) == [(2, 50, 56, 12, 0)]
    assert rows(LOTS, "s2") == [(10, 50, 500), (4, 51, 204)]


def test_coins_that_the_broker_took_for_fees_are_no_lot(load: Load, rows: Rows) -> None:
    day = Day()
    play(day, ["buy 0.4 50000 50"], "Beta", "BTC/USD")
    day.fee_in_coin("Beta", "BTC/USD", "0.000000001")
    play(day, ["sell 0.398999999 51000"], "Beta", "BTC/USD")
    assert load(day.source()).quarantined == 0
    assert rows(LOTS, "s1") == []


def test_a_split_overnight_costs_nothing(load: Load, rows: Rows) -> None:
    day = Day()
    play(day, ["buy 10 100"])
    load(day.source())
    day = day.next_day("s2")
    day.split("Alpha", "SPY", 4)
    play(day, ["sell 30 26", "sell 10 27"])
    assert load(day.source()).status == "loaded"
    assert rows(TRIPS) == [(30, 25, 26, 30, 0), (10, 25, 27, 20, 0)]


def test_a_reverse_split_leaves_no_dust_behind(load: Load, rows: Rows) -> None:
    day = Day()
    play(day, ["buy 3.7 30", "buy 1.1 30", "buy 7.3 30"])
    load(day.source())
    day = day.next_day("s2")
    day.split("Alpha", "SPY", d("0.3"))
    play(day, ["sell 3.63 100", "buy 1 110", "sell 1 120"])
    assert load(day.source()).status == "loaded"
    trips = "SELECT round(qty, 12), round(entry_price, 12), exit_price FROM v_round_trips"
    assert rows(f"{trips} ORDER BY 3, 1") == [
        (d("0.33"), 100, 100),
        (d("1.11"), 100, 100),
        (d("2.19"), 100, 100),
        (1, 110, 120),
    ]
    assert rows("SELECT sum(qty) FROM v_round_trips") == [(d("4.63"),)]
    assert rows("SELECT count(*) FROM open_lots WHERE session_id = 's2'") == [(0,)]


def test_a_split_of_more_than_was_bought_here_leaves_the_purchase_its_part(
    load: Load, rows: Rows
) -> None:
    books = {name: Book(d("10000")) for name in ("Alpha", "UNASSIGNED")}
    books["UNASSIGNED"].held["SPY"] = [d(90), d(9000)]  # the account had them already
    day = Day(books=books, tickers={"Alpha": ["SPY"]}, marks={"SPY": d(100)})
    play(day, ["buy 10 100"], "UNASSIGNED")
    load(day.source())
    day = day.next_day("s2")
    day.split("UNASSIGNED", "SPY", 2)
    play(day, ["buy 5 50", "sell 205 51"], "UNASSIGNED")
    load(day.source())
    assert rows(TRIPS) == [(20, 50, 51, 20, 0), (5, 50, 51, 5, 0)]


def test_a_split_that_is_booked_in_the_night_changes_the_shares_bought_before_it(
    load: Load, rows: Rows
) -> None:
    day = Day()
    play(day, ["buy 10 100"])
    load(day.source())
    day = day.next_day("s2")
    day.split("Alpha", "SPY", 2)  # in the morning, and in the night another
    play(day, ["buy 10 51", "sell 25 52"])
    day.split("Alpha", "SPY", 4, days=1)
    load(day.source())
    day = day.next_day("s3")
    play(day, ["sell 20 13"])
    assert load(day.source()).quarantined == 0
    assert rows(TRIPS) == [
        (20, 50, 52, 40, 0),
        (5, 51, 52, 5, 0),
        (20, d("12.75"), 13, 5, 0),
    ]
    assert rows("SELECT sum(realized_pnl) FROM v_pnl_history WHERE strategy = 'Alpha'") == [(50,)]


def test_a_split_that_takes_as_many_shares_as_were_bought_and_not_given_is_loaded(
    load: Load, rows: Rows
) -> None:
    day = Day(tickers={"Alpha": ["SPY"], "Beta": ["SPY"]})
    play(day, ["buy 5 100"])
    load(day.source())
    day = day.next_day("s2")
    day.transfer("Alpha", "SPY", "5")
    load(day.source())
    day = day.next_day("s3")
    day.split("Alpha", "SPY", d("0.5"))
    assert load(day.source()).rows["activities"] == 1


def test_shares_that_a_human_sold_and_took_from_the_book_are_no_entry_of_later_sales(
    load: Load, rows: Rows
) -> None:
    day = Day()
    play(day, ["buy 10 100 1", "buy 5 101 1"])
    day.transfer("Alpha", "SPY", "-12")
    assert load(day.source()).quarantined == 0
    assert rows("SELECT qty, price, fee FROM open_lots") == [(3, 101, d("0.6"))]
    day = day.next_day("s2")
    play(day, ["buy 5 90", "sell 8 95"])
    load(day.source())
    assert rows(TRIPS) == [(3, 101, 95, -18, d("0.6")), (5, 90, 95, 25, 0)]


def test_what_is_bought_after_shares_left_is_the_entry_of_the_sale_that_follows(
    load: Load, rows: Rows
) -> None:
    day = Day()
    play(day, ["buy 10 100"])
    load(day.source())
    day = day.next_day("s2")
    day.transfer("Alpha", "SPY", "-10")
    play(day, ["buy 10 105", "sell 6 106"])
    day.transfer("Alpha", "SPY", "-1")
    assert load(day.source()).quarantined == 0
    assert rows(TRIPS) == [(6, 105, 106, 6, 0)]
    assert rows("SELECT qty, price FROM open_lots WHERE session_id = 's2'") == [(3, 105)]


def test_of_what_is_corrected_after_shares_left_no_more_is_an_entry_than_is_held(
    load: Load, rows: Rows
) -> None:
    day = Day()
    bought = day.buy("Alpha", "SPY", "10", "100")
    day.transfer("Alpha", "SPY", "-4")
    day.bust(bought)
    play(day, ["buy 10 99"])
    assert load(day.source()).quarantined == 0
    assert rows("SELECT qty, price FROM open_lots") == [(6, 99)]


def test_a_split_that_is_booked_after_shares_left_leaves_lots_of_all_that_is_held(
    load: Load, rows: Rows
) -> None:
    day = Day()
    play(day, ["buy 10 100"])
    load(day.source())
    day = day.next_day("s2")
    day.transfer("Alpha", "SPY", "-4")
    day.split("Alpha", "SPY", 2)
    assert load(day.source()).quarantined == 0
    held = rows("SELECT qty FROM positions WHERE session_id = 's2'")
    assert rows("SELECT sum(qty) FROM open_lots WHERE session_id = 's2'") == held == [(12,)]


def test_shares_that_came_and_went_by_hand_leave_the_purchases_alone(
    load: Load, rows: Rows
) -> None:
    day = Day(marks={"SPY": d(100)})
    day.transfer("Alpha", "SPY", "10")
    play(day, ["buy 5 100"])
    day.transfer("Alpha", "SPY", "-10")
    play(day, ["sell 5 101"])
    load(day.source())
    assert rows(TRIPS) == [(5, 100, 101, 5, 0)]


def test_a_crypto_fee_taken_in_coin_is_never_sold(load: Load, rows: Rows) -> None:
    day = Day()
    day.buy("Beta", "BTC/USD", "0.4", "50000", fee="50")  # 0.001 BTC kept back
    day.sell("Beta", "BTC/USD", "0.399", "51000", fee="50.8725")
    assert load(day.source()).message == "s1: loaded, 2 fills."
    assert rows(TRIPS) == [(d("0.399"), 50000, 51000, 399, d("100.8725"))]
    assert rows("SELECT net_pnl FROM v_pnl_history WHERE strategy = 'Beta'") == [(d("298.1275"),)]
    assert rows("SELECT count(*) FROM open_lots") == [(0,)]


def test_millions_of_coins_taken_for_fees_leave_no_crumb_to_be_sold(load: Load, rows: Rows) -> None:
    day = Day(tickers={"Alpha": ["PEPE/USD"]}, cash="400000")
    for bought, fee, price in (
        ("10689441204.489037471", "26723603.011222594", "0.000005957"),
        ("20193516352.970422493", "50483790.882426056", "0.000004739"),
        ("20777717384.603786643", "51944293.461509467", "0.00000519"),
        ("26513255379.60946855", "66283138.449023671", "0.000005645"),
    ):
        day.buy("Alpha", "PEPE/USD", bought, price, f"{d(fee) * d(price):f}")
        day.sell("Alpha", "PEPE/USD", str(d(bought) - d(fee)), price)
    load(day.source())
    sold = rows("SELECT qty FROM fills WHERE side = 'sell' ORDER BY filled_at")
    assert rows("SELECT qty FROM v_round_trips ORDER BY exited_at") == sold
    assert rows("FROM open_lots") == []


def test_an_older_session_that_is_restated_changes_the_later_round_trips(
    load: Load, rows: Rows
) -> None:
    first = Day()
    play(first, ["buy 10 100"])
    before = first.source("m1")
    load(before)
    second = first.next_day("s2")
    play(second, ["sell 10 120"])
    load(second.source())
    third = second.next_day("s3")
    play(third, ["buy 1 50", "sell 1 51"])
    load(third.source())
    assert rows(TRIPS) == [(10, 100, 120, 200, 0), (1, 50, 51, 1, 0)]
    for name in ("fills", "orders"):  # an execution turns out to have been two
        row = before.tables[name][0]
        other = {"fills": "execution_id", "orders": "client_order_id"}[name]
        row.update({"price": d("90")} if name == "fills" else {"filled_avg_price": d("90")})
        before.tables[name].append({**row, other: "later"})
    before.tables["orders"][0] |= {"qty": d("6"), "filled_qty": d("6")}
    before.tables["orders"][1] |= {"qty": d("4"), "filled_qty": d("4")}
    before.tables["fills"][0] |= {"qty": d("6")}
    before.tables["fills"][1] |= {"qty": d("4"), "client_order_id": "later"}
    before.mark = "m2"
    load(before)
    assert rows(TRIPS) == [(6, 90, 120, 180, 0), (4, 90, 120, 120, 0), (1, 50, 51, 1, 0)]


def test_sessions_loaded_in_any_order_give_the_same_round_trips(load: Load, rows: Rows) -> None:
    sources, day = [], Day()
    for number, move in enumerate(["buy 10 100", "sell 4 101", "buy 2 99", "sell 8 103"]):
        play(day, [move])
        sources.append(day.source())
        day = day.next_day(f"s{number + 2}")
    for index in (2, 0, 3, 1):
        load(sources[index])
    assert rows(TRIPS) == [(4, 100, 101, 4, 0), (6, 100, 103, 18, 0), (2, 99, 103, 8, 0)]


def moved_within_a_day() -> list[Source]:
    """Three sessions of Alpha's: it left the second for another that had opened before that one."""
    day = Day()
    play(day, ["buy 10 100"])
    sources, day = [day.source()], day.next_day("s2")
    play(day, ["sell 4 101", "buy 2 99"])
    sources, day = [*sources, day.source()], day.moved_to("s1b")
    play(day, ["sell 7 103"])
    sources, day = [*sources, day.source()], day.next_day("s3")
    play(day, ["sell 1 98"])
    return [*sources, day.source()]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 3, 1), (3, 2, 1, 0)])
def test_what_a_strategy_bought_before_it_moved_to_a_session_that_opened_earlier_is_sold_there(
    load: Load, rows: Rows, order: tuple[int, ...]
) -> None:
    sources = moved_within_a_day()
    for index in order:
        assert load(sources[index]).quarantined == 0
    assert rows(TRIPS) == [
        (4, 100, 101, 4, 0),
        (6, 100, 103, 18, 0),
        (1, 99, 103, 4, 0),
        (1, 99, 98, -1, 0),
    ]
    assert rows("SELECT DISTINCT session_id FROM open_lots ORDER BY 1") == [
        ("s1",),
        ("s1b",),
        ("s2",),
    ]


def test_strategies_that_changed_places_within_a_day_each_have_their_own_order(
    load: Load, rows: Rows
) -> None:
    alpha = Day("late", tickers={"Alpha": ["SPY"]})
    play(alpha, ["buy 10 100"], "Alpha")
    beta = Day("early", tickers={"Beta": ["SPY"]}, coordinator="house, too")
    play(beta, ["buy 10 200"], "Beta")
    sources = [alpha.source(), beta.source()]
    alpha, beta = alpha.moved_to("early"), beta.moved_to("late")
    beta.opened_at += timedelta(hours=1)
    play(alpha, ["sell 10 101"], "Alpha")
    play(beta, ["sell 10 205"], "Beta")
    for source, also in ((alpha.source(), sources[1]), (sources[0], beta.source())):
        for name in ("strategies", "orders", "fills", "positions", "pnl_daily", "equity"):
            source.tables[name] += [
                row | ({"execution_id": "of Beta"} if name == "fills" else {})
                for row in also.tables[name]
                if row["strategy"] == "Beta"
            ]
        assert load(source).quarantined == 0
    assert rows(TRIPS) == [(10, 100, 101, 10, 0), (10, 200, 205, 50, 0)]
    assert rows("SELECT count(*) FROM open_lots WHERE session_id = 'early'") == [(1,)]


@pytest.mark.parametrize(
    "refused", [{"market_value": d(1)}, {"qty": "many"}], ids=["other value", "no quantity"]
)
def test_lots_of_a_position_whose_row_was_refused_are_the_entries_of_later_sales(
    load: Load, rows: Rows, refused: dict[str, Any]
) -> None:
    day = Day()
    play(day, ["buy 10 100"])
    load(day.source())
    day = day.next_day("s2")
    play(day, ["buy 5 105", "sell 3 104"])
    source = day.source()
    source.tables["positions"][0] |= refused
    assert load(source).quarantined > 0
    assert rows(LOTS, "s2") == [(7, 100, 700), (5, 105, 525)]
    day = day.next_day("s3")
    play(day, ["sell 12 110"])
    load(day.source())
    assert rows(TRIPS) == [(3, 100, 104, 12, 0), (7, 100, 110, 70, 0), (5, 105, 110, 25, 0)]


SLIPPAGE = [
    # side, decided at, filled at, signed bps (positive costs), dollars for 10
    ("buy", "100", "100.05", 5.0, "0.5"),
    ("buy", "100", "99.95", -5.0, "-0.5"),
    ("sell", "100", "99.95", 5.0, "0.5"),
    ("sell", "100", "100.05", -5.0, "-0.5"),
    ("buy", "100", "100", 0.0, "0"),
]


@pytest.mark.parametrize(("side", "decided", "filled", "bps", "cost"), SLIPPAGE)
def test_slippage_is_positive_where_it_costs(
    load: Load, rows: Rows, side: str, decided: str, filled: str, bps: float, cost: str
) -> None:
    day = Day()
    if side == "sell":
        day.buy("Alpha", "SPY", "10", "100", decision_price=None)
    getattr(day, side)("Alpha", "SPY", "10", filled, decision_price=d(decided))
    load(day.source())
    ((found_bps, found_cost),) = rows("SELECT slippage_bps, slippage_cost FROM v_slippage")
    assert found_bps == pytest.approx(bps)
    assert found_cost == d(cost)


def test_a_busted_execution_slipped_from_nothing(load: Load, rows: Rows) -> None:
    day = Day()
    day.bust(day.buy("Alpha", "SPY", "10", "101", decision_price=d("100")))
    day.buy("Alpha", "SPY", "10", "100.05", decision_price=d("100"))
    load(day.source())
    assert rows(
        "SELECT count(*), round(avg(slippage_bps), 6), sum(slippage_cost) FROM v_slippage"
    ) == [(1, 5.0, d("0.5"))]


def test_equity_falls_from_its_peak(load: Load, rows: Rows) -> None:
    day = Day()
    for amount in ("100", "-505", "5"):
        day.activity("Alpha", "dividend", amount)
    load(day.source())
    assert rows(
        "SELECT equity, peak, drawdown FROM v_equity WHERE strategy = 'Alpha' ORDER BY ts"
    ) == [(10000, 10000, 0), (10100, 10100, 0), (9595, 10100, 0.05), (9600, 10100, 500 / 10100)]


def test_exposure_is_what_is_held_against_equity(load: Load, rows: Rows) -> None:
    day = Day(tickers={"Alpha": ["SPY", "QQQ"], "Beta": ["SPY"]})
    day.buy("Alpha", "SPY", "10", "450")
    day.buy("Alpha", "QQQ", "5", "400")
    load(day.source())
    assert rows(
        "SELECT strategy, symbol, market_value, exposure, highest_exposure FROM v_exposure "
        "ORDER BY strategy, symbol"
    ) == [
        ("Alpha", "QQQ", 2000, 0.2, 0.65),
        ("Alpha", "SPY", 4500, 0.45, 0.65),
        ("Beta", None, 0, 0.0, 0.0),
        ("UNASSIGNED", None, 0, 0.0, 0.0),
    ]


change = st.one_of(
    st.tuples(st.sampled_from(["buy", "sell"]), st.integers(1, 40), st.integers(1, 400)),
    st.tuples(st.sampled_from(["bust", "correct"]), st.integers(0, 30), st.integers(1, 400)),
    st.tuples(st.just("split"), st.sampled_from(["2", "4", "0.5", "1.25"]), st.just(0)),
    st.tuples(st.just("night"), st.sampled_from(["1", "2", "0.5"]), st.just(0)),
)
STANDS = """
    SELECT (SELECT coalesce(sum(gross_pnl), 0) FROM v_round_trips)
           - (SELECT coalesce(sum(cost), 0) FROM open_lots WHERE session_id = $1),
           (SELECT coalesce(sum(qty), 0) FROM open_lots WHERE session_id = $1)
"""


@pytest.mark.thorough
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changes=st.lists(change, min_size=1, max_size=20))
@example([("buy", 1, 1), ("night", "1", 0), ("sell", 2, 1), ("split", "4", 0)])
def test_round_trips_and_open_lots_come_to_what_the_books_realised_and_hold(
    store: Store, changes: list[tuple[str, Any, int]]
) -> None:
    for name in ("sessions", "round_trips", "open_lots", "loads"):
        store.connection.execute("DELETE FROM " + name)
    day, realized, standing = Day(tickers={"Alpha": ["SPY"]}, cash="1000000"), d(0), list[str]()
    for number, (kind, one, quarters) in enumerate([*changes, ("night", "1", 0)]):
        held, price = day.books["Alpha"].held["SPY"], str(d(quarters) / 4)
        if kind in ("buy", "sell"):
            standing.append(getattr(day, kind)("Alpha", "SPY", str(d(one) / 8), price))
        elif kind in ("bust", "correct") and standing:
            taken = standing.pop(one % len(standing))
            if kind == "bust":
                day.bust(taken)
            else:
                standing.append(day.correct(taken, str(d(one + 1) / 8), price))
        elif kind == "split" and held[0]:
            for ratio in ("5", "0.8") if one == "4" else (one,):  # what it gives, what it takes
                day.split("Alpha", "SPY", d(ratio))
            standing = []
        elif kind == "night":
            if held[0] and one != "1":
                day.split("Alpha", "SPY", d(one), days=1)
            assert load_session(store, day.source()).status == "loaded"
            realized += day.books["Alpha"].realized
            assert ask(store, STANDS, [day.session_id]).rows == ((realized - held[1], held[0]),)
            day, standing = day.next_day(f"d{number}"), []


price = st.decimals(min_value="0.01", max_value="5000", places=4)
share = st.integers(min_value=1, max_value=10)
step = st.tuples(st.sampled_from(["Alpha", "Beta"]), st.booleans(), share, price, st.integers(0, 4))


@pytest.mark.thorough
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(step, min_size=1, max_size=20))
def test_any_days_load_and_fifo_equals_average_cost_once_flat(
    store: Store, steps: list[tuple[str, bool, int, Decimal, int]]
) -> None:
    for name in ("sessions", "round_trips", "open_lots", "loads"):
        store.connection.execute("DELETE FROM " + name)
    symbols = {"Alpha": "SPY", "Beta": "BTC/USD"}
    books = {name: Book(d("1000000")) for name in (*symbols, "UNASSIGNED")}
    day, total, sources = Day(books=books), dict.fromkeys(books, d(0)), []

    def close(day: Day) -> Source:
        for name, book in day.books.items():
            total[name] += book.realized
        return day.source()

    for number, (name, is_sale, tenths, at, days_left) in enumerate(steps):
        held = books[name].held[symbols[name]][0]
        if is_sale and held:
            qty = (held * tenths / 10).quantize(d("1e-9")) if tenths < 10 else held
            if qty:
                day.sell(name, symbols[name], str(qty), str(at))
        elif not is_sale:
            qty = d(tenths) / 8
            fee = qty * at / 400 if name == "Beta" else d(0)
            coin = (qty / 400).quantize(d("1e-9"))
            day.buy(name, symbols[name], str(qty), str(at), str(coin * at if fee else fee))
        if not days_left:
            sources.append(close(day))
            day = day.next_day(f"d{number}")
    for name, symbol in symbols.items():
        if books[name].held[symbol][0]:
            day.sell(name, symbol, str(books[name].held[symbol][0]), "77.7777")
    sources.append(close(day))

    for source in sources:
        assert load_session(store, source).message.startswith(f"{source.session_id}: loaded, ")
    answer: Any = dict(
        ask(store, "SELECT strategy, sum(gross_pnl) FROM v_round_trips GROUP BY 1").rows
    )
    for name in symbols:
        assert answer.get(name, d(0)) == total[name]
    assert ask(store, "SELECT count(*) FROM open_lots AS l WHERE session_id = ?",
               [sources[-1].session_id]).rows == ((0,),)  # fmt: skip
