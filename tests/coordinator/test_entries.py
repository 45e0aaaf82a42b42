"""Entries: how much is bought, with which cash, and in which order within a minute."""

from __future__ import annotations

from decimal import Decimal

import pytest

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.orders import OrderStatus
from coordinator.core.risk import Asset, Limits, entry_qty
from coordinator.core.values import Side
from tests.coordinator.bench import Bench, D, order_id, spec

BTC = Asset.crypto("BTC/USD", increment=D("1e-9"), min_qty=D("0.0001"))
FRACTIONS = Asset.stock("SPY", fractionable=True)
WHOLE = Asset.stock("SPY", fractionable=False)

# asset, max_position_size, equity, cash that is free, close -> quantity
SIZES = [
    (FRACTIONS, "1", "10000", "10000", "450.23", "21.9909"),  # 10000 / 1.01 / 450.23
    (FRACTIONS, "0.5", "10000", "10000", "450.23", "11.1054"),
    (FRACTIONS, "0.95", "10000", "2000", "450.23", "4.3981"),
    (FRACTIONS, "1", "10000", "-5", "450.23", "0"),
    (FRACTIONS, "1", "101", "101", "100", "1"),  # exactly one share
    (FRACTIONS, "1", "1.5", "1.01", "1", "1"),  # exactly one dollar
    (FRACTIONS, "1", "1.5", "1", "1", "0"),  # less than a dollar
    (WHOLE, "1", "10000", "10000", "450.23", "21"),
    (WHOLE, "1", "400", "400", "450.23", "0"),
    (BTC, "0.4", "15000", "15000", "80000", "0.075"),
    (BTC, "1", "15000", "15000", "81234.567", "0.182822235"),
    (BTC, "1", "10", "10.10", "80000", "0.000125"),  # ten dollars
    (BTC, "0.99", "10", "10.10", "80000", "0"),
    (BTC, "1", "15", "15", "160000", "0"),  # below the smallest order
]


@pytest.mark.parametrize(("asset", "share", "equity", "free", "close", "qty"), SIZES)
def test_an_entry_takes_the_smaller_of_size_limit_and_cash_rounded_down(
    asset: Asset, share: str, equity: str, free: str, close: str, qty: str
) -> None:
    limits = Limits(max_position_size=D(share))
    assert entry_qty(asset, limits, D(equity), D(free), D(close)) == D(qty)


def test_the_first_ticker_of_the_list_spends_first_whatever_order_the_bars_come_in() -> None:
    bench = Bench(spec("A", {("QQQ", 0): 1, ("SPY", 0): 1}, max_position_size="0.6"))
    bench.minute(0, {"SPY": "100", "QQQ": "200"})
    assert bench.sent() == [
        ("A", "QQQ", Side.BUY, D("30")),  # 6000 / 200
        ("A", "SPY", Side.BUY, D("39.6039")),  # (10000 - 6000) / 1.01 / 100
    ]


def test_a_fill_inside_the_minute_counts_from_the_next_one() -> None:
    said = {("SPY", 0): 1, ("QQQ", 0): 1, ("TLT", 1): 1}
    bench = Bench(spec("A", said))
    bench.minute(0, {"SPY": "100"})  # 99.0099 of them
    bench.fill(bench.order("A"), "90")  # for 8910.891
    bench.minute(0, {"QQQ": "10"})  # of the same minute, in a later batch
    assert bench.sent()[1:] == [("A", "QQQ", Side.BUY, D("9.8029"))]  # (10000 - 9900.99) / 1.01
    bench.minute(1, {"TLT": "10"})
    assert bench.sent()[2:] == [("A", "TLT", Side.BUY, D("98.1267"))]  # with 1089.109 - 98.029


def test_an_open_order_holds_its_cash_until_it_ends() -> None:
    said = {("SPY", 0): 1, ("QQQ", 1): 1, ("QQQ", 2): 1}
    bench = Bench(spec("A", said, tickers=["SPY", "QQQ"]))
    bench.minute(0, {"SPY": "100"})
    bench.minute(1, {"QQQ": "10"})  # 10000 - 99.0099 x 100 = 99.01 are free
    assert bench.sent()[1:] == [("A", "QQQ", Side.BUY, D("9.8029"))]
    bench.update(bench.order("A", 2), OrderStatus.REJECTED)
    bench.update(bench.order("A", 1), OrderStatus.CANCELED)
    bench.minute(2, {"QQQ": "10"})
    assert bench.sent()[2:] == [("A", "QQQ", Side.BUY, D("990.099"))]


def test_an_order_of_unknown_fate_keeps_its_hold() -> None:
    said = {("SPY", 0): 1, ("QQQ", 1): 1}
    bench = Bench(spec("A", said, tickers=["SPY", "QQQ"]))
    bench.minute(0, {"SPY": "100"})
    outcome = bench.handle(m.SubmitUnclear(order_id("A"), bench.now, "time-out"))
    assert outcome.commands == [m.LookUpOrder(order_id("A"))]
    bench.minute(1, {"QQQ": "10"})
    assert bench.sent()[1:] == [("A", "QQQ", Side.BUY, D("9.8029"))]


def test_equity_is_marked_with_this_minutes_closes() -> None:
    said = {("SPY", 0): 1, ("QQQ", 1): 1}
    bench = Bench(spec("A", said, tickers=["SPY", "QQQ"], max_position_size="0.5"))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"), "100")
    bench.minute(1, {"QQQ": "10", "SPY": "60"})  # equity 5000 + 50 x 60
    assert bench.sent()[1:] == [("A", "QQQ", Side.BUY, D("400"))]


def test_nothing_is_bought_while_long_or_with_an_order_open_on_the_ticker() -> None:
    said = {("SPY", minute): 1 for minute in range(4)}
    bench = Bench(spec("A", said, max_position_size="0.5"))
    bench.minute(0, {"SPY": "100"})
    bench.minute(1, {"SPY": "100"})
    bench.fill(bench.order("A"))
    bench.minute(2, {"SPY": "100"})
    assert len(bench.sent()) == 1


def test_dust_that_cannot_be_sold_is_flat_and_joins_the_next_exit() -> None:
    said = {("BTC/USD", 0): 1, ("BTC/USD", 1): -1, ("BTC/USD", 2): 1, ("BTC/USD", 3): -1}
    coin = Asset.crypto("BTC/USD", increment=D("0.0001"), min_qty=D("0.0001"))
    bench = Bench(spec("A", said, max_position_size="0.5"), assets={"BTC/USD": coin})
    bench.minute(0, {"BTC/USD": "50000"})
    bench.fill(bench.order("A"), "50000")  # 0.1, of which 0.00025 go as the fee
    bench.minute(1, {"BTC/USD": "50000"})
    assert bench.sent()[1:] == [("A", "BTC/USD", Side.SELL, D("0.0997"))]
    bench.fill(bench.order("A", 2), "50000")
    assert bench.position("A", "BTC/USD") == D("0.00005")
    bench.minute(2, {"BTC/USD": "50000"})
    bench.fill(bench.order("A", 3), "50000", "0.09")
    bench.update(bench.order("A", 3), OrderStatus.CANCELED, "0.09", price="50000")
    bench.minute(3, {"BTC/USD": "50000"})  # 0.00005 + 0.09 - 0.000225 = 0.089825
    assert bench.sent()[3:] == [("A", "BTC/USD", Side.SELL, D("0.0898"))]


def test_ids_count_up_within_the_day_and_go_past_what_the_broker_knows() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1, ("QQQ", 0): 1}, max_position_size="0.3"))
    bench.books.sequences["A.2026-03-17"] = 7
    bench.minute(0, {"SPY": "100", "QQQ": "100"})
    ids = [c.client_order_id for c in bench.commands if isinstance(c, m.SubmitOrder)]
    assert ids == ["A.2026-03-17.8", "A.2026-03-17.9"]
    assert [i.client_order_id for i in bench.records if isinstance(i, r.OrderIntended)] == ids


def test_a_stock_order_is_good_for_the_day_and_a_crypto_order_until_cancelled() -> None:
    said = {("SPY", 0): 1, ("BTC/USD", 0): 1}
    bench = Bench(spec("A", said, max_position_size="0.5"))
    bench.minute(0, {"SPY": "100", "BTC/USD": "50000"})
    tifs = [c.time_in_force for c in bench.commands if isinstance(c, m.SubmitOrder)]
    assert tifs == ["day", "gtc"]


def test_a_ticker_that_the_broker_does_not_trade_is_denied_in_words() -> None:
    closed = Asset("SPY", Decimal("0.0001"), Decimal("0.0001"), Decimal(1), tradable=False)
    bench = Bench(spec("A", {("SPY", 0): 1}), assets={"SPY": closed})
    bench.minute(0, {"SPY": "100"})
    assert (bench.sent(), bench.denials()) == ([], [("A", "not_tradable")])
