"""A strategy whose coordinator died with its order under way is run by another one from then on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.orders import OrderStatus
from coordinator.core.session import SessionPlan
from coordinator.core.values import UNASSIGNED
from coordinator.readers import session_sources
from coordinator.shell.agreement import Settling
from coordinator.shell.journal import Journal
from coordinator.shell.startup import replay
from coordinator.shell.watchdog import Depth
from tests.coordinator.bench import DAY, MIDNIGHT, OPEN, PLAN, D
from tests.proof.seat import Board, Rest, Seat, minute_bars, spec
from tests.proof.truth import BY_HAND, NANO, Deal, Ticket, Truth, told, told_bust
from warehouse import Store, load_session

CRYPTO = SessionPlan(DAY, None, PLAN.crypto_day, MIDNIGHT)
ONE_DAY = timedelta(days=1)
ONE_HOUR = timedelta(hours=1)
COIN = "BTC/USD"
BOUGHT = D("179.55")
"""What A's order comes to, its fee taken off."""


def a_day_later(days: int) -> SessionPlan:
    """The session of coins so many days after the first."""
    begins = MIDNIGHT + (days - 1) * ONE_DAY
    return SessionPlan(DAY + days * ONE_DAY, None, begins, begins + ONE_DAY)


def every_session_loads(folder: Path) -> None:
    """A new warehouse takes every session in the journals of a home."""
    with Store.open(":memory:") as store:
        loaded = [load_session(store, source) for source in session_sources(folder)]
    assert [result.message for result in loaded if result.status != "loaded"] == []


class Account:
    """Coordinator X has run A, and died before it heard what became of A's order."""

    def __init__(self, folder: Path) -> None:
        self.now = OPEN
        self.truth = Truth(100_000 * NANO * NANO)
        self.rest = Rest(self.truth, lambda: self.now, cents=False)
        self.path = folder / "PA1" / "journal.db"
        self.path.parent.mkdir()
        self._seats: list[Seat] = []
        dead = self.start("X", "A", {("A", COIN): 1})
        self.now += timedelta(seconds=61)
        dead.take(minute_bars(OPEN, {COIN: 100 * NANO}, [COIN]))
        (order,) = (c for c in dead.wire if isinstance(c, m.SubmitOrder))
        self.ticket: Ticket = self.truth.accept(
            order.client_order_id, "A", COIN, 1, 180 * NANO, self.now
        )
        dead.stop()
        self.now += timedelta(minutes=3)

    def start(
        self,
        coordinator: str,
        strategy: str,
        board: Board,
        *,
        ticker: str = COIN,
        plan: SessionPlan = CRYPTO,
        max_daily_loss: Decimal | None = None,
    ) -> Seat:
        """A coordinator of one strategy."""
        one = spec(strategy, (ticker,), board, "20000")
        specs = [replace(one, limits=replace(one.limits, max_daily_loss=max_daily_loss))]
        seat = Seat(coordinator, specs, self.path, self.rest, plan, crossing=False)
        assert seat.start(self.now, lambda _: None), seat.refused
        self._seats.append(seat)
        return seat

    def replace(self, *, heard: bool) -> None:
        """A human puts another order in the place of A's; X may hear of it before it dies."""
        old, self.now = self.ticket, self.now + timedelta(seconds=5)
        self.ticket = self.truth.replace(old, 150 * NANO, self.now)
        if heard:
            dead = self.start("X", "A", {})
            for ticket in (old, self.ticket):
                dead.take(told(ticket, self.now))
            dead.stop()

    def execute(self) -> Deal:
        """The broker fills all of A's order."""
        self.now += timedelta(seconds=10)
        return self.truth.execute(self.ticket, self.ticket.left, 100 * NANO, self.now)

    def holds_once(self, qty: Decimal, folder: Path) -> None:
        """A's book alone has so much, for whoever reads it, and every session can be loaded."""
        for books in (self.start("Y", "A", {}).books, self.start("X", "B", {}).books):
            assert books.ledger["A"].positions[COIN].qty == qty
            assert not books.ledger[UNASSIGNED].positions
            assert not books.orders.open()
        every_session_loads(folder)

    def stop(self) -> None:
        """Nobody runs any more."""
        for seat in self._seats:
            seat.stop()


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    made = Account(tmp_path)
    yield made
    made.stop()


def filled_before_it_starts(account: Account) -> Seat:
    account.execute()
    return account.start("Y", "A", {})


def told_by_the_stream(account: Account) -> Seat:
    seat = account.start("Y", "A", {})
    deal = account.execute()
    seat.take(told(account.ticket, account.now, deal.told("stream")))
    return seat


def found_by_a_look(account: Account) -> Seat:
    seat = account.start("Y", "A", {})
    account.execute()
    seat.look(Depth.ACCOUNT)
    seat.take(seat.answers.pop())
    return seat


each_way = pytest.mark.parametrize(
    "how", [filled_before_it_starts, told_by_the_stream, found_by_a_look]
)


@each_way
def test_the_fill_of_an_order_under_way_reaches_the_strategy_and_not_nobody(
    account: Account, tmp_path: Path, how: Callable[[Account], Seat]
) -> None:
    how(account).stop()
    account.holds_once(BOUGHT, tmp_path)


@pytest.mark.thorough
@each_way
@pytest.mark.parametrize("heard", [True, False])
def test_an_order_that_a_human_replaced_goes_along_though_both_coordinators_adopt_it(
    account: Account, tmp_path: Path, how: Callable[[Account], Seat], heard: bool
) -> None:
    account.replace(heard=heard)
    how(account).stop()
    account.holds_once(D("149.625"), tmp_path)


def test_a_difference_is_not_laid_to_an_order_that_is_ours_now_and_has_ended(
    account: Account,
) -> None:
    seat = filled_before_it_starts(account)
    assert not seat.books.neighbours.may_move(COIN)


def bought_and_risen(account: Account) -> Decimal:
    """X runs on, books what A bought, sees a higher close and ends; A's equity then, dollars."""
    account.execute()
    seat = account.start("X", "A", {})
    seat.take(minute_bars(account.now, {COIN: 110 * NANO}, [COIN]))
    correction = minute_bars(account.now, {COIN: 90 * NANO}, [COIN])
    seat.take(replace(correction, origin=r.Origin.CORRECTED))
    equity = seat.books.ledger.equity("A")
    seat.stop()
    account.now += ONE_HOUR
    return equity


def taken_over(account: Account) -> Books:
    """The books of Y, which runs A from the next day on."""
    account.now = OPEN + ONE_DAY
    return account.start("Y", "A", {}, plan=a_day_later(1)).books


def x_has_ended(account: Account) -> None:
    pass


def x_runs_on(account: Account) -> None:
    account.now = OPEN + ONE_DAY
    account.start("X", "B", {}, ticker="ETH/USD", plan=a_day_later(1)).stop()


def y_saw_another_price(account: Account) -> None:
    seat = account.start("Y", "B", {})
    seat.take(minute_bars(account.now, {COIN: 120 * NANO}, [COIN]))
    seat.stop()


@pytest.mark.parametrize("meanwhile", [x_has_ended, x_runs_on, y_saw_another_price])
def test_a_strategy_that_another_coordinator_takes_over_begins_with_the_equity_that_it_had(
    account: Account, meanwhile: Callable[[Account], None]
) -> None:
    left = bought_and_risen(account)
    meanwhile(account)
    books = taken_over(account)
    assert books.days["A"].start_equity == books.ledger.equity("A") == left


def filled(account: Account) -> None:
    account.execute()


def ended_unfilled(account: Account) -> None:
    account.now += timedelta(seconds=10)
    account.ticket.status = OrderStatus.CANCELED


@pytest.mark.parametrize(("ends", "used"), [(filled, 1), (ended_unfilled, 0)])
@pytest.mark.parametrize("heard", [True, False])
def test_entries_that_a_strategy_had_today_count_for_who_takes_it_over(
    account: Account, ends: Callable[[Account], None], used: int, heard: bool
) -> None:
    ends(account)
    if heard:
        account.start("X", "A", {}).stop()
    seat = account.start("Y", "A", {})
    assert seat.books.days["A"].entries == used
    seat.stop()
    assert account.start("Z", "A", {}).books.days["A"].entries == used, "and for the next"


def taken_over_and_started_again(account: Account) -> Seat:
    """Y takes A's order over while it is open, and dies before it ends."""
    account.start("Y", "A", {}).stop()
    return account.start("Y", "A", {})


def test_an_entry_that_ends_unfilled_is_given_back_though_who_took_it_over_started_again(
    account: Account,
) -> None:
    seat = taken_over_and_started_again(account)
    assert seat.books.days["A"].entries == 1
    ended_unfilled(account)
    seat.take(told(account.ticket, account.now))
    assert seat.books.days["A"].entries == 0


def test_what_was_executed_before_a_takeover_is_taken_back_though_who_took_it_over_started_again(
    account: Account,
) -> None:
    deal = account.truth.execute(account.ticket, 80 * NANO, 100 * NANO, account.now)
    account.start("X", "A", {}).stop()
    seat = taken_over_and_started_again(account)
    assert COIN in seat.books.ledger["A"].positions
    account.truth.bust(deal)
    seat.take(told_bust(deal, 1, account.now))
    assert COIN not in seat.books.ledger["A"].positions


def test_a_new_day_has_all_of_its_entries_whoever_runs_it(account: Account) -> None:
    account.execute()
    account.now = OPEN + ONE_DAY
    seat = account.start("Y", "A", {}, plan=a_day_later(1))
    seat.take(minute_bars(account.now, {COIN: 100 * NANO}, [COIN]))
    assert seat.books.days["A"].entries == 0


@pytest.mark.parametrize(
    ("reason", "left"), [("max_daily_loss", "max_daily_loss"), ("fault: at bar SPY", "")]
)
def test_a_limit_that_stopped_a_strategy_today_stops_it_wherever_it_runs_and_a_fault_does_not(
    account: Account, reason: str, left: str
) -> None:
    seat = account.start("X", "A", {})
    seat.stop()
    journal = Journal(account.path, "PA1", "X")
    journal.skip_to_end()
    journal.append(seat.session, [r.EntriesStopped(account.now, "A", reason)])
    journal.close()
    assert account.start("Y", "A", {}).books.days["A"].stopped == left


def by_y(account: Account) -> None:
    pass


def by_y_after_a_restart(account: Account) -> None:
    account.start("Y", "A", {}).stop()


def by_y_after_z(account: Account) -> None:
    account.start("Z", "A", {}).stop()


@pytest.mark.parametrize("taken_over", [by_y, by_y_after_a_restart, by_y_after_z])
def test_what_a_strategy_lost_today_counts_towards_its_limit_wherever_it_runs(
    account: Account, taken_over: Callable[[Account], None]
) -> None:
    account.execute()
    x = account.start("X", "A", {})
    x.take(minute_bars(account.now, {COIN: 95 * NANO}, [COIN]))
    lost = x.books.day_pnl("A")
    x.stop()
    account.now += timedelta(minutes=1)
    taken_over(account)
    y = account.start("Y", "A", {}, max_daily_loss=D(1500))
    assert y.books.day_pnl("A") == lost
    for price, stopped in ((93, ""), (91, "max_daily_loss")):
        account.now += timedelta(minutes=1)
        y.take(minute_bars(account.now, {COIN: price * NANO}, [COIN]))
        assert y.books.days["A"].stopped == stopped


def test_a_new_day_has_all_of_its_loss_whoever_runs_it(account: Account) -> None:
    bought_and_risen(account)
    assert taken_over(account).day_pnl("A") == 0


def test_a_coordinator_that_takes_over_what_it_holds_already_begins_with_the_equity_that_it_had(
    account: Account, tmp_path: Path
) -> None:
    bought_and_risen(account)
    left = y_holds_the_coin(account)
    books = taken_over(account)
    assert books.days["B"].start_equity == left
    every_session_loads(tmp_path)


def y_holds_the_coin(account: Account) -> Decimal:
    """Y buys what A has for its own B, at a higher price; B's equity then, dollars."""
    seat = account.start("Y", "B", {("B", COIN): 1})
    seat.take(minute_bars(account.now, {COIN: 120 * NANO}, [COIN]))
    (order,) = (c for c in seat.wire if isinstance(c, m.SubmitOrder))
    id_, qty = order.client_order_id, int(order.qty * NANO)
    ticket = account.truth.accept(id_, "B", COIN, 1, qty, account.now)
    deal = account.truth.execute(ticket, ticket.left, 120 * NANO, account.now)
    seat.take(told(ticket, account.now, deal.told("stream")))
    left = seat.books.ledger.equity("B")
    seat.stop()
    return left


def x_ends(account: Account) -> None:
    seat = account.start("X", "A", {})
    assert seat._journal is not None
    Settling(seat.books, seat._journal, account.rest, lambda _: None).end_unfinished(account.now)  # type: ignore[arg-type]
    seat.stop()


def z_sees_another_price_after_x_has_ended(account: Account) -> None:
    x_ends(account)
    seat = account.start("Z", "C", {})
    seat.take(minute_bars(account.now, {COIN: 120 * NANO}, [COIN]))
    seat.stop()


@pytest.mark.parametrize("meanwhile", [y_holds_the_coin, z_sees_another_price_after_x_has_ended])
@pytest.mark.parametrize("restarts", [False, True])
def test_what_a_strategy_gained_since_its_last_session_counts_in_the_day_of_who_takes_it_over(
    account: Account, tmp_path: Path, meanwhile: Callable[[Account], object], restarts: bool
) -> None:
    left = bought_and_risen(account)
    meanwhile(account)
    books = taken_over(account)
    if restarts:
        books = taken_over(account)
    assert books.ledger.marks[COIN] == D(120)
    assert books.day_pnl("A") == books.ledger.equity("A") - left == 10 * BOUGHT
    (row,) = (
        row
        for source in session_sources(tmp_path)
        if source.session_id == books.session.session_id  # type: ignore[union-attr]
        for row in source.rows()["pnl_daily"]
        if row["strategy"] == "A"
    )
    assert row["net_pnl"] == books.day_pnl("A")


@pytest.mark.parametrize("meanwhile", [y_holds_the_coin, z_sees_another_price_after_x_has_ended])
def test_a_strategy_that_comes_back_on_the_day_on_which_it_left_goes_on_with_that_day(
    account: Account, meanwhile: Callable[[Account], object]
) -> None:
    left = bought_and_risen(account)
    meanwhile(account)
    there = taken_over(account)
    account._seats[-1].take(minute_bars(account.now, {COIN: 120 * NANO}, [COIN]))
    account.stop()
    account.now += ONE_HOUR
    back = account.start("X", "A", {}, plan=a_day_later(1)).books
    assert back.days["A"].start_equity == there.days["A"].start_equity == left
    assert back.day_pnl("A") == there.day_pnl("A") == 10 * BOUGHT


@pytest.mark.parametrize("runs", ["A", "B"], ids=["as it was", "with another strategy"])
def test_a_session_that_goes_on_after_its_end_leaves_a_strategy_with_the_equity_that_it_had_last(
    account: Account, runs: str
) -> None:
    bought_and_risen(account)
    x_ends(account)
    seat = account.start("X", runs, {})
    seat.take(minute_bars(account.now, {COIN: 115 * NANO}, [COIN]))
    left = seat.books.ledger.equity("A")
    seat.stop()
    y_holds_the_coin(account)
    books = taken_over(account)
    assert books.day_pnl("A") == books.ledger.equity("A") - left == 5 * BOUGHT


def test_what_was_split_before_another_coordinator_takes_it_over_is_worth_as_much_as_before(
    account: Account,
) -> None:
    left = bought_and_risen(account)
    account.truth.post("SPLIT", DAY + ONE_DAY, COIN, units=account.truth.held[COIN])
    books = taken_over(account)
    assert books.ledger["A"].positions[COIN].qty == 2 * BOUGHT
    assert books.days["A"].start_equity == books.ledger.equity("A") == left


def test_what_was_split_long_before_is_valued_at_the_last_price_that_the_other_coordinator_saw(
    account: Account,
) -> None:
    bought_and_risen(account)
    account.truth.post("SPLIT", DAY, COIN, units=account.truth.held[COIN])
    seat = account.start("X", "A", {})
    seat.take(minute_bars(account.now, {COIN: 60 * NANO}, [COIN]))
    left = seat.books.ledger.equity("A")
    seat.stop()
    assert taken_over(account).days["A"].start_equity == left


def test_days_begin_with_what_the_last_one_left_though_a_late_fills_ticker_is_traded_no_more(
    account: Account, tmp_path: Path
) -> None:
    yesterday, ticket = account.now, account.ticket
    for days in (1, 2):
        account.now = OPEN + days * ONE_DAY
        seat = account.start("Y", "A", {}, ticker="ETH/USD", plan=a_day_later(days))
        if days == 1:
            late = account.truth.execute(ticket, ticket.left, 110 * NANO, yesterday)
            seat.take(told(ticket, account.now, late.told("stream")))
        seat.stop()
    every_session_loads(tmp_path)
    tables = [source.rows()["pnl_daily"] for source in session_sources(tmp_path)]
    days_of_a = [row for rows in tables for row in rows if row["strategy"] == "A"]
    assert len(days_of_a) == 3
    for before, after in pairwise(days_of_a):
        assert after["start_equity"] == before["end_equity"]


@pytest.mark.parametrize("price", [None, 103], ids=["a bust", "a correction"])
def test_days_follow_one_another_though_what_was_bought_before_its_first_bar_is_taken_back(
    account: Account, tmp_path: Path, price: int | None
) -> None:
    ticket, deals = account.ticket, list[Deal]()
    for days in (1, 2, 3):
        account.now = OPEN + days * ONE_DAY
        seat = account.start("Y", "A", {}, ticker="ETH/USD", plan=a_day_later(days))
        if days < 3:
            deals.append(account.truth.execute(ticket, 40 * NANO, 110 * days * NANO, account.now))
            seat.take(told(ticket, account.now, deals[-1].told("stream")))
        if days == 2:
            taken_back(account, seat, deals[0], price)
        assert seat.books.ledger.marks.get(COIN) == D(100), "the last close that X saw"
        seat.stop()
    every_session_loads(tmp_path)


def taken_back(account: Account, seat: Seat, deal: Deal, price: int | None) -> None:
    """The broker takes an execution back, or says that it was at another price."""
    account.now += timedelta(seconds=10)
    if price is None:
        account.truth.bust(deal)
        seat.take(told_bust(deal, 1, account.now))
    else:
        instead = account.truth.correct(deal, price * NANO, account.now)
        seat.take(told_bust(deal, 1, account.now, instead))


def test_an_order_that_a_human_replaced_and_that_ended_is_not_open_for_who_takes_over(
    account: Account,
) -> None:
    account.replace(heard=True)
    seat = account.start("X", "A", {})
    deal = account.execute()
    seat.take(told(account.ticket, account.now, deal.told("stream")))
    seat.stop()
    journal = Journal(account.path, "PA1", "Y")
    books, _ = replay(journal, "Y", {"A"})
    journal.close()
    assert books.ledger["A"].positions[COIN].qty == D("149.625")
    assert not books.orders.open()


def test_what_only_another_coordinator_has_bars_of_is_valued_alike_on_the_evening_and_next_morning(
    account: Account, tmp_path: Path
) -> None:
    bought_and_risen(account)
    for days in (1, 2):
        account.now = OPEN + days * ONE_DAY
        y = account.start("Y", "A", {}, ticker="ETH/USD", plan=a_day_later(days))
        x = account.start("X", "B", {}, plan=a_day_later(days))
        x.take(minute_bars(account.now, {COIN: (120 + days) * NANO}, [COIN]))
        y.take(minute_bars(account.now, {"ETH/USD": 10 * NANO}, ["ETH/USD"]))
        x.stop()
        y.stop()
    every_session_loads(tmp_path)


def test_a_coordinator_new_on_an_old_account_asks_for_none_of_its_old_orders(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.execute()
    for days in (1, 10):
        account.now = OPEN + days * ONE_DAY
        account.start("X", "A", {}, plan=a_day_later(days)).stop()
    asked = list[str]()
    monkeypatch.setattr(account.rest, "order_at", asked.append)
    account.start("Z", "B", {}, plan=a_day_later(10))
    assert asked == []


def test_a_coordinator_new_on_an_account_finds_what_the_one_before_it_missed_for_long(
    account: Account,
) -> None:
    account.execute()
    seat = account.start("X", "A", {})
    by_hand = account.truth.accept("app-1", BY_HAND, "QQQ", 1, 3 * NANO, account.now)
    account.truth.execute(by_hand, by_hand.left, 50 * NANO, account.now)
    account.now += ONE_HOUR
    seat.take(minute_bars(account.now, {COIN: 100 * NANO}, [COIN]))
    seat.stop()
    books = account.start("Z", "B", {}).books
    assert books.ledger[UNASSIGNED].positions["QQQ"].qty == D(3)
