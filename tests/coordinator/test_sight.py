"""What cannot be seen is not traded on: tickers without bars, and orders of unknown state."""

from __future__ import annotations

from coordinator.core import messages as m
from coordinator.core.values import Side
from tests.coordinator.bench import Bench, spec

ALWAYS = {(ticker, minute): 1 for ticker in ("SPY", "QQQ") for minute in range(10)}


def sight(bench: Bench, *blind: str, orders: bool = True) -> None:
    bench.handle(m.SightChanged(bench.now, orders, frozenset(blind)))


def test_a_ticker_whose_stream_is_blind_is_not_bought_and_the_others_are() -> None:
    bench = Bench(spec("A", ALWAYS, max_position_size="0.1"))
    sight(bench, "SPY")
    bench.minute(0, {"SPY": "100", "QQQ": "10"})
    assert [s[1] for s in bench.sent()] == ["QQQ"]
    assert bench.denials() == [("A", "blind")]
    sight(bench)
    bench.minute(1, {"SPY": "100"})
    assert [s[1] for s in bench.sent()] == ["QQQ", "SPY"]


def test_what_is_held_of_a_blind_ticker_is_sold_on_the_bars_that_rest_brings() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}, stop_loss_pct="0.05"))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    sight(bench, "SPY")
    bench.minute(1, {"SPY": "90"})
    assert [s[2] for s in bench.sent()] == [Side.BUY, Side.SELL]


def test_while_nobody_confirms_the_state_of_orders_nothing_is_bought_or_sold() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1, ("QQQ", 1): 1}, stop_loss_pct="0.05"))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    sight(bench, orders=False)
    bench.minute(1, {"SPY": "90", "QQQ": "10"})
    assert len(bench.sent()) == 1
    sight(bench)
    bench.minute(2, {"SPY": "90"})
    assert [s[2] for s in bench.sent()] == [Side.BUY, Side.SELL]
