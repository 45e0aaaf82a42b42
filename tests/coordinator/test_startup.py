"""A start is recovery: the journal replayed, the broker asked, no trade unless both agree."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.controls import Controls
from coordinator.core.fees import CRYPTO_FEE_RATE
from coordinator.core.ledger import Position
from coordinator.core.orders import OrderStatus, Phase
from coordinator.core.reconcile import compare
from coordinator.core.session import SessionPlan
from coordinator.core.setup import Setup
from coordinator.core.values import MINUTE, UNASSIGNED, Side
from coordinator.errors import BrokerUnavailable, OperatorError, SafetyRefusal
from coordinator.settings import simulator_settings
from coordinator.shell import agreement, startup
from coordinator.shell.alpaca_rest import TIMEOUT_S, AlpacaRest
from coordinator.shell.broker import Broker, persistent
from coordinator.shell.clock import BrokerClock
from coordinator.shell.journal import Journal
from coordinator.shell.journal_reading import read_kinds
from coordinator.shell.pace import Budgets
from coordinator.shell.ports import Ports
from coordinator.shell.rest import Api
from coordinator.shell.run import Run, Started
from coordinator.shell.session import end_session
from simulator.server import Simulator, SimulatorOptions
from tests.coordinator.bench import STOCKS, Bench, D, asset, bar, order_id, report, spec
from tests.coordinator.test_reload import reload

SELL = Side.SELL
SETUP = Setup("bench", "paper", "iex", "hash", (), Controls(), False, CRYPTO_FEE_RATE)
NOW = datetime(2026, 3, 17, 15, tzinfo=UTC)
WAITED_S: list[float] = []


@contextmanager
def venue(
    faults: list[dict[str, object]] | None = None, folder: Path | None = None, account: str = "PA9"
) -> Iterator[Broker]:
    """The simulator in mid-session, as the broker."""
    script = None
    if faults and folder:
        script = folder / "faults.json"
        script.write_text(json.dumps(faults))
    options = SimulatorOptions(
        date=date(2026, 3, 17), start=NOW, faults=script, account_number=account
    )
    with Simulator(options) as simulator:
        settings = simulator_settings(simulator.url, Path("x"))
        yield Broker(AlpacaRest(settings), feed="iex", retry=persistent(WAITED_S.append))


def crashed(broker: Broker) -> Bench:
    """A session on the broker's account that wanted 10 SPY for A and then died."""
    bench = Bench(spec("A", {("SPY", 0): 1}, cash="1000"), plan=STOCKS)
    bench.minute(0, {"SPY": "100"})
    bench.now = broker.clock()
    return bench


def settled(
    bench: Bench, broker: Broker, now: datetime = NOW, tickers: Sequence[str] = ("SPY",)
) -> tuple[list[r.Record], list[str]]:
    """What a restart learns of the orders that the bench left open, look-up after look-up."""
    assets = {ticker: asset(ticker) for ticker in tickers}
    known = agreement.ask_about_orders(bench.books, broker, now, lambda _: None)
    return agreement.settle_orders(bench.books, assets, known, now)


def differing(books: Books, broker: Broker) -> list[r.DiscrepancyFound]:
    positions = {held.symbol: held.qty for held in broker.positions()}
    return compare(books.ledger, broker.account().cash, positions, NOW)


def sent(bench: Bench) -> m.SubmitOrder:
    (command,) = [c for c in bench.commands if isinstance(c, m.SubmitOrder)]
    return command


def test_on_first_sight_all_that_the_account_holds_is_nobodys() -> None:
    with venue() as broker:
        broker.submit(m.SubmitOrder("by-hand", "BTC/USD", Side.BUY, D("0.1"), "gtc"))
        books = Books()
        (adopted,) = agreement.adopt_account(books, broker)
        assert isinstance(adopted, r.AccountAdopted)
        assert [(h.symbol, h.qty) for h in adopted.holdings] == [("BTC/USD", D("0.09975"))]
        assert differing(books, broker) == []
        assert agreement.adopt_account(books, broker) == []


def test_an_order_whose_answer_was_lost_is_found_and_its_fill_booked(tmp_path: Path) -> None:
    faults: list[dict[str, object]] = [{"kind": "http_500_after_accept", "status": 504}]
    with venue(faults, tmp_path) as broker:
        bench = crashed(broker)
        with pytest.raises(BrokerUnavailable):
            broker.submit(sent(bench))
        records, unsent = settled(bench, broker)
        assert unsent == []
        assert [type(x) for x in records] == [r.FillBooked, r.OrderMoved]
        assert bench.order("A").status is OrderStatus.FILLED
        assert bench.position("A", "SPY") == sent(bench).qty
        assert differing(bench.books, broker) == []
        assert settled(bench, broker) == ([], [])


def test_an_order_that_never_left_is_closed_and_not_sent_late() -> None:
    with venue() as broker:
        bench = crashed(broker)
        (moved,), unsent = settled(bench, broker)
        assert unsent == []
        assert isinstance(moved, r.OrderMoved)
        assert (moved.status, moved.reason) == (OrderStatus.DENIED, "never_reached_broker")
        assert list(broker.orders_after(datetime(2026, 3, 1, tzinfo=UTC))) == []
        assert bench.books.ledger["A"].cash == D(1000)


def in_line() -> Bench:
    """A session in which an entry of B waits for an exit of A on the same ticker."""
    said = {("SPY", 0): 1, ("SPY", 1): -1}
    bench = Bench(
        spec("A", said, cash="1000"), spec("B", {("SPY", 1): 1}, cash="1000"), plan=STOCKS
    )
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    bench.minute(1, {"SPY": "100"})
    return bench


def test_an_order_that_waited_for_its_turn_is_dropped_without_asking() -> None:
    with venue() as broker:
        records, unsent = settled(in_line(), broker)
        assert unsent == []
        moves = {x.client_order_id: x.reason for x in records if isinstance(x, r.OrderMoved)}
        assert moves == {order_id("B"): "session_over", order_id("A", 2): "never_reached_broker"}


@pytest.mark.parametrize(("tickers", "dropped"), [(["SPY"], []), ([], ["session_over"])])
def test_an_order_that_waits_since_this_minute_is_kept_if_its_ticker_is_still_traded(
    tickers: list[str], dropped: list[str]
) -> None:
    with venue() as broker:
        bench = in_line()
        records, _ = settled(bench, broker, bench.order("B").decided_at + MINUTE / 2, tickers)
        moved = [x for x in records if isinstance(x, r.OrderMoved)]
        assert [x.reason for x in moved if x.client_order_id == order_id("B")] == dropped


def test_an_order_of_this_very_minute_that_never_left_may_still_be_sent_under_its_id() -> None:
    with venue() as broker:
        bench = crashed(broker)
        decided = bench.order("A").decided_at
        assert settled(bench, broker, decided + MINUTE / 2) == ([], [order_id("A")])
        outcome = bench.engine.resume([order_id("A")], decided + MINUTE / 2)
        assert [c for c in outcome.commands if isinstance(c, m.SubmitOrder)] == [sent(bench)]


def test_what_was_in_line_behind_an_order_that_ended_meanwhile_is_sent_once() -> None:
    with venue() as broker:
        said = {("SPY", 0): 1, ("SPY", 1): -1}
        bench = Bench(
            spec("A", said, cash="1000"), spec("B", {("SPY", 1): 1}, cash="1000"), plan=STOCKS
        )
        bench.minute(0, {"SPY": "100"})
        broker.submit(sent(bench))
        for update in broker.orders_after(NOW - MINUTE):
            (execution,) = broker.executions(update.broker_order_id, NOW - MINUTE)
            bench.handle(replace(update, execution=execution))
        bench.minute(1, {"SPY": "100"})
        sale = next(c for c in bench.commands if isinstance(c, m.SubmitOrder) and c.side is SELL)
        broker.submit(sale)
        _, unsent = settled(bench, broker, bench.now + MINUTE / 2)
        assert unsent == [order_id("B")]
        assert bench.position("A", "SPY") == D(0)


def test_a_wish_to_get_out_that_waited_for_its_buy_is_acted_on_at_the_next_bar() -> None:
    with venue() as broker:
        bench = Bench(spec("A", {("SPY", 0): 1, ("SPY", 1): -1}, cash="1000"), plan=STOCKS)
        bench.minute(0, {"SPY": "100"})
        broker.submit(sent(bench))
        bench.minute(1, {"SPY": "100"})
        assert bench.order("A").cancel_reason is not None
        assert settled(bench, broker)[1] == []
        assert bench.position("A", "SPY") == sent(bench).qty
        assert [o.client_order_id for o in bench.books.orders] == [order_id("A")]
    again = Bench(*bench.specs, books=bench.books, plan=STOCKS)
    assert again.engine.resume((), bench.now).commands == []
    for minute in (2, 3):
        again.minute(minute, {"SPY": "100"})
    assert again.sent() == [("A", "SPY", SELL, bench.order("A").qty)]
    again.fill(again.order("A", 2))
    again.minute(4, {"SPY": "100"})
    assert len(again.sent()) == 1, "it is sold once"


def test_a_purchase_that_was_to_be_cancelled_still_is_after_a_restart() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1, ("SPY", 1): -1}, cash="1000"), plan=STOCKS)
    bench.minute(0, {"SPY": "100"})
    bench.minute(1, {"SPY": "100"})
    stands = report(bench.order("A"), OrderStatus.NEW, "0", bench.now)
    known = {stands.client_order_id: [stands]}
    assert agreement.settle_orders(bench.books, {"SPY": asset("SPY")}, known, bench.now)[1] == []
    again = Bench(*bench.specs, books=bench.books, plan=STOCKS)
    again.engine.resume((), bench.now)
    again.minute(2, {"SPY": "100"})
    assert again.commands == [m.CancelOrder(order_id("A"), stands.broker_order_id)]
    again.fill(again.order("A"), qty="4")
    again.update(again.order("A"), OrderStatus.CANCELED, "4")
    assert again.sent() == [("A", "SPY", SELL, D(4))]


def test_what_a_strategy_was_given_since_it_got_out_is_not_sold_by_a_restart() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1, ("SPY", 1): -1}, cash="1000"), plan=STOCKS)
    bench.minute(0, {"SPY": "100"})
    bench.minute(1, {"SPY": "100"})
    bench.update(bench.order("A"), OrderStatus.CANCELED)
    bench.books.ledger["A"].positions["SPY"] = Position(D(3), D(300))
    again = Bench(*bench.specs, books=bench.books, plan=STOCKS)
    again.engine.resume((), bench.now)
    again.minute(2, {"SPY": "100"})
    assert again.sent() == []


def test_books_that_do_not_sum_are_refused_with_both_figures() -> None:
    with venue() as broker:
        bench = crashed(broker)
        broker.submit(m.SubmitOrder("by-hand", "QQQ", Side.BUY, D(3), "day"))
        found = differing(bench.books, broker)
        assert {f.kind for f in found} == {"position", "cash"}
        with pytest.raises(SafetyRefusal) as refusal:
            agreement.refuse_differences(found)
        assert "position in QQQ is 0, the broker's is 3" in str(refusal.value)
        assert refusal.value.exit_code == 3
    agreement.refuse_differences([])


@pytest.mark.parametrize(
    ("last", "refused"), [("died", False), ("ended", True), ("ended, and was killed", False)]
)
def test_what_differs_refuses_a_start_but_not_one_after_a_death_with_it_nor_one_that_only_sells(
    last: str, refused: bool, tmp_path: Path
) -> None:
    path = tmp_path / "PA1" / "journal.db"
    with venue(account="PA1") as broker:
        bench = Bench(spec("A", {}), plan=STOCKS, cash="100500")
        session, records = bench.name.session_id, [*bench.records]
        records += differing(bench.books, broker)
        if last != "died":
            records.append(r.SessionEnded(NOW, session, r.SessionEnd.STOPPED_EARLY, None, {}))
        if "killed" in last:
            records.append(r.Killed(NOW, "daniel"))
        journal = Journal(path, "PA1", "bench")
        journal.append(session, records)
        journal.close()

        again = Journal(path, "PA1", "bench")
        books, _ = startup.replay(again, "bench")
        settling = agreement.Settling(books, again, broker, lambda _: None)
        if refused:
            with pytest.raises(SafetyRefusal, match="cash is 100500"):
                agreement.agree(settling, {}, NOW)
        else:
            agreement.agree(settling, {}, NOW)
            assert set(books.frozen) == {"cash"}
        again.close()


@pytest.mark.parametrize("heard", ["nothing of it", "of its end alone"])
def test_a_fill_of_a_coordinator_that_died_is_left_for_its_own_next_start(
    heard: str, tmp_path: Path
) -> None:
    path = tmp_path / "PA1" / "journal.db"
    with venue(account="PA1") as broker:
        bench = crashed(broker)
        broker.submit(sent(bench))
        if heard == "of its end alone":
            update = broker.order(sent(bench).client_order_id)
            assert update is not None
            bench.handle(update)
            assert bench.order("A").phase is Phase.DONE
        dead = Journal(path, "PA1", "bench")
        dead.append(bench.name.session_id, bench.records)
        dead.close()

        journal = Journal(path, "PA1", "another")
        books, _ = startup.replay(journal, "another")
        settling = agreement.Settling(books, journal, broker, lambda _: None)
        assert agreement.agree(settling, {}, NOW) == [], "what is A's to tell does not stop it"
        assert books.ledger.net_positions() == {}
        by_hand = m.SubmitOrder("by-hand", "QQQ", Side.BUY, D(3), "day")
        broker.submit(by_hand)
        agreement.agree(settling, {}, NOW)
        assert books.ledger.net_positions() == {"QQQ": D(3)}
        journal.close()

        again = Journal(path, "PA1", "bench")
        books, _ = startup.replay(again, "bench")
        settling = agreement.Settling(books, again, broker, lambda _: None)
        agreement.agree(settling, {"SPY": asset("SPY")}, NOW)
        assert books.ledger["A"].positions["SPY"].qty == sent(bench).qty
        assert differing(books, broker) == []
        again.close()


LONG = "A.2026-03-17." + "9" * 115  # as long as an id may be: one past it would be refused


def test_sequences_go_past_what_the_broker_has_seen_of_the_day() -> None:
    with venue() as broker:
        for name in (
            "A.2026-03-17.7",
            "A.2026-03-16.9",
            "B.2026-03-17.2",
            "A.2026-03-17.²",
            LONG,
            "x",
        ):
            broker.submit(m.SubmitOrder(name, "SPY", Side.BUY, D(1), "day"))
        books = Books()
        books.sequences["B.2026-03-17"] = 5
        startup.advance_sequences(books, broker, date(2026, 3, 17))
        assert books.sequences == {"A.2026-03-17": 7, "B.2026-03-17": 5}


def test_tickers_that_cannot_be_had_are_named_all_at_once_with_their_strategies() -> None:
    def assets(*tickers: str) -> set[str]:
        one, two = spec("A", {}, tickers=tickers), spec("B", {}, tickers=tickers[:2])
        return set(startup.read_assets(broker, tickers, [one, two]))

    with venue() as broker:
        assert assets("SPY", "BTC/USD") == {"SPY", "BTC/USD"}
        with pytest.raises(OperatorError, match=r"no-1 of A, B \(.*\); no-2 of A \(") as error:
            assets("SPY", "no-1", "no-2")
        with pytest.raises(OperatorError, match=r"BTCUSD of A, B \(it is crypto, .* BTC/USD\)"):
            assets("SPY", "BTCUSD")
        assert error.value.exit_code == 2


def test_needs_are_those_of_whoever_needs_the_most() -> None:
    one, two = spec("A", {("SPY", 0): 1}, warmup=50), spec("B", {("SPY", 0): 1, ("QQQ", 0): 1})
    needs = startup.warm_up_needs([one, two], STOCKS)
    assert [(n.symbol, n.count) for n in needs] == [("SPY", 50), ("QQQ", 10)]
    assert {n.before for n in needs} == {STOCKS.first_bar("SPY")}


@pytest.mark.parametrize(
    ("seconds", "speed", "awaited_s"),
    [(-300, 1, 310), (9, 1, 1), (10, 1, None), (-300, 600, 300), (0, 600, None)],
)
def test_cryptos_history_is_whole_once_its_last_bar_before_midnight_is_listed(
    seconds: int, speed: float, awaited_s: int | None
) -> None:
    midnight = datetime(2026, 3, 18, tzinfo=UTC)
    now, end = midnight + timedelta(seconds=seconds), midnight + timedelta(days=1)
    clock = BrokerClock(speed, lambda: 0.0)
    clock.advance(now)
    crypto = SessionPlan(midnight.date(), None, midnight, end)
    expected = None if awaited_s is None else now + timedelta(seconds=awaited_s)
    assert startup.whole_at(crypto, clock) == expected
    assert startup.whole_at(replace(crypto, crypto_day=None), clock) is None


def test_a_replay_takes_the_others_money_and_its_own_bars(tmp_path: Path) -> None:
    path = tmp_path / "PA1" / "journal.db"
    bench = Bench(spec("A", {("SPY", 0): 1}, cash="1000"), plan=STOCKS)
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    mine, theirs = Journal(path, "PA1", "bench"), Journal(path, "PA1", "crypto")
    mine.append(bench.name.session_id, bench.records)
    theirs.append("t", [r.Transferred(NOW, UNASSIGNED, "C", D(500), "funding")])
    mine.close()
    theirs.close()
    again = Journal(path, "PA1", "bench")
    books, seen = startup.replay(again, "bench")
    assert [b.start for b in seen] == [STOCKS.first_bar("SPY")]
    assert books.ledger["A"].positions == bench.books.ledger["A"].positions
    assert books.ledger["C"].cash == D(500)
    assert books.ledger.net_cash() == bench.books.ledger.net_cash()
    other, bars = startup.replay(_reopened(again, path), "crypto")
    assert (bars, other.ledger["A"].cash) == ([], books.ledger["A"].cash)
    assert other.ledger.net_positions() == books.ledger.net_positions()


def _reopened(journal: Journal, path: Path) -> Journal:
    journal.close()
    return Journal(path, "PA1", "crypto")


def test_the_sessions_bars_so_far_are_fed_after_the_history() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}, warmup=0, cash="1000"), plan=STOCKS)
    history = {"SPY": [bar("SPY", -3, "1"), bar("SPY", -2, "2")]}
    so_far = [bar("SPY", -1, "9"), bar("SPY", 0, "3")]  # the first is before the open
    records = startup.warm_up(bench.engine, history, so_far, NOW)
    assert records == [r.HistorySeen(NOW, (*history["SPY"], so_far[1]))]
    assert bench.engine.lanes.bars_seen("SPY") == 3
    assert bench.books.ledger.marks["SPY"] == Decimal(3)
    assert startup.warm_up(bench.engine, history, [], NOW) == []


@pytest.mark.parametrize(("failures", "waited_s"), [(0, []), (2, [1.0, 2.0]), (3, [1.0, 2.0, 4.0])])
def test_a_start_asks_again_what_was_not_answered(
    failures: int, waited_s: list[float], tmp_path: Path
) -> None:
    script: dict[str, object] = {"kind": "http_error", "path": "/v2/account", "status": 503}
    WAITED_S.clear()
    with venue([{**script, "times": failures}], tmp_path) as broker:
        assert broker.account().cash == D(100_000)
    assert waited_s == WAITED_S


def test_a_broker_that_never_answers_ends_the_start(tmp_path: Path) -> None:
    script: dict[str, object] = {"kind": "http_error", "path": "/v2/account", "status": 503}
    with (
        venue([{**script, "times": 9}], tmp_path) as broker,
        pytest.raises(BrokerUnavailable, match="503"),
    ):
        broker.account()


@dataclass
class Silent:
    """A broker that answers nothing; each request takes its time-out. It keeps what was asked."""

    now_s: float = 0.0
    asked: list[str] = field(default_factory=list)

    def get(self, _: Api, path: str, __: Mapping[str, Any]) -> Any:
        self.now_s += TIMEOUT_S
        self.asked.append(path)
        raise BrokerUnavailable("no answer")

    def post(self, *_: object) -> Any:
        raise AssertionError("nothing is sent after the end")

    def delete(self, *_: object) -> None:
        raise AssertionError("nothing is cancelled after the end")


@pytest.mark.parametrize(
    ("status", "tries"), [(r.SessionEnd.STOPPED_EARLY, 1), (r.SessionEnd.COMPLETED, 4)]
)
def test_a_session_that_is_stopped_waits_once_for_a_broker_that_is_silent(
    status: r.SessionEnd, tries: int, tmp_path: Path
) -> None:
    bench, broker = Bench(spec("A", {("SPY", 0): 1}), plan=STOCKS), Silent()
    settings = simulator_settings("http://127.0.0.1:1", tmp_path)
    ports = replace(
        Ports.real(Budgets(settings, speed=1, folder=tmp_path)),
        monotonic=lambda: broker.now_s,
        sleep=lambda _: None,
        rest=lambda _: broker,
    )
    name, run = bench.name, Run(SETUP, settings, 1, lambda _: None)
    journal = Journal(tmp_path / "journal.db", name.account, name.coordinator)
    clock = BrokerClock(1, ports.monotonic)
    started = Started(name.account, name.session_id, bench.engine, journal, bench.now, clock, [])
    assert end_session(run, ports, started, status) == []
    assert broker.asked == ["/clock"] * tries
    journal.close()
    (ended,) = [entry.record for entry in read_kinds(tmp_path / "journal.db", r.SessionEnded)]
    assert isinstance(ended, r.SessionEnded)
    assert (ended.status, ended.broker_cash) == (status, None)


def test_an_order_is_never_sent_again_by_itself(tmp_path: Path) -> None:
    script: dict[str, object] = {"kind": "http_error", "method": "POST", "status": 503}
    WAITED_S.clear()
    with venue([script], tmp_path) as broker, pytest.raises(BrokerUnavailable):
        broker.submit(m.SubmitOrder("A.1", "QQQ", Side.BUY, D(1), "day"))
    assert WAITED_S == []


@pytest.mark.parametrize("restarts", [False, True])
def test_a_purchase_that_was_to_be_cancelled_still_is_when_an_edited_file_trades_it_no_more(
    *, restarts: bool
) -> None:
    bench = Bench(spec("A", {("SPY", 0): 1, ("SPY", 1): -1}, cash="1000"))
    bench.minute(0, {"SPY": "100"})
    bench.update(bench.order("A"), OrderStatus.NEW)
    bench.minute(1, {"SPY": "100"})
    other = spec("B", {("QQQ", 9): 1}, cash="1000")
    again = bench
    if restarts:
        stands = report(bench.order("A"), OrderStatus.NEW, "0", bench.now)
        known = {stands.client_order_id: [stands]}
        agreement.settle_orders(bench.books, {"SPY": asset("SPY")}, known, bench.now)
        again = Bench(other, books=bench.books, assets={"SPY": asset("SPY")})
        again.engine.resume((), bench.now)
    else:
        assert reload(bench, other).done
    asked = len(again.commands)
    again.handle(m.ClockRead(again.now))
    assert [type(command) for command in again.commands[asked:]] == [m.CancelOrder]


def test_what_a_strategy_wants_to_keep_since_its_sale_was_refused_is_not_sold_by_a_restart() -> (
    None
):
    wants_in = {("SPY", minute): 1 for minute in range(2, 9)}
    bench = Bench(spec("A", {("SPY", 0): 1, ("SPY", 1): -1, **wants_in}, max_position_size="0.5"))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"), qty="4")
    bench.minute(1, {"SPY": "100"})
    bench.update(bench.order("A"), OrderStatus.CANCELED, "4")
    sale = bench.order("A", 2).client_order_id
    bench.handle(m.SubmitRefused(sale, bench.now, "insufficient qty available", D(0)))
    bench.minute(2, {"SPY": "100"})
    again = Bench(*bench.specs, books=bench.books)
    again.engine.resume((), bench.now)
    again.minute(3, {"SPY": "100"})
    assert again.sent() == []
