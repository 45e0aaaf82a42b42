"""What the broker lists late, early or otherwise than it told is booked once, to whose it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from coordinator.core import messages as m
from coordinator.core.discrepancies import DiscrepancyFound
from coordinator.core.opening import session_id
from coordinator.core.orders import OrderStatus
from coordinator.core.reconcile import LOOKS, ROUNDING_LOOKS
from coordinator.core.session import Hours, SessionPlan
from coordinator.core.values import MINUTE, UNASSIGNED, Side
from coordinator.errors import BrokerError, BrokerRejected
from coordinator.shell.account import AccountView
from coordinator.shell.agreement import Settling, agree_at_the_end
from coordinator.shell.fields import Malformed
from coordinator.shell.watchdog import Depth
from coordinator.shell.wire import Fill
from tests.coordinator.bench import OPEN, STOCKS, D
from tests.proof.machines import CRYPTO
from tests.proof.seat import ACCOUNT, Board, Rest, Seat, minute_bars, spec
from tests.proof.truth import NANO, Deal, Ticket, Truth, told, told_bust

PRICE = 100 * NANO


@dataclass
class Lists(Rest):
    """REST of a broker whose lists lag: of executions by `lag_s`, of orders while `hides_orders`.

    `relisted` are other times and places in their order of executions, by number. Each question
    takes 10 ms; at the one of number `acts_at` a human buys 3 SPY.
    """

    play: Play
    lag_s: float = 0.0
    hides_orders: bool = False
    relisted: dict[int, tuple[datetime, Decimal]] = field(default_factory=dict)
    acts_at: int = 0
    asked: int = 0

    def __post_init__(self) -> None:
        super().__init__(self.play.truth, lambda: self.play.now, cents=False)

    def fills(self, since: datetime) -> list[Fill]:
        listed = [self._listed(fill) for fill in super().fills(OPEN - timedelta(days=9))]
        shown = self._now() - timedelta(seconds=self.lag_s)
        found = [fill for fill in listed if since <= fill.execution.at <= shown]
        self._asked()
        return found

    def account(self) -> AccountView:
        found = super().account()
        self._asked()
        return found

    def order_at(self, broker_order_id: str) -> m.OrderUpdate | None:
        return None if self.hides_orders else super().order_at(broker_order_id)

    def _listed(self, fill: Fill) -> Fill:
        number = int(fill.execution.execution_id.rpartition("-")[2])
        at, cum_qty = self.relisted.get(number, (fill.execution.at, fill.execution.cum_qty))
        return replace(fill, execution=replace(fill.execution, at=at, cum_qty=cum_qty))

    def _asked(self) -> None:
        self.asked += 1
        self.play.later(0.01)
        if self.asked == self.acts_at:
            self.play.by_hand(3)


class Play:
    """An account of 100,000 dollars and 10 SPY, the coordinator X of A, and perhaps another, Y."""

    def __init__(self, folder: Path) -> None:
        self.now = OPEN + timedelta(seconds=1)
        self.truth = Truth(100_000 * NANO * NANO)
        self.truth.held["SPY"] = 10 * NANO
        self.rest, self.board = Lists(self), Board()
        self._path = folder / "journal.db"
        specs = [spec("A", ("SPY",), self.board, "20000")]
        self.x = Seat("X", specs, self._path, self.rest, STOCKS, crossing=False)
        specs = [spec("C", ("BTC/USD",), self.board, "20000")]
        self.y = Seat("Y", specs, self._path, self.rest, CRYPTO, crossing=False)

    def later(self, seconds: float) -> datetime:
        """Time passes."""
        self.now += timedelta(seconds=seconds)
        return self.now

    def start(self, seat: Seat) -> None:
        """A coordinator comes up."""
        assert seat.start(self.now, lambda s: void(self.later(s))), seat.refused

    def next_session(self) -> None:
        """X's session of today's date begins."""
        day = self.now.date()
        hours = Hours(day, self.now, self.now + timedelta(hours=6))
        self.x.plan = SessionPlan(day, hours, None, hours.close)
        self.x.session = session_id("X", ACCOUNT, self.x.plan)
        self.start(self.x)

    def ordered(self) -> Ticket:
        """A's purchase of 180 SPY, which the broker has; its answer is under way."""
        self.board["A", "SPY"] = 1
        self.later(60)
        self.x.take(minute_bars(OPEN, {"SPY": PRICE}, ["SPY"]))
        (order,) = (c for c in self.x.wire if isinstance(c, m.SubmitOrder))
        assert (order.side, order.qty) == (Side.BUY, D(180))
        return self.truth.accept(order.client_order_id, "A", "SPY", 1, 180 * NANO, self.now)

    def lost(self) -> Ticket:
        """A's purchase of 180 SPY, which never reaches the broker."""
        return self.truth.tickets.pop(self.ordered().client_id)

    def executed(self, ticket: Ticket, qty: int, *seats: Seat) -> Deal:
        """So many are executed, and the stream says so to these."""
        deal = self.truth.execute(ticket, qty * NANO, PRICE, self.later(0.01))
        for seat in seats:
            seat.take(told(ticket, self.now, deal.told("stream")))
        return deal

    def by_hand(self, qty: int) -> None:
        """A human buys, or sells if negative, and no stream tells."""
        name, side, units = f"app-{len(self.truth.tickets)}", 1 if qty > 0 else -1, abs(qty)
        ticket = self.truth.accept(name, UNASSIGNED, "SPY", side, units * NANO, self.now)
        self.executed(ticket, units)

    def look(self, times: int = 1, every_s: float = 5.0, seat: Seat | None = None) -> None:
        """X, or another, looks at the account, so many times."""
        one = seat or self.x
        for _ in range(times):
            self.later(every_s)
            one.look(Depth.ACTIVITIES)
            while one.answers:
                one.take(one.answers.pop(0))

    def agreed_at_the_end(self) -> list[DiscrepancyFound]:
        """X's session is over; the differences that its last comparison leaves."""
        engine, journal = self.x.engine, self.x._journal
        assert engine is not None
        assert journal is not None
        settling = Settling(self.x.books, journal, self.rest, lambda s: void(self.later(s)))  # type: ignore[arg-type]
        return agree_at_the_end(settling, engine, self.x.session)[1]

    def held(self) -> dict[str, Decimal]:
        """Who holds how much SPY by X's books, which must be the account."""
        ledger = self.x.books.ledger
        assert ledger.net_cash() == D(self.truth.cash).scaleb(-18)
        assert ledger.held("SPY") == D(self.truth.held["SPY"]).scaleb(-9)
        assert not self.x.books.frozen
        books = ledger.accounts.items()
        return {n: book.positions["SPY"].qty for n, book in books if "SPY" in book.positions}


def void(_: object) -> None:
    """Nothing is answered."""


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    made = Play(tmp_path)
    yield made
    made.x.stop()
    made.y.stop()


@pytest.mark.parametrize("lag_s", [0.0, 2.0])
@pytest.mark.parametrize("acts_at", range(1, 8))
def test_what_a_human_trades_while_an_account_is_first_seen_counts_once(
    play: Play, acts_at: int, lag_s: float
) -> None:
    play.rest.acts_at, play.rest.lag_s = acts_at, lag_s
    play.start(play.x)
    play.look(6)
    assert play.held() == {UNASSIGNED: D(13)}


@pytest.mark.parametrize("lag_s", [0.0, 2.0, 30.0, 300.0])
def test_an_execution_that_is_listed_after_an_account_was_first_seen_was_in_what_it_held(
    play: Play, lag_s: float
) -> None:
    play.by_hand(3)
    play.rest.lag_s = lag_s
    play.later(0.5)
    play.start(play.x)
    play.look(20, 20.0)
    assert play.held() == {UNASSIGNED: D(13)}


def test_our_execution_that_is_listed_before_its_order_can_be_asked_for_is_nobody_elses(
    play: Play,
) -> None:
    play.start(play.x)
    ticket = play.ordered()
    play.rest.hides_orders = True
    play.executed(ticket, 180)
    play.look(every_s=0.5)
    play.rest.hides_orders = False
    play.look(3)
    assert play.held() == {"A": D(180), UNASSIGNED: D(10)}


def test_what_is_executed_after_days_and_just_before_a_new_session_counts_once(play: Play) -> None:
    play.start(play.x)
    ticket = play.ordered()
    play.x.take(told(ticket, play.now))
    play.later(6 * 24 * 3600)
    play.executed(ticket, 180, play.x)
    play.x.stop()
    play.later(20)
    play.next_session()
    play.look(4)
    assert play.held() == {"A": D(180), UNASSIGNED: D(10)}


def test_a_fee_that_is_posted_days_after_its_date_is_booked_on_its_date(play: Play) -> None:
    play.start(play.x)
    was = play.now.date() - timedelta(days=4)
    play.truth.post("FEE", was, cash=-12 * NANO * NANO // 100)
    play.look(3)
    assert play.held() == {UNASSIGNED: D(10)}
    assert play.x.books.ledger[UNASSIGNED].fees == D("0.12")


def test_shares_of_another_name_are_nobodys_and_those_of_the_old_one_are_not_sold(
    play: Play,
) -> None:
    play.start(play.x)
    play.executed(play.ordered(), 180, play.x)
    play.truth.post("NC", play.now.date(), "SPY", units=-190 * NANO)
    play.truth.post("NC", play.now.date(), "QQQ", units=190 * NANO)
    play.look(4)
    assert play.held() == {"A": D(180), UNASSIGNED: D(-180)}
    assert play.x.books.ledger[UNASSIGNED].positions["QQQ"].qty == D(190)
    play.x.wire.clear()
    play.board["A", "SPY"] = -1
    play.x.take(minute_bars(OPEN + timedelta(minutes=5), {"SPY": PRICE}, ["SPY"]))
    assert play.x.wire == []


def test_our_execution_is_nobody_elses_however_long_its_order_is_not_shown(play: Play) -> None:
    play.start(play.x)
    ticket = play.ordered()
    play.x.take(m.SubmitUnclear(ticket.client_id, play.now, "no answer"))
    play.rest.hides_orders = True
    play.executed(ticket, 180)
    play.look(60)
    assert "A" not in {n for n, a in play.x.books.ledger.accounts.items() if a.positions}
    for word in play.rest.evidence(ticket):
        play.x.take(word)
    assert play.held() == {"A": D(180), UNASSIGNED: D(10)}
    assert not play.x.books.orders.open()


def test_an_execution_of_a_human_waits_no_longer_than_our_order_that_is_not_shown_either(
    play: Play,
) -> None:
    play.start(play.x)
    never_came = play.lost()
    play.x.take(m.SubmitUnclear(never_came.client_id, play.now, "no answer"))
    play.rest.hides_orders = True
    play.by_hand(3)
    play.look(60)
    play.x.take(m.OrderAbsent(never_came.client_id, play.now))
    play.look(6)
    assert play.held() == {UNASSIGNED: D(13)}


@pytest.mark.parametrize(
    "answer", [Malformed("an order without its side"), BrokerRejected(422, None, "no order id")]
)
def test_an_execution_whose_order_cannot_be_had_freezes_its_ticker_and_hides_no_other(
    play: Play, monkeypatch: pytest.MonkeyPatch, answer: BrokerError
) -> None:
    play.start(play.x)
    play.by_hand(3)
    odd = next(iter(play.truth.tickets.values()))
    ask = play.rest.order_at

    def asked(broker_order_id: str) -> m.OrderUpdate | None:
        if broker_order_id == odd.broker_id:
            raise answer
        return ask(broker_order_id)

    monkeypatch.setattr(play.rest, "order_at", asked)
    play.by_hand(4)
    play.look(6)
    assert set(play.x.books.frozen) == {"position.SPY", "cash"}
    assert play.x.books.ledger[UNASSIGNED].positions["SPY"].qty == D(14)


@pytest.mark.parametrize("missed", [3, -3], ids=["a purchase", "another sale"])
def test_a_sale_that_the_stream_reported_is_not_booked_again_where_the_books_miss(
    play: Play, monkeypatch: pytest.MonkeyPatch, missed: int
) -> None:
    play.start(play.x)
    play.by_hand(missed)
    odd = next(iter(play.truth.tickets.values()))

    def asked(broker_order_id: str) -> m.OrderUpdate | None:
        if broker_order_id == odd.broker_id:
            raise Malformed("an order without its side")
        return None

    monkeypatch.setattr(play.rest, "order_at", asked)
    play.look(4)
    assert play.x.books.frozen["position.SPY"].off == D(missed)
    sale = play.truth.accept("app-sale", UNASSIGNED, "SPY", -1, 4 * NANO, play.now)
    play.executed(sale, 4, play.x)
    play.look(6)
    assert play.x.books.ledger[UNASSIGNED].positions["SPY"].qty == D(6)


def test_our_sale_that_is_not_shown_is_nobody_elses_where_the_books_miss_a_sale_already(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    play.start(play.x)
    play.executed(play.ordered(), 180, play.x)
    odd = play.truth.accept("app-sale", UNASSIGNED, "SPY", -1, 4 * NANO, play.now)
    play.executed(odd, 4)
    ask = play.rest.order_at

    def asked(broker_order_id: str) -> m.OrderUpdate | None:
        if broker_order_id == odd.broker_id:
            raise Malformed("an order without its side")
        return None

    with monkeypatch.context() as patched:
        patched.setattr(play.rest, "order_at", asked)
        play.look(6)
        assert play.x.books.frozen["position.SPY"].off == D(-4)
        play.x.wire.clear()
        play.board["A", "SPY"] = -1
        play.x.take(minute_bars(OPEN + MINUTE, {"SPY": PRICE}, ["SPY"]))
        (sale,) = (c for c in play.x.wire if isinstance(c, m.SubmitOrder))
        play.x.take(m.SubmitUnclear(sale.client_order_id, play.now, "no answer"))
        ticket = play.truth.accept(sale.client_order_id, "A", "SPY", -1, 180 * NANO, play.now)
        play.executed(ticket, 180)
        play.look(6)
    assert play.rest.order_at == ask
    for word in play.rest.evidence(ticket):
        play.x.take(word)
    play.look(6)
    assert play.held() == {UNASSIGNED: D(6)}


def test_an_execution_whose_order_the_broker_never_shows_is_unassigned(play: Play) -> None:
    play.start(play.x)
    play.rest.hides_orders = True
    play.by_hand(3)
    play.look(5)
    assert play.held() == {UNASSIGNED: D(13)}


@pytest.mark.parametrize("told_first", [True, False])
def test_what_a_human_traded_counts_once_however_long_his_order_is_not_shown(
    play: Play, told_first: bool
) -> None:
    play.start(play.x)
    play.rest.hides_orders = True
    ticket = play.truth.accept("app-1", UNASSIGNED, "SPY", 1, 3 * NANO, play.now)
    deal = play.executed(ticket, 3, *([play.x] if told_first else []))
    play.look(20)
    play.x.take(told(ticket, play.now, deal.told("stream")))
    play.rest.hides_orders = False
    play.look(4)
    assert play.held() == {UNASSIGNED: D(13)}


@pytest.mark.parametrize("minutes", [1, 3, 30])
def test_a_humans_execution_that_is_listed_minutes_late_is_found_by_a_session_that_runs(
    play: Play, minutes: int
) -> None:
    play.start(play.x)
    play.rest.lag_s = minutes * 60
    play.by_hand(3)
    play.look(minutes * 6, 10.0)
    play.look(3, 10.0)
    assert play.held() == {UNASSIGNED: D(13)}


def test_what_a_human_traded_while_rest_was_away_is_found_at_the_end_of_the_session(
    play: Play,
) -> None:
    play.start(play.x)
    play.by_hand(3)
    play.later(600)
    play.x.take(minute_bars(play.now - timedelta(seconds=61), {"SPY": PRICE}, ["SPY"]))
    assert play.agreed_at_the_end() == []
    play.look()  # which sees that what was found is explained
    assert play.held() == {UNASSIGNED: D(13)}


def test_an_exit_that_the_end_of_a_session_makes_possible_is_not_left_as_if_it_were_sent(
    play: Play,
) -> None:
    play.start(play.x)
    ticket = play.ordered()
    play.executed(ticket, 100, play.x)
    play.board["A", "SPY"] = -1
    play.later(60)
    play.x.take(minute_bars(OPEN + MINUTE, {"SPY": PRICE}, ["SPY"]))
    play.executed(ticket, 80)  # before the cancellation came, and nobody heard of it
    assert play.agreed_at_the_end() == []
    assert not play.x.books.orders.open()
    assert play.held() == {"A": D(180), UNASSIGNED: D(10)}


@pytest.mark.parametrize("dated_s", [0.0, 7.0, 900.0])
def test_a_second_correction_that_nobody_was_told_of_is_no_further_execution(
    play: Play, dated_s: float
) -> None:
    play.start(play.x)
    first = play.executed(play.ordered(), 180, play.x)
    second = play.truth.correct(first, 99 * NANO, first.at)
    word = told_bust(first, 1, play.later(300), second)
    assert word.bust is not None
    named = replace(word.bust, execution_id=f"bust.stream-{second.number}")  # as on the wire
    play.x.take(replace(word, bust=named))
    play.look(3)
    third = play.truth.correct(second, 98 * NANO, first.at)
    play.later(300)
    play.rest.relisted[third.number] = play.now + timedelta(seconds=dated_s), D(180)
    play.look(10, 100.0)
    assert play.held() == {"A": D(180), UNASSIGNED: D(10)}
    assert play.x.books.ledger["A"].cash == D(20_000) - 180 * D(98)


@pytest.mark.parametrize("gone_at", [0, 1], ids=["of the first", "of the last"])
def test_a_correction_that_nobody_was_told_of_is_no_further_execution_after_a_bust(
    play: Play, gone_at: int
) -> None:
    play.start(play.x)
    ticket = play.ordered()
    parts = [(30, 150), (150, 30)][gone_at]
    deals = [play.executed(ticket, qty, play.x) for qty in parts]
    gone, kept = deals[gone_at], deals[1 - gone_at]
    play.truth.bust(gone)
    play.x.take(told_bust(gone, 1, play.later(60)))
    right = play.truth.correct(kept, 99 * NANO, kept.at)
    play.rest.relisted[right.number] = play.later(60), D(kept.cum).scaleb(-9)
    play.look(10, 100.0)
    assert play.held() == {"A": D(150), UNASSIGNED: D(10)}
    assert play.x.books.ledger["A"].cash == D(20_000) - 150 * D(99)


@pytest.mark.parametrize("overnight", [False, True], ids=["while it trades", "at its next start"])
@pytest.mark.parametrize("instead", [None, 99], ids=["taken back", "corrected"])
def test_an_execution_that_was_amended_while_nobody_heard_of_it_is_its_strategys(
    play: Play, instead: int | None, *, overnight: bool
) -> None:
    play.start(play.x)
    ticket = play.ordered()
    play.executed(ticket, 80, play.x)
    wrong = play.executed(ticket, 100, play.x)
    play.look()
    if overnight:
        play.x.stop()
    play.later(300)
    if instead is None:
        play.truth.bust(wrong)
    else:
        play.truth.correct(wrong, instead * NANO, play.now)
    if overnight:
        play.later(timedelta(days=1).total_seconds())
        play.next_session()
    play.look(10, 100.0)
    left = D(100) if instead else D(0)
    assert play.held() == {"A": 80 + left, UNASSIGNED: D(10)}
    assert play.x.books.ledger["A"].cash == D(20_000) - 80 * D(100) - left * 99


@pytest.mark.parametrize("overnight", [False, True], ids=["while it trades", "at its next start"])
def test_executions_that_were_taken_back_unheard_are_no_fees_in_coin(
    play: Play, *, overnight: bool
) -> None:
    """They are less than the fees of the whole purchase."""
    play.start(play.y)
    play.board["C", "BTC/USD"] = 1
    play.later(60)
    play.y.take(minute_bars(OPEN, {"BTC/USD": PRICE}, ["BTC/USD"]))
    (order,) = (c for c in play.y.wire if isinstance(c, m.SubmitOrder))
    units = int(order.qty.scaleb(9))
    ticket = play.truth.accept(order.client_order_id, "C", "BTC/USD", 1, units, play.now)
    for qty in (units - NANO * 2 // 5, NANO // 5, NANO // 5):
        deal = play.truth.execute(ticket, qty, PRICE, play.later(0.01))
        play.y.take(told(ticket, play.now, deal.told("stream")))
    play.look(seat=play.y)
    if overnight:
        play.y.stop()
    play.later(300)
    for deal in ticket.deals[1:]:
        play.truth.bust(deal)
    if overnight:
        play.start(play.y)
    play.look(ROUNDING_LOOKS, 100.0, seat=play.y)
    ledger = play.y.books.ledger
    assert (ledger.held("BTC/USD"), ledger.net_cash()) == (
        D(play.truth.held["BTC/USD"]).scaleb(-9),
        D(play.truth.cash).scaleb(-18),
    )
    standing = order.qty - D("0.4")
    assert ledger["C"].cash == D(20_000) - standing * 100
    assert not play.y.books.frozen


def test_an_execution_that_rest_no_longer_lists_is_taken_back_once_though_the_stream_tells_later(
    play: Play,
) -> None:
    play.start(play.x)
    ticket = play.ordered()
    gone = play.executed(ticket, 90)
    play.executed(ticket, 90)  # as large and as dear, and neither was heard of
    play.look(3)
    play.later(300)
    play.truth.bust(gone)
    play.look(10, 100.0)
    assert play.held() == {"A": D(90), UNASSIGNED: D(10)}
    play.x.take(told_bust(gone, 1, play.later(60)))
    play.look(3)
    assert play.held() == {"A": D(90), UNASSIGNED: D(10)}


def test_a_late_word_of_what_rest_no_longer_lists_takes_nothing_else_back(play: Play) -> None:
    play.start(play.x)
    ticket = play.ordered()
    gone = play.executed(ticket, 90, play.x)
    play.executed(ticket, 90, play.x)  # as large and as dear
    play.look()
    play.later(300)
    play.truth.bust(gone)
    play.look(10, 100.0)
    play.x.take(told_bust(gone, 1, play.later(60)))
    play.look(3)
    assert play.held() == {"A": D(90), UNASSIGNED: D(10)}


@pytest.mark.parametrize("answer", [Malformed("without its side"), BrokerRejected(422, None, "no")])
def test_an_order_that_cannot_be_had_keeps_its_executions_and_hides_nothing_else(
    play: Play, monkeypatch: pytest.MonkeyPatch, answer: BrokerError
) -> None:
    play.start(play.x)
    gone = play.executed(play.ordered(), 180, play.x)
    play.look()
    play.later(300)
    play.truth.bust(gone)

    def refused(*_: object) -> None:
        raise answer

    with monkeypatch.context() as patched:
        patched.setattr(play.rest, "order", refused)
        patched.setattr(play.rest, "order_at", refused)
        play.look(5, 100.0)
        play.truth.post("DIV", play.now.date(), "SPY", cash=19 * NANO * NANO)
        play.look(5, 100.0)
    books = play.x.books
    assert (books.ledger["A"].cash, books.ledger["A"].positions["SPY"].qty) == (D(2018), D(180))
    assert set(books.frozen) == {"cash", "position.SPY"}
    play.look(5, 100.0)
    assert play.held() == {UNASSIGNED: D(10)}


def test_many_orders_in_doubt_cost_few_requests(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    play.start(play.x)
    for minute in range(8):
        play.board["A", "SPY"] = -1 if minute % 2 else 1
        play.x.wire.clear()
        play.later(60)
        play.x.take(minute_bars(OPEN + minute * MINUTE, {"SPY": PRICE}, ["SPY"]))
        (order,) = (c for c in play.x.wire if isinstance(c, m.SubmitOrder))
        sign, name = order.side.sign, order.client_order_id
        ticket = play.truth.accept(name, "A", "SPY", sign, 180 * NANO, play.now)
        deal = play.executed(ticket, 180, play.x)
    play.look()
    play.later(300)
    play.truth.bust(deal)
    play.rest.lag_s = 9999.0
    requests: list[str] = []

    def noting(question: str, ask: Callable[..., object]) -> Callable[..., object]:
        def noted(*args: object) -> object:
            requests.append(question)
            return ask(*args)

        return noted

    for question in ("order", "order_at", "orders_after", "executions", "fills"):
        monkeypatch.setattr(play.rest, question, noting(question, getattr(play.rest, question)))
    play.look(5, 100.0)
    assert requests.count("orders_after") > 0
    assert not {"order", "order_at", "executions"} & set(requests)


def _drift(play: Play) -> None:
    play.truth.cash -= NANO * NANO


@pytest.mark.parametrize("lists", ["nothing yet", "less than is filled"])
def test_what_rest_does_not_list_is_not_taken_back_while_the_broker_counts_it(
    play: Play, lists: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    play.start(play.x)
    ticket = play.ordered()
    play.executed(ticket, 80, play.x)
    play.executed(ticket, 100, play.x)
    play.look()
    play.later(300)
    _drift(play)
    if lists == "nothing yet":
        play.rest.lag_s = 9999.0
    else:
        monkeypatch.setattr(play.rest, "fills", lambda _: [])
        monkeypatch.setattr(play.rest, "executions", lambda *_: [])
    play.look(10, 100.0)
    assert play.x.books.ledger["A"].positions["SPY"].qty == D(180)
    assert list(play.x.books.frozen) == ["cash"], "nobody knows what it is"


def test_what_rest_lists_at_a_rounded_price_is_not_corrected(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    play.start(play.x)
    ticket = play.ordered()
    play.truth.execute(ticket, 180 * NANO, PRICE + 123_456_789, play.later(0.01))
    play.x.take(told(ticket, play.now, ticket.deals[0].told("stream")))
    play.look()
    ask, ask_all = play.rest.executions, play.rest.fills

    def rounded(one: m.Execution) -> m.Execution:
        return replace(one, price=one.price.quantize(D("0.0001")))

    monkeypatch.setattr(play.rest, "executions", lambda *a: [rounded(one) for one in ask(*a)])
    monkeypatch.setattr(
        play.rest,
        "fills",
        lambda *a: [replace(fill, execution=rounded(fill.execution)) for fill in ask_all(*a)],
    )
    play.later(300)
    _drift(play)
    play.look(10, 100.0)
    assert play.x.books.ledger["A"].cash == D(20_000) - 180 * D("100.123456789")
    assert list(play.x.books.frozen) == ["cash"], "nobody knows what it is"


def test_of_two_executions_less_than_a_cent_apart_the_one_that_was_corrected_is(play: Play) -> None:
    play.start(play.x)
    ticket = play.ordered()
    for dearer in (2_100_000, 0):
        deal = play.truth.execute(ticket, 4 * NANO, PRICE + dearer, play.later(0.01))
        play.x.take(told(ticket, play.now, deal.told("stream")))
    play.executed(ticket, 172, play.x)
    play.look()
    play.later(300)
    play.truth.correct(ticket.deals[0], PRICE - 7_900_000, play.now)
    play.look(10, 100.0)
    assert play.held() == {"A": D(180), UNASSIGNED: D(10)}
    assert play.x.books.ledger["A"].cash == D(2000) + 4 * D("0.0079")


@pytest.mark.parametrize("heard", [False, True], ids=["taken back unheard", "corrected since"])
def test_a_split_is_of_those_who_held_when_it_was_listed_by_what_stands_of_their_executions(
    play: Play, *, heard: bool
) -> None:
    play.start(play.x)
    ticket = play.ordered()
    play.executed(ticket, 80, play.x)
    wrong = play.executed(ticket, 100, play.x)
    play.look()
    play.later(300)
    if not heard:
        play.truth.bust(wrong)
        play.look(LOOKS)
        assert play.x.books.frozen
    play.later(60)
    split = play.truth.post("SPLIT", play.now.date(), "SPY", units=play.truth.held["SPY"])
    play.truth.activities[-1] = replace(split, at=play.now)
    play.later(60)
    if heard:
        instead = play.truth.correct(wrong, 99 * NANO, wrong.at)
        play.x.take(told_bust(wrong, 1, play.now, instead))
    play.look(10, 100.0)
    assert play.held() == {"A": D(360 if heard else 160), UNASSIGNED: D(20)}


def test_a_correction_that_rest_places_where_it_stood_before_a_bust_is_booked_once(
    play: Play,
) -> None:
    play.start(play.x)
    ticket = play.ordered()
    gone, kept = play.executed(ticket, 30, play.x), play.executed(ticket, 20, play.x)
    play.truth.bust(gone)
    play.x.take(told_bust(gone, 1, play.later(60)))
    right = play.truth.correct(kept, 99 * NANO, play.later(60))
    right.cum = right.qty
    play.x.take(told_bust(kept, 2, play.now, right))
    play.rest.relisted[right.number] = play.now, D(50)
    play.look(3)
    assert play.held() == {"A": D(20), UNASSIGNED: D(10)}


def test_what_brings_an_order_again_to_where_it_was_before_a_bust_is_booked(play: Play) -> None:
    play.start(play.x)
    ticket = play.ordered()
    play.executed(ticket, 10, play.x)
    gone = play.executed(ticket, 20, play.x)
    play.truth.bust(gone)
    play.x.take(told_bust(gone, 1, play.later(60)))
    play.executed(ticket, 20)
    play.executed(ticket, 40, play.x)  # which the stream tells of before REST of the other
    play.look(3)
    assert play.held() == {"A": D(70), UNASSIGNED: D(10)}


def test_what_is_filled_anew_after_a_correction_took_some_away_is_booked(play: Play) -> None:
    play.start(play.x)
    ticket = play.ordered()
    wrong = play.executed(ticket, 90, play.x)
    right = play.truth.correct(wrong, 99 * NANO, wrong.at)
    play.truth.resize(right, 50 * NANO)
    play.x.take(told_bust(wrong, 1, play.later(300), right))
    play.later(300)
    play.executed(ticket, 40)  # which comes to ninety again
    play.look(3)
    assert play.held() == {"A": D(90), UNASSIGNED: D(10)}


def test_a_start_that_finds_a_late_fill_of_a_withdrawn_purchase_leaves_its_sale_to_the_next_bar(
    play: Play,
) -> None:
    play.start(play.x)
    ticket = play.ordered()
    play.x.take(told(ticket, play.now))
    play.board["A", "SPY"] = -1
    play.x.take(minute_bars(OPEN + MINUTE, {"SPY": PRICE}, ["SPY"]))
    assert isinstance(play.x.wire[-1], m.CancelOrder)
    ticket.status = OrderStatus.CANCELED
    play.x.take(told(ticket, play.later(1)))
    play.x.stop()
    play.executed(ticket, 5)
    play.start(play.x)
    assert play.held() == {"A": D(5), UNASSIGNED: D(10)}
    assert not play.x.books.orders.open()
    play.x.take(minute_bars(OPEN + 2 * MINUTE, {"SPY": PRICE}, ["SPY"]))
    (sale,) = play.x.books.orders.open()
    assert (sale.client_order_id, sale.qty) == ("A.2026-03-17.2", D(5))


@pytest.mark.parametrize("days", [1, 3, 4], ids=["overnight", "weekend", "weekend and holiday"])
def test_a_correction_of_the_session_before_is_booked_to_whose_it_is(play: Play, days: int) -> None:
    play.start(play.x)
    wrong = play.executed(play.ordered(), 180, play.x)
    play.look()
    play.x.stop()
    play.later(timedelta(days=days).total_seconds())
    play.next_session()
    right = play.truth.correct(wrong, 99 * NANO, wrong.at)
    play.x.take(told_bust(wrong, 1, play.later(60), right))
    play.look(3)
    assert play.held() == {"A": D(180), UNASSIGNED: D(10)}
    assert play.x.books.ledger["A"].cash == D(20_000) - 180 * D(99)


@pytest.mark.parametrize("rest_first", [False, True], ids=["stream first", "REST first"])
@pytest.mark.parametrize("qty", [90, 50])
@pytest.mark.parametrize("which", [0, 1], ids=["first part", "last part"])
@pytest.mark.parametrize("dated_s", [None, 0.0, 0.4, 7.0])
def test_a_correction_is_booked_once_whenever_and_wherever_in_its_order_it_is_listed(
    play: Play, which: int, qty: int, dated_s: float | None, rest_first: bool
) -> None:
    """REST dates it as what it corrects (None), or so long after the stream's word."""
    play.start(play.x)
    ticket = play.ordered()
    parts = [play.executed(ticket, 90, play.x), play.executed(ticket, 90, play.x)]
    play.look()
    wrong = parts[which]
    play.later(400)
    right = play.truth.correct(wrong, 99 * NANO, wrong.at)
    play.truth.resize(right, qty * NANO)
    place = D(qty) + (90 if which else 0)
    dated = wrong.at if dated_s is None else play.now + timedelta(seconds=dated_s)
    play.rest.relisted[right.number] = dated, place
    word = told_bust(wrong, 1, play.now, right)
    assert word.execution is not None
    word = replace(word, execution=replace(word.execution, at=play.now, cum_qty=word.filled_qty))
    if rest_first:
        play.look(every_s=8.0)
    play.x.take(word)
    play.look(4)
    assert play.held() == {"A": D(90 + qty), UNASSIGNED: D(10)}


@pytest.mark.parametrize("listed", [False, True], ids=["by the stream", "by REST"])
def test_an_execution_as_large_and_as_dear_as_the_correction_before_it_is_another_one(
    play: Play, listed: bool
) -> None:
    play.start(play.x)
    ticket = play.ordered()
    wrong = play.executed(ticket, 90, play.x)
    right = play.truth.correct(wrong, 99 * NANO, wrong.at)
    play.x.take(told_bust(wrong, 1, play.later(1), right))
    rest = play.truth.execute(ticket, 90 * NANO, 99 * NANO, play.later(5))
    if not listed:
        play.x.take(told(ticket, play.now, rest.told("stream")))
    play.look(4)
    assert play.held() == {"A": D(180), UNASSIGNED: D(10)}


def test_an_order_that_a_human_replaced_is_its_strategys_whoever_hears_of_it_first(
    play: Play,
) -> None:
    play.start(play.x)
    play.start(play.y)
    ticket = play.ordered()
    play.x.take(told(ticket, play.now))
    changed = play.truth.replace(ticket, 60 * NANO, play.later(1))
    play.executed(changed, 20, play.y)
    play.x.take(told(ticket, play.now))
    play.x.take(told(changed, play.now))
    play.executed(changed, 20, play.y, play.x)
    again = play.truth.replace(changed, 30 * NANO, play.later(1))
    play.executed(again, 10, play.y)
    play.x.take(told(changed, play.now))
    play.x.take(told(again, play.now))
    play.look(3)
    play.y.poll(play.now)
    assert play.held() == {"A": D(50), UNASSIGNED: D(10)}
    assert play.y.books.ledger["A"].positions["SPY"].qty == D(50)


def test_an_order_that_a_human_replaced_at_once_is_its_strategys_though_a_neighbour_sees_it_first(
    play: Play,
) -> None:
    play.start(play.x)
    play.start(play.y)
    ticket = play.ordered()
    play.x.take(told(ticket, play.now))
    play.executed(play.truth.replace(ticket, 60 * NANO, play.later(1)), 20)
    play.look(seat=play.y)
    play.look(2)
    assert play.held() == {"A": D(20), UNASSIGNED: D(10)}


def a_humans_replaced(play: Play, sign: int) -> Ticket:
    """A human's order for 3 SPY that a human's other has replaced."""
    first = play.truth.accept("app-1", UNASSIGNED, "SPY", sign, 3 * NANO, play.later(1))
    return play.truth.replace(first, 3 * NANO, play.later(1))


def test_a_replacement_of_a_humans_own_order_is_nobodys_though_an_order_of_ours_never_left(
    play: Play,
) -> None:
    play.start(play.x)
    play.lost()
    play.x.stop()
    play.executed(a_humans_replaced(play, 1), 3)
    play.later(5)
    play.start(play.x)
    assert play.held() == {UNASSIGNED: D(13)}


def test_a_replacement_of_a_humans_own_order_is_nobodys_while_an_order_of_ours_is_unanswered(
    play: Play,
) -> None:
    play.start(play.x)
    never_came = play.lost()
    play.x.take(m.SubmitUnclear(never_came.client_id, play.now, "no answer"))
    play.executed(a_humans_replaced(play, -1), 3, play.x)
    play.look()
    assert play.held() == {UNASSIGNED: D(7)}


def test_a_replacement_of_a_humans_own_order_is_nobodys_though_a_neighbour_died_over_its_order(
    play: Play,
) -> None:
    play.start(play.x)
    play.start(play.y)
    play.lost()
    play.x.stop()
    play.y.poll(play.now)
    play.executed(a_humans_replaced(play, 1), 3, play.y)
    play.look(seat=play.y)
    assert play.y.books.ledger.held("SPY") == D(13)


@pytest.mark.parametrize("acknowledged", [True, False])
def test_an_order_replaced_twice_before_we_hear_of_it_is_its_strategys(
    play: Play, *, acknowledged: bool
) -> None:
    play.start(play.x)
    ticket = play.ordered()
    if acknowledged:
        play.x.take(told(ticket, play.now))
    second = play.truth.replace(ticket, 60 * NANO, play.later(1))
    third = play.truth.replace(second, 50 * NANO, play.later(1))
    if acknowledged:
        play.x.take(told(ticket, play.now))
    play.executed(third, 20, play.x)
    play.look(2)
    assert play.held() == {"A": D(20), UNASSIGNED: D(10)}


def test_what_was_nobodys_before_its_order_was_known_is_taken_back_from_nobody(play: Play) -> None:
    play.start(play.x)
    ticket = play.ordered()
    play.x.take(m.OrderAbsent(ticket.client_id, play.now))
    changed = play.truth.replace(ticket, 60 * NANO, play.later(1))
    wrong = play.executed(changed, 20, play.x)
    assert play.held() == {UNASSIGNED: D(30)}
    play.x.take(told(ticket, play.now))
    play.x.take(told(changed, play.now))
    right = play.truth.correct(wrong, 99 * NANO, play.later(1))
    play.x.take(told_bust(wrong, 1, play.now, right))
    assert play.held() == {UNASSIGNED: D(30)}
    play.truth.bust(right)
    play.x.take(told_bust(right, 2, play.later(1)))
    assert play.held() == {UNASSIGNED: D(10)}
    play.executed(changed, 60, play.x)
    assert play.held() == {"A": D(60), UNASSIGNED: D(10)}


@pytest.mark.parametrize("away_s", [30.0, 3600.0])
def test_a_start_knows_what_a_human_traded_meanwhile_though_his_order_is_never_shown(
    play: Play, away_s: float
) -> None:
    play.start(play.x)
    play.x.stop()
    play.rest.hides_orders = True
    play.by_hand(3)
    play.later(away_s)
    play.start(play.x)
    play.look()
    assert play.held() == {UNASSIGNED: D(13)}
