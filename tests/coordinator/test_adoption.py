"""A plan of an import moves what no strategy owns, exactly, and makes nobody richer."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from coordinator.core import records as r
from coordinator.core.adoption import (
    Market,
    Move,
    Plan,
    Recipient,
    adoption,
    is_done,
    price,
    refusals,
)
from coordinator.core.books import Books
from coordinator.core.codec import decode, encode
from coordinator.core.statement import statement
from coordinator.core.values import COIN, UNASSIGNED, Reason, Side
from tests.coordinator.bench import OPEN, Bench, bar, spec

D = Decimal
SYMBOLS = ("SPY", "QQQ", "BTC/USD")
NOTHING = Move("", "", D(0), D(0))


def holding(symbol: str, qty: str, cost: str) -> r.Holding:
    return r.Holding(symbol, D(qty), D(cost))


def bench(*, cash: str = "100000", holdings: tuple[r.Holding, ...] = ()) -> Bench:
    """Alpha trades all three tickers; the account holds what nobody owns."""
    return Bench(
        spec("Alpha", {("SPY", 1): 1, ("SPY", 2): 1}, tickers=SYMBOLS),
        cash=cash,
        holdings=holdings,
        books=None,
    )


RECIPIENTS = {
    "Alpha": Recipient("Alpha", SYMBOLS, D(10_000)),
    "Beta": Recipient("Beta", SYMBOLS, D(5_000)),
}
MARKET = Market({symbol: D(100) for symbol in SYMBOLS})
TEN_SPY = (holding("SPY", "10", "900"),)


def plan(*moves: Move, name: str = "p1") -> Plan:
    return Plan(name, "PA1", moves)


def shares(strategy: str, symbol: str, qty: str) -> Move:
    return Move(strategy, symbol, D(qty), D(0))


def dollars(strategy: str, amount: str) -> Move:
    return Move(strategy, "", D(0), D(amount))


def carry_out(made: Bench, wanted: Plan, market: Market = MARKET) -> list[r.Record]:
    assert refusals(made.books, wanted, RECIPIENTS, market) == []
    records = adoption(made.books, wanted, RECIPIENTS, market, OPEN, "me")
    made.books.apply_all(records)
    made.records += records
    return records


amounts = st.integers(1, 10**12).map(lambda units: D(units).scaleb(-9))


@st.composite
def stories(draw: st.DrawFn) -> tuple[tuple[r.Holding, ...], Plan, dict[str, Decimal]]:
    """What the account holds, a plan that fits it, and the closes that are known."""
    held = {symbol: draw(amounts) for symbol in draw(st.sets(st.sampled_from(SYMBOLS)))}
    costs = {symbol: draw(amounts) for symbol in held}
    left, moves = dict(held), []
    for _ in range(draw(st.integers(1, 5))):
        name = draw(st.sampled_from(["Alpha", "Beta"]))
        symbol = draw(st.sampled_from(["", *sorted(held)]))
        if not symbol:
            cents = draw(st.integers(1, 1_000_000))
            moves.append(Move(name, "", D(0), D(cents).scaleb(-2)))
        elif left[symbol]:
            units = draw(st.integers(1, int(left[symbol].scaleb(9))))
            left[symbol] -= D(units).scaleb(-9)
            moves.append(Move(name, symbol, D(units).scaleb(-9), D(0)))
    wanted = plan(*(moves or [dollars("Alpha", "1")]))
    closes = {symbol: draw(amounts) for symbol in draw(st.sets(st.sampled_from(SYMBOLS)))}
    holdings = tuple(r.Holding(symbol, held[symbol], costs[symbol]) for symbol in sorted(held))
    return holdings, wanted, closes


def profits(books: Books) -> dict[str, Decimal]:
    return {name: books.ledger.pnl(name) for name in books.ledger.accounts}


@pytest.mark.thorough
@settings(max_examples=200, deadline=None)
@given(stories())
def test_any_plan_keeps_every_sum_and_every_profit_and_replays_to_the_same_books(
    story: tuple[tuple[r.Holding, ...], Plan, dict[str, Decimal]],
) -> None:
    holdings, wanted, closes = story
    made = bench(holdings=holdings)
    if closes:
        made.minute(0, {symbol: f"{close:f}" for symbol, close in closes.items()})
    books = made.books
    before, gains = deepcopy(books), made.gains()
    carry_out(made, wanted)
    assert books.ledger.net_positions() == before.ledger.net_positions()
    assert books.ledger.net_cash() == before.ledger.net_cash()
    assert all(h.qty >= 0 for h in books.ledger[UNASSIGNED].holdings())
    assert {**gains, "Beta": D(0)} == {"Beta": D(0), **made.gains()}, (
        "P&L is realised or unrealised"
    )
    unknown = {m.symbol for m in wanted.moves if m.symbol and m.symbol not in closes}
    was, now = {"Beta": D(0), **profits(before)}, {"Beta": D(0), **profits(books)}
    assert all(now[name] == was[name] for name in now if name != UNASSIGNED)
    assert unknown or now == was, "nobody becomes richer by it"
    replayed = Books()
    replayed.apply_all(decode(*encode(record)) for record in made.records)
    assert replayed.ledger.accounts == books.ledger.accounts
    assert is_done(replayed, wanted)


@settings(max_examples=50, deadline=None)
@given(stories())
def test_the_days_of_both_books_count_an_import_as_a_transfer_and_add_up(
    story: tuple[tuple[r.Holding, ...], Plan, dict[str, Decimal]],
) -> None:
    holdings, wanted, closes = story
    made = bench(holdings=holdings)
    if closes:
        made.minute(0, {symbol: f"{close:f}" for symbol, close in closes.items()})
    carry_out(made, wanted)
    made.minute(1, {"SPY": "123.45"})
    rows = statement(made.records)
    for day in rows["pnl_daily"]:
        net = day["net_pnl"]
        assert net == day["end_equity"] - day["start_equity"] - day["transfers"]  # type: ignore[operator]
        assert net == day["realized_pnl"] + day["unrealized_change"] - day["fees"]  # type: ignore[operator]
    named = {wanted.activity_id(n): move for n, move in enumerate(wanted.moves, 1)}
    alphas = {name for name, move in named.items() if move.strategy == "Alpha"}
    both = [row["amount"] for row in rows["activities"] if row["activity_id"] in alphas]
    assert (sum(both), len(both)) == (0, 2 * len(alphas)), "what one book gives another one gets"  # type: ignore[arg-type]
    others = {row["strategy"] for row in rows["activities"] if row["activity_id"] not in alphas}
    assert others <= {UNASSIGNED}, "Beta is not in the session yet"


def test_what_is_imported_is_sold_on_the_strategys_signal_and_counts_from_its_price_of_then() -> (
    None
):
    made = Bench(
        spec("Alpha", {("SPY", 2): -1}, take_profit_pct="0.5"), holdings=TEN_SPY, cash="100000"
    )
    made.minute(0, {"SPY": "120"})
    carry_out(made, plan(shares("Alpha", "SPY", "10")))
    assert made.books.ledger["Alpha"].positions["SPY"].avg_price == 120, "no target is reached"
    made.minute(1, {"SPY": "121"})
    assert made.sent() == []
    made.minute(2, {"SPY": "121"})
    made.fill(made.order("Alpha"), "121")
    assert made.books.ledger["Alpha"].realized == 10
    assert made.books.ledger[UNASSIGNED].realized == 300, "what it won until then"


def test_a_ticker_that_nobody_followed_changes_hands_at_the_brokers_price() -> None:
    made = bench(holdings=TEN_SPY)
    assert price(made.books, MARKET, "SPY") == 100
    made.minute(0, {"SPY": "97.5"})
    assert price(made.books, MARKET, "SPY") == D("97.5")
    assert price(made.books, Market({}), "QQQ") is None


def test_a_plan_is_known_by_its_id_after_the_journal_was_read_again() -> None:
    made = bench(holdings=TEN_SPY)
    wanted = plan(shares("Beta", "SPY", "4"), dollars("Beta", "12.34"))
    assert not is_done(made.books, wanted)
    records = carry_out(made, wanted)
    again = deepcopy(made.books)
    again.apply_all(record for record in records if isinstance(record, r.ActivityBooked))
    assert again.ledger.accounts == made.books.ledger.accounts, "each posting counts once"
    assert is_done(made.books, replace(wanted, moves=(dollars("Alpha", "1"),)))
    assert not is_done(made.books, replace(wanted, id="p2"))
    beta = made.books.ledger["Beta"]
    assert (beta.initial_cash, beta.cash) == (D(5_000), D("5012.34"))


def test_another_coordinator_of_the_account_books_an_import_that_it_hears_of() -> None:
    made = bench(holdings=TEN_SPY)
    other = deepcopy(made.books)
    for record in carry_out(made, plan(shares("Alpha", "SPY", "4"))):
        other.apply_foreign(record)
    assert other.ledger.accounts == made.books.ledger.accounts


def sold_by_hand(*, alpha: str = "10", beta: str = "0", sold: str = "10") -> Bench:
    """Alpha and Beta held SPY for 90 dollars each; a human sold some of it for 110."""
    whole = D(alpha) + D(beta)
    made = bench(holdings=(holding("SPY", f"{whole}", f"{90 * whole}"),))
    moves = [shares(n, "SPY", qty) for n, qty in (("Alpha", alpha), ("Beta", beta)) if D(qty)]
    carry_out(made, plan(*moves))
    by_hand, price, nought = "by-hand", D(110), D(0)
    sale = (OPEN, "x1", by_hand, UNASSIGNED, "SPY", Side.SELL, D(sold), price, nought, nought)
    made.books.apply_all([r.FillBooked(*sale, cum_qty=D(sold))])
    return made


def held_of(made: Bench) -> dict[str, Decimal]:
    books = made.books.ledger.accounts
    return {n: a.positions["SPY"].qty for n, a in books.items() if "SPY" in a.positions}


def test_what_a_human_sold_of_a_strategy_is_taken_from_its_book_and_makes_nobody_richer() -> None:
    made = sold_by_hand()
    made.minute(0, {"SPY": "100"})
    assert held_of(made) == {UNASSIGNED: D(-10), "Alpha": D(10)}
    was = profits(made.books)
    carry_out(made, plan(shares("Alpha", "SPY", "-10"), name="p2"))
    assert held_of(made) == {}
    assert profits(made.books) == was
    assert made.books.ledger["Alpha"].transferred == 0, "it had come as a transfer, too"


@settings(max_examples=100, deadline=None)
@given(held=st.tuples(amounts, amounts), parts=st.tuples(*[st.fractions(0, 1)] * 3))
def test_what_plans_take_keeps_every_sum_and_every_profit(
    held: tuple[Decimal, Decimal], parts: tuple[Fraction, Fraction, Fraction]
) -> None:
    def part(whole: Decimal, of: Fraction) -> Decimal:
        return D(int(whole.scaleb(9) * of.numerator // of.denominator)).scaleb(-9)

    alpha, beta = held
    sold = part(alpha + beta, parts[0])
    made = sold_by_hand(alpha=f"{alpha}", beta=f"{beta}", sold=f"{sold or COIN}")
    made.minute(0, {"SPY": "100"})
    before, was = deepcopy(made.books.ledger), profits(made.books)
    taken = {"Alpha": part(alpha, parts[1]), "Beta": part(beta, parts[2])}
    moves = [shares(name, "SPY", f"{-qty}") for name, qty in taken.items() if qty]
    assume(moves)
    carry_out(made, plan(*moves, name="p2"))
    ledger = made.books.ledger
    assert ledger.net_positions() == before.net_positions()
    assert ledger.net_cash() == before.net_cash()
    assert profits(made.books) == was
    assert all(qty >= 0 for name, qty in held_of(made).items() if name != UNASSIGNED)


def test_a_strategy_whose_shares_were_taken_buys_again_on_its_next_signal() -> None:
    made = sold_by_hand()
    made.minute(1, {"SPY": "100"})
    assert not made.sent(), "it is long, as far as it knows"
    carry_out(made, plan(shares("Alpha", "SPY", "-10"), name="p2"))
    made.minute(2, {"SPY": "100"})
    assert [(name, side) for name, _, side, _ in made.sent()] == [("Alpha", Side.BUY)]


def test_one_strategys_shares_may_become_anothers() -> None:
    made = sold_by_hand(alpha="10", sold="0.5")
    carry_out(made, plan(shares("Alpha", "SPY", "-4"), shares("Beta", "SPY", "4"), name="p2"))
    assert held_of(made) == {UNASSIGNED: D("-0.5"), "Alpha": D(6), "Beta": D(4)}


def test_one_plan_moves_all_that_a_renamed_strategy_has_to_the_book_of_its_new_name() -> None:
    made = bench(cash="10000", holdings=TEN_SPY)
    carry_out(made, plan(shares("Alpha", "SPY", "10")))
    made.minute(0, {"SPY": "100"})
    assert made.books.ledger[UNASSIGNED].cash == 0
    new = (dollars("Alpha", "-10000"), shares("Alpha", "SPY", "-10"), shares("Beta", "SPY", "10"))
    carry_out(made, plan(*new, name="p2"))
    assert held_of(made) == {"Beta": D(10)}
    cash = {name: account.cash for name, account in made.books.ledger.accounts.items()}
    assert cash == {UNASSIGNED: D(5_000), "Alpha": D(0), "Beta": D(5_000)}


# who holds what, what was sold by hand, the moves, what is said against them
TAKEN: list[tuple[str, str, str, list[Move], list[str]]] = [
    ("10", "5", "12", [shares("Alpha", "SPY", "-8"), shares("Beta", "SPY", "-4")], []),
    ("10", "5", "12", [shares("Alpha", "SPY", "-10"), shares("Beta", "SPY", "-5")], []),
    ("10", "5", "12", [shares("Alpha", "QQQ", "-1")], [
        "it takes 1 QQQ from Alpha, which holds 0",
    ]),
    ("10", "5", "12", [shares("Beta", "SPY", "-3"), shares("Beta", "SPY", "-3")], [
        "it takes 6 SPY from Beta, which holds 5",
    ]),
    ("10", "5", "12", [shares("Beta", "SPY", "1")], [
        "it wants 1 SPY, of which no strategy owns none",
    ]),
    ("10", "5", "12", [dollars("Beta", "-5000"), dollars("Alpha", "5000")], []),
    ("10", "5", "12", [dollars("Beta", "-3000"), dollars("Beta", "-2000.01")], [
        "it takes $5,000.01 of cash from Beta, which can give $5,000.00",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("alpha", "beta", "sold", "moves", "against"), TAKEN)
def test_a_plan_takes_no_more_from_a_strategy_than_it_has(
    alpha: str, beta: str, sold: str, moves: list[Move], against: list[str]
) -> None:
    made = sold_by_hand(alpha=alpha, beta=beta, sold=sold)
    assert refusals(made.books, plan(*moves, name="p2"), RECIPIENTS, MARKET) == against


def test_shares_of_a_ticker_that_is_not_traded_any_more_are_taken_at_the_last_price_known() -> None:
    made = sold_by_hand()
    made.minute(0, {"SPY": "95"})
    made.books.last_bar.clear()
    renamed = {"Alpha": replace(RECIPIENTS["Alpha"], tickers=("QQQ",))}
    taken = plan(shares("Alpha", "SPY", "-10"), name="p2")
    assert refusals(made.books, taken, renamed, Market({})) == []
    records = adoption(made.books, taken, renamed, Market({}), OPEN, "me")
    assert {x.price for x in records if isinstance(x, r.ActivityBooked)} == {D(95)}


def killed(made: Bench) -> Market:
    made.books.apply_all([r.Killed(OPEN, "me")])
    return MARKET


def leaving(made: Bench) -> Market:
    made.books.apply_all([r.FlattenRequested(OPEN, "Alpha", "me")])
    return MARKET


def frozen(made: Bench) -> Market:
    found = r.DiscrepancyFound(OPEN, "position", "SPY", UNASSIGNED, D(1), D(2), "", "position.SPY")
    made.books.apply_all([found])
    return MARKET


def ordering(made: Bench) -> Market:
    made.bars(bar("SPY", 1, "100"))
    assert made.sent()
    return MARKET


def ordering_elsewhere(made: Bench) -> Market:
    order = "Alpha.2026-03-17.1"
    buy = r.OrderIntended(OPEN, order, "Alpha", "SPY", Side.BUY, D(1), D(100), Reason.SIGNAL, True)
    made.books.apply_foreign(buy)
    return MARKET


def ordering_elsewhere_by_hand(made: Bench) -> Market:
    ordering_elsewhere(made)
    adopted = r.OrderAdopted(OPEN, "by-hand", "Alpha.2026-03-17.1", "broker-by-hand", D(2))
    made.books.apply_foreign(adopted)
    return MARKET


def emptied(made: Bench) -> Market:
    made.books.ledger[UNASSIGNED].cash = D(0)
    return MARKET


AGAINST: Mapping[str, tuple[Any, Move, str]] = {
    "the account is killed": (killed, NOTHING, "the account is killed"),
    "the strategy is being sold": (leaving, NOTHING, "moves[0]: Alpha is flattened"),
    "the books differ on it": (frozen, NOTHING, "moves[0]: books and broker differ in SPY"),
    "the broker has something else": (
        lambda _: replace(MARKET, differing={"SPY"}),
        NOTHING,
        "moves[0]: books and broker differ in SPY",
    ),
    "the strategy has an open order": (ordering, NOTHING, "Alpha has an open order on SPY"),
    "its coordinator has": (ordering_elsewhere, NOTHING, "Alpha has an open order on SPY"),
    "a human replaced its order": (
        ordering_elsewhere_by_hand,
        NOTHING,
        "Alpha has an open order on SPY",
    ),
    "a human has an open order": (
        lambda _: replace(MARKET, busy={"SPY"}),
        NOTHING,
        "an order that no strategy gave is open on SPY",
    ),
    "nobody knows a price": (lambda _: Market({}), NOTHING, "no price of SPY is known"),
    "the price known is zero": (
        lambda _: Market({"SPY": D(0)}),
        NOTHING,
        "no price of SPY is known",
    ),
    "it is more than there is": (
        lambda _: MARKET,
        shares("Beta", "SPY", "9.000000001"),
        "it wants 10.000000001 SPY, of which no strategy owns 10",
    ),
    "new books need more cash than the plan takes": (
        emptied,
        dollars("Beta", "-1"),
        "it wants $4,999.00 of cash, as $5,000.00 begin the books of new strategies",
    ),
    "new books need more cash than is left": (
        lambda _: MARKET,
        dollars("Beta", "85000.01"),
        "it wants $90,000.01 of cash, as $5,000.00 begin the books of new strategies",
    ),
}


@pytest.mark.parametrize("name", AGAINST)
def test_a_plan_is_refused_while(name: str) -> None:
    arrange, more, words = AGAINST[name]
    made = bench(holdings=TEN_SPY)
    wanted = plan(shares("Alpha", "SPY", "1"), *([more] if more is not NOTHING else []))
    if more is NOTHING:
        assert refusals(made.books, wanted, RECIPIENTS, MARKET) == [], "until then nothing stands"
    market = arrange(made)
    found = refusals(made.books, wanted, RECIPIENTS, market)
    assert [why for why in found if words in why], found


def test_what_other_orders_another_coordinator_has_open_is_no_objection() -> None:
    made = bench(holdings=TEN_SPY)
    for name, symbol in (("Alpha", "QQQ"), ("Beta", "SPY")):
        intended = r.OrderIntended(
            OPEN, f"{name}.2026-03-17.1", name, symbol, Side.BUY, D(1), D(100), Reason.SIGNAL, True
        )
        made.books.apply_foreign(intended)
    wanted = plan(shares("Alpha", "SPY", "1"))
    assert refusals(made.books, wanted, RECIPIENTS, MARKET) == []


def test_a_flattened_strategy_is_given_no_shares_to_sell_but_cash_and_gives_either() -> None:
    made = bench(holdings=TEN_SPY)
    carry_out(made, plan(shares("Alpha", "SPY", "4")))
    leaving(made)
    moves = dollars("Alpha", "1"), dollars("Alpha", "-2"), shares("Alpha", "SPY", "-1")
    assert refusals(made.books, plan(*moves, name="p2"), RECIPIENTS, MARKET) == []
    (why,) = refusals(made.books, plan(shares("Alpha", "SPY", "1")), RECIPIENTS, MARKET)
    assert "Alpha is flattened" in why


def test_a_plan_of_another_account_is_refused() -> None:
    wanted = replace(plan(shares("Alpha", "SPY", "1")), account="PA9")
    (why,) = refusals(bench(holdings=TEN_SPY).books, wanted, RECIPIENTS, MARKET)
    assert why == "it is of account PA9, and the keys are PA1's"
