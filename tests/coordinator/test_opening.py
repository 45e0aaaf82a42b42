"""How books begin and go on: funding, edited capital, restarts, newcomers, and those who left."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.funding import unmoved
from coordinator.core.lane import StrategySpec
from coordinator.core.opening import SessionName, open_session, session_id
from coordinator.core.orders import OrderStatus
from coordinator.core.records import Holding
from coordinator.core.session import Hours, SessionPlan
from coordinator.core.statement import statement
from coordinator.core.values import UNASSIGNED, ZERO, Side
from coordinator.errors import SafetyRefusal
from tests.coordinator.bench import CLOSE, DAY, MIDNIGHT, OPEN, PLAN, Bench, D, spec, stranger

SAYS = {("SPY", 0): 1}
DAYS = timedelta(days=1)
TOMORROW = SessionPlan(
    DAY + DAYS,
    Hours(DAY + DAYS, OPEN + DAYS, CLOSE + DAYS),
    OPEN.replace(hour=0, minute=0) + DAYS,
    MIDNIGHT + DAYS,
)


def openings(bench: Bench) -> dict[str, r.Opening]:
    session = bench.books.session
    assert session is not None
    return {opening.strategy: opening for opening in session.openings}


def test_a_new_book_is_funded_from_what_nobody_owns() -> None:
    bench = Bench(spec("A", SAYS, cash="10000"), spec("B", SAYS, cash="2500.50"), cash="20000")
    assert {n: a.cash for n, a in bench.books.ledger.accounts.items()} == {
        "A": D(10_000),
        "B": D("2500.50"),
        UNASSIGNED: D("7499.50"),
    }
    kinds = [(x.target, x.kind) for x in bench.records if isinstance(x, r.Transferred)]
    assert kinds == [("A", "funding"), ("B", "funding")]
    assert openings(bench)["A"].start_equity == D(10_000)
    assert bench.books.ledger.pnl("A") == D(0)


def test_what_the_account_held_before_belongs_to_nobody() -> None:
    bench = Bench(spec("A", SAYS), holdings=[Holding("SPY", D(3), D(1200))])
    assert bench.position(UNASSIGNED, "SPY") == D(3)
    assert openings(bench)[UNASSIGNED].start_equity == D(101_200)


def test_capital_that_does_not_fit_is_refused_with_every_figure() -> None:
    with pytest.raises(SafetyRefusal) as refusal:
        Bench(spec("A", SAYS, cash="6000"), spec("B", SAYS, cash="5000"), cash="10000")
    assert "need $11,000.00 (A $6,000.00, B $5,000.00" in str(refusal.value)
    assert "the account has $10,000.00 of cash that no strategy owns" in str(refusal.value)
    assert refusal.value.exit_code == 3


def test_capital_that_fits_to_the_cent_is_enough() -> None:
    bench = Bench(spec("A", SAYS, cash="10000"), cash="10000")
    assert bench.books.ledger[UNASSIGNED].cash == D(0)


def test_books_that_exist_go_on_when_a_human_has_spent_their_cash() -> None:
    bench = Bench(spec("A", SAYS, cash="10000"), cash="10500")
    bench.handle(stranger("by-hand", "SPY", Side.BUY, "10", "100", bench.now))
    assert bench.books.ledger[UNASSIGNED].cash == D(-500)
    again = Bench(*bench.specs, plan=TOMORROW, books=bench.books)
    assert openings(again)["A"].cash == D(10_000)
    with pytest.raises(SafetyRefusal, match=r"the account has -\$500\.00 of cash"):
        Bench(spec("A", SAYS, cash="11000"), plan=TOMORROW, books=bench.books)


def test_a_book_lives_on_and_its_baseline_is_where_it_ended() -> None:
    one = spec("A", SAYS, max_position_size="0.5")
    bench = Bench(one)
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    bench.minute(1, {"SPY": "110"})
    later = Bench(one, plan=TOMORROW, books=bench.books)
    assert (later.position("A", "SPY"), later.books.ledger["A"].cash) == (D(50), D(5000))
    assert openings(later)["A"].start_equity == D(10_500)
    assert later.of(r.Transferred) == []
    assert (later.books.ledger.pnl("A"), later.books.day_pnl("A")) == (D(500), D(0))


@pytest.mark.parametrize(("configured", "moved"), [("12500", "2500"), ("9000", "-1000")])
def test_an_edited_initial_cash_is_a_transfer_and_no_profit(configured: str, moved: str) -> None:
    bench = Bench(spec("A", SAYS, cash="10000"))
    later = Bench(spec("A", SAYS, cash=configured), plan=TOMORROW, books=bench.books)
    (transfer,) = later.of(r.Transferred)
    assert isinstance(transfer, r.Transferred)
    assert (transfer.amount, transfer.kind) == (D(moved), "initial_cash")
    account = later.books.ledger["A"]
    assert (account.cash, account.initial_cash) == (D(configured), D(10_000))
    assert (later.books.ledger.pnl("A"), later.books.day_pnl("A")) == (D(0), D(0))
    same = Bench(spec("A", SAYS, cash=configured), plan=TOMORROW, books=later.books)
    assert same.of(r.Transferred) == []


def test_of_a_lowered_initial_cash_each_start_moves_what_is_free_until_all_has_moved() -> None:
    says = {("SPY", 0): 1, ("SPY", 1): -1}
    rich, poor = (spec("A", says, cash=cash, max_position_size="0.8") for cash in ("10000", "3000"))
    bench = Bench(rich)

    def starts_again() -> list[Decimal]:
        nonlocal bench
        bench = Bench(poor, books=bench.books)
        return [x.amount for x in bench.records if isinstance(x, r.Transferred)]

    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"), "100")
    assert starts_again() == [-2000]
    assert starts_again() == []
    [waits] = unmoved(bench.books, [poor]).values()
    assert waits.startswith("$5,000.00 of cash cannot move from A yet (initial_cash 3000)")
    bench.minute(1, {"SPY": "100"})
    bench.fill(bench.order("A", 2), "100")
    assert starts_again() == [-5000]
    assert unmoved(bench.books, [poor]) == {}
    assert bench.books.ledger["A"].cash == 3000
    assert bench.books.ledger.pnl("A") == bench.books.day_pnl("A") == 0


@given(
    share=st.sampled_from(["0.1", "0.5", "1"]),
    configured=st.integers(1, 2_000_000).map(lambda cents: D(cents).scaleb(-2)),
    price=st.integers(9000, 10099).map(lambda cents: D(cents).scaleb(-2)),
    filled=st.sampled_from(["0", "0.3", "1"]),
)
def test_no_edit_of_initial_cash_brings_a_book_into_debt_whatever_its_orders_come_to(
    share: str, configured: Decimal, price: Decimal, filled: str
) -> None:
    bench = Bench(spec("A", SAYS, max_position_size=share))
    bench.minute(0, {"SPY": "100"})
    order = bench.order("A")
    if part := (order.qty * D(filled)).quantize(D("0.0001")):
        bench.fill(order, f"{price}", part)
    account = Bench(spec("A", SAYS, cash=f"{configured}"), books=bench.books).books.ledger["A"]
    kept = account.cash - D("1.01") * order.hold
    assert account.configured_cash == configured or 0 <= kept < D("0.01")
    if left := order.qty - order.booked_qty:
        bench.fill(order, f"{price}", left)
    assert account.cash >= 0


def test_a_restart_on_the_same_date_resumes_the_same_session() -> None:
    one = spec("A", SAYS, max_daily_trades=1)
    bench = Bench(one)
    bench.minute(0, {"SPY": "100"})
    again = Bench(one, books=bench.books)
    assert [type(x) for x in again.records] == [r.SessionResumed]
    assert again.books.days["A"].entries == 1
    assert again.name.session_id == "2026-03-17.bench.PA1"


def reconfigured(bench: Bench) -> r.Reconfigured:
    [found] = bench.of(r.Reconfigured)
    assert isinstance(found, r.Reconfigured)
    return found


LONGER = replace(spec("A", SAYS), params={"n": 2})
LIMITED = spec("A", SAYS, max_daily_trades=1)
EDITS = {
    "a limit": ((LIMITED,), r.SessionResumed),
    "a parameter": ((LONGER,), r.SessionOpened),
    "other tickers": ((spec("A", {("QQQ", 0): 1}),), r.SessionOpened),
    "a strategy more": ((spec("A", SAYS), spec("B", SAYS)), r.SessionOpened),
    "another strategy": ((spec("B", SAYS),), r.SessionOpened),
}


@pytest.mark.parametrize(("specs", "kind"), EDITS.values(), ids=EDITS)
def test_a_restart_with_an_edited_configuration_says_so_with_what_its_strategies_are_now(
    specs: tuple[StrategySpec, ...], kind: type[r.Record]
) -> None:
    bench = Bench(spec("A", SAYS))
    again = Bench(*specs, books=bench.books, config_hash="edited")
    kinds = [type(x) for x in again.records if not isinstance(x, r.Transferred)]
    assert kinds == [kind, r.Reconfigured]
    found = reconfigured(again)
    assert (found.config_hash, found.by) == ("edited", "restart")
    assert found.left == (() if specs[0].name == "A" else ("A",))
    for one in specs:
        opening = openings(again)[one.name]
        assert (opening.params, opening.tickers) == (one.params, one.tickers)
    whole = Books()
    whole.apply_all(bench.records + again.records)
    assert (whole.session, whole.days) == (again.books.session, again.books.days)
    [session] = statement(bench.records + again.records)["sessions"]
    assert (session["config_hash"], session["opened_at"]) == ("edited", bench.now)


def test_a_restart_after_that_finds_nothing_edited() -> None:
    bench = Bench(spec("A", SAYS))
    Bench(LONGER, books=bench.books, config_hash="edited")
    third = Bench(LONGER, books=bench.books, config_hash="edited")
    assert [type(x) for x in third.records] == [r.SessionResumed]


def test_what_is_to_be_sold_stays_so_over_a_restart_unless_somebody_trades_it_again() -> None:
    for back, left in ((spec("B", SAYS), {"A": ("SPY",)}), (spec("A", SAYS), {})):
        bench = Bench(spec("A", SAYS))
        bench.books.given_up = {"A": ("SPY",)}
        again = Bench(back, books=bench.books, config_hash="edited")
        assert reconfigured(again).given_up == again.books.given_up == left


@pytest.mark.parametrize(
    ("traded", "left"),
    [(("SPY", "QQQ"), {"A": ("IWM",), "B": ("SPY",)}), ((), {"A": ("SPY", "IWM"), "B": ("SPY",)})],
)
@pytest.mark.parametrize("is_known", [True, False])
def test_what_another_coordinator_trades_is_not_sold_when_its_strategy_comes_back(
    traded: tuple[str, ...], left: dict[str, tuple[str, ...]], *, is_known: bool
) -> None:
    bench = Bench(spec("A", SAYS))
    bench.books.given_up = {"A": ("SPY", "IWM"), "B": ("SPY",)}
    [opened] = (x for x in bench.records if isinstance(x, r.SessionOpened))
    theirs = replace(opened, coordinator="other", session_id="theirs")
    [of_a] = (one for one in opened.openings if one.strategy == "A")
    if is_known:  # it edits its file while it runs A already, and opens its session again
        before = replace(theirs, openings=(replace(of_a, tickers=("DIA",)),))
        bench.books.apply_foreign(before)
    bench.books.apply_foreign(replace(theirs, openings=(replace(of_a, tickers=traded),)))
    assert bench.books.given_up == left


def test_a_start_that_kill_leaves_to_sell_and_whose_capital_does_not_fit_says_what_sells() -> None:
    books = Bench(spec("A", SAYS)).books
    books.halts.apply(r.Killed(OPEN, "operator"))
    with pytest.raises(SafetyRefusal, match=r"not fit: .* is sold by `multi-trader kill`"):
        Bench(spec("A", SAYS, cash="1000000"), books=books)


def test_an_edited_initial_cash_counts_at_a_restart_too() -> None:
    bench = Bench(spec("A", SAYS, cash="10000"))
    again = Bench(spec("A", SAYS, cash="11000"), books=bench.books)
    assert [type(x) for x in again.records] == [r.Transferred, r.SessionResumed]
    assert again.books.ledger["A"].cash == D(11_000)
    assert again.books.day_pnl("A") == D(0)


def test_a_strategy_that_joins_at_a_restart_leaves_the_others_days_as_they_were() -> None:
    one = spec("A", SAYS, max_position_size="0.5", max_daily_trades=1)
    bench = Bench(one)
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"), "99")
    bench.minute(1, {"SPY": "90"})
    again = Bench(one, spec("B", SAYS), books=bench.books)
    assert [type(x) for x in again.records] == [r.Transferred, r.SessionOpened]
    assert again.books.days["A"].entries == 1
    assert openings(again)["A"].start_equity == D(10_000)
    assert again.books.day_pnl("A") == D(-450)
    assert openings(again)["B"].start_equity == D(10_000)
    whole = Books()
    whole.apply_all(bench.records + again.records)
    assert whole.days == again.books.days


def test_a_strategy_that_left_keeps_its_book_and_finds_it_again() -> None:
    one = spec("A", SAYS, max_position_size="0.5")
    bench = Bench(one)
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    away = Bench(spec("B", {("QQQ", 0): 1}), plan=TOMORROW, books=bench.books)
    assert openings(away)["A"].holdings == (Holding("SPY", D("50.0000"), D("5000.0000")),)
    assert away.books.ledger["A"].cash == D(5000)
    third = SessionPlan(DAY + 2 * DAYS, None, None, MIDNIGHT + 2 * DAYS)
    back = Bench(one, plan=third, books=away.books)
    assert openings(back)["A"].start_equity == D(10_000)
    assert back.of(r.Transferred) == []


def test_a_strategy_that_left_with_nothing_is_not_listed() -> None:
    bench = Bench(spec("A", SAYS))
    away = Bench(spec("B", SAYS), plan=TOMORROW, books=bench.books)
    assert set(openings(away)) == {"B", UNASSIGNED}
    assert away.books.ledger["A"].cash == D(10_000)


def test_a_strategy_that_left_with_nothing_and_holds_again_trades_what_it_holds() -> None:
    bench = Bench(spec("A", {("BTC/USD", 0): 1}))
    away = Bench(spec("B", SAYS), plan=TOMORROW, books=bench.books)
    sold, cash = "A.2026-03-17.1", D(50_000)
    away.books.apply(
        r.FillBooked(
            away.now, "bust", sold, "A", "BTC/USD", Side.SELL, D("-0.1"), cash, ZERO, ZERO, ZERO
        )
    )
    third = SessionPlan(DAY + 2 * DAYS, None, None, MIDNIGHT + 2 * DAYS)
    back = Bench(spec("B", SAYS), plan=third, books=away.books)
    assert openings(back)["A"].strategy_type == "dormant"
    assert openings(back)["A"].tickers == ("BTC/USD",)


def test_what_another_coordinator_did_while_this_one_started_is_not_overwritten() -> None:
    books = Books()
    books.apply_all([r.AccountAdopted(OPEN, "PA1", D(50_000), ())])
    name = SessionName(session_id("mine", "PA1", PLAN), "mine", "PA1", "paper", "iex", "hash")
    records = open_session(books, [spec("A", SAYS)], PLAN, name, OPEN)
    theirs = r.Transferred(OPEN, UNASSIGNED, "C", D(4000), "funding")
    again = Books()
    again.apply_all([r.AccountAdopted(OPEN, "PA1", D(50_000), ())])
    again.apply_foreign(theirs)  # in the journal it stands before this session's opening
    again.apply_all(records)
    assert again.ledger[UNASSIGNED].cash == D(36_000)
    assert again.ledger.net_cash() == D(50_000)


def test_a_session_tells_the_coin_fee_that_it_books_with_and_a_restart_tells_another() -> None:
    bench = Bench(spec("A", SAYS))
    told = []
    for rate, config in (("0.0025", "hash"), ("0.001", "edited"), ("0.001", "edited")):
        name = replace(bench.name, crypto_fee_rate=D(rate), config_hash=config)
        records = open_session(bench.books, bench.specs, PLAN, name, bench.now)
        told += [one.crypto_fee_rate for one in records if isinstance(one, r.SessionOpened)]
    session = bench.books.session
    assert session is not None
    assert (told, session.crypto_fee_rate) == ([D("0.001")], D("0.001"))


def test_an_order_left_open_is_carried_and_others_are_forgotten_after_days() -> None:
    one = spec("A", {("BTC/USD", 0): 1, ("ETH/USD", 0): 1}, max_position_size="0.4")
    bench = Bench(one)
    bench.minute(0, {"BTC/USD": "50000", "ETH/USD": "2000"})
    bench.update(bench.order("A", 2), OrderStatus.CANCELED)
    later = Bench(one, plan=TOMORROW, books=bench.books)
    session = later.books.session
    assert session is not None
    assert [order.client_order_id for order in session.orders] == ["A.2026-03-17.1"]
    assert len(list(later.books.orders)) == 2
    far = SessionPlan(DAY + 9 * DAYS, None, OPEN + 9 * DAYS, MIDNIGHT + 9 * DAYS)
    name = SessionName("far", "bench", "PA1", "simulated", "iex", "hash")
    open_session(later.books, [one], far, name, OPEN + 9 * DAYS)
    assert [order.client_order_id for order in later.books.orders] == ["A.2026-03-17.1"]


def test_a_book_that_joins_a_session_with_another_initial_cash_is_loaded_with_that_transfer() -> (
    None
):
    both = spec("A", SAYS), spec("B", SAYS, cash="5000")
    first = Bench(*both)
    alone = Bench(both[0], plan=TOMORROW, books=first.books)
    richer = spec("B", SAYS, cash="6000")
    back = Bench(both[0], richer, plan=TOMORROW, books=alone.books, config_hash="edited")
    days = {day["strategy"]: day for day in statement(alone.records + back.records)["pnl_daily"]}
    told = [(days[name]["transfers"], days[name]["net_pnl"]) for name in ("B", UNASSIGNED)]
    assert told == [(1000, 0), (-1000, 0)]
    assert days["B"]["end_equity"] == back.books.ledger.equity("B") == 6000
