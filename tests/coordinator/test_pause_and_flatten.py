"""A strategy can be paused, resumed and flattened while it runs, and stays as it was told to be."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.codec import decode, encode
from coordinator.core.messages import Act
from coordinator.core.orders import OrderStatus
from coordinator.core.values import MINUTE, UNASSIGNED, Reason, Side
from tests.coordinator.bench import CLOSE, OPEN, STOCKS, Bench, D, asset, order_id, report, spec

BUY, SELL = Side.BUY, Side.SELL
HALF = {"max_position_size": "0.5"}
BY = "daniel"


def ask(bench: Bench, act: Act, strategy: str = "", by: str = BY) -> m.Answer:
    """An operator asks the session."""
    answer = bench.handle(m.OperatorAsked(bench.now, act, by, strategy)).answer
    assert answer is not None, "whoever asks is answered"
    return answer


def elsewhere(bench: Bench, record: r.Record) -> None:
    """Another process writes a record, and the session hears of it."""
    bench.books.apply_foreign(record)
    bench.handle(m.ClockRead(bench.now))


def holding(*names: str, crossing: bool = False, **limits: str) -> Bench:
    """Strategies that bought 50 SPY each at 100; they want more at minute 3 and out at minute 9."""
    bench = Bench(
        *(spec(n, {("SPY", 0): 1, ("SPY", 3): 1, ("SPY", 9): -1}, **HALF, **limits) for n in names),
        holdings=[r.Holding("SPY", D(7), D(700))],
        crossing=crossing,
    )
    bench.minute(0, {"SPY": "100"})
    for name in names:
        bench.fill(bench.order(name), "100")
    return bench


def eager(*names: str) -> Bench:
    """Strategies that hold nothing and want to buy at minutes 1 and 5."""
    return Bench(*(spec(n, {("SPY", 1): 1, ("SPY", 5): 1}, **HALF) for n in names))


# --- pause


def test_a_paused_strategy_opens_nothing_and_the_denial_says_so_and_its_neighbour_buys() -> None:
    bench = eager("A", "B")
    answer = ask(bench, Act.PAUSE, "A")
    bench.minute(1, {"SPY": "100"})
    assert answer.done
    assert answer.said.startswith("A is paused")
    assert bench.denials() == [("A", "paused")]
    assert [s[:3] for s in bench.sent()] == [("B", "SPY", BUY)]


@pytest.mark.parametrize(
    ("minute", "close", "limits", "why"),
    [
        (9, "100", {}, "signal"),
        (4, "97", {"stop_loss_pct": "0.02"}, "stop"),
        (4, "103", {"take_profit_pct": "0.02"}, "target"),
    ],
)
def test_a_paused_strategys_exits_stops_and_targets_go_on(
    minute: int, close: str, limits: dict[str, str], why: str
) -> None:
    bench = holding("A", **limits)
    ask(bench, Act.PAUSE, "A")
    bench.minute(minute, {"SPY": close})
    assert bench.sent()[1:] == [("A", "SPY", SELL, D(50))]
    assert bench.order("A", 2).reason.value == why


def test_an_entry_refused_after_another_one_went_out_is_told_again() -> None:
    said = {("SPY", 1): 1, ("SPY", 2): 1, ("SPY", 3): 1, ("SPY", 4): -1, ("SPY", 5): 1}
    bench = Bench(spec("A", said, **HALF))
    for minute, act in ((1, Act.PAUSE), (2, Act.PAUSE), (3, Act.RESUME), (4, None), (5, Act.PAUSE)):
        if act is not None:
            ask(bench, act, "A")
        bench.minute(minute, {"SPY": "100"})
        for order in bench.books.orders.open():
            bench.fill(order)
    assert bench.denials() == [("A", "paused"), ("A", "paused")], "of minutes 1 and 5"


def test_its_indicators_stay_warm_so_that_it_trades_again_at_once_when_it_is_resumed() -> None:
    bench = Bench(spec("A", {("SPY", 4): 1}, warmup=5, **HALF))
    ask(bench, Act.PAUSE, "A")
    for minute in range(4):
        bench.minute(minute, {"SPY": "100"})
    answer = ask(bench, Act.RESUME, "A")
    bench.minute(4, {"SPY": "100"})
    assert answer.said.startswith("A is resumed")
    assert [s[:3] for s in bench.sent()] == [("A", "SPY", BUY)]


def test_an_order_at_the_broker_goes_on_and_an_entry_that_waits_for_its_turn_is_dropped() -> None:
    bench = Bench(
        spec("A", {("SPY", 0): 1, ("SPY", 1): -1}, **HALF),
        spec("B", {("SPY", 1): 1}, **HALF),
    )
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"), "100")
    bench.minute(1, {"SPY": "100"})
    assert bench.order("B").status is OrderStatus.WAITING
    ask(bench, Act.PAUSE, "B")
    ask(bench, Act.PAUSE, "A")
    bench.fill(bench.order("A", 2), "100")
    assert bench.order("B").status is OrderStatus.DENIED
    assert [s[:3] for s in bench.sent()] == [("A", "SPY", BUY), ("A", "SPY", SELL)]
    assert bench.position("A", "SPY") == 0


def test_a_pause_that_another_process_wrote_holds_as_one_that_was_asked_for() -> None:
    bench = eager("A")
    elsewhere(bench, r.Paused(bench.now, "A", BY))
    bench.minute(1, {"SPY": "100"})
    elsewhere(bench, r.Resumed(bench.now, "A", BY))
    bench.minute(5, {"SPY": "100"})
    assert bench.denials() == [("A", "paused")]
    assert [s[:3] for s in bench.sent()] == [("A", "SPY", BUY)]


def test_a_wish_that_is_fulfilled_already_is_answered_and_written_once() -> None:
    bench = eager("A")
    said = [ask(bench, act, "A").said for act in (Act.PAUSE, Act.PAUSE, Act.RESUME, Act.RESUME)]
    assert ["paused already" in one for one in said] == [False, True, False, False]
    assert said[3] == "A is not paused."
    assert len(bench.of(r.Paused)) == len(bench.of(r.Resumed)) == 1


@pytest.mark.parametrize("name", ["Z", "", UNASSIGNED])
@pytest.mark.parametrize("act", [Act.PAUSE, Act.RESUME, Act.FLATTEN])
def test_a_strategy_that_is_not_here_is_refused_with_those_that_are(act: Act, name: str) -> None:
    bench = eager("A", "B")
    answer = ask(bench, act, name)
    assert not answer.done
    assert "there are: A, B" in answer.said
    assert not bench.of(r.Paused) + bench.of(r.Resumed) + bench.of(r.FlattenRequested)


# --- over restarts and sessions


def test_it_is_paused_in_the_next_process_and_the_next_session_until_it_is_resumed() -> None:
    bench = eager("A")
    ask(bench, Act.PAUSE, "A")
    fresh = Bench(*bench.specs, books=bench.books)
    fresh.minute(1, {"SPY": "100"})
    assert fresh.denials() == [("A", "paused")]
    ask(fresh, Act.RESUME, "A")
    fresh.minute(5, {"SPY": "100"})
    assert [s[:3] for s in fresh.sent()] == [("A", "SPY", BUY)]


def test_an_entry_that_a_crash_kept_from_the_broker_is_not_sent_once_its_strategy_is_paused() -> (
    None
):
    bench = eager("A")
    bench.minute(1, {"SPY": "100"})
    elsewhere(bench, r.Paused(bench.now, "A", BY))
    fresh = Bench(*bench.specs, books=bench.books)
    assert fresh.engine.resume([order_id("A")], bench.now).commands == []


@pytest.mark.parametrize("released", [True, False], ids=["not sent", "waits for its turn"])
def test_who_gets_one_strategy_out_sends_no_entry_that_a_crash_kept_from_the_broker(
    *, released: bool
) -> None:
    bench = holding("A", "B")
    at, qty, price = bench.now, D(5), D(100)
    entry = r.OrderIntended(
        at, order_id("A", 2), "A", "QQQ", BUY, qty, price, Reason.SIGNAL, released
    )
    bench.books.apply_all([entry, r.FlattenRequested(at, "B", BY)])
    command = Bench(books=bench.books, assets={"SPY": asset("SPY"), "QQQ": asset("QQQ")})
    outcome = command.engine.resume([order_id("A", 2)] if released else [], at)
    sent = [c for c in outcome.commands if isinstance(c, m.SubmitOrder)]
    assert [(c.client_order_id, c.side) for c in sent] == [(order_id("B", 2), SELL)]


def test_replaying_the_records_gives_the_same_halts() -> None:
    bench = holding("A", "B", "C")
    for name in ("A", "C"):
        ask(bench, Act.PAUSE, name)
    for name in ("B", "C"):
        ask(bench, Act.FLATTEN, name)
    ask(bench, Act.RESUME, "C")
    replayed = Books()
    replayed.apply_all(decode(*encode(record)) for record in bench.records)
    assert replayed.halts == bench.books.halts
    assert (replayed.halts.paused, replayed.halts.flattened) == ({"A", "B"}, {"B"})


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (r.Paused(OPEN, "A", BY), "Paused"),
        (r.FlattenRequested(OPEN, "A", BY), "FlattenRequested"),
        (r.Resumed(OPEN, "A", BY), "Resumed"),
    ],
)
def test_what_was_ordered_stands_in_the_journal_as_it_always_will(
    record: r.Record, text: str
) -> None:
    body = '{"at":"2026-03-17T13:30:00+00:00","strategy":"A","by":"daniel"}'
    assert encode(record) == (text, body)
    assert decode(text, body) == record


# --- flatten


def test_a_flattened_strategy_sells_what_it_holds_and_nobody_elses() -> None:
    bench = holding("A", "B")
    answer = ask(bench, Act.FLATTEN, "A")
    assert "sells 50 SPY" in answer.said
    assert bench.sent()[2:] == [("A", "SPY", SELL, D(50))]
    bench.fill(bench.order("A", 2), "99")
    assert [bench.position(name, "SPY") for name in ("A", "B", UNASSIGNED)] == [0, 50, 7]


def test_with_crossing_a_flattened_strategy_sells_without_waiting_for_a_bar() -> None:
    bench = holding("A", crossing=True)
    ask(bench, Act.FLATTEN, "A")
    assert bench.sent()[1:] == [("A", "SPY", SELL, D(50))]


def test_it_does_not_buy_again_until_it_is_resumed() -> None:
    bench = holding("A")
    ask(bench, Act.FLATTEN, "A")
    bench.fill(bench.order("A", 2), "100")
    bench.minute(3, {"SPY": "100"})
    assert bench.denials() == [("A", "paused")]


def test_its_open_buy_is_cancelled_and_what_filled_meanwhile_is_sold() -> None:
    bench = eager("A")
    bench.minute(1, {"SPY": "100"})
    order = bench.order("A")
    bench.update(order, OrderStatus.NEW)
    answer = ask(bench, Act.FLATTEN, "A")
    assert "cancels 1 open buy" in answer.said
    assert [type(c) for c in bench.commands] == [m.SubmitOrder, m.CancelOrder]
    bench.fill(order, "100", "20")
    bench.update(order, OrderStatus.CANCELED, "20")
    assert bench.sent()[1:] == [("A", "SPY", SELL, D(20))]


def test_nothing_is_sold_twice_however_often_it_is_asked_for() -> None:
    bench = holding("A")
    for _ in range(3):
        ask(bench, Act.FLATTEN, "A")
        bench.handle(m.ClockRead(bench.now))
    assert len(bench.of(r.FlattenRequested)) == 1
    assert bench.sent()[1:] == [("A", "SPY", SELL, D(50))]


def test_what_the_broker_refuses_to_sell_is_tried_again_a_minute_later() -> None:
    bench = holding("A")
    ask(bench, Act.FLATTEN, "A")
    bench.handle(m.SubmitRefused(order_id("A", 2), bench.now, "halted"))
    bench.handle(m.ClockRead(bench.now + timedelta(seconds=30)))
    assert len(bench.sent()) == 2
    bench.handle(m.ClockRead(bench.now + MINUTE))
    assert bench.sent()[2:] == [("A", "SPY", SELL, D(50))]


def test_while_its_market_is_closed_it_waits_and_sells_at_the_next_open() -> None:
    bench = holding("A")
    bench.now = CLOSE + MINUTE
    answer = ask(bench, Act.FLATTEN, "A")
    assert "sells 50 SPY once its market opens" in answer.said
    assert len(bench.sent()) == 1
    fresh = Bench(*bench.specs, books=bench.books, plan=STOCKS)
    fresh.handle(m.ClockRead(OPEN - MINUTE))
    assert fresh.sent() == []
    fresh.handle(m.ClockRead(OPEN))
    assert fresh.sent() == [("A", "SPY", SELL, D(50))]


def test_a_resume_ends_a_flatten_that_waits_for_the_open() -> None:
    bench = holding("A")
    bench.now = CLOSE + MINUTE
    ask(bench, Act.FLATTEN, "A")
    ask(bench, Act.RESUME, "A")
    fresh = Bench(*bench.specs, books=bench.books, plan=STOCKS)
    fresh.handle(m.ClockRead(OPEN))
    assert fresh.sent() == []


def test_a_flat_strategy_that_is_flattened_is_paused() -> None:
    bench = eager("A")
    answer = ask(bench, Act.FLATTEN, "A")
    assert answer.said.startswith("A is flat")
    bench.minute(1, {"SPY": "100"})
    assert bench.denials() == [("A", "paused")]


def test_a_strategy_that_left_the_configuration_can_be_flattened() -> None:
    bench = holding("A", "B")
    fresh = Bench(spec("B", {("SPY", 9): -1}), books=bench.books, plan=STOCKS)
    fresh.now = OPEN + 2 * MINUTE
    ask(fresh, Act.FLATTEN, "A")
    assert fresh.sent() == [("A", "SPY", SELL, D(50))]


# --- kill and revive, asked of the session


def test_a_kill_is_written_once_and_sells_everything_at_once() -> None:
    bench = holding("A", "B")
    assert ask(bench, Act.KILL).done
    assert "already" in ask(bench, Act.KILL).said
    assert len(bench.of(r.Killed)) == 1
    assert [s[2:] for s in bench.sent()[2:]] == [(SELL, D(50)), (SELL, D(50))]


def test_a_revival_is_refused_before_flat_and_says_what_is_left() -> None:
    bench = holding("A")
    ask(bench, Act.KILL)
    answer = ask(bench, Act.REVIVE)
    assert not answer.done
    assert "A holds 50 SPY" in answer.said
    assert order_id("A", 2) in answer.said
    bench.fill(bench.order("A", 2), "100")
    assert ask(bench, Act.REVIVE).done
    assert not bench.books.halts.killed


def test_a_revival_waits_for_the_orders_of_the_accounts_other_coordinators() -> None:
    theirs, bench = eager("B"), eager("A")
    theirs.minute(1, {"SPY": "100"})
    for record in theirs.records:
        bench.books.apply_foreign(record)
    ask(bench, Act.KILL)
    assert order_id("B") in ask(bench, Act.REVIVE).said
    assert bench.books.halts.killed


@pytest.mark.parametrize("first", ["the old order", "the new order"])
def test_a_revival_waits_for_an_order_by_hand_in_the_place_of_anothers(first: str) -> None:
    theirs, bench = eager("B"), eager("A")
    theirs.minute(1, {"SPY": "100"})
    order = theirs.order("B")
    theirs.update(order, OrderStatus.NEW)
    old = replace(report(order, OrderStatus.REPLACED, "0", theirs.now), replaced_by="broker-hand")
    new = replace(
        report(order, OrderStatus.NEW, "0", theirs.now),
        client_order_id="by-hand",
        broker_order_id="broker-hand",
        replaces=order.broker_order_id,
    )
    theirs.handle(*((old, new) if first == "the old order" else (new, old)))
    for record in theirs.records:
        bench.books.apply_foreign(record)
    ask(bench, Act.KILL)
    assert ask(bench, Act.REVIVE).said == "The account is not revived: order by-hand is open."
    begun = len(theirs.records)
    theirs.update(theirs.books.order("by-hand"), OrderStatus.CANCELED)
    for record in theirs.records[begun:]:
        bench.books.apply_foreign(record)
    assert ask(bench, Act.REVIVE).done


def test_a_resume_of_a_killed_account_says_that_nothing_is_bought_yet() -> None:
    bench = eager("A")
    ask(bench, Act.PAUSE, "A")
    ask(bench, Act.KILL)
    assert "killed" in ask(bench, Act.RESUME, "A").said
    bench.minute(1, {"SPY": "100"})
    assert bench.denials() == [("A", "killed")]
