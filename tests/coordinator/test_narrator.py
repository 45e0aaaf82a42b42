"""What the user reads: the guide's own lines, and only when they are facts."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.lane import StrategySpec
from coordinator.core.orders import OrderStatus
from coordinator.core.values import Side
from coordinator.shell.narrator import Narrator, price_of, quantity
from tests.coordinator.bench import Bench, D, bar, order_id, report, spec, stranger

RULE = "=" * 80


def told(bench: Bench, caplog: pytest.LogCaptureFixture, *updates: m.Message) -> list[str]:
    """The lines that these reports lead to."""
    narrator = Narrator(bench.books, bench.specs)
    caplog.clear()
    with caplog.at_level(logging.INFO, "coordinator"):
        for update in updates:
            narrator.tell(bench.handle(update).records)
    return caplog.messages


def buying() -> Bench:
    """A buy of 23.5 SPY that was sent."""
    bench = Bench(spec("SPY_Adaptive", {("SPY", 0): 1}, max_position_size="0.235"))
    bench.minute(0, {"SPY": "100"})
    return bench


def fill(bench: Bench, qty: str, total: str, price: str) -> m.OrderUpdate:
    order = bench.order("SPY_Adaptive")
    execution = m.Execution(f"x{total}", D(qty), D(price), D(total), bench.now)
    status = OrderStatus.FILLED if D(total) == order.qty else OrderStatus.PARTIALLY_FILLED
    return replace(
        report(order, status, total, bench.now, price, execution), broker_order_id="b1b2-c3"
    )


def test_the_banner_is_the_guides(caplog: pytest.LogCaptureFixture) -> None:
    specs = [
        replace(spec("SPY_Adaptive", {}, tickers=["SPY"]), min_warmup_bars=50),
        replace(spec("Coins", {}, tickers=["BTC/USD", "ETH/USD"]), initial_cash=D("15000.5")),
        spec("Both", {}, tickers=["SPY", "BTC/USD"]),
    ]
    bench = Bench(*specs)
    with caplog.at_level(logging.INFO, "coordinator"):
        Narrator(bench.books, specs).banner(paper=True)
    assert caplog.messages == [
        RULE,
        "Starting MultiTraderCoordinator",
        "Paper Trading: True",
        "Strategies: 3",
        RULE,
        "  [SPY_Adaptive]",
        "    Tickers: SPY",
        "    Initial Cash: $10,000.00",
        "    Warmup Bars: 50",
        "    Asset Type: Stock",
        "  [Coins]",
        "    Tickers: BTC/USD, ETH/USD",
        "    Initial Cash: $15,000.50",
        "    Warmup Bars: 0",
        "    Asset Type: Crypto",
        "  [Both]",
        "    Tickers: SPY, BTC/USD",
        "    Initial Cash: $10,000.00",
        "    Warmup Bars: 0",
        "    Asset Type: Mixed",
    ]


def test_a_start_tells_what_its_books_go_on_with_and_which_orders_of_an_operator_still_stand(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}, max_position_size="0.5"), spec("B", {}))
    narrator = Narrator(bench.books, bench.specs)
    with caplog.at_level(logging.INFO, "coordinator"):
        narrator.carried_over()
    assert caplog.messages == [], "books that have just begun have nothing to tell"
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    bench.books.apply_all([r.Paused(bench.now, "B", "root"), r.Killed(bench.now, "root")])
    with caplog.at_level(logging.INFO, "coordinator"):
        narrator.carried_over()
    assert caplog.messages == [
        "KILLED: nothing is bought until `multi-trader revive`",
        "[A] goes on with $5,000.00, 50.0000 SPY; entries today: 1",
        "[B] is paused: it opens nothing until `multi-trader resume B`",
    ]


def test_a_start_tells_what_strategies_hold_that_it_does_not_trade(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = Bench(spec("A", {}), spec("Left", {("SPY", 0): 1}, max_position_size="0.5"))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("Left"))
    line = "[Left] holds what this session neither trades nor guards: 50.0000 SPY"

    def told_of_left(*specs: StrategySpec) -> list[int]:
        caplog.clear()
        with caplog.at_level(logging.INFO, "coordinator"):
            Narrator(bench.books, specs).carried_over()
        return [one.levelno for one in caplog.records if one.message == line]

    runs, left = bench.specs
    assert told_of_left(runs, left) == []
    assert told_of_left(runs) == [logging.WARNING]
    assert told_of_left(runs, replace(left, tickers=("QQQ",))) == [logging.WARNING]
    del bench.books.days["Left"]  # as another coordinator's strategy, whose day is none of ours
    assert told_of_left(runs) == [logging.INFO]


def test_warmth_is_told_once_when_every_ticker_has_its_bars(
    caplog: pytest.LogCaptureFixture,
) -> None:
    one = spec("A", {}, tickers=["SPY", "QQQ"], warmup=2)
    bench = Bench(one)
    narrator = Narrator(bench.books, bench.specs)
    with caplog.at_level(logging.INFO, "coordinator"):
        for minute, tickers in enumerate([["SPY"], ["SPY", "QQQ"], ["QQQ"], ["QQQ"]]):
            for ticker in tickers:
                bench.engine.lanes.feed_all([bar(ticker, minute, "1")])
            narrator.warmth(bench.engine.lanes)
            expected = ["[A] ✓ Warmup complete - TRADING ACTIVE"] if minute >= 2 else []
            assert caplog.messages == expected


def test_a_strategy_that_failed_on_its_history_is_not_said_to_trade(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = Bench(
        spec("Broken", {}, tickers=["SPY"], warmup=2, raises_at=1),
        spec("Sound", {}, tickers=["SPY"], warmup=2),
    )
    bench.engine.lanes.warm("SPY", [bar("SPY", minute, "1") for minute in range(2)])
    with caplog.at_level(logging.INFO, "coordinator"):
        Narrator(bench.books, bench.specs).warmth(bench.engine.lanes)
    assert caplog.messages == ["[Sound] ✓ Warmup complete - TRADING ACTIVE"]


def test_a_buy_is_told_with_the_brokers_price_once_it_is_filled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = buying()
    assert told(bench, caplog, fill(bench, "23.5", "23.5", "450.23")) == [
        "[SPY_Adaptive] 🟢 BUY 23.5000 SPY @ $450.23 (Order ID: b1b2-c3)"
    ]


def test_an_order_is_told_once_at_its_end_however_it_filled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = buying()
    part, rest = fill(bench, "20", "20", "450"), fill(bench, "3.5", "23.5", "450.23")
    assert told(bench, caplog, part) == []
    assert len(told(bench, caplog, rest, rest)) == 1


def test_nothing_is_told_of_an_order_that_is_only_accepted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = buying()
    order = bench.order("SPY_Adaptive")
    assert told(bench, caplog, report(order, OrderStatus.NEW, 0, bench.now)) == []


def test_a_sale_is_red(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(spec("A", {("SPY", 0): 1, ("SPY", 1): -1}, max_position_size="0.5"))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    bench.minute(1, {"SPY": "100"})
    sale = bench.order("A", 2)
    execution = m.Execution("x2", sale.qty, D("101.5"), sale.qty, bench.now)
    update = report(sale, OrderStatus.FILLED, sale.qty, bench.now, "101.5", execution)
    assert told(bench, caplog, update) == [
        f"[A] 🔴 SELL 50.0000 SPY @ $101.50 (Order ID: broker-{order_id('A', 2)})"
    ]


def test_an_order_whose_fill_was_found_later_is_told_when_it_is_found(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = buying()
    found = fill(bench, "23.5", "23.5", "450.23")
    narrator = Narrator(bench.books, bench.specs)
    with caplog.at_level(logging.INFO, "coordinator"):
        narrator.tell(bench.handle(replace(found, execution=None)).records)
        assert caplog.messages == []
        narrator.tell(bench.handle(found).records)
    assert caplog.messages == ["[SPY_Adaptive] 🟢 BUY 23.5000 SPY @ $450.23 (Order ID: b1b2-c3)"]


def test_an_order_that_filled_in_part_says_so(caplog: pytest.LogCaptureFixture) -> None:
    bench = buying()
    cancelled = replace(
        report(bench.order("SPY_Adaptive"), OrderStatus.CANCELED, "3", bench.now, "450"),
        broker_order_id="b1b2-c3",
    )
    assert told(bench, caplog, fill(bench, "3", "3", "450"), cancelled) == [
        "[SPY_Adaptive] 🟢 BUY 3.0000 SPY @ $450.00 (Order ID: b1b2-c3) (canceled)"
    ]


def test_an_order_that_ended_with_nothing_says_why(caplog: pytest.LogCaptureFixture) -> None:
    bench = buying()
    refused = m.SubmitRefused(order_id("SPY_Adaptive"), bench.now, "insufficient buying power")
    assert told(bench, caplog, refused) == [
        "[SPY_Adaptive] buy 23.5000 SPY ended without a fill: insufficient buying power"
    ]
    assert caplog.records[0].levelno == logging.WARNING


def test_denials_stops_and_strangers_are_told(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}, max_daily_trades=0))
    bars = m.BarsArrived(bench.now, (bar("SPY", 0, "100"),))
    by_hand = stranger("by-hand", "SPY", Side.SELL, "4", "99.5", bench.now)
    assert told(bench, caplog, bars, by_hand) == [
        "[A] entry in SPY denied: max_daily_trades",
        "[UNASSIGNED] ⚠ not ordered by any strategy: sell 4 SPY @ 99.5",
    ]
    narrator = Narrator(bench.books, bench.specs)
    caplog.clear()
    narrator.tell(
        [
            r.EntriesStopped(bench.now, "A", "max_daily_loss"),
            r.DiscrepancyFound(bench.now, "cash", "", "UNASSIGNED", D(1), D(2), "they differ"),
        ]
    )
    assert caplog.messages == ["[A] entries stopped: max_daily_loss", "⚠ discrepancy: they differ"]


@pytest.mark.parametrize(
    ("sold", "said"),
    [
        ("4", ""),  # of what no strategy owns
        ("9", "; it stays in the book of A until `multi-trader import-account` takes it out"),
    ],
)
def test_of_a_sale_by_hand_it_is_told_whose_shares_it_was_of(
    sold: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    bench.handle(stranger("bought", "SPY", Side.BUY, "5", "99", bench.now))
    by_hand = stranger("sold", "SPY", Side.SELL, sold, "99.5", bench.now, "h2")
    assert told(bench, caplog, by_hand) == [
        f"[UNASSIGNED] ⚠ not ordered by any strategy: sell {sold} SPY @ 99.5{said}"
    ]


def test_the_summary_is_the_guides_with_day_pnl_beside_pnl() -> None:
    one = spec("SPY_Adaptive", {("SPY", 0): 1, ("QQQ", 1): 1}, max_position_size="0.15")
    two = spec("QQQ_Momentum", {("TLT", 0): 1}, max_position_size="0.5")
    bench = Bench(one, two)
    bench.minute(0, {"SPY": "100", "TLT": "50"})
    bench.fill(bench.order("SPY_Adaptive"))
    bench.fill(bench.order("QQQ_Momentum"), "50")
    bench.minute(1, {"SPY": "116.67", "QQQ": "10", "TLT": "49.5"})
    assert Narrator(bench.books, bench.specs).summary().splitlines() == [
        RULE,
        "MULTI-TRADER COORDINATOR SUMMARY",
        RULE,
        "",
        "[SPY_Adaptive]",
        "  Initial Cash: $10,000.00",
        "  Available Cash: $6,962.49",  # 8500 less the 153.75 QQQ on order at 10
        "  Total Value: $10,250.05",
        "  PnL: $250.05 (+2.50%)",
        "  Day PnL: $250.05",
        "  Daily Trades: 2",
        "  Active Positions: 1",
        "",
        "[QQQ_Momentum]",
        "  Initial Cash: $10,000.00",
        "  Available Cash: $5,000.00",
        "  Total Value: $9,950.00",
        "  PnL: -$50.00 (-0.50%)",
        "  Day PnL: -$50.00",
        "  Daily Trades: 1",
        "  Active Positions: 1",
        "",
        RULE,
        "TOTAL PnL ACROSS ALL STRATEGIES: $200.05",
        RULE,
    ]


def test_the_summary_counts_a_strategy_that_left_the_configuration_during_the_session() -> None:
    bench = Bench(spec("Left", {("SPY", 0): 1}, max_position_size="0.5"), spec("Stays", {}))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("Left"))
    bench.minute(1, {"SPY": "110"})
    left = [spec for spec in bench.specs if spec.name != "Left"]
    lines = Narrator(bench.books, left).summary().splitlines()
    assert [line for line in lines if line.startswith("[")] == ["[Stays]", "[Left (dormant)]"]
    assert "  Day PnL: $500.00" in lines[lines.index("[Left (dormant)]") :]
    assert "TOTAL PnL ACROSS ALL STRATEGIES: $500.00" in lines


def test_the_summary_says_what_was_transferred_and_why_a_strategy_opened_nothing_more() -> None:
    bench = Bench(spec("A", {}))
    bench.books.apply_all(
        [
            r.Transferred(bench.now, "UNASSIGNED", "A", D(-8000), "initial_cash"),
            r.EntriesStopped(bench.now, "A", "max_daily_loss"),
        ]
    )
    assert Narrator(bench.books, bench.specs).summary().splitlines()[4:14] == [
        "[A]",
        "  Initial Cash: $10,000.00",
        "  Transfers: -$8,000.00",
        "  Available Cash: $2,000.00",
        "  Total Value: $2,000.00",
        "  PnL: $0.00 (+0.00%)",
        "  Day PnL: $0.00",
        "  Daily Trades: 0",
        "  Active Positions: 0",
        "  Entries stopped: max_daily_loss",
    ]


@pytest.mark.parametrize(
    ("qty", "text"),
    [("23.5", "23.5000"), ("10", "10.0000"), ("0.123456789", "0.123456789"), ("1E+2", "100.0000")],
)
def test_quantities_have_four_decimals_or_all_they_need(qty: str, text: str) -> None:
    assert quantity(D(qty)) == text


@pytest.mark.parametrize(
    ("price", "text"),
    [("450.2345", "$450.23"), ("80000.123456789", "$80,000.12"), ("0.00001234", "$0.000012")],
)
def test_prices_have_cents_and_small_ones_more(price: str, text: str) -> None:
    assert price_of(D(price)) == text


AT = Bench().now


def activity(kind: r.ActivityKind, amount: str, qty: str = "0", symbol: str = "") -> r.Record:
    return r.ActivityBooked(
        AT, "id", "A", kind, symbol, D(qty), D(0), D(amount), "broker", AT.date()
    )


K = r.ActivityKind


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (activity(K.FEE, "-1.37"), "[A] fee: -$1.37"),
        (activity(K.DIVIDEND, "7.014", symbol="SPY"), "[A] dividend of SPY: $7.01"),
        (activity(K.INTEREST, "0.4"), "[A] interest: $0.40"),
        (activity(K.SPLIT, "0", "10.5", "SPY"), "[A] split: +10.5 SPY"),
        (activity(K.SPLIT, "3", "-1", "SPY"), "[A] split: $3.00, -1 SPY"),
        (activity(K.FEE, "0", "-1E-9", "BTC/USD"), "[A] fee: -0.000000001 BTC/USD"),
        (activity(K.TRANSFER, "-500"), "[A] transfer: -$500.00"),
        (activity(K.TRANSFER, "0", "-7", "SPY"), "[A] ⚠ transfer: -7 SPY"),
        (
            r.Transferred(AT, "UNASSIGNED", "A", D(-8000), "initial_cash"),
            "[A] transfer: -$8,000.00, because its initial_cash was edited",
        ),
        (r.Killed(AT, "me"), "⚠ KILL by me: everything is cancelled and sold"),
        (r.Revived(AT, "me"), "Revived by me: strategies may buy again"),
        (
            r.DiscrepancyResolved(AT, "position.SPY", "accepted by me"),
            "✓ discrepancy position.SPY is over: accepted by me",
        ),
    ],
)
def test_what_moves_an_account_besides_orders_is_told(
    record: r.Record, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "coordinator"):
        Narrator(Bench().books, ()).tell([record])
    assert caplog.messages == [line]


@pytest.mark.parametrize("noise", [activity(K.ROUNDING, "0.01"), activity(K.FEE, "0")])
def test_cents_of_rounding_and_fees_booked_before_are_for_those_who_look_closely(
    noise: r.ActivityBooked, caplog: pytest.LogCaptureFixture
) -> None:
    narrator = Narrator(Bench().books, ())
    for level, lines in ((logging.INFO, 0), (logging.DEBUG, 1)):
        with caplog.at_level(level, "coordinator"):
            narrator.tell([noise])
        assert len(caplog.messages) == lines


def test_of_what_others_write_only_that_is_told_which_concerns_the_whole_account(
    caplog: pytest.LogCaptureFixture,
) -> None:
    others = [activity(K.FEE, "-1"), r.Killed(AT, "me"), r.EntriesStopped(AT, "Z", "fault")]
    with caplog.at_level(logging.INFO, "coordinator"):
        Narrator(Bench().books, ()).tell_others(others)
    assert caplog.messages == ["⚠ KILL by me: everything is cancelled and sold"]


def test_a_busted_execution_and_what_corrects_it_are_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = buying()
    bench.handle(fill(bench, "23.5", "23.5", "450"))
    order = bench.order("SPY_Adaptive")
    corrected = replace(
        report(order, OrderStatus.FILLED, "23.5", bench.now),
        bust=m.Bust("bust-1", "x23.5", D("23.5"), D("450"), bench.now),
        execution=m.Execution("x2", D("23.5"), D("449"), D("23.5"), bench.now),
    )
    assert told(bench, caplog, corrected)[:2] == [
        "[SPY_Adaptive] ⚠ an execution was taken back: buy 23.5 SPY @ 450",
        "[SPY_Adaptive] ⚠ an execution was corrected to: buy 23.5 SPY @ 449",
    ]


def test_an_order_that_was_replaced_by_hand_is_told_with_what_it_is_now(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = buying()
    order = bench.order("SPY_Adaptive")
    bench.handle(report(order, OrderStatus.NEW, "0", bench.now))
    replacing = replace(
        report(order, OrderStatus.NEW, "0", bench.now),
        client_order_id="by-hand",
        broker_order_id="b2",
        qty=D(9),
        replaces=order.broker_order_id,
    )
    assert told(bench, caplog, replacing) == [
        f"[SPY_Adaptive] ⚠ order {order.client_order_id} was replaced by hand: it is buy 9.0000 SPY"
        " now (Order ID: b2)"
    ]
