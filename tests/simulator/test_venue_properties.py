"""Whatever is ordered, cash and positions move by fills and fees alone; no hold is below zero."""

from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.errors import Rejection
from simulator.ledger import held_dollars, held_qty
from simulator.values import Side
from tests.simulator.bench import Bench, bar

SYMBOLS = ("SPY", "QQQ", "BTC/USD")
CASH = Decimal(20000)

prices = st.integers(9000, 11000).map(lambda cents: Decimal(cents) / 100)
quantities = st.one_of(
    st.integers(1, 60).map(Decimal),
    st.integers(1, 60_000_000_000).map(lambda nano: Decimal(nano).scaleb(-9)),
)
steps = st.one_of(
    st.fixed_dictionaries(
        {
            "do": st.just("order"),
            "symbol": st.sampled_from(SYMBOLS),
            "side": st.sampled_from(["buy", "sell"]),
            "type": st.sampled_from(["market", "limit", "stop", "stop_limit"]),
            "qty": quantities,
            "limit": prices,
            "stop": prices,
            "tif": st.sampled_from(["day", "gtc", "ioc"]),
        }
    ),
    st.fixed_dictionaries({"do": st.just("cancel"), "which": st.integers(0, 20)}),
    st.fixed_dictionaries(
        {"do": st.just("minute"), "a": prices, "b": prices, "volume": st.integers(0, 200)}
    ),
)


def _play(bench: Bench, step: dict[str, Any]) -> None:
    match step["do"]:
        case "order":
            body = {name: step[name] for name in ("symbol", "side", "type", "qty")}
            if step["type"] in ("limit", "stop_limit"):
                body["limit_price"] = step["limit"]
            if step["type"] in ("stop", "stop_limit"):
                body["stop_price"] = step["stop"]
            bench.order(**body, time_in_force=step["tif"])
        case "cancel":
            held = bench.venue.orders.open()
            if held:
                bench.venue.cancel(held[step["which"] % len(held)].id, bench.now)
        case _:
            low, high = sorted((step["a"], step["b"]))
            text = f"{step['a']} {high} {low} {step['b']}"
            volume = str(step["volume"])
            bench.minute_of(*(bar(name, bench.now, text, volume) for name in SYMBOLS))


def _check(bench: Bench) -> None:
    """The books recomputed from the executions, with other arithmetic."""
    cash, held = Fraction(CASH), dict.fromkeys(SYMBOLS, Fraction(0))
    by_order: dict[str, Fraction] = {}
    for fill in bench.venue.executions:
        sign = 1 if fill.side is Side.BUY else -1
        qty, price = Fraction(fill.qty), Fraction(fill.price)
        cash -= sign * qty * price + Fraction(fill.fee_cash)
        held[fill.symbol] += sign * qty - Fraction(fill.fee_qty)
        by_order[fill.order_id] = by_order.get(fill.order_id, Fraction(0)) + qty
        assert Fraction(fill.cum_qty) == by_order[fill.order_id]
        assert Fraction(fill.position_qty) == held[fill.symbol]
        assert min(fill.qty, fill.price) > 0
        assert min(fill.leaves_qty, fill.fee_qty, fill.fee_cash) >= 0
    ledger = bench.venue.ledger
    assert Fraction(ledger.cash) == cash
    assert {name: Fraction(ledger.qty(name)) for name in SYMBOLS} == held
    assert ledger.qty("BTC/USD") >= 0
    for order in bench.venue.orders:
        assert Fraction(order.filled_qty) == by_order.get(order.id, Fraction(0))
    for order in bench.venue.orders.open():
        assert min(held_dollars(order), held_qty(order)) >= 0
    for name in SYMBOLS:
        assert bench.venue.account.available(name) >= 0


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["close", "spread", "slippage:20", "participation:0.2"]),
    st.lists(steps, min_size=3, max_size=25),
)
def test_cash_and_positions_change_by_fills_and_fees_alone(
    model: str, played: list[dict[str, Any]]
) -> None:
    bench = Bench(cash=str(CASH), model=model)
    for name in SYMBOLS:
        bench.price(name, "100")
    with localcontext(prec=12):  # a caller's own precision must not matter
        for step in played:
            before = (bench.venue.ledger.cash, len(bench.venue.executions))
            try:
                _play(bench, step)
            except Rejection:
                assert (bench.venue.ledger.cash, len(bench.venue.executions)) == before
    _check(bench)
