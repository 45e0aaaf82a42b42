"""The end of day's reconciliation: three sides, and each difference a row that names it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.warehouse.builder import Day, Source, d
from warehouse import Store, load_session, reconcile
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
        "Reconciled PA1 (journal, broker and warehouse): no difference in 1 session(s)."
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
    assert "1 difference in 1 session(s)" in agreement.message

    later = day.at + timedelta(days=1)
    reconcile(store, [source], answers(lists), now=lambda: later)  # it keeps its first time
    assert ask(store, "SELECT count(*) FROM discrepancies WHERE found_at = ?", [later]).rows == (
        (0,),
    )
    reconcile(store, [source], answers(listed(day)))
    assert ask(store, SHOWN).rows == ()


def test_without_a_broker_it_is_two_way_and_says_why(store: Store) -> None:
    day = a_day()
    (agreement,) = reconcile(store, [loaded(store, day)], answers("there are no keys"))
    assert (agreement.three_way, agreement.found) == (False, 0)
    assert "(two-way only: there are no keys)" in agreement.message


def test_what_the_broker_told_before_stands_while_it_does_not_answer(store: Store) -> None:
    day = a_day()
    source, lists = loaded(store, day), listed(day)
    half_a_fill(lists)
    reconcile(store, [source], answers(lists))
    before = ask(store, SHOWN).rows
    assert len(before) == 1
    reconcile(store, [source], answers("a time-out"))
    assert ask(store, SHOWN).rows == before


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
