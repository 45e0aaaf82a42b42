"""Asking only those whom a bar may move, through all that can happen to a session in any order.

As `test_router.py`, with what is rare in a day: each session has a few kinds of events of its own,
so that those which matter together come together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.core import engine
from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.lane import StrategySpec
from coordinator.core.orders import Order, OrderStatus
from coordinator.core.reload import Removal
from coordinator.core.values import MINUTE, UNASSIGNED, Side
from tests.coordinator.bench import DAY, OPEN, Bench, D, Says, bar, bust, report, spec
from tests.coordinator.test_reload import reload
from tests.coordinator.test_router import TICKERS, AskingEverybody

MINUTES = 12
LIMITS: dict[str, tuple[str | int, ...]] = {
    "stop_loss_pct": ("0.02",),
    "take_profit_pct": ("0.03",),
    "max_daily_loss": ("5", "100"),
    "max_daily_trades": (0, 1, 2, 3),
    "raises_at": (3, 6),
    "warmup": (1, 2),
}


def strategies(chance: Random) -> list[StrategySpec]:
    """One to four, of which some want much and some little, and few are limited."""
    found = []
    for n in range(chance.randint(1, 4)):
        mood = chance.choice([(0, 0, 0, 1), (0, 1, 1, -1), (0, 0, 1, 1, -1), (1, 1, 1, -1)])
        own = chance.sample(TICKERS, chance.randint(1, 3))
        said = {(t, minute): chance.choice(mood) for t in own for minute in range(MINUTES)}
        limits = {k: chance.choice(v) for k, v in LIMITS.items() if chance.random() < 0.12}
        size = chance.choice(["1", "0.3", "0.3"])
        found.append(spec(f"S{n}", said, max_position_size=size, **limits))  # type: ignore[arg-type]
    return found


class Mixed:
    """Events for one bench; the same `seed` gives the same ones while the benches are the same."""

    def __init__(self, bench: Bench, seed: int) -> None:
        self.bench, self.chance = bench, Random(seed)  # noqa: S311
        self._minute, self._number = -1, 0
        self._specs = list(bench.specs)

    def go(self) -> None:
        """A day of a few kinds of events."""
        bars = [self.minute, self.filled_minute, self.frame, self.own_bar, self.catch_up]
        rare = [
            *(self.fill, self.part, self.silent_fill, self.nobodys_fill, self.end, self.bust),
            *(self.replaced, self.unsent, self.split, self.fee, self.operator, self.sight),
            self.reload,
        ]
        kinds = [
            *self.chance.choices(bars, k=4),
            *self.chance.sample(rare, self.chance.randint(1, 4)),
        ]
        for number in range(self.chance.randint(10, 50)):
            self._number = number
            self.chance.choice(kinds)()

    def price(self) -> str:
        return str(self.chance.randint(90, 110))

    def minute(self) -> None:
        self._minute += 1
        self.bench.minute(self._minute, {ticker: self.price() for ticker in TICKERS})

    def filled_minute(self) -> None:
        self.minute()
        for order in self.bench.books.orders.open():
            self.bench.fill(order, self.price())

    def frame(self) -> None:
        """A bar of one ticker, of this minute or the next."""
        self._minute = max(self._minute, 0) + self.chance.choice([0, 0, 1])
        self.bench.minute(self._minute, {self.chance.choice(TICKERS): self.price()})

    def own_bar(self) -> None:
        """A ticker's own next bar, which other tickers' may be ahead of."""
        ticker, last = self.chance.choice(TICKERS), self.bench.books.last_bar
        at = (last[ticker] - OPEN) // MINUTE + 1 if ticker in last else 0
        at = max(at, self._minute - 1)
        self._minute = max(self._minute, at)
        self.bench.minute(at, {ticker: self.price()})

    def catch_up(self) -> None:
        """Several minutes in one message."""
        first, self._minute = max(self._minute - 1, 0), self._minute + 2
        some = self.chance.sample(TICKERS, 2)
        bars = [bar(t, n, self.price()) for n in range(first, self._minute + 1) for t in some]
        self.bench.bars(*bars, origin=r.Origin.BACKFILL)

    def open_order(self) -> Order | None:
        """An order that can be filled."""
        orders = [o for o in self.bench.books.orders.open() if o.booked_qty < o.qty]
        return self.chance.choice(orders) if orders else None

    def any_order(self) -> Order | None:
        orders = list(self.bench.books.orders)
        return self.chance.choice(orders) if orders else None

    def fill(self) -> None:
        if order := self.open_order():
            self.bench.fill(order, self.price(), execution_id=f"x{self._number}")

    def part(self) -> None:
        """Half of the rest, or dust; of an ended order, too."""
        order = self.any_order()
        if order and order.booked_qty < order.qty:
            rest = order.qty - order.booked_qty
            qty = self.chance.choice([rest / 2, min(rest, D("0.00001"))]).quantize(D("1e-9"))
            self.bench.fill(order, self.price(), qty, execution_id=f"x{self._number}")

    def silent_fill(self) -> None:
        """REST tells that an order has filled, and not yet of its executions."""
        if order := self.open_order():
            self.bench.update(order, OrderStatus.FILLED, order.qty)

    def nobodys_fill(self) -> None:
        """Another coordinator has booked what is left of an order as nobody's."""
        if order := self.open_order():
            rest, name = order.qty - order.booked_qty, order.client_order_id
            of = name, UNASSIGNED, order.symbol, order.side
            fill = r.FillBooked(
                self.bench.now, f"n{self._number}", *of, rest, D(100), D(0), D(0), order.qty
            )
            self.bench.books.apply_foreign(fill)

    def end(self) -> None:
        if order := self.any_order():
            ends = [OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED]
            self.bench.update(order, self.chance.choice(ends), order.booked_qty)

    def bust(self) -> None:
        """The newest execution of an order is taken back, or corrected."""
        order = self.any_order()
        if order and order.executions.standing():
            last = order.executions.standing()[-1]
            told = m.Execution(last.execution_id, last.qty, last.price, last.cum_qty, last.at)
            right = replace(told, execution_id=f"i{self._number}", price=D(self.price()))
            instead = self.chance.choice([None, right])
            name = str(self._number)
            self.bench.handle(bust(order, told, self.bench.now, name=name, instead=instead))

    def replaced(self) -> None:
        """By hand; the broker tells of either order first."""
        if order := self.any_order():
            by_hand = f"hand-{self._number}"
            old = report(order, OrderStatus.REPLACED, order.booked_qty, self.bench.now)
            new = report(order, OrderStatus.NEW, D(0), self.bench.now)
            new = replace(new, client_order_id=f"by.{self._number}", broker_order_id=by_hand)
            new = replace(new, qty=order.qty * 2, replaces=f"broker-{order.client_order_id}")
            told = [replace(old, replaced_by=by_hand), new]
            self.bench.handle(*self.chance.sample(told, 2))

    def unsent(self) -> None:
        if order := self.open_order():
            name, now = order.client_order_id, self.bench.now
            told: list[m.Message] = [
                m.SubmitRefused(name, now, "no"),
                m.SubmitUnclear(name, now, "no answer"),
                m.OrderAbsent(name, now),
            ]
            self.bench.handle(self.chance.choice(told))

    def split(self) -> None:
        """Two for one, or one for two, or nearly nothing is left."""
        name, ticker = self.chance.choice(self._specs).name, self.chance.choice(TICKERS)
        if held := self.bench.books.ledger[name].positions.get(ticker):
            more = self.chance.choice([held.qty, -held.qty / 2, D("0.00001") - held.qty])
            if held.qty + more > 0:
                self._activity(name, r.ActivityKind.SPLIT, ticker, more.quantize(D("1e-9")), D(0))

    def fee(self) -> None:
        """Another coordinator books a fee, and moves cash."""
        name = self.chance.choice(self._specs).name
        self._activity(name, r.ActivityKind.FEE, "", D(0), D(-1))
        more = r.Transferred(self.bench.now, UNASSIGNED, name, D(50), "more")
        self.bench.books.apply_foreign(more)

    def _activity(self, name: str, kind: r.ActivityKind, ticker: str, qty: D, cash: D) -> None:
        now, own = self.bench.now, f"a{self._number}"
        booked = r.ActivityBooked(now, own, name, kind, ticker, qty, D(0), cash, "test", DAY)
        self.bench.books.apply_foreign(booked)

    def operator(self) -> None:
        """Here, or in another process, whose wish is heeded when the clock is read."""
        now, name = self.bench.now, self.chance.choice(self._specs).name
        elsewhere: list[r.Record] = [
            r.Killed(now, "x"),
            r.Paused(now, name, "x"),
            r.FlattenRequested(now, name, "x"),
        ]
        if self.chance.random() < 0.3:
            self.bench.books.apply_foreign(self.chance.choice(elsewhere))
        elif self.chance.random() < 0.3:
            self.bench.handle(m.ClockRead(now))
        else:
            self.bench.handle(m.OperatorAsked(now, self.chance.choice(list(m.Act)), "x", name))

    def sight(self) -> None:
        blind = frozenset(self.chance.sample(TICKERS, self.chance.randint(0, 1)))
        sees = self.chance.random() < 0.6
        self.bench.handle(m.SightChanged(self.bench.now, sees, blind))

    def reload(self) -> None:
        """Who trades, in which order, on what, by which rule and under which limits."""
        some = [one for one in self.bench.specs if self.chance.random() < 0.8]
        self._specs = [self._edited(one) for one in some or self.bench.specs]
        self.chance.shuffle(self._specs)
        reload(self.bench, *self._specs, removal=self.chance.choice(list(Removal)))

    def _edited(self, one: StrategySpec) -> StrategySpec:
        assert isinstance(one.rule, Says)
        stop = replace(one.limits, stop_loss_pct=D("0.02"))
        edits: list[Callable[[], StrategySpec]] = [
            lambda: one,
            lambda: replace(one, tickers=tuple(self.chance.sample(TICKERS, 2))),
            lambda: replace(one, limits=stop),
            lambda: replace(one, params={"n": 2}, rule=replace(one.rule, raises_at=None)),  # type: ignore[type-var]
        ]
        return self.chance.choice(edits)()


@pytest.mark.thorough
@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**32), st.booleans())
def test_whom_nothing_moves_need_not_be_asked_whatever_happens(seed: int, crossing: bool) -> None:
    specs = strategies(Random(seed))  # noqa: S311
    few = Bench(*specs, crossing=crossing)
    with patch.object(engine, "Router", AskingEverybody):
        everybody = Bench(*specs, crossing=crossing)
    for bench in (few, everybody):
        Mixed(bench, seed).go()
    assert few.records == everybody.records
    assert few.commands == everybody.commands


def test_the_days_of_this_test_have_what_it_is_about() -> None:
    """Who bought and sold, crossed, was adopted, busted, denied and stopped."""
    seen: set[object] = set()
    for seed in range(150):
        bench = Bench(*strategies(Random(seed)), crossing=seed % 2 == 0)  # noqa: S311
        Mixed(bench, seed).go()
        seen |= {type(record) for record in bench.records}
        seen |= {sent[2] for sent in bench.sent()}
        seen |= {
            "bust" for fill in bench.records if isinstance(fill, r.FillBooked) and fill.reverses
        }
        seen |= {
            "cross" for fill in bench.records if isinstance(fill, r.FillBooked) and fill.is_cross
        }
    told = {r.OrderAdopted, r.EntryDenied, r.EntriesStopped, r.CancelRequested, r.Reconfigured}
    assert seen >= {*told, *Side, "bust", "cross"}
