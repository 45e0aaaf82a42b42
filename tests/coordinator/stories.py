"""Stories that can happen to a session, in any order, for properties that must hold in all."""

from __future__ import annotations

from hypothesis import strategies as st

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.orders import OrderStatus
from coordinator.core.values import Side
from tests.coordinator.bench import Bench, D, bar, report, spec, stranger

TICKERS = ["SPY", "BTC/USD"]
signals = st.dictionaries(
    st.tuples(st.sampled_from(TICKERS), st.integers(0, 14)), st.sampled_from([1, -1]), max_size=20
)
events = st.lists(
    st.tuples(
        st.sampled_from(["bar", "fill", "part", "old", "cancel", "refuse", "unclear", "absent",
                         "human", "again", "end"]),
        st.integers(0, 5),
        st.sampled_from(TICKERS),
        st.integers(90, 110),
    ),
    max_size=60,
)  # fmt: skip


def play(bench: Bench, story: list[tuple[str, int, str, int]]) -> None:
    """Whatever can happen to a session, in any order."""
    minute, past = 0, [m.ClockRead(bench.now)]
    for index, (what, which, ticker, price) in enumerate(story):
        orders = list(bench.books.orders)
        order = orders[which % len(orders)] if orders else None
        match what:
            case "bar":
                bench.bars(bar(ticker, minute, str(price)))
                minute += which // 2
            case "human":
                side = Side.BUY if price % 2 else Side.SELL
                name, by_hand = f"h{which}", f"by-hand-{which}"
                bench.handle(stranger(by_hand, ticker, side, "1.5", str(price), bench.now, name))
            case "end":
                bench.handle(m.ClockRead(bench.now))
            case "again":
                bench.handle(past[index % len(past)])
            case _ if order is None or order.status is OrderStatus.WAITING:
                continue
            case "fill" if order.booked_qty < order.qty:
                bench.fill(order, str(price))
            case "part" if order.booked_qty * 2 < order.qty:
                bench.fill(order, str(price), (order.qty / 3).quantize(D("1e-9")))
            case "old":
                past.append(report(order, OrderStatus.NEW, 0, bench.now))  # type: ignore[arg-type]
            case "cancel":
                bench.update(order, OrderStatus.CANCELED, order.booked_qty)
            case "refuse":
                bench.handle(m.SubmitRefused(order.client_order_id, bench.now, "no"))
            case "unclear":
                bench.handle(m.SubmitUnclear(order.client_order_id, bench.now, "time-out"))
            case "absent":
                bench.handle(m.OrderAbsent(order.client_order_id, bench.now))


def started(said: list[dict[tuple[str, int], int]]) -> Bench:
    return Bench(
        *(
            spec(name, s, tickers=TICKERS, max_position_size="0.4", max_daily_trades=3,
                 max_daily_loss="300", stop_loss_pct="0.05")
            for name, s in zip("ABC", said, strict=False)
        ),
        holdings=[r.Holding("SPY", D(10), D(1000))],
    )  # fmt: skip
