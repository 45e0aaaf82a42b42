"""The end of day's reconciliation: three sides, and each difference a row that names it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.warehouse.builder import Day, Source, d
from warehouse import Store, ask_beforehand, load_session, reconcile
from warehouse.agreement import BrokerSide
from warehouse.queries import ask

Lists = dict[str, list[dict[str, Any]]]
SHOWN = "SELECT kind, symbol, strategy, ours, brokers, note FROM discrepancies ORDER BY note"


def a_day() -> Day:
    """A buys 10 and sells 4 SPY, B buys a coin; the account pays a fee; a human sells by hand."""
    day = Day(mode="paper")
    day.buy("Alpha", "SPY", "10", "450.25")
    day.buy("Beta", "BTC/USD", "0.1", "80000", fee="20")
    day.sell("Alpha", "SPY", "4", "451")
    day.activity("Alpha", "fee", "-0.03")
    day.rows["activities"][-1] |= {"activity_id": "fee-1", "allocated_by": "sales"}
    return day


def listed(day: Day) -> Lists:
    """What the broker lists of that day, under ids and spellings of its own."""
    fills = [
        {
            "order_id": f"b-{number}",
            "symbol": fill["symbol"].replace("/", ""),
            **{name: fill[name] for name in ("side", "qty", "price", "filled_at")},
        }
        for number, fill in enumerate(day.rows["fills"], 1)
    ]
    fees = [{"activity_id": "fee-1", "day": day.day, "amount": d("-0.03")}]
    return {"fills": fills, "fees": fees}


def loaded(store: Store, day: Day) -> Source:
    source = day.source()
    assert load_session(store, source).status == "loaded"
    return source


def answers(side: BrokerSide | str) -> Callable[..., BrokerSide | str]:
    return lambda account, mode, since: side


def test_a_day_on_which_all_three_agree_has_no_discrepancy(store: Store) -> None:
    day = a_day()
    (agreement,) = reconcile(store, [loaded(store, day)], answers(listed(day)))
    assert (agreement.three_way, agreement.found) == (True, 0)
    assert agreement.message == (
        "Reconciled PA1 (journal, broker and warehouse): no difference in 1 session."
    )
    assert ask(store, SHOWN).rows == ()


def drop_fill(lists: Lists) -> None:
    del lists["fills"][2]


def half_a_fill(lists: Lists) -> None:
    lists["fills"][0]["qty"] = d("5")


def another_price(lists: Lists) -> None:
    lists["fills"][0]["price"] = d("450.35")


def by_hand(lists: Lists) -> None:
    hand = {"order_id": "hand", "symbol": "SPY", "side": "sell", "qty": d("2")}
    lists["fills"].append({**lists["fills"][0], **hand})


def another_fee(lists: Lists) -> None:
    lists["fees"][0]["amount"] = d("-0.04")


def a_fee_more(lists: Lists) -> None:
    lists["fees"].append({**lists["fees"][0], "activity_id": "fee-2"})


@pytest.mark.parametrize(
    ("differ", "row"),
    [
        (drop_fill, ("fill", "SPY", "Alpha", "4", "0", "order b-3: the broker lists a quan")),
        (half_a_fill, ("fill", "SPY", "Alpha", "10", "5", "order b-1: the broker lists a quan")),
        (another_price, ("fill", "SPY", "Alpha", "4502.5", "4503.5", "order b-1: the broker list")),
        (by_hand, ("fill", "SPY", "UNASSIGNED", "0", "2", "orders of nobody here: the broker lis")),
        (another_fee, ("fee", None, None, "-0.03", "-0.04", "fee fee-1: the broker took -0.04")),
        (a_fee_more, ("fee", None, None, None, "-0.03", "fee fee-2: the broker took -0.03")),
    ],
    ids=lambda case: getattr(case, "__name__", ""),
)  # fmt: skip
def test_what_the_broker_tells_otherwise_is_a_row_until_it_agrees_again(
    store: Store, differ: Callable[[Lists], None], row: tuple[str | None, ...]
) -> None:
    day = a_day()
    source, lists = loaded(store, day), listed(day)
    differ(lists)
    (agreement,) = reconcile(store, [source], answers(lists))
    (found,) = ask(store, SHOWN).rows
    amounts = tuple(None if x is None else d(str(x)) for x in row[3:5])
    assert found[:5] == (*row[:3], *amounts)
    assert str(found[5]).startswith(str(row[5]))
    assert "1 difference in 1 session" in agreement.message

    later = day.at + timedelta(days=1)
    reconcile(store, [source], answers(lists), now=lambda: later)  # it keeps its first time
    assert ask(store, "SELECT count(*) FROM discrepancies WHERE found_at = ?", [later]).rows == (
        (0,),
    )
    reconcile(store, [source], answers(listed(day)))
    assert ask(store, SHOWN).rows == ()


def test_a_listed_fee_of_nothing_need_not_be_booked(store: Store) -> None:
    day = a_day()
    lists = listed(day)
    lists["fees"].append({**lists["fees"][0], "activity_id": "fee-2", "amount": d("0")})
    (agreement,) = reconcile(store, [loaded(store, day)], answers(lists))
    assert (agreement.three_way, agreement.found) == (True, 0)


def test_without_a_broker_it_is_two_way_and_says_why(store: Store) -> None:
    day = a_day()
    (agreement,) = reconcile(store, [loaded(store, day)], answers("there are no keys"))
    assert (agreement.three_way, agreement.found) == (False, 0)
    assert "(journal and warehouse alone: there are no keys)" in agreement.message


def test_what_the_broker_told_before_stands_while_it_does_not_answer(store: Store) -> None:
    day = a_day()
    source, lists = loaded(store, day), listed(day)
    half_a_fill(lists)
    reconcile(store, [source], answers(lists))
    before = ask(store, SHOWN).rows
    assert len(before) == 1
    reconcile(store, [source], answers("a time-out"))
    assert ask(store, SHOWN).rows == before


def test_what_the_broker_told_stands_when_the_session_is_loaded_again(store: Store) -> None:
    day = a_day()
    source, lists = loaded(store, day), listed(day)
    half_a_fill(lists)
    another_fee(lists)
    reconcile(store, [source], answers(lists))
    before = ask(store, SHOWN).rows
    assert [kind for kind, *_ in before] == ["fee", "fill"]
    again = load_session(store, day.source("m2"))
    assert (again.status, again.restated) == ("loaded", False)
    assert ask(store, SHOWN).rows == before
    reconcile(store, [source], answers(listed(day)))
    assert ask(store, SHOWN).rows == ()


def test_an_older_session_judged_again_leaves_the_rows_of_later_ones_as_they_are(
    store: Store,
) -> None:
    first = Day(mode="paper")
    first.buy("Alpha", "SPY", "1", "450")
    sources = [loaded(store, first)]
    second = first.next_day("s2")
    second.buy("Alpha", "SPY", "1", "460")
    sources.append(loaded(store, second))
    nothing: Lists = {"fills": [], "fees": []}
    reconcile(store, sources, answers(nothing))
    before = ask(store, SHOWN).rows
    reconcile(store, sources[:1], answers(nothing))
    assert ask(store, SHOWN).rows == before


def test_what_the_warehouse_lost_or_altered_is_told_from_the_journal(store: Store) -> None:
    source = loaded(store, a_day())
    store.connection.execute("DELETE FROM fills WHERE execution_id = 's1-e3'")
    store.connection.execute("UPDATE fills SET qty = 11 WHERE execution_id = 's1-e1'")
    (agreement,) = reconcile(store, [source], answers("no broker"))
    assert agreement.found == 2
    assert [(kind, note) for kind, *_, note in ask(store, SHOWN).rows] == [
        ("journal", "s1-e1: the journal has 10, the warehouse 11.000000000000000000"),
        ("journal", "s1-e3: the journal has 4, the warehouse None"),
    ]


def test_an_order_that_the_broker_still_lists_with_its_bust_agrees(store: Store) -> None:
    day = a_day()
    day.bust(day.buy("Alpha", "SPY", "3", "452"))
    lists = listed(day)
    del lists["fills"][-1]  # it never lists the bust itself
    (agreement,) = reconcile(store, [loaded(store, day)], answers(lists))
    assert agreement.found == 0


def test_orders_of_a_session_that_still_runs_are_not_judged(store: Store) -> None:
    day = a_day()
    source = day.source()
    source.tables["sessions"][0] |= {"status": "open", "closed_at": None}
    load_session(store, source)
    (agreement,) = reconcile(store, [source], answers({"fills": [], "fees": []}))
    assert agreement.found == 0


def two_coordinators() -> tuple[Day, Day]:
    """A stock session that has ended, and a crypto session that began before it and still runs."""
    crypto = Day("crypto", mode="paper", tickers={"Coin": ["BTC/USD"]})
    crypto.opened_at -= timedelta(hours=13)
    return a_day(), crypto


def still_traded(day: Day) -> Source:
    source = day.source()
    source.tables["sessions"][0] |= {"status": "open", "closed_at": None}
    return source


def of_other(order_id: str, at: Any, symbol: str = "BTCUSD") -> dict[str, Any]:
    side, qty, price = "buy", d("0.2"), d("80000")
    return dict(order_id=order_id, symbol=symbol, side=side, qty=qty, price=price, filled_at=at)


def test_what_a_session_beside_it_did_is_left_to_that_ones_own_end_of_day(store: Store) -> None:
    day, crypto = two_coordinators()
    source, lists = loaded(store, day), listed(day)
    lists["fills"].append(of_other("c-1", day.at))  # it has not even journaled the broker's id
    lists["fees"].append({"activity_id": "fee-9", "day": day.day, "amount": d("-0.02")})
    beside = [still_traded(crypto)]
    (agreement,) = reconcile(store, [source], answers(lists), others=beside)
    assert (agreement.three_way, agreement.found) == (True, 0), ask(store, SHOWN).rows
    reconcile(store, [source], answers(lists))  # nobody runs, and nobody has them in the books
    told = [note for *_, note in ask(store, SHOWN).rows]
    assert [note.split(":")[0] for note in told] == ["fee fee-9", "orders of nobody here"]


def test_what_nobody_ordered_before_the_running_session_began_is_judged_all_the_same(
    store: Store,
) -> None:
    day, crypto = two_coordinators()
    source, lists = loaded(store, day), listed(day)
    crypto.opened_at = day.at + timedelta(hours=6)  # the next date's
    lists["fills"].append(of_other("hand", day.at))
    beside = [still_traded(crypto)]
    (agreement,) = reconcile(store, [source], answers(lists), others=beside)
    assert agreement.found == 1
    ((*_, note),) = ask(store, SHOWN).rows
    assert "orders of nobody here: the broker lists 0.2 buy of BTCUSD" in str(note)


def test_what_a_running_session_booked_of_before_its_beginning_is_in_somebodys_books(
    store: Store,
) -> None:
    day, crypto = two_coordinators()
    source, lists = loaded(store, day), listed(day)
    crypto.opened_at = day.at + timedelta(hours=6)
    lists["fills"].append(of_other("hand", day.at))
    lists["fees"].append({"activity_id": "fee-2", "day": day.day, "amount": d("-0.02")})
    crypto.buy("UNASSIGNED", "BTC/USD", "0.2", "80000")
    crypto.rows["orders"].clear()
    crypto.rows["fills"][0] |= {"client_order_id": None, "filled_at": day.at}
    crypto.activity("UNASSIGNED", "fee", "-0.02")
    crypto.rows["activities"][0]["activity_id"] = "fee-2"
    beside = [still_traded(crypto)]
    (agreement,) = reconcile(store, [source], answers(lists), others=beside)
    assert agreement.found == 0, ask(store, SHOWN).rows


def test_what_a_session_did_that_has_ended_and_is_not_loaded_yet_is_left_to_its_own_load(
    store: Store,
) -> None:
    day, crypto = two_coordinators()
    source, lists = loaded(store, day), listed(day)
    coin, hand = "Coin", "UNASSIGNED"
    for strategy, qty in ((coin, "0.1"), (hand, "0.2")):
        crypto.buy(strategy, "BTC/USD", qty, "80000")
    crypto.rows["orders"].pop()  # what a human ordered
    crypto.rows["orders"][0]["broker_order_id"] = "c-1"
    ended = crypto.source()
    first, by_hand = (row["filled_at"] for row in crypto.rows["fills"])
    lists["fills"] += [of_other("c-1", first), of_other("by hand", by_hand)]
    (agreement,) = reconcile(store, [source], answers(lists), others=[ended])
    assert agreement.found == 0, ask(store, SHOWN).rows
    lists["fees"].append({"activity_id": "fee-9", "day": day.day, "amount": d("-0.02")})
    lists["fills"].append(of_other("later", crypto.at + timedelta(hours=1)))
    (agreement,) = reconcile(store, [source], answers(lists), others=[ended])
    assert agreement.found == 2, "it is over: what came after it is not its own"


def test_what_the_warehouse_has_of_another_session_is_judged_by_that(store: Store) -> None:
    day, crypto = two_coordinators()
    source, other = loaded(store, day), loaded(store, crypto)
    lists = listed(day)
    lists["fills"].append(of_other("by hand", crypto.at))
    (agreement,) = reconcile(store, [source], answers(lists), others=[other])
    assert agreement.found == 1


def test_the_broker_can_be_asked_before_what_it_answers_is_compared(store: Store) -> None:
    day = a_day()
    source = loaded(store, day)
    asked = ask_beforehand(store, [source])
    seen = list[Any]()

    def broker(*key: Any) -> Lists:
        seen.append(key)
        return listed(day)

    told = asked(broker)
    assert seen == [("PA1", "paper", day.opened_at)]
    (agreement,) = reconcile(store, [source], told)
    assert (agreement.three_way, agreement.found, len(seen)) == (True, 0, 1)


def test_an_order_that_lives_on_in_a_running_session_is_judged_after_that_one(
    store: Store,
) -> None:
    day, after = a_day(), Day("s2", mode="paper")
    day.rows["orders"][0] |= {"closed_at": None}
    source, lists = loaded(store, day), listed(day)
    after.opened_at = day.at + timedelta(hours=6)
    lists["fills"][0]["qty"] += 5
    reconcile(store, [source], answers(lists))
    assert len(ask(store, SHOWN).rows) == 1
    (agreement,) = reconcile(store, [source], answers(lists), others=[still_traded(after)])
    assert agreement.found == 0


def test_another_coordinators_orders_of_that_time_are_known_though_only_one_session_is_named(
    store: Store,
) -> None:
    day, crypto = two_coordinators()
    crypto.buy("Coin", "BTC/USD", "0.2", "80000", broker_order_id="c-1")
    loaded(store, crypto)
    source, lists = loaded(store, day), listed(day)
    lists["fills"].append(of_other("c-1", crypto.at))
    (agreement,) = reconcile(store, [source], answers(lists))
    assert agreement.found == 0, ask(store, SHOWN).rows


def test_only_the_newest_week_is_asked_for(store: Store) -> None:
    first = a_day()
    sources = [loaded(store, first), loaded(store, first.next_day("s2", days=8))]
    asked: list[Any] = []

    def broker(account: str, mode: str, since: Any) -> str:
        asked.append((account, mode, since.date()))
        return "not now"

    (agreement,) = reconcile(store, sources, broker)
    assert asked == [("PA1", "paper", first.day + timedelta(days=8))]
    assert agreement.sessions == ("s2",)


def test_what_two_strategies_crossed_never_reached_the_broker_and_is_no_difference(
    store: Store,
) -> None:
    day = a_day()
    for trade, strategy in ((day.sell, "Alpha"), (day.buy, "Beta")):
        trade(strategy, "SPY", "3", "452", broker_order_id=None, submitted_at=None)
        crossed = day.rows["fills"][-1]
        crossed["execution_id"] = f"cross.{crossed['client_order_id']}"
    lists = listed(day)
    del lists["fills"][-2:]
    (agreement,) = reconcile(store, [loaded(store, day)], answers(lists))
    assert agreement.found == 0, ask(store, SHOWN).rows
