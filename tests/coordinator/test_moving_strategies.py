"""A strategy moves from one coordinator to another, perhaps on, while an order of it is open."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from coordinator.commands.accounts import Account as OperatorsAccount
from coordinator.commands.accounts import Operator
from coordinator.commands.control import find
from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.live_view import strategy_views
from coordinator.core.opening import session_id
from coordinator.core.orders import OrderStatus
from coordinator.core.reload import Reload, Removal
from coordinator.core.session import SessionPlan
from coordinator.core.setup import Setup
from coordinator.core.values import UNASSIGNED
from coordinator.errors import SafetyRefusal
from coordinator.readers import session_sources
from coordinator.shell.agreement import Settling, differences
from coordinator.shell.journal import Journal
from coordinator.shell.startup import replay
from coordinator.shell.watchdog import Depth
from tests.coordinator.bench import DAY, MIDNIGHT, OPEN, PLAN, D, asset
from tests.coordinator.test_moved_strategies import every_session_loads
from tests.proof.seat import ACCOUNT, Board, Rest, Seat, minute_bars, spec
from tests.proof.truth import NANO, Deal, Ticket, Truth, told
from warehouse import Store, load_session

ONE_DAY = timedelta(days=1)
TODAY = SessionPlan(DAY, None, PLAN.crypto_day, MIDNIGHT)
TOMORROW = SessionPlan(DAY + ONE_DAY, None, MIDNIGHT, MIDNIGHT + ONE_DAY)
COIN = "BTC/USD"


class Account:
    """Coordinator X runs A and B; a part of A's order is executed and booked, the rest is open."""

    def __init__(self, folder: Path) -> None:
        self.now = OPEN
        self._folder = folder
        self._truth = Truth(100_000 * NANO * NANO)
        self._rest = Rest(self._truth, lambda: self.now, cents=False)
        self.path = folder / ACCOUNT / "journal.db"
        self.path.parent.mkdir()
        self._seats: list[Seat] = []
        self.board: Board = {}
        self.x = self.start("X", "AB", self.board)
        self.ticket = self.order("A", self.x)
        self.id = self.ticket.client_id
        self.execute(50 * NANO)
        self.stream(self.x)

    def start(
        self,
        coordinator: str,
        strategies: str,
        board: Board | None = None,
        *,
        tomorrow: bool = False,
    ) -> Seat:
        """A coordinator of these strategies, a letter each."""
        board = {} if board is None else board
        specs = [spec(name, (COIN,), board, "20000") for name in strategies]
        plan = TOMORROW if tomorrow else TODAY
        seat = Seat(coordinator, specs, self.path, self._rest, plan, crossing=False)
        self._seats.append(seat)
        assert seat.start(self.now, lambda _: None), seat.refused
        return seat

    def order(self, strategy: str, seat: Seat, side: int = 1) -> Ticket:
        """The next minute's bar makes a coordinator's strategy buy, or with -1 sell; the broker
        takes its order."""
        minute = self.now.replace(second=0)
        self.now = minute + timedelta(seconds=61)
        self.board[strategy, COIN] = side
        seat.take(minute_bars(minute, {COIN: 100 * NANO}, [COIN]))
        order = seat.wire.pop()
        assert isinstance(order, m.SubmitOrder)
        qty = int(order.qty * NANO)
        return self._truth.accept(order.client_order_id, strategy, COIN, side, qty, self.now)

    def replace(self) -> None:
        """A human puts another order in the place of A's."""
        self.ticket = self._truth.replace(self.ticket, 100 * NANO, self.now)

    def end(self, seat: Seat) -> None:
        """A coordinator ends in order, whatever is open."""
        assert seat._journal is not None
        settling = Settling(seat.books, seat._journal, self._rest, lambda _: None)  # type: ignore[arg-type]
        settling.end_unfinished(self.now)
        seat.stop()
        self.now += timedelta(minutes=3)

    def reload(self, seat: Seat, strategies: str) -> m.Answer:
        """A coordinator is to go on with these strategies."""
        specs = tuple(spec(name, (COIN,), {}, "20000") for name in strategies)
        setup = Setup(seat.name, "paper", "iex", "another", specs=specs)
        reload = Reload(self.now, "me", setup, Removal.DORMANT, {COIN: asset(COIN)})
        assert seat.engine is not None
        outcome = seat.engine.handle(reload)
        seat._commit(outcome)
        assert outcome.answer is not None
        return outcome.answer

    def execute(self, qty: int = 0) -> None:
        """The broker fills what is left of A's order, or a part of it."""
        self.now += timedelta(seconds=10)
        self._truth.execute(self.ticket, qty or self.ticket.left, 100 * NANO, self.now)

    @property
    def newest_deal(self) -> Deal:
        """What the broker executed last."""
        return self._truth.deals[-1]

    def bust(self, deal: Deal) -> None:
        """An execution never was."""
        self.now += timedelta(seconds=10)
        self._truth.bust(deal)

    def split(self) -> None:
        """The broker lists a split of today, two for one."""
        self._truth.post("SPLIT", self.now.date(), COIN, units=self._truth.held[COIN])

    def cancel(self, seat: Seat) -> None:
        """What is left of A's order is cancelled, and the stream says so."""
        self.ticket.status = OrderStatus.CANCELED
        seat.take(told(self.ticket, self.now))

    def stream(self, seat: Seat) -> None:
        """The stream tells of the newest execution."""
        execution = self._truth.deals[-1].told("stream")
        seat.take(told(self.ticket, self.now, execution))

    def look(self, seat: Seat) -> None:
        """A look at the account finds the newest execution."""
        seat.look(Depth.ACCOUNT)
        seat.take(seat.answers.pop())

    def ask(self, seat: Seat) -> None:
        """The open order is looked up."""
        for update in self._rest.evidence(self.ticket):
            seat.take(update)

    def check(self, *seats: Seat) -> None:
        """What was executed is in A's book once, and nothing is open."""
        bought = Decimal(sum(deal.units for deal in self._truth.deals)).scaleb(-9)
        held = {one.symbol: one.qty for one in self._rest.positions()}
        seen = m.AccountSeen(self.now, 0, self._rest.account().cash, held, (), ())
        for seat in seats:
            seat.poll(self.now)
            assert seat.books.ledger["A"].positions[COIN].qty == bought
            assert not seat.books.ledger[UNASSIGNED].positions
            assert not differences(seat.books, seen)
            assert not seat.books.orders.open()
            assert not seat.books.neighbours.orders.open()

    def check_sessions(self) -> None:
        """The warehouse takes every session."""
        self.stop()
        every_session_loads(self._folder)

    def stop(self) -> None:
        """Nobody runs any more."""
        for seat in self._seats:
            seat.stop()


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    made = Account(tmp_path)
    yield made
    made.stop()


def crashes(account: Account) -> Sequence[Seat]:
    account.x.stop()
    account.now += timedelta(minutes=3)
    return ()


def ends(account: Account) -> Sequence[Seat]:
    account.end(account.x)
    return ()


def runs_on_without_it(account: Account) -> Sequence[Seat]:
    account.end(account.x)
    return [account.start("X", "B")]


def filled_before(account: Account, others: Sequence[Seat]) -> Seat:
    account.execute()
    return account.start("Y", "AC")


def told_by_the_stream(account: Account, others: Sequence[Seat]) -> Seat:
    seat = account.start("Y", "AC")
    account.execute()
    for one in (*others, seat):
        account.stream(one)
    return seat


def found_by_a_look(account: Account, others: Sequence[Seat]) -> Seat:
    seat = account.start("Y", "AC")
    account.execute()
    for one in (seat, *others):
        account.look(one)
    return seat


def found_in_the_next_session(account: Account, others: Sequence[Seat]) -> Seat:
    seat = account.start("Y", "AC")
    for one in (seat, *others):
        account.end(one)
    account.now += ONE_DAY
    account.execute()
    return account.start("Y", "AC", tomorrow=True)


@pytest.mark.thorough
@pytest.mark.parametrize("fate", [crashes, ends, runs_on_without_it])
@pytest.mark.parametrize(
    "how", [filled_before, told_by_the_stream, found_by_a_look, found_in_the_next_session]
)
def test_the_fill_of_an_order_under_way_reaches_the_strategy_once_whoever_hears_of_it(
    account: Account,
    fate: Callable[[Account], Sequence[Seat]],
    how: Callable[[Account, Sequence[Seat]], Seat],
) -> None:
    others = fate(account)
    seat = how(account, others)
    for one in others:
        if one.alive:
            account.ask(one)
    account.check(seat, *(one for one in others if one.alive))
    is_next = how is found_in_the_next_session
    for one in (seat, *others):
        one.stop()
    account.check(*(account.start(n, s, tomorrow=is_next) for n, s in (("Y", "AC"), ("X", "B"))))
    account.check_sessions()


@pytest.mark.parametrize("halt", [r.Killed, r.FlattenRequested])
def test_an_order_under_way_is_cancelled_by_a_halt_and_what_it_fills_first_is_the_strategys(
    account: Account, halt: type[r.Record]
) -> None:
    assert account.x._journal is not None
    strategy = ["A"] if halt is r.FlattenRequested else []
    account.x._journal.append(account.x.session, [halt(account.now, *strategy, "me")])  # type: ignore[call-arg]
    account.end(account.x)
    seat = account.start("Y", "AC")
    assert [c.client_order_id for c in seat.wire if isinstance(c, m.CancelOrder)] == [account.id]
    account.execute()
    account.stream(seat)
    (sale,) = seat.books.orders.open()
    assert (sale.strategy, sale.qty) == ("A", D("179.55"))
    assert not seat.books.ledger[UNASSIGNED].positions


@pytest.mark.thorough
@pytest.mark.parametrize("tell", [Account.stream, Account.look, Account.ask, None])
def test_a_strategy_that_the_second_one_gave_up_as_well_still_gets_its_fill(
    account: Account, tell: Callable[[Account, Seat], None] | None
) -> None:
    account.end(account.x)
    account.end(account.start("Y", "AC"))
    account.now += ONE_DAY
    if tell is None:
        account.execute()
    seat = account.start("Y", "C", tomorrow=True)
    if tell is not None:
        account.execute()
        tell(account, seat)
    account.check(seat)
    account.check(account.start("Z", "D", tomorrow=True))
    account.check_sessions()


def test_a_kill_that_acts_for_the_second_one_finds_the_order_that_the_first_one_sent(
    account: Account,
) -> None:
    account.end(account.x)
    account.end(account.start("Y", "AC"))
    journal = Journal(account.path, ACCOUNT, "Y")
    books, _ = replay(journal, "Y")
    journal.close()
    assert [order.client_order_id for order in books.orders.open()] == [account.id]
    assert not books.neighbours.may_move(COIN)


def test_a_strategy_with_an_order_under_way_joins_by_a_start_and_not_by_a_reload(
    account: Account,
) -> None:
    seat = account.start("Y", "C")
    account.end(account.x)
    seat.poll(account.now)
    refused = account.reload(seat, "AC")
    assert not refused.done
    assert f"A may have an order open that another coordinator sent ({account.id})" in refused.said
    account.execute()
    account.stream(seat)
    account.end(seat)
    account.check(account.start("Y", "AC"))
    account.check_sessions()


@pytest.mark.parametrize("restarts", [False, True])
def test_a_late_fill_of_an_order_that_ended_elsewhere_reaches_the_strategy_that_joined_by_a_reload(
    account: Account, restarts: bool
) -> None:
    seat = account.start("Y", "C")
    account.cancel(account.x)
    assert account.reload(account.x, "B").done
    account.end(account.x)
    seat.poll(account.now)
    assert account.reload(seat, "AC").done
    if restarts:
        seat.stop()
        seat = account.start("Y", "AC")
    account.execute(NANO)
    account.stream(seat)
    account.check(seat, account.start("X", "B"))
    seat.stop()
    account.check(account.start("Y", "AC"))
    account.check_sessions()


def test_a_late_fill_of_an_order_from_before_its_strategy_joined_is_loaded(
    account: Account,
) -> None:
    seat = account.start("Y", "CD", account.board)
    account.ticket = account.order("C", seat)
    account.execute(50 * NANO)
    account.stream(seat)
    account.cancel(seat)
    assert account.reload(seat, "D").done
    account.end(seat)
    account.x.poll(account.now)
    assert account.reload(account.x, "ABC").done
    account.execute(NANO)
    account.stream(account.x)
    assert account.x.books.ledger["C"].positions[COIN].qty == D("50.8725")
    account.check_sessions()


def test_a_fill_from_before_a_session_that_its_strategy_joined_by_a_reload_is_loaded(
    account: Account,
) -> None:
    account.ticket = account.order("B", account.x)
    account.cancel(account.x)
    account.execute(NANO)
    account.now += timedelta(seconds=1)
    seat = account.start("Y", "C")
    assert account.reload(account.x, "A").done
    seat.poll(account.now)
    assert account.reload(seat, "BC").done
    seat.stop()
    seat = account.start("Y", "BC")
    assert seat.books.ledger["B"].positions[COIN].qty == D("0.9975")
    account.check_sessions()


def ordered_before_it_moved(account: Account) -> datetime:
    account.ticket = account.order("C", account.start("Y", "C", account.board))
    account.stop()
    ordered = account.now
    account.now += timedelta(minutes=3)
    account.start("X", "ABC")
    return ordered


def ordered_after_it_moved(account: Account) -> datetime:
    account.end(account.start("Y", "C"))
    account.x.stop()
    account.ticket = account.order("C", account.start("X", "ABC", account.board))
    return account.now


@pytest.mark.parametrize(
    ("ordered", "home"), [(ordered_before_it_moved, "Y"), (ordered_after_it_moved, "X")]
)
def test_a_late_fill_is_of_the_session_in_which_its_strategy_was_though_that_opened_first(
    account: Account, tmp_path: Path, ordered: Callable[[Account], datetime], home: str
) -> None:
    account.cancel(account.x)
    executed = ordered(account)
    account.stop()
    account.now += ONE_DAY
    seat = account.start("X", "ABC", tomorrow=True)
    account._truth.execute(account.ticket, account.ticket.left, 100 * NANO, executed)
    account.stream(seat)
    account.check_sessions()
    assert [
        source.session_id
        for source in session_sources(tmp_path)
        for row in source.rows()["fills"]
        if row["strategy"] == "C"
    ] == [session_id(home, ACCOUNT, TODAY)]


def test_an_order_that_a_human_replaced_before_its_strategy_was_started_elsewhere_is_its_own(
    account: Account,
) -> None:
    seat = account.start("Y", "C")
    account.end(account.x)
    account.replace()
    seat.stop()
    seat = account.start("Y", "AC")
    account.execute()
    account.stream(seat)
    account.check(seat)
    account.end(seat)
    account.check(account.start("Y", "C", tomorrow=True))
    account.check_sessions()


def test_an_order_that_a_human_replaced_is_adopted_in_the_session_that_its_strategy_was_in_last(
    account: Account,
) -> None:
    account.end(account.start("Y", "C"))
    account.end(account.x)
    account.replace()
    account.execute()
    account.now += ONE_DAY
    account.check(account.start("Y", "AC", tomorrow=True))
    account.check_sessions()


def test_an_absent_coordinator_remembers_what_another_adopted_since_its_own_last_session(
    account: Account,
) -> None:
    account.end(account.start("Y", "C"))
    old = account.ticket
    account.replace()
    for ticket in (old, account.ticket):
        account.x.take(told(ticket, account.now))
    account.execute()
    account.stream(account.x)
    account.end(account.x)
    account.now += 6 * ONE_DAY
    others = account.start("X", "AB", tomorrow=True)
    account.check(account.start("Y", "C", tomorrow=True), others)


def test_an_adopted_order_goes_on_in_a_session_without_its_strategy(account: Account) -> None:
    account.end(account.x)
    account.replace()
    account.end(account.start("Y", "AC"))
    account.now += ONE_DAY
    seat = account.start("Y", "C", tomorrow=True)
    account.execute()
    account.stream(seat)
    account.check(seat, account.start("X", "B", tomorrow=True))
    account.check_sessions()


def test_a_killed_coordinator_does_not_wait_for_an_order_that_went_to_another(
    account: Account,
) -> None:
    account.end(account.x)
    seat = account.start("Y", "AC")
    journal = Journal(account.path, ACCOUNT, "me")
    journal.append("", [r.Killed(account.now, "me")])
    journal.close()
    first = account.start("X", "B")
    assert [order.client_order_id for order in first.books.orders.open()] == [account.id]
    seat.poll(account.now)
    assert first.engine is not None
    assert seat.engine is not None
    assert first.engine.is_flat(account.now)
    assert not seat.engine.is_flat(account.now)


@pytest.mark.parametrize("restarts", [False, True])
def test_a_strategy_that_joins_the_first_one_does_not_take_the_moved_one_from_the_second(
    account: Account, restarts: bool, tmp_path: Path
) -> None:
    account.end(account.x)
    first = account.start("X", "B")
    seat = account.start("Y", "AC")
    first.poll(account.now)
    if restarts:
        first.stop()
        first = account.start("X", "BD")
    else:
        assert account.reload(first, "BD").done
    seat.poll(account.now)
    account.execute()
    account.stream(seat)
    seat.take(minute_bars(account.now, {COIN: 100 * NANO}, [COIN]))
    account.ask(first)
    account.check(seat, first)
    seat.stop()
    account.check(account.start("Y", "AC"))
    with OperatorsAccount.open(account.path) as seen:
        assert seen.owners == {"A": "Y", "B": "X", "C": "Y", "D": "X"}
    operator = Operator(tmp_path, {}, "me", print)
    assert find(operator, "A").coordinator == "Y"
    account.check_sessions()
    fills = {source.session_id: len(source.rows()["fills"]) for source in session_sources(tmp_path)}
    assert fills == {session_id(name, ACCOUNT, TODAY): 1 for name in "XY"}


def test_what_a_strategy_sells_in_a_session_that_opened_first_it_bought_in_the_one_that_it_left(
    account: Account, tmp_path: Path
) -> None:
    account.cancel(account.x)
    account.now += timedelta(minutes=5)
    y = account.start("Y", "C", account.board)
    account.ticket = account.order("C", y)
    account.execute()
    account.stream(y)
    account.end(y)
    account.x.stop()
    account.board.clear()
    x = account.start("X", "ABC", account.board)
    account.ticket = account.order("C", x, -1)
    account.execute()
    account.stream(x)
    sold = x.books.order(account.ticket.client_id).booked_qty
    account.end(x)
    with Store.open(":memory:") as store:
        for source in session_sources(tmp_path):
            load_session(store, source)
        (trip,) = store.rows("SELECT session_id, strategy, qty FROM v_round_trips", [])
    there = session_id("X", ACCOUNT, TODAY)
    assert trip == {"session_id": there, "strategy": "C", "qty": sold}


def days_of(strategy: str, folder: Path) -> dict[str, dict[str, Any]]:
    """Its rows of pnl_daily, by coordinator."""
    return {
        source.session_id.split(".")[1]: row
        for source in session_sources(folder)
        for row in source.rows()["pnl_daily"]
        if row["strategy"] == strategy
    }


@pytest.mark.parametrize("late", [False, True], ids=["", "and a fill from before is late"])
def test_what_a_strategy_gains_after_it_moved_counts_in_the_session_that_it_moved_to_alone(
    account: Account, tmp_path: Path, late: bool
) -> None:
    account.cancel(account.x)
    assert account.reload(account.x, "B").done
    account.execute(NANO)
    y = account.start("Y", "AC")
    for seat, price in ((account.x, 120), (y, 120)):
        account.now += timedelta(minutes=1)
        seat.take(minute_bars(account.now, {COIN: price * NANO}, [COIN]))
    if late:
        account.stream(y)
    gained = y.books.ledger.pnl("A")
    account.end(account.x)
    account.end(y)
    days = days_of("A", tmp_path)
    assert days["X"]["end_equity"] == days["Y"]["start_equity"]
    assert sum(day["net_pnl"] for day in days.values()) == gained
    account.check_sessions()


def test_a_split_that_is_listed_after_a_day_for_who_stayed_does_not_revalue_who_moved(
    account: Account, tmp_path: Path
) -> None:
    account.cancel(account.x)
    account.ticket = account.order("B", account.x)
    account.execute()
    account.stream(account.x)
    account.end(account.x)
    ended = {name: days_of(name, tmp_path)["X"] for name in "AB"}
    account.now += ONE_DAY
    y = account.start("Y", "AC", tomorrow=True)
    account.split()
    y.look(Depth.ACTIVITIES)
    y.take(y.answers.pop())
    account.end(y)
    for name, day in ended.items():
        assert days_of(name, tmp_path)["X"] == day
    assert days_of("A", tmp_path)["Y"]["net_pnl"] == 0
    account.check_sessions()


def by_a_reload(account: Account, y: Seat) -> Seat:
    assert account.reload(y, "AC").done
    return y


def by_a_restart(account: Account, y: Seat) -> Seat:
    y.stop()
    return account.start("Y", "AC")


def by_a_third_one(account: Account, y: Seat) -> Seat:
    return account.start("Z", "AD")


def on_the_next_day(account: Account, y: Seat) -> Seat:
    account.end(y)
    account.now += ONE_DAY
    return account.start("Y", "AC", tomorrow=True)


@pytest.mark.parametrize("left", [Account.end, lambda _, x: x.stop()], ids=["ended", "died"])
@pytest.mark.parametrize("taken", [by_a_reload, by_a_restart, by_a_third_one, on_the_next_day])
def test_what_a_strategy_gains_while_nobody_runs_it_counts_in_the_session_that_takes_it_over(
    account: Account,
    tmp_path: Path,
    left: Callable[[Account, Seat], None],
    taken: Callable[[Account, Seat], Seat],
) -> None:
    account.cancel(account.x)
    y = account.start("Y", "C", account.board)
    account.ticket = account.order("C", y)
    account.execute()
    account.stream(y)
    account.board.clear()
    left(account, account.x)
    for price in (110, 120, 140):  # the coin that A has as well; of A's session 100 is the last
        account.now += timedelta(minutes=1)
        y.take(minute_bars(account.now, {COIN: price * NANO}, [COIN]))
    seat = taken(account, y)
    account.now += timedelta(minutes=1)
    seat.take(minute_bars(account.now, {COIN: 130 * NANO}, [COIN]))
    gained = seat.books.ledger.pnl("A")
    account.end(seat)
    (first, second) = days_of("A", tmp_path).values()
    assert second["start_equity"] == first["end_equity"]
    assert second["return_pct"] == float(second["net_pnl"] / second["start_equity"])
    assert first["net_pnl"] + second["net_pnl"] == gained
    account.check_sessions()


def test_a_day_of_a_strategy_is_loaded_again_if_the_session_that_it_left_goes_on_after_all(
    account: Account, tmp_path: Path
) -> None:
    account.cancel(account.x)
    account.x.stop()
    y = account.start("Y", "AC")
    account.end(y)

    def mark() -> str:
        return next(s.mark for s in session_sources(tmp_path) if ".Y." in s.session_id)

    before = mark()
    account.start("X", "B")
    assert mark() != before


def test_a_session_shows_its_strategies_without_the_one_that_another_runs_by_now(
    account: Account,
) -> None:
    assert [view.name for view in strategy_views(account.x.books)] == ["A", "B"]
    account.end(account.x)
    first = account.start("X", "B")
    account.start("Y", "AC")
    first.poll(account.now)
    assert [view.name for view in strategy_views(first.books)] == ["B"]


def test_a_strategy_comes_back_in_the_next_session_and_not_in_the_one_that_it_left(
    account: Account,
) -> None:
    account.end(account.x)
    first = account.start("X", "B")
    account.end(account.start("Y", "AC"))
    first.poll(account.now)
    refused = account.reload(first, "AB")
    assert not refused.done
    assert "A has been run by another coordinator since this session opened" in refused.said
    account.end(first)
    with pytest.raises(SafetyRefusal, match="A has been run by another coordinator"):
        account.start("X", "AB")
    account.now += ONE_DAY
    account.execute()
    back = account.start("X", "AB", tomorrow=True)
    back.take(minute_bars(account.now, {COIN: 100 * NANO}, [COIN]))
    account.check(back)
    account.check_sessions()


def test_a_session_loads_whole_though_the_one_that_ran_its_strategy_meanwhile_is_not_loaded(
    account: Account, tmp_path: Path
) -> None:
    account.end(account.x)
    meanwhile = account.start("Y", "AC")
    account.execute(20 * NANO)
    account.stream(meanwhile)
    account.end(meanwhile)
    account.now += ONE_DAY
    account.execute()
    account.start("X", "AB", tomorrow=True)
    account.stop()
    with Store.open(":memory:") as store:
        ours = [one for one in session_sources(tmp_path) if ".X." in one.session_id]
        assert [load_session(store, one).status for one in ours] == ["loaded", "loaded"]
    account.check_sessions()
