"""A market order of coins that the price has left behind is ended; of a sale the rest goes on.

Alpaca's help page on notional orders says that it "implements an automatic 2% price collar on all
crypto market orders, converting them into limit orders", which may fill in part if the market moves
beyond it. Paper accounts have kept such orders open for weeks.
"""

from __future__ import annotations

import pytest

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.orders import OrderStatus
from coordinator.core.reload import Removal
from coordinator.core.values import Reason, Side
from tests.coordinator.bench import Bench, D, asset, order_id, spec
from tests.coordinator.test_kill import clock, holding, kill
from tests.coordinator.test_reload import reload

S = OrderStatus
BTC = "BTC/USD"


def buying(ticker: str, **limits: str) -> Bench:
    """A's entry at 100 stands at the broker, which has filled nothing yet."""
    bench = Bench(spec("A", {(ticker, 0): 1, (ticker, 3): -1}, **limits))
    bench.minute(0, {ticker: "100"})
    bench.update(bench.order("A"), S.NEW)
    return bench


def selling(ticker: str) -> Bench:
    """A has bought at 100, and its exit at 97, where its stop is, stands at the broker."""
    bench = buying(ticker, stop_loss_pct="0.03")
    bench.fill(bench.order("A"))
    bench.minute(1, {ticker: "97"})
    bench.update(bench.order("A", 2), S.NEW)
    return bench


def cancelled(bench: Bench) -> list[str]:
    """The orders whose cancellation was asked for."""
    return [c.client_order_id for c in bench.commands if isinstance(c, m.CancelOrder)]


@pytest.mark.parametrize(
    ("ticker", "close", "ended"),
    [(BTC, "95.06", False), (BTC, "95.05", True), (BTC, "99", False), ("SPY", "90", False)],
)
def test_a_sale_of_coins_is_ended_once_the_price_is_below_its_limit(
    ticker: str, close: str, ended: bool
) -> None:
    bench = selling(ticker)
    bench.minute(2, {ticker: close})
    assert cancelled(bench) == ([order_id("A", 2)] if ended else [])


def test_the_rest_of_the_sale_is_ordered_at_the_new_price_for_the_same_reason() -> None:
    bench = selling(BTC)
    sale, held = bench.order("A", 2), bench.position("A", BTC)
    bench.fill(sale, "96", "40")
    bench.minute(2, {BTC: "90"})
    assert len(bench.sent()) == 2, "the one at the broker has to end first"
    bench.update(sale, S.CANCELED, "40", price="96")
    assert bench.sent()[2:] == [("A", BTC, Side.SELL, held - 40)]
    again = bench.order("A", 3)
    assert (again.reason, again.decision_price) == (Reason.STOP, D(90))
    bench.update(again, S.NEW)
    bench.minute(4, {BTC: "88.3"})
    assert cancelled(bench) == [sale.client_order_id], "the new one can fill"


def test_a_sale_that_filled_before_it_could_be_cancelled_is_not_repeated() -> None:
    bench = selling(BTC)
    bench.minute(2, {BTC: "90"})
    bench.fill(bench.order("A", 2))
    bench.minute(4, {BTC: "90"})
    assert bench.position("A", BTC) == 0
    assert len(bench.sent()) == 2


def test_an_entry_that_the_price_has_left_is_ended_and_what_it_filled_is_kept() -> None:
    bench = buying(BTC)
    entry = bench.order("A")
    bench.fill(entry, qty="10")
    bench.minute(1, {BTC: "102"})
    assert cancelled(bench) == []
    bench.minute(2, {BTC: "102.01"})
    assert cancelled(bench) == [entry.client_order_id]
    bench.update(entry, S.CANCELED, "10")
    assert not entry.hold, "its cash is free again"
    assert bench.position("A", BTC) == D("9.975")
    assert len(bench.sent()) == 1


def test_what_an_entry_filled_is_sold_if_the_strategy_wants_out_before_it_has_ended() -> None:
    bench = buying(BTC)
    entry = bench.order("A")
    bench.fill(entry, qty="10")
    bench.minute(2, {BTC: "110"})
    bench.minute(3, {BTC: "110"})
    bench.update(entry, S.CANCELED, "10")
    assert bench.sent()[1:] == [("A", BTC, Side.SELL, D("9.975"))]


def test_an_order_of_which_the_broker_has_told_nothing_yet_is_left_alone() -> None:
    bench = Bench(spec("A", {(BTC, 0): 1}))
    bench.minute(0, {BTC: "100"})
    bench.minute(1, {BTC: "150"})
    assert cancelled(bench) == []


def liquidating(by: str) -> Bench:
    """A's coins are sold at the operator's word, in a session that gets no bars of them."""
    bench = buying(BTC)
    bench.fill(bench.order("A"))
    if by == "a reload":
        reload(bench, spec("B", {("SPY", 0): 1}), removal=Removal.FLATTEN)
        return bench
    killed, flattened = r.Killed(bench.now, "op"), r.FlattenRequested(bench.now, "A", "op")
    bench.books.apply_all([killed if by == "kill" else flattened])
    nobodys = Bench(books=bench.books, assets={BTC: asset(BTC)})  # as a command runs it
    nobodys.now = bench.now
    clock(nobodys, 0)
    return nobodys


@pytest.mark.parametrize("by", ["kill", "flatten", "a reload"])
def test_a_sale_by_command_that_stands_for_a_minute_is_ended_and_ordered_anew_without_any_bar(
    by: str,
) -> None:
    bench = liquidating(by)
    sale, held = bench.order("A", 2), bench.position("A", BTC)
    bench.fill(sale, "99", "40")
    clock(bench, 59)
    assert cancelled(bench) == []
    clock(bench, 1)
    clock(bench)
    assert cancelled(bench) == [sale.client_order_id] * 2, "a request can be lost"
    sold = bench.sent()
    bench.update(sale, S.CANCELED, "40", price="99")
    clock(bench)
    assert bench.sent()[len(sold) :] == [("A", BTC, Side.SELL, held - 40)]
    bench.fill(bench.order("A", 3), "90")
    clock(bench, 90)
    assert bench.position("A", BTC) == 0
    assert bench.engine.is_flat(bench.now)


def test_a_sale_of_stocks_by_command_that_stands_is_left_to_the_broker() -> None:
    bench = holding("A")
    kill(bench)
    bench.update(bench.order("A", 2), S.NEW)
    clock(bench, 90)
    assert cancelled(bench) == []
