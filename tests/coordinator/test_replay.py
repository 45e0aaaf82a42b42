"""Records are the books: applied again, alone or through the journal's text, they give the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.codec import decode, encode
from tests.coordinator.bench import Bench, D, bar
from tests.coordinator.stories import events, play, signals, started


def contents(books: Books) -> dict[str, Any]:
    """All that books say, in values that can be compared."""
    return {
        "accounts": {
            name: (a.cash, a.initial_cash, a.configured_cash, a.transferred, a.positions,
                   a.realized, a.fees)
            for name, a in books.ledger.accounts.items()
        },
        "marks": books.ledger.marks,
        "orders": list(books.orders),
        "open": {order.client_order_id for order in books.orders.open()},
        "days": books.days,
        "executions": books.posted.executions,
        "sequences": books.sequences,
        "last_bar": books.last_bar,
        "denied": books.denied,
        "session": books.session,
        "ended": books.ended,
    }  # fmt: skip


def replayed(records: Iterable[r.Record]) -> Books:
    books = Books()
    books.apply_all(records)
    return books


@settings(max_examples=120, deadline=None)
@given(st.lists(signals, min_size=2, max_size=3), events)
def test_whatever_happened_its_records_give_the_same_books_again(
    said: list[dict[tuple[str, int], int]], story: list[tuple[str, int, str, int]]
) -> None:
    bench = started(said)
    play(bench, story)
    assert contents(replayed(bench.records)) == contents(bench.books)
    texts = [encode(record) for record in bench.records]
    assert contents(replayed(decode(*text) for text in texts)) == contents(bench.books)
    assert [encode(decode(*text)) for text in texts] == texts


@settings(max_examples=120, deadline=None)
@given(st.lists(signals, min_size=2, max_size=3), events)
def test_whatever_happened_the_books_sum_and_no_limit_is_overdrawn(
    said: list[dict[tuple[str, int], int]], story: list[tuple[str, int, str, int]]
) -> None:
    bench = started(said)
    play(bench, story)
    books, cash, held = bench.books, D(100_000), {"SPY": D(10)}
    for fill in (x for x in bench.records if isinstance(x, r.FillBooked)):
        cash -= fill.side.sign * fill.qty * fill.price + (0 if fill.fee_qty else fill.fee)
        held[fill.symbol] = held.get(fill.symbol, D(0)) + fill.side.sign * fill.qty - fill.fee_qty
    assert books.ledger.net_cash() == cash
    assert books.ledger.net_positions() == {s: q for s, q in held.items() if q}
    for name in (one.name for one in bench.specs):
        day, account = books.days[name], books.ledger[name]
        assert day.entries == sum(o.is_entry for o in books.orders if o.strategy == name)
        assert all(p.qty >= 0 and p.cost >= 0 for p in account.positions.values())
        assert account.cash >= sum((o.hold for o in books.orders.open_of(name)), D(0)) - D(1500)
    for order in books.orders:
        assert D(0) <= order.booked_qty <= order.qty
        assert order.open_qty >= 0


def test_a_second_program_that_reads_on_where_the_first_stood_decides_the_same() -> None:
    said = [{("SPY", 0): 1, ("SPY", 2): -1, ("BTC/USD", 3): 1}, {("SPY", 2): 1}]
    story = [
        ("bar", 2, "SPY", 100), ("fill", 0, "SPY", 100), ("bar", 2, "SPY", 101),
        ("bar", 2, "SPY", 102), ("bar", 2, "BTC/USD", 99),
    ]  # fmt: skip
    first = started(said)
    play(first, story)
    second = started(said)
    play(second, story[:3])
    resumed = Bench(*second.specs, books=replayed(second.records))
    assert isinstance(resumed.records[-1], r.SessionResumed)
    for number, record in enumerate(x for x in second.records if isinstance(x, r.BarsSeen)):
        resumed.engine.lanes.feed_all([record.bars[0]])
        assert number < 2
    for minute, ticker, price in ((2, "SPY", "102"), (3, "BTC/USD", "99")):
        resumed.bars(bar(ticker, minute, price))
    assert resumed.sent() == first.sent()[1:]
    assert contents(resumed.books)["accounts"] == contents(first.books)["accounts"]
