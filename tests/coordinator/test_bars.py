"""Which bars are decided on: the late, the missing, the last, the warm and the faulty."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.core import records as r
from coordinator.core.orders import OrderStatus
from coordinator.core.records import Origin
from coordinator.core.values import Bar, Side
from tests.coordinator.bench import CLOSE, OPEN, STOCKS, Bench, D, bar, spec

LAST = (CLOSE - OPEN).seconds // 60 - 1
"""The minute whose bar ends at the close."""


@pytest.mark.parametrize(("late_s", "sent"), [(0, 1), (90, 1), (90.001, 0), (3600, 0)])
def test_a_bar_later_than_ninety_seconds_opens_nothing(late_s: float, sent: int) -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}))
    bench.minute(0, {"SPY": "100"}, late_s=late_s)
    assert len(bench.sent()) == sent
    assert bench.denials() == ([] if sent else [("A", "stale")])


def test_a_late_bar_still_updates_marks_and_lets_the_strategy_out() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1, ("SPY", 1): -1}))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    bench.minute(1, {"SPY": "90"}, late_s=600)
    assert [s[2] for s in bench.sent()] == [Side.BUY, Side.SELL]
    assert bench.books.ledger.marks["SPY"] == D(90)


def test_of_a_repaired_gap_only_the_newest_bar_is_decided_on() -> None:
    said = {("SPY", 0): 1, ("SPY", 2): -1, ("QQQ", 1): 1}
    bench = Bench(spec("A", said, max_position_size="0.5"))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    gap = [bar("SPY", minute, "100") for minute in (1, 2, 3)] + [bar("QQQ", 1, "10")]
    bench.bars(*gap, late_s=200, origin=Origin.BACKFILL)
    assert len(bench.sent()) == 1  # the wish of minute 2 is past, QQQ's newest bar too old
    assert [len(x.bars) for x in bench.records if isinstance(x, r.BarsSeen)] == [1, 2, 1, 1]


def test_an_exit_on_the_newest_bar_of_a_gap_is_taken() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}, stop_loss_pct="0.05"))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    bench.bars(bar("SPY", 1, "90"), bar("SPY", 2, "99"), late_s=200)
    assert len(bench.sent()) == 1
    bench.bars(bar("SPY", 3, "99"), bar("SPY", 4, "94"), late_s=200)
    assert bench.order("A", 2).reason.value == "stop"


def test_a_bar_that_comes_twice_or_behind_a_newer_one_changes_nothing() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1, ("SPY", 1): 1}))
    bench.minute(1, {"SPY": "100"})
    assert bench.minute(1, {"SPY": "200"}).records == []
    assert bench.minute(0, {"SPY": "300"}).records == []
    assert bench.books.ledger.marks["SPY"] == D(100)
    assert bench.engine.lanes.bars_seen("SPY") == 1


batches = st.lists(
    st.lists(
        st.tuples(st.sampled_from(["SPY", "QQQ"]), st.integers(0, 9), st.integers(90, 110)),
        min_size=1,
        max_size=6,
    ),
    max_size=12,
)


@given(batches, st.sampled_from([0.0, 200.0]))
def test_however_bars_come_each_is_seen_once_in_order_and_acted_on_at_most_once(
    told: list[list[tuple[str, int, int]]], late_s: float
) -> None:
    said = {(t, n): 1 for t in ("SPY", "QQQ") for n in range(10)}
    bench = Bench(spec("A", said, max_position_size="0.01"))
    for batch in told:
        outcome = bench.bars(*(bar(t, n, str(price)) for t, n, price in batch), late_s=late_s)
        acted_on = [x.symbol for x in outcome.records if isinstance(x, r.OrderIntended)]
        assert len(acted_on) == len(set(acted_on)), "only a ticker's newest bar is acted on"
        for order in bench.books.orders.open():
            bench.update(order, OrderStatus.CANCELED)
    seen = [b for x in bench.records if isinstance(x, r.BarsSeen) for b in x.bars]
    decided = [x for x in bench.records if isinstance(x, r.OrderIntended)]
    for ticker in ("SPY", "QQQ"):
        starts = [b.start for b in seen if b.symbol == ticker]
        assert starts == sorted(set(starts))
        assert bench.engine.lanes.bars_seen(ticker) == len(starts)
        assert len([x for x in decided if x.symbol == ticker]) <= len(starts)


def test_a_bar_that_is_corrected_later_is_kept_and_decides_nothing_again() -> None:
    said = {("SPY", 0): 1, ("SPY", 1): -1}
    bench = Bench(spec("A", said, stop_loss_pct="0.05"))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    corrected = bench.minute(0, {"SPY": "50"}, late_s=30, origin=Origin.CORRECTED)
    (kept,) = corrected.records
    assert isinstance(kept, r.BarsSeen)
    assert (kept.origin, kept.bars[0].close) == (Origin.CORRECTED, D(50))
    assert corrected.commands == []
    assert bench.books.ledger.marks["SPY"] == D(100)
    assert bench.engine.lanes.bars_seen("SPY") == 1
    bench.minute(1, {"SPY": "100"})
    assert bench.order("A", 2).reason.value == "signal"


def test_a_correction_of_what_never_came_is_no_bar() -> None:
    bench = Bench(spec("A", {("SPY", 3): 1}))
    assert bench.minute(3, {"SPY": "100"}, origin=Origin.CORRECTED).records == []
    assert bench.sent() == []


def test_a_halted_ticker_decides_nothing_and_its_leap_behind_the_halt_buys_nothing() -> None:
    said = {("SPY", n): 1 for n in range(1, 20)} | {("QQQ", 12): 1}
    bench = Bench(spec("A", said, max_position_size="0.1"))
    bench.minute(0, {"SPY": "100", "QQQ": "10"})
    for minute in range(1, 11):
        bench.minute(minute, {"QQQ": "10"})
    assert bench.sent() == [], "no bar of a ticker, no decision on it"
    bench.minute(11, {"SPY": "151", "QQQ": "10"})
    bench.minute(12, {"SPY": "151", "QQQ": "10"})
    assert [s[1] for s in bench.sent()] == ["QQQ"]
    assert bench.denials() == [("A", "frozen")]
    (found,) = [x for x in bench.records if isinstance(x, r.DiscrepancyFound)]
    assert (found.discrepancy_id, found.ours, found.brokers) == ("price.SPY", D(100), D(151))


def test_a_leap_behind_a_halt_still_lets_a_strategy_out() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}, stop_loss_pct="0.05"))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    bench.minute(12, {"SPY": "49"})
    assert bench.order("A", 2).reason.value == "stop"


def test_nothing_is_decided_on_the_bar_that_ends_at_the_close() -> None:
    bench = Bench(spec("A", {("SPY", LAST - 1): 1, ("QQQ", LAST): 1}), plan=STOCKS)
    bench.minute(LAST - 1, {"SPY": "100"})
    bench.minute(LAST, {"QQQ": "100", "SPY": "101"})
    assert [s[1] for s in bench.sent()] == ["SPY"]
    assert bench.books.ledger.marks["SPY"] == D(101)


def test_nothing_is_decided_on_the_runs_last_crypto_minute() -> None:
    last = 630 - 1  # 23:59 UTC
    bench = Bench(spec("A", {("BTC/USD", last - 1): 1, ("ETH/USD", last): 1}))
    bench.minute(last - 1, {"BTC/USD": "50000"})
    bench.minute(last, {"ETH/USD": "2000"})
    assert [s[1] for s in bench.sent()] == ["BTC/USD"]


def test_crypto_goes_on_after_the_stock_market_has_closed() -> None:
    bench = Bench(spec("A", {("BTC/USD", LAST): 1, ("SPY", LAST): 1}, max_position_size="0.4"))
    bench.minute(LAST, {"BTC/USD": "50000", "SPY": "100"})
    assert [s[1] for s in bench.sent()] == ["BTC/USD"]


def test_of_a_stock_only_bars_of_the_regular_session_count() -> None:
    bench = Bench(spec("A", {("SPY", -1): 1, ("SPY", LAST + 1): 1}))
    assert bench.minute(-1, {"SPY": "100"}).records == []
    assert bench.minute(LAST + 1, {"SPY": "100"}).records == []


def test_a_ticker_trades_once_it_is_warm_and_a_quiet_one_holds_nobody_back() -> None:
    said = {("SPY", minute): 1 for minute in range(5)} | {("QQQ", 2): 1}
    bench = Bench(spec("A", said, warmup=3, max_position_size="0.3"))
    bench.engine.lanes.warm("SPY", [bar("SPY", -1, "100")])
    bench.minute(0, {"SPY": "100"})
    assert bench.sent() == []
    bench.minute(1, {"SPY": "100"})
    bench.minute(2, {"QQQ": "100"})
    assert [s[1] for s in bench.sent()] == ["SPY"]


def test_each_lane_takes_its_own_length_of_history_whoever_else_trades_the_ticker() -> None:
    short, long, own = (spec(name, {("SPY", at): 1}) for at, name in enumerate("ABC"))
    object.__setattr__(short.rule, "longest_window", 0)
    object.__setattr__(long.rule, "longest_window", 2)
    object.__setattr__(own.rule, "longest_window", 2)
    object.__setattr__(own.rule, "history_bars", 3)
    lanes = Bench(short, long, own).engine.lanes
    counts: dict[str, int] = {}

    def count(name: str) -> object:
        def step(_: Bar) -> int:
            counts[name] = counts.get(name, 0) + 1
            return 0

        return step

    for one in (short, long, own):
        object.__setattr__(lanes.lane(one, "SPY"), "history_bars", one.history_bars)
        object.__setattr__(lanes.lane(one, "SPY"), "_step", count(one.name))
    lanes.warm("SPY", [bar("SPY", n - 50, "100") for n in range(50)])
    assert counts == {"B": 20, "C": 3}
    assert lanes.bars_seen("SPY") == 50


def test_a_strategy_that_raises_stops_alone() -> None:
    said = {("SPY", minute): 1 if minute % 2 else -1 for minute in range(8)}
    healthy = spec("A", said, max_position_size="0.5")
    broken = spec("B", said, max_position_size="0.5", raises_at=2)

    def play(*specs: object) -> list[r.Record]:
        bench = Bench(*specs)  # type: ignore[arg-type]
        for minute in range(8):
            bench.minute(minute, {"SPY": "100"})
            for order in bench.books.orders.open():
                bench.fill(order)
        return [
            record
            for record in bench.records
            if getattr(record, "strategy", getattr(record, "client_order_id", "?"))[0] == "A"
        ]

    alone = play(healthy)
    assert len([record for record in alone if isinstance(record, r.FillBooked)]) == 7
    assert play(healthy, broken) == alone


def test_one_broken_ticker_stops_a_strategys_entries_on_all_at_once() -> None:
    said = {("QQQ", 1): 1, ("QQQ", 2): 1}
    bench = Bench(spec("A", said, tickers=("QQQ", "SPY"), raises_at=1))
    bench.engine.lanes.feed_all([bar("SPY", 1, "100")])  # in the warm-up, say
    bench.minute(2, {"QQQ": "10"})
    assert bench.sent() == []
    assert bench.denials() == [("A", bench.of(r.EntriesStopped)[0].reason)]  # type: ignore[attr-defined]


def test_equal_strategies_share_a_computation_and_its_fault() -> None:
    said = {("SPY", 0): 1, ("SPY", 2): 1}
    bench = Bench(spec("A", said, raises_at=1), spec("B", said, raises_at=1), spec("C", said))
    bench.minute(0, {"SPY": "100"})
    bench.minute(1, {"SPY": "100"})
    stopped = [x for x in bench.records if isinstance(x, r.EntriesStopped)]
    assert [x.strategy for x in stopped] == ["A", "B"]
    assert len({x.reason for x in stopped}) == 1


def test_a_strategy_that_raises_opens_nothing_more_and_says_where() -> None:
    said = {("SPY", 0): 1, ("SPY", 1): -1, ("QQQ", 2): 1}
    bench = Bench(spec("A", said, raises_at=1, stop_loss_pct="0.05", max_position_size="0.5"))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    bench.minute(1, {"SPY": "100"})
    bench.minute(2, {"SPY": "100", "QQQ": "10"})
    assert len(bench.sent()) == 1
    (stopped,) = [x for x in bench.records if isinstance(x, r.EntriesStopped)]
    assert stopped.reason.startswith("fault: RuntimeError at bar SPY 2026-03-17 13:31:00+00:00")
    bench.minute(3, {"SPY": "90"})  # but a stop still protects what it holds
    assert bench.order("A", 3).reason.value == "stop"  # 2 is the denial
