"""Asking only those whom a bar may move decides what asking everybody at each bar decides.

The other engine here asks everybody on a ticker at each of its bars, as the rules are written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.core import engine
from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.lane import StrategySpec
from coordinator.core.minute_views import MinuteViews, Participant
from coordinator.core.orders import OrderStatus
from coordinator.core.router import Router
from coordinator.core.values import UNASSIGNED, Side
from tests.coordinator.bench import DAY, Bench, D, bust, spec
from tests.coordinator.test_reload import reload

TICKERS = ("SPY", "QQQ", "BTC/USD")
MINUTES = 7


class MadeWhenAsked(MinuteViews):
    """A View is made in its strategy's turn, and at no other time."""

    def make_due(self, one: Participant) -> None:
        pass


class AskingEverybody(Router):
    """Every strategy on a ticker, in turn, and its View made then."""

    def _views_on(self, books: Books) -> MinuteViews:
        return MadeWhenAsked(books)

    def to_ask(
        self, symbols: Sequence[str], decided: Collection[str], minute: datetime
    ) -> Iterator[Participant]:
        for _ in super().to_ask(symbols, (), minute):
            pass
        for rank, its in enumerate(self._specs):
            if set(its.tickers) & set(symbols):
                yield self._participants[rank]


Move = tuple[str, int, int, int]
"""What happens, and three numbers that say how."""

what = [*["minute", "filled minute", "frame", "frame", "fill", "part"] * 2, "cancel", "bust", "fee"]
moves = st.lists(
    st.tuples(st.sampled_from(what), st.integers(0, 5), st.integers(90, 110), st.integers(90, 110)),
    min_size=10,
    max_size=40,
)
said = st.lists(st.sampled_from([0, 1, 1, -1]), min_size=3 * MINUTES, max_size=3 * MINUTES).map(
    lambda signals: {(TICKERS[n % 3], n // 3): s for n, s in enumerate(signals)}
)
limits = st.fixed_dictionaries(
    {},
    optional={
        "stop_loss_pct": st.just("0.02"),
        "take_profit_pct": st.just("0.03"),
        "max_daily_loss": st.sampled_from(["5", "100"]),
        "max_position_size": st.sampled_from(["0.3", "0.6"]),
        "max_daily_trades": st.integers(0, 3),
        "raises_at": st.integers(MINUTES - 2, 3 * MINUTES),
    },
)
strategies = st.lists(st.tuples(said, limits), min_size=1, max_size=3)


def play(bench: Bench, played: Sequence[Move]) -> list[r.Record]:
    """Everything that is recorded while this happens."""
    minute = -1
    for number, (what, which, first, second) in enumerate(played):
        orders = (
            list(bench.books.orders) if what in ("bust", "cancel") else bench.books.orders.open()
        )
        order = orders[which % len(orders)] if orders else None
        match what:
            case "minute" | "filled minute":
                minute = min(minute + 1, MINUTES)
                bench.minute(minute, dict(zip(TICKERS, map(str, (first, second, 50)), strict=True)))
                for order in bench.books.orders.open() if what == "filled minute" else ():
                    bench.fill(order, str(second))
            case "frame":
                minute = min(minute + (which > 3), MINUTES)
                bench.minute(max(minute, 0), {TICKERS[which % 3]: str(first)})
            case "fee":
                _another_coordinator_books(bench, number, which, first - 100)
            case _ if order is not None and order.booked_qty < order.qty and what == "fill":
                bench.fill(order, str(first), execution_id=f"x{number}")
            case _ if order is not None and order.booked_qty < order.qty and what == "part":
                half = (order.qty - order.booked_qty) / 2
                bench.fill(order, str(first), half.quantize(D("1e-9")), execution_id=f"x{number}")
            case _ if order is not None and what == "cancel":
                bench.update(order, OrderStatus.CANCELED, order.booked_qty)
            case _ if order is not None and what == "bust" and order.executions.standing():
                last = order.executions.standing()[-1]
                told = m.Execution(last.execution_id, last.qty, last.price, last.cum_qty, last.at)
                bench.handle(bust(order, told, bench.now, name=str(number)))
            case _:
                pass
    return bench.records


def _another_coordinator_books(bench: Bench, number: int, which: int, dollars: int) -> None:
    its = bench.specs[which % len(bench.specs)].name
    fee = r.ActivityBooked(
        bench.now,
        f"a{number}",
        its,
        r.ActivityKind.FEE,
        "",
        D(0),
        D(0),
        D(dollars),
        "test",
        DAY,
    )
    for record in (fee, r.Transferred(bench.now, UNASSIGNED, its, D(which), "more")):
        bench.books.apply_foreign(record)


@pytest.mark.thorough
@settings(max_examples=300, deadline=None)
@given(strategies, moves, st.booleans())
def test_whom_nothing_moves_need_not_be_asked(
    asked: list[tuple[dict[tuple[str, int], int], dict[str, str | int]]],
    played: list[Move],
    crossing: bool,
) -> None:
    specs = [spec(f"S{n}", its, **{**own}) for n, (its, own) in enumerate(asked)]  # type: ignore[arg-type]
    few = Bench(*specs, crossing=crossing)
    with patch.object(engine, "Router", AskingEverybody):
        all_of_them = Bench(*specs, crossing=crossing)
    assert play(few, played) == play(all_of_them, played)
    assert few.commands == all_of_them.commands
    ledger = few.books.ledger
    accounts = ledger.accounts.values()
    assert ledger.net_cash() == sum(account.cash for account in accounts)
    for symbol in TICKERS:
        held = (one.positions[symbol].qty for one in accounts if symbol in one.positions)
        assert ledger.held(symbol) == ledger.net_positions().get(symbol, 0) == sum(held)


def both(*specs: StrategySpec, crossing: bool = False) -> tuple[Bench, Bench]:
    """The same session twice: the second asks everybody."""
    few = Bench(*specs, crossing=crossing)
    with patch.object(engine, "Router", AskingEverybody):
        return few, Bench(*specs, crossing=crossing)


@pytest.mark.parametrize("filled", [False, True])
def test_a_bar_that_comes_after_a_later_minute_of_another_ticker_buys_once(*, filled: bool) -> None:
    """At SPY's third minute there is nothing to do, but from then on the cash is that minute's."""
    said = {("QQQ", 1): 1, ("QQQ", 2): 1, ("SPY", 2): 0}
    for bench in both(spec("A", said, max_position_size="0.4")):
        bench.minute(0, {"SPY": "100", "QQQ": "100"})
        bench.minute(2, {"SPY": "100"})
        bench.minute(1, {"QQQ": "100"})
        if filled:
            bench.fill(bench.order("A"))
        bench.minute(2, {"QQQ": "100"})
        assert [(sent[1:], bench.denials()) for sent in bench.sent()] == [
            (("QQQ", Side.BUY, D(40)), [])
        ]


@pytest.mark.parametrize("crossing", [False, True])
def test_an_older_bar_that_is_decided_after_a_fee_buys_once(*, crossing: bool) -> None:
    """The View that the fee made anew is the one of QQQ's minute, in which SPY's bars come late."""
    said = {("SPY", 1): 1, ("SPY", 2): 1}
    for bench in both(spec("A", said, tickers=("SPY", "QQQ")), crossing=crossing):
        bench.minute(2, {"QQQ": "100"})
        _another_coordinator_books(bench, 1, 0, -5)
        bench.minute(1, {"SPY": "100"})
        bench.minute(2, {"SPY": "100"})
        assert ([sent[1:3] for sent in bench.sent()], bench.denials()) == ([("SPY", Side.BUY)], [])


def test_whose_order_ends_by_a_fill_that_another_coordinator_booked_buys_again() -> None:
    for bench in both(spec("A", {("SPY", n): 1 for n in range(3)})):
        bench.minute(0, {"SPY": "100"})
        order = bench.order("A")
        bench.minute(1, {"SPY": "100"})
        bench.update(order, OrderStatus.FILLED, order.qty)
        assert order.is_open, "its execution is missing"
        filled = r.FillBooked(
            bench.now,
            "x1",
            order.client_order_id,
            UNASSIGNED,
            "SPY",
            Side.BUY,
            order.qty,
            D(100),
            D(0),
            D(0),
            order.qty,
        )
        bench.books.apply_foreign(filled)
        bench.minute(2, {"SPY": "100"})
        assert [sent[2] for sent in bench.sent()] == [Side.BUY, Side.BUY]


def test_a_ticker_that_joins_begins_a_strategys_minute_with_its_own_next_bar() -> None:
    """The cash that comes after the reload is there when A's minute begins, at SPY's bar."""
    before = spec("A", {("SPY", 2): 1}, max_position_size="0.5")
    after, other = replace(before, tickers=("SPY", "QQQ")), spec("B", {("QQQ", 9): 1})
    for bench in both(before, other):
        bench.minute(1, {"SPY": "100", "QQQ": "100"})
        bench.minute(2, {"QQQ": "100"})
        assert reload(bench, after, other).done
        more = r.Transferred(bench.now, UNASSIGNED, "A", D(1000), "more")
        bench.books.apply_foreign(more)
        bench.minute(2, {"SPY": "100"})
        assert [sent[3] for sent in bench.sent()] == [D(55)]


def test_who_holds_and_is_not_guarded_is_asked_when_its_signal_turns_and_not_before() -> None:
    said = {("SPY", n): 1 for n in range(4)} | {("SPY", 5): -1}
    bench = Bench(spec("Free", said), spec("Guarded", said, stop_loss_pct="0.5"))
    asked: list[list[str]] = []
    router = bench.engine._router
    view = router.view

    def noted(its: Participant, minute: datetime) -> object:
        asked[-1].append(its.name)
        return view(its, minute)

    with patch.object(router, "view", noted):
        for number in range(7):
            asked.append([])
            bench.minute(number, {"SPY": "100"})
            for order in list(bench.books.orders.open()):
                bench.fill(order)
    two = ["Free", "Guarded"]
    assert [list(dict.fromkeys(names)) for names in asked] == [
        two,
        *[["Guarded"]] * 4,
        two,
        ["Guarded"],
    ]
    assert [s[2] for s in bench.sent()] == [Side.BUY, Side.BUY, Side.SELL, Side.SELL]
