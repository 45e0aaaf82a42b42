"""Crossing: what one strategy sells and another buys in one minute changes hands inside."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.codec import decode, encode
from coordinator.core.crossing import Wish, net
from coordinator.core.orders import OrderStatus
from coordinator.core.risk import Asset
from coordinator.core.statement import statement
from coordinator.core.values import UNASSIGNED, Reason, Side
from tests.coordinator.bench import Bench, D, order_id, spec, stranger
from tests.coordinator.stories import events as some_events
from tests.coordinator.stories import play
from tests.coordinator.stories import signals as some_signals
from tests.coordinator.test_statement import Source, check_identities, ended
from warehouse import LoadStatus, Store, load_session

BUY, SELL = Side.BUY, Side.SELL


def wish(strategy: str, side: Side, qty: str | int, symbol: str = "SPY") -> Wish:
    return Wish(strategy, symbol, side, D(qty), D(100), Reason.SIGNAL)


# what is wished, in order of decision -> (seller, buyer, quantity) inside, and what is ordered
NETTED: list[tuple[list[Wish], list[tuple[str, str, int]], list[tuple[str, Side, int]]]] = [
    ([], [], []),
    ([wish("A", BUY, 5), wish("B", BUY, 7)], [], [("A", BUY, 5), ("B", BUY, 7)]),
    ([wish("A", SELL, 5), wish("B", BUY, 5)], [("A", "B", 5)], []),
    ([wish("A", SELL, 5), wish("B", BUY, 8)], [("A", "B", 5)], [("B", BUY, 3)]),
    ([wish("A", BUY, 3), wish("B", SELL, 8)], [("B", "A", 3)], [("B", SELL, 5)]),
    (
        [wish("A", BUY, 3), wish("B", BUY, 4), wish("C", SELL, 5)],
        [("C", "A", 3), ("C", "B", 2)],
        [("B", BUY, 2)],
    ),
    (
        [wish("A", SELL, 3), wish("B", BUY, 4), wish("C", SELL, 5)],
        [("A", "B", 3), ("C", "B", 1)],
        [("C", SELL, 4)],
    ),
    ([wish("A", SELL, 5), wish("B", BUY, 5, "QQQ")], [], [("A", SELL, 5), ("B", BUY, 5)]),
    ([wish("A", SELL, 5), wish("A", BUY, 5)], [], [("A", SELL, 5), ("A", BUY, 5)]),
]


@pytest.mark.parametrize(("wishes", "inside", "ordered"), NETTED)
def test_wishes_are_served_in_the_order_in_which_they_were_decided(
    wishes: list[Wish], inside: list[tuple[str, str, int]], ordered: list[tuple[str, Side, int]]
) -> None:
    crosses, rest = net(wishes)
    assert [(c.seller.strategy, c.buyer.strategy, c.qty) for c in crosses] == inside
    assert [(w.strategy, w.side, w.qty) for w in rest] == ordered


some_wishes = st.lists(
    st.builds(
        wish,
        st.sampled_from("ABCD"),
        st.sampled_from([BUY, SELL]),
        st.decimals("0.0001", 100, places=4),
        st.sampled_from(["SPY", "QQQ"]),
    ),
    max_size=10,
)


@given(some_wishes)
def test_netting_conserves_quantities_and_nobody_trades_with_himself(wishes: list[Wish]) -> None:
    crosses, rest = net(wishes)
    got: dict[tuple[str, str, Side], Decimal] = defaultdict(Decimal)
    for cross in crosses:
        assert cross.qty > 0
        assert cross.seller.strategy != cross.buyer.strategy
        assert cross.seller.symbol == cross.buyer.symbol
        assert (cross.seller.side, cross.buyer.side) == (SELL, BUY)
        got[cross.seller.strategy, cross.seller.symbol, SELL] += cross.qty
        got[cross.buyer.strategy, cross.buyer.symbol, BUY] += cross.qty
    for left in rest:
        got[left.strategy, left.symbol, left.side] += left.qty
    wanted: dict[tuple[str, str, Side], Decimal] = defaultdict(Decimal)
    for one in wishes:
        wanted[one.strategy, one.symbol, one.side] += one.qty
    assert got == wanted


@given(some_wishes)
def test_what_is_left_to_order_keeps_its_order_and_has_no_counterpart(wishes: list[Wish]) -> None:
    _, rest = net(wishes)
    keys = [(w.strategy, w.symbol, w.side) for w in wishes]
    places = iter(keys)
    assert all((w.strategy, w.symbol, w.side) in places for w in rest), "order was changed"
    assert all(w.qty > 0 for w in rest)
    for sale in rest:
        for buy in rest:
            could = sale.side is SELL and buy.side is BUY and sale.symbol == buy.symbol
            assert not could or sale.strategy == buy.strategy


def crossing(
    *, share: str = "0.5", price: str = "100", others: str = "B", ticker: str = "SPY"
) -> Bench:
    """A is long 50 and wants out in the minute in which the others want in."""
    bench = Bench(
        spec("A", {(ticker, 0): 1, (ticker, 1): -1}, max_position_size="0.5"),
        *(spec(name, {(ticker, 1): 1}, max_position_size=share) for name in others),
        crossing=True,
    )
    bench.minute(0, {ticker: "100"})
    bench.fill(bench.order("A"))
    bench.minute(1, {ticker: price})
    return bench


def test_two_books_move_and_the_broker_hears_of_nothing_where_all_is_netted() -> None:
    bench = crossing()
    assert [s[:3] for s in bench.sent()] == [("A", "SPY", BUY)]
    assert (bench.position("A", "SPY"), bench.position("B", "SPY")) == (D(0), D(50))
    assert [bench.books.ledger[name].cash for name in "AB"] == [D(10_000), D(5000)]
    assert bench.books.orders.open() == []


def test_a_cross_is_at_the_last_price_and_costs_no_fee() -> None:
    bench = crossing(price="110", ticker="BTC/USD")
    held = D(50) - D("0.125")  # the coin fee of the purchase at the broker
    sold, bought = [f for f in bench.of(r.FillBooked) if f.is_cross]  # type: ignore[union-attr]
    assert isinstance(sold, r.FillBooked)
    assert isinstance(bought, r.FillBooked)
    assert (sold.side, bought.side) == (SELL, BUY)
    assert sold.price == bought.price == D(110)
    assert (sold.fee, sold.fee_qty, bought.fee, bought.fee_qty) == (0, 0, 0, 0)
    assert sold.qty == bought.qty == bench.position("B", "BTC/USD")
    assert bench.position("A", "BTC/USD") + bench.position("B", "BTC/USD") == held


# B's share of its 10,000 dollars -> what goes to the broker in one order
@pytest.mark.parametrize(
    ("share", "sent", "a_has", "b_has"),
    [
        ("0.5", [], "0", "50"),
        ("0.3", [("A", "SPY", SELL, D(20))], "20", "30"),
        ("0.8", [("B", "SPY", BUY, D(30))], "0", "50"),
    ],
)
def test_one_order_for_the_rest_goes_to_the_broker(
    share: str, sent: list[tuple[str, str, Side, Decimal]], a_has: str, b_has: str
) -> None:
    bench = crossing(share=share)
    assert bench.sent()[1:] == sent
    assert (bench.position("A", "SPY"), bench.position("B", "SPY")) == (D(a_has), D(b_has))
    if sent:
        bench.fill(bench.order(sent[0][0], 3 if sent[0][0] == "A" else 2))
    assert bench.books.orders.open() == []
    assert bench.books.ledger.net_positions().get("SPY", D(0)) == (
        D(50) - sent[0][3] * (1 if sent[0][2] is SELL else -1) if sent else D(50)
    )


def test_a_cross_changes_neither_the_accounts_cash_nor_its_positions() -> None:
    bench = crossing(share="0.3", price="101.23")
    before = crossing(share="0.3", price="101.23")
    assert bench.books.ledger.net_cash() == D(95_000) == before.books.ledger.net_cash()
    assert bench.books.ledger.net_positions() == {"SPY": D(50)}
    assert bench.look().records == []
    unsettled = bench.books.posted.unsettled
    assert unsettled == 1, "the broker rounds its own executions only"


# what B wants beyond A's 50, at 100 dollars -> whether it is ordered
@pytest.mark.parametrize(
    ("share", "ordered"), [("0.50009", False), ("0.5001", True), ("0.50005", False)]
)
def test_a_rest_below_the_brokers_minimum_is_not_ordered(share: str, ordered: bool) -> None:
    bench = crossing(share=share)
    assert len(bench.sent()) == (2 if ordered else 1)
    assert bench.position("B", "SPY") == D(50)


def test_a_rest_of_a_sale_below_the_smallest_quantity_stays_as_dust() -> None:
    whole = {"SPY": Asset.stock("SPY", fractionable=False)}
    bench = Bench(
        spec("A", {("SPY", 0): 1, ("SPY", 1): -1}, max_position_size="0.5"),
        spec("B", {("SPY", 1): 1}, max_position_size="0.4"),
        crossing=True,
        assets=whole,
    )
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    bench.minute(1, {"SPY": "100"})
    assert bench.sent()[1:] == [("A", "SPY", SELL, D(10))]


def test_without_crossing_the_same_wishes_wait_for_each_other() -> None:
    bench = Bench(
        spec("A", {("SPY", 0): 1, ("SPY", 1): -1}, max_position_size="0.5"),
        spec("B", {("SPY", 1): 1}, max_position_size="0.5"),
    )
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    bench.minute(1, {"SPY": "100"})
    assert [s[:3] for s in bench.sent()[1:]] == [("A", "SPY", SELL)]
    assert bench.order("B").status is OrderStatus.WAITING


def test_what_a_cross_leaves_to_order_is_the_same_entry_of_the_day() -> None:
    bench = crossing(share="0.8")
    assert (len(bench.sent()), bench.books.days["B"].entries) == (2, 1)
    bench.update(bench.order("B", 2), OrderStatus.CANCELED)
    assert bench.books.days["B"].entries == 1  # the crossed part is bought


def test_wishes_that_wait_for_the_minutes_end_count_as_entries() -> None:
    said = {("SPY", 0): 1, ("AAPL", 0): 1}
    bench = Bench(
        spec("A", said, max_daily_trades=1, max_position_size="0.2"),
        spec("B", {("SPY", 5): 1}),
        crossing=True,
    )
    bench.minute(0, {"SPY": "100", "AAPL": "100"})
    assert len(bench.sent()) == 1
    assert bench.denials() == [("A", "max_daily_trades")]


def test_wishes_of_different_minutes_are_not_netted() -> None:
    bench = Bench(
        spec("A", {("SPY", 0): 1, ("SPY", 1): -1}, max_position_size="0.5"),
        spec("B", {("SPY", 2): 1}, max_position_size="0.5"),
        crossing=True,
    )
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    bench.minute(1, {"SPY": "100"})
    bench.minute(2, {"SPY": "100"})
    assert [s[:3] for s in bench.sent()[1:]] == [("A", "SPY", SELL)]
    assert bench.order("B").status is OrderStatus.WAITING


def test_what_an_open_sale_has_promised_is_not_crossed_as_well() -> None:
    bench = Bench(
        spec("A", {("SPY", 0): 1, ("SPY", 1): -1, ("SPY", 2): -1}, max_position_size="0.5"),
        spec("B", {("SPY", 2): 1}, max_position_size="0.5"),
        crossing=True,
    )
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    bench.minute(1, {"SPY": "100"})
    bench.minute(2, {"SPY": "100"})
    assert bench.position("B", "SPY") == D(0)
    bench.fill(bench.order("A", 2))
    assert bench.sent()[2:] == [("B", "SPY", BUY, D(50))]


def test_two_sales_wished_for_in_one_minute_are_never_more_than_the_account_has() -> None:
    said = {("SPY", 0): 1, ("SPY", 1): -1}
    bench = Bench(
        *(spec(name, said, max_position_size="0.5") for name in "AB"),
        crossing=True,
    )
    bench.minute(0, {"SPY": "100"})
    for name in "AB":
        bench.fill(bench.order(name))
    bench.handle(stranger("by-hand", "SPY", SELL, "30", "100", bench.now))
    bench.minute(1, {"SPY": "100"})
    assert bench.sent()[2:] == [("A", "SPY", SELL, D(50)), ("B", "SPY", SELL, D(20))]


def test_a_buyer_of_a_cross_has_what_it_bought_and_may_sell_it_a_minute_later() -> None:
    bench = Bench(
        spec("A", {("SPY", 0): 1, ("SPY", 1): -1}, max_position_size="0.5"),
        spec("B", {("SPY", 1): 1, ("SPY", 2): -1}, max_position_size="0.5"),
        crossing=True,
    )
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    bench.minute(1, {"SPY": "100"})
    bench.minute(2, {"SPY": "101"})
    assert bench.sent()[1:] == [("B", "SPY", SELL, D(50))]


def test_each_side_of_a_cross_is_an_order_of_its_own_that_never_went_out() -> None:
    bench = crossing(share="0.3")
    rows = {row["client_order_id"]: row for row in statement(ended(bench))["orders"]}
    for name in (order_id("A", 2), order_id("B", 1)):
        row = rows[name]
        assert (row["status"], row["qty"], row["filled_qty"]) == ("filled", D(30), D(30))
        assert (row["broker_order_id"], row["submitted_at"]) == (None, None)
        assert row["filled_avg_price"] == D(100)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    path: Path = tmp_path_factory.mktemp("warehouse") / "warehouse.duckdb"
    with Store.open(path) as opened:
        yield opened


@pytest.mark.parametrize("ticker", ["SPY", "BTC/USD"])
@pytest.mark.parametrize("share", ["0.5", "0.3", "0.8"])
def test_the_warehouse_takes_every_row_of_a_session_that_crossed(
    store: Store, share: str, ticker: str
) -> None:
    bench = crossing(share=share, price="101.37", ticker=ticker, others="BC")
    for order in list(bench.books.orders.open()):
        if order.status is not OrderStatus.WAITING:
            bench.fill(order, "101.5")
    records = ended(bench)
    check_identities(statement(records))
    result = load_session(store, Source(bench.name.session_id, records, f"{share} {ticker}"))
    faults = store.connection.execute("SELECT table_name, reason FROM quarantine").fetchall()
    assert faults == []
    assert (result.status, result.quarantined) == (LoadStatus.LOADED, 0)


@settings(max_examples=80, deadline=None)
@given(some_signals, some_signals, some_events)
def test_whatever_is_crossed_the_books_sum_to_what_the_broker_was_told(
    one: dict[tuple[str, int], int],
    two: dict[tuple[str, int], int],
    story: list[tuple[str, int, str, int]],
) -> None:
    tickers = ["SPY", "BTC/USD"]
    specs = [
        spec(name, said, tickers=tickers, max_position_size="0.4")
        for name, said in (("A", one), ("B", two))
    ]
    bench = Bench(*specs, crossing=True, holdings=[r.Holding("SPY", D(10), D(1000))])
    play(bench, story)
    sides: dict[str, set[Side]] = defaultdict(set)
    cash, held = D(100_000), {"SPY": D(10), "BTC/USD": D(0)}
    for fill in bench.of(r.FillBooked):
        assert isinstance(fill, r.FillBooked)
        if not fill.is_cross:
            cash -= fill.side.sign * fill.qty * fill.price + (0 if fill.fee_qty else fill.fee)
            held[fill.symbol] += fill.side.sign * fill.qty - fill.fee_qty
    assert bench.books.ledger.net_cash() == cash
    assert bench.books.ledger.net_positions() == {t: qty for t, qty in held.items() if qty}
    for order in bench.books.orders.open():
        if order.status is not OrderStatus.WAITING:
            sides[order.symbol].add(order.side)
    assert all(len(both) == 1 for both in sides.values())
    crossed = {f.client_order_id for f in bench.of(r.FillBooked) if f.is_cross}  # type: ignore[union-attr]
    posted = {c.client_order_id for c in bench.commands if isinstance(c, m.SubmitOrder)}
    assert not crossed & posted
    again = Books()
    again.apply_all(decode(*encode(record)) for record in bench.records)
    assert again.ledger.accounts == bench.books.ledger.accounts
    check_identities(statement(bench.records))
    gains = bench.gains()
    assert (gains["A"], gains["B"], gains[UNASSIGNED]) == (D(0), D(0), D(101_000))
