"""State machines: two coordinators on one journal, and a broker that does all that it may.

`python -m tests.proof.machines --runs 1000 [--steps 50] [--seed N]`. Hypothesis chooses what
happens next: minutes, requests that arrive, are lost or come late, executions in parts, doubled and
out of order, busts and corrections, hands, dividends, splits and fees, a kill, a crash before or
after the records are durable. After every step a witness who shares nothing with the ledger checks
the invariants, and at the end of each run, when all is at rest, that the books are the account.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.messages import Act
from coordinator.core.orders import OrderStatus
from coordinator.core.reconcile import LOOKS
from coordinator.core.session import SessionPlan
from coordinator.core.values import MINUTE, Side
from coordinator.shell.journal import Journal
from coordinator.shell.watchdog import Depth
from tests.coordinator.bench import DAY, MIDNIGHT, OPEN, PLAN, STOCKS
from tests.proof.hand import HALTS
from tests.proof.memory import Parts, differences, dump
from tests.proof.seat import ACCOUNT, Board, Rest, Seat, minute_bars, spec
from tests.proof.simulate import IN_MEMORY
from tests.proof.truth import BY_HAND, NANO, Deal, Refused, Ticket, Truth, told, told_bust
from tests.proof.witness import Witness, account_sums, holds, sums, units_of

CRYPTO = SessionPlan(DAY, None, PLAN.crypto_day, MIDNIGHT)
TICKERS = ("SPY", "QQQ", "BTC/USD")
STRATEGIES = {"X": {"A": ("SPY", "QQQ"), "B": ("SPY", "QQQ")}, "Y": {"C": ("BTC/USD",)}}
STEPS = 50
many = st.integers(0, 10**6)
parts = st.sampled_from([1, 2, 3, 10])
prices = st.integers(80 * 10**6, 125 * 10**6)
"""In 1e-6 of a dollar."""
signals = st.dictionaries(
    st.sampled_from([("A", "SPY"), ("A", "QQQ"), ("B", "SPY"), ("B", "QQQ"), ("C", "BTC/USD")]),
    st.sampled_from([1, 1, -1]),
    min_size=2,
)


PLAYED: Counter[str] = Counter()
"""What the runs of this process have come to."""


class Machine(RuleBasedStateMachine):
    """A market day that chance writes."""

    @initialize(crossing=st.booleans(), cents=st.booleans())
    def open_the_account(self, crossing: bool, cents: bool) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="machine-", dir=IN_MEMORY))
        self.now = OPEN + timedelta(seconds=1)
        self.minute_at = OPEN
        self.truth = Truth(100_000 * NANO * NANO)
        self.truth.held["SPY"] = 10 * NANO
        self.board: Board = {}
        self.late: list[m.SubmitOrder] = []
        self.bust_numbers = 0
        self.price = dict.fromkeys(TICKERS, 100 * NANO)
        path = self.home / "journal.db"
        rest = Rest(self.truth, self._tick, cents=cents)
        self.seats = {
            name: Seat(
                name,
                [spec(s, tickers, self.board, "20000") for s, tickers in own.items()],
                path,
                rest,
                STOCKS if name == "X" else CRYPTO,
                crossing=crossing and name == "X",
            )
            for name, own in STRATEGIES.items()
        }
        self.rest = rest
        for seat in self.seats.values():
            assert seat.start(self.now, self._others_work(seat)), seat.refused
        self.witness = Witness(path, self.truth, STRATEGIES)
        self.starts = self.refused_starts = 0

    # the market, and what strategies say

    @rule(said=signals, moves=st.dictionaries(st.sampled_from(TICKERS), prices, min_size=2))
    def a_minute_passes(self, said: Board, moves: dict[str, int]) -> None:
        """Whoever holds what it wants out of, or lacks what it wants in to, orders."""
        self.board.clear()
        self.board.update(said)
        self.minute_at += MINUTE
        self.now = self.minute_at + timedelta(seconds=61)
        self.price |= {ticker: price * 1000 for ticker, price in moves.items()}
        known = {ticker: self.price[ticker] for ticker in moves}
        for seat in self.alive():
            message = minute_bars(self.minute_at, known, seat.tickers)
            if message.bars:
                self._decide(seat, message)
            seat.look(Depth.ACCOUNT)

    @rule(said=signals, price=prices)
    def a_minute_passes_in_which_all_goes_well(self, said: Board, price: int) -> None:
        """So that there are positions when the trouble starts."""
        self.a_minute_passes(said, dict.fromkeys(TICKERS, price))
        self.all_requests_are_answered()
        self.all_orders_are_executed(price)
        for seat in self.alive():
            while seat.stream:
                self._deliver(seat, 0)

    @precondition(lambda self: self.alive())
    @rule(who=many)
    def the_clock_is_read(self, who: int) -> None:
        seat = _pick(self.alive(), who)
        seat.poll(self.now)
        seat.take(m.ClockRead(self.now))

    @precondition(lambda self: self.alive())
    @rule(who=many, orders=st.booleans(), blind=st.sets(st.sampled_from(TICKERS), max_size=1))
    def sight_changes(self, who: int, orders: bool, blind: set[str]) -> None:
        _pick(self.alive(), who).take(m.SightChanged(self.now, orders, frozenset(blind)))

    # what becomes of requests

    @precondition(lambda self: any(seat.wire for seat in self.alive()))
    @rule(who=many, which=many, how=st.sampled_from(["ack", "ack", "ack", "lost", "mute", "no"]))
    def a_request_arrives(self, who: int, which: int, how: str) -> None:
        """It is answered; or lost on the way there ('lost'), or back ('mute'); or refused."""
        seat = _pick([seat for seat in self.alive() if seat.wire], who)
        self._carry_out(seat, seat.wire.pop(which % len(seat.wire)), how)

    @precondition(lambda self: any(seat.wire for seat in self.alive()))
    @rule()
    def all_requests_are_answered(self) -> None:
        for seat in self.alive():
            self._carry_all_out(seat)

    @precondition(lambda self: self.late)
    @rule(which=many)
    def a_lost_order_arrives_after_all(self, which: int) -> None:
        self._arrive(self.late.pop(which % len(self.late)))

    @precondition(lambda self: any(seat.answers for seat in self.alive()))
    @rule(who=many, which=st.integers(0, 3))
    def an_answer_comes_back(self, who: int, which: int) -> None:
        seat = _pick([seat for seat in self.alive() if seat.answers], who)
        seat.take(seat.answers.pop(which % len(seat.answers)))

    @precondition(lambda self: self.alive())
    @rule(who=many, deep=st.booleans())
    def the_account_is_looked_at(self, who: int, deep: bool) -> None:
        _pick(self.alive(), who).look(Depth.ACTIVITIES if deep else Depth.ACCOUNT)

    # what the broker does

    @precondition(lambda self: self.truth.open())
    @rule(which=many, part=parts, price=prices)
    def an_order_is_executed_in_part(self, which: int, part: int, price: int) -> None:
        ticket = _pick(self.truth.open(), which)
        self._execute(ticket, max(ticket.left // part, 1), price * 1000)

    @precondition(lambda self: self.truth.open())
    @rule(price=prices)
    def all_orders_are_executed(self, price: int) -> None:
        for ticket in self.truth.open():
            self._execute(ticket, ticket.left, price * 1000)

    @precondition(lambda self: self.truth.open())
    @rule(which=many, word=st.sampled_from([OrderStatus.CANCELED, OrderStatus.EXPIRED]))
    def an_order_ends(self, which: int, word: OrderStatus) -> None:
        self._end(_pick(self.truth.open(), which), word)

    @precondition(lambda self: self.newest())
    @rule(which=many)
    def an_execution_is_busted(self, which: int) -> None:
        deal = _pick(self.newest(), which)
        self.truth.bust(deal)
        self.bust_numbers += 1
        self._tell(told_bust(deal, self.bust_numbers, self._tick()))

    @precondition(lambda self: self.newest())
    @rule(which=many, price=prices)
    def an_execution_is_corrected(self, which: int, price: int) -> None:
        deal = _pick(self.newest(), which)
        new = self.truth.correct(deal, price * 1000, deal.at)
        self.bust_numbers += 1
        self._tell(told_bust(deal, self.bust_numbers, self._tick(), new))

    @precondition(lambda self: self.replaceable())
    @rule(which=many, part=parts)
    def an_order_is_replaced_by_hand(self, which: int, part: int) -> None:
        ticket = _pick(self.replaceable(), which)
        new = self.truth.replace(ticket, max(ticket.left // part, 1000), self._tick())
        self._tell(told(ticket, self.now))
        self._tell(told(new, self.now))

    @precondition(lambda self: len(self.truth.tickets) % 3 == 0)
    @rule(ticker=st.sampled_from(TICKERS), sign=st.sampled_from([1, -1]), qty=many, price=prices)
    def a_human_trades(self, ticker: str, sign: int, qty: int, price: int) -> None:
        number, qty = len(self.truth.tickets), qty * 1000 + 1
        try:
            ticket = self.truth.accept(f"app-{number}", BY_HAND, ticker, sign, qty, self._tick())
        except Refused:
            return
        self._execute(ticket, qty, price * 1000, silent=qty % 3 == 0)

    @rule(kind=st.sampled_from(["DIV", "FEE", "CSD", "INT", "CFEE", "SPLIT"]), cents=many)
    def the_account_moves_by_itself(self, kind: str, cents: int) -> None:
        dollars = (cents % 5000 - 1000) * NANO * NANO // 100
        match kind:
            case "DIV":
                self.truth.post(kind, DAY, "SPY", cash=abs(dollars))
            case "SPLIT" if self.truth.held["SPY"] > 0 and not self._open_on("SPY"):
                self.truth.post(kind, DAY, "SPY", units=self.truth.held["SPY"])
            case "SPLIT":
                pass
            case "CFEE":
                self.truth.post_coin_fees(DAY, "BTC/USD", self.witness.booked)
            case _:
                self.truth.post(kind, DAY, cash=dollars)

    # what the streams bring

    @precondition(lambda self: any(seat.stream for seat in self.alive()))
    @rule(who=many, which=st.integers(0, 5), again=st.booleans())
    def an_update_is_delivered(self, who: int, which: int, again: bool) -> None:
        """Not always in order, and now and then twice."""
        seat = _pick([seat for seat in self.alive() if seat.stream], who)
        self._deliver(seat, which % len(seat.stream), again=again)

    @precondition(lambda self: any(seat.stream for seat in self.alive()))
    @rule(who=many, which=st.integers(0, 5))
    def an_update_is_lost(self, who: int, which: int) -> None:
        """All but the word of a bust, which nothing else would tell."""
        seat = _pick([seat for seat in self.alive() if seat.stream], who)
        place = which % len(seat.stream)
        if seat.stream[place].bust is None:
            seat.stream.pop(place)

    @precondition(lambda self: any(seat.stream for seat in self.alive()))
    @rule(who=many)
    def all_updates_are_delivered(self, who: int) -> None:
        seat = _pick([seat for seat in self.alive() if seat.stream], who)
        while seat.stream:
            self._deliver(seat, 0)

    # processes and people

    @precondition(lambda self: self.alive())
    @rule(who=many, dies=st.sampled_from(["unwritten", "unsent", "idle"]))
    def a_process_dies(self, who: int, dies: str) -> None:
        seat = _pick(self.alive(), who)
        self._hear_of_busts(seat)
        if seat.stream and dies != "idle":
            seat.take(seat.stream.pop(0), dies=dies)
        seat.stop()

    @precondition(lambda self: len(self.alive()) < len(self.seats))
    @rule(who=many)
    def a_process_starts(self, who: int) -> None:
        self._start(_pick([seat for seat in self.seats.values() if not seat.alive], who))

    @precondition(lambda self: not self.witness.killed)
    @rule(sure=st.integers(0, 3))
    def it_is_killed(self, sure: int) -> None:
        if sure == 0:
            self._write([r.Killed(self.now, "me")])

    @precondition(lambda self: self.witness.killed)
    @rule()
    def it_is_revived(self) -> None:
        self._write([r.Revived(self.now, "me")])

    @rule(who=many, act=st.sampled_from(list(HALTS)), asks=st.booleans(), sure=st.integers(0, 3))
    def a_strategy_is_halted_or_let_go(self, who: int, act: Act, asks: bool, sure: int) -> None:
        if sure:
            return
        seat = _pick(list(self.seats.values()), who)
        strategy = _pick(sorted(seat.strategies), who // 2)
        if asks and seat.alive:
            seat.take(m.OperatorAsked(self._tick(), act, "me", strategy))
        else:
            self._write([HALTS[act](self.now, strategy, "me")])

    # what must hold after every step

    @invariant()
    def the_records_are_true_and_the_books_their_sum(self) -> None:
        self.witness.read()
        found = [*self.witness.wrong, *account_sums(self.witness, self.truth)]
        for name, shadow in self.witness.shadows.items():
            found += [f"{name}: {line}" for line in sums(self.witness, shadow.ledger)]
        for seat in self.alive():
            found += self._remembers(seat)
        assert not found, "\n".join(found)

    def _remembers(self, seat: Seat) -> list[str]:
        """Memory is what the journal gives, and holds what is open."""
        seat.poll(self.now)
        self.witness.read()
        mine, shadow = _memory(seat.books), _memory(self.witness.shadows[seat.name])
        found = [f"invariant 11: {seat.name}: {line}" for line in differences(mine, shadow)]
        held = sum((order.hold for order in seat.books.orders.open()), Decimal(0))
        if held != holds(self.witness, seat.name):
            found.append(
                f"invariant 13: {seat.name} holds {held} of {holds(self.witness, seat.name)}"
            )
        return found

    def teardown(self) -> None:
        if not hasattr(self, "witness"):
            return
        try:
            self._come_to_rest()
            self._count()
        finally:
            for seat in self.seats.values():
                seat.stop()
            shutil.rmtree(self.home, ignore_errors=True)

    # how a run comes to rest, and what must hold then

    def _come_to_rest(self) -> None:
        for _ in range(30):
            for seat in self.seats.values():
                self._start(seat)
            busy = [self._finish(seat) for seat in self.alive()]
            for order in self.late:
                self._arrive(order)
            self.late.clear()
            for ticket in self.truth.open():
                self._end(ticket, OrderStatus.EXPIRED)
            if not any(busy) and all(not seat.stream for seat in self.alive()):
                break
        self.the_records_are_true_and_the_books_their_sum()
        found = [line for seat in self.seats.values() for line in self._at_rest(seat)]
        assert not found, "\n".join(found)

    def _finish(self, seat: Seat) -> bool:
        """Let a coordinator see everything, and carry out what it asks; whether there was any, or
        is by now."""
        busy = bool(seat.stream or seat.wire or seat.answers)
        seat.poll(self.now)
        seat.take(m.SightChanged(self.now, True, frozenset()))
        while seat.stream:
            self._deliver(seat, 0)
        for _ in range(LOOKS + 1):
            seat.look(Depth.ACTIVITIES)
        while seat.answers:
            seat.take(seat.answers.pop(0))
        for order in seat.books.orders.open():  # as the shell does when nothing is heard of one
            if order.status is not OrderStatus.WAITING:
                seat.wire.append(m.LookUpOrder(order.client_order_id))
        self._carry_all_out(seat)
        return busy or bool(seat.answers)

    def _at_rest(self, seat: Seat) -> list[str]:
        if not seat.alive:
            return [f"{seat.name} does not start: {seat.refused}"]
        found = [f"{seat.name} is frozen: {x.note}" for x in seat.books.frozen.values()
                 if x.kind != "price"]  # fmt: skip
        if any(seat.books.orders.open()):
            found.append(f"invariant 13: {seat.name} has {seat.books.orders.open()} open")
        found += self._booked_alike()
        for intent in self.witness.intents.values():
            if intent.coordinator == seat.name and intent.record.strategy in seat.strategies:
                found += self._ended_alike(intent.record.client_order_id)
        return found

    def _booked_alike(self) -> list[str]:
        """Invariant 5: what stands is booked, and nothing else. REST's ids are not the stream's,
        so of executions of one order that are alike in all else, as many as stand.
        """
        booked, standing = Counter[tuple[str, int, int]](), Counter[tuple[str, int, int]]()
        for deal in self.truth.deals:
            told = deal.ticket.client_id, deal.qty, deal.price
            booked[told] += deal.number in self.witness.booked
            standing[told] += deal.stands
        return [
            f"invariant 5: {booked[told]} booked of {told}, of which {standing[told]} stand"
            for told in standing
            if booked[told] != standing[told]
        ]

    def _ended_alike(self, name: str) -> list[str]:
        """Invariants 8 and 9: an order ended here as it ended there, with as much filled."""
        intent, ticket = self.witness.intents[name], self.truth.tickets.get(name)
        if ticket is None:
            crossed = intent.status == "filled" and intent.booked == units_of(intent.record.qty)
            known = intent.status in ("denied", "rejected") or crossed
            return [] if known else [f"invariant 9: {name} is {intent.status}, not at the broker"]
        owned = sum(
            units_of(fill.qty)
            for fill in self.witness.booked.values()
            if fill.client_order_id == name
        )
        if owned != ticket.filled:
            return [f"invariant 8: {name} has {owned} booked, the broker filled {ticket.filled}"]
        if intent.status != ticket.status.value and not intent.busted:
            return [f"invariant 9: {name} is {intent.status}, at the broker {ticket.status.value}"]
        return []

    def _count(self) -> None:
        """Note what this run was made of, so that nobody takes an empty one for a proof."""
        for _, record in self.witness.history:
            PLAYED[type(record).__name__] += 1
            if isinstance(record, r.FillBooked):
                PLAYED["fills: crossed"] += record.is_cross
                PLAYED["fills: taken back"] += record.qty < 0
                PLAYED["fills: by hand"] += record.strategy == BY_HAND
        PLAYED["executions at the broker"] += len(self.truth.deals)
        PLAYED["starts"] += self.starts
        PLAYED["starts refused"] += self.refused_starts

    # how things are done

    def alive(self) -> list[Seat]:
        """The coordinators that run."""
        return [seat for seat in self.seats.values() if seat.alive]

    def newest(self) -> list[Deal]:
        """Executions that may be taken back: the newest of each ticker, if all streams are up."""
        if len(self.alive()) < len(self.seats):
            return []
        newest = {deal.ticket.symbol: deal for deal in self.truth.deals if deal.stands}
        return [
            deal
            for deal in newest.values()
            if self.truth.held[deal.ticket.symbol] >= deal.units and not deal.fee_posted
        ]

    def replaceable(self) -> list[Ticket]:
        """Purchases of strategies that a human may give another quantity."""
        return [t for t in self.truth.open() if t.owner != BY_HAND and t.sign > 0 and t.left > 1000]

    def _decide(self, seat: Seat, message: m.BarsArrived) -> None:
        """Bars are decided on; what a coordinator knew to be barred must not be bought."""
        barred, killed = dict(seat.books.frozen), seat.books.halts.killed
        paused = set(seat.books.halts.paused)
        seat.take(message)
        for coordinator, record in self.witness.read():
            bought = isinstance(record, r.OrderIntended) and record.side is Side.BUY
            if not bought or coordinator != seat.name:
                continue
            assert isinstance(record, r.OrderIntended)
            frozen = any(x.symbol in ("", record.symbol) for x in barred.values())
            if killed or frozen or record.strategy in paused:
                self.witness.blame(f"invariant 14: {record} while halted: {barred}, {paused}")

    def _carry_all_out(self, seat: Seat) -> None:
        for command in seat.wire[:]:
            seat.wire.remove(command)
            self._carry_out(seat, command, "ack")

    def _carry_out(self, seat: Seat, command: m.Command, how: str) -> None:
        match command:
            case m.SubmitOrder():
                self._submit(seat, command, how)
            case m.CancelOrder():
                ticket = self.truth.tickets.get(command.client_order_id)
                if ticket is not None and ticket.left and how != "lost":
                    self._end(ticket, OrderStatus.CANCELED)
            case m.LookUpOrder() if seat.holds(command.client_order_id):
                pass  # what has not left yet is not asked for
            case m.LookUpOrder():
                ticket = self.truth.tickets.get(command.client_order_id)
                if ticket is not None:
                    seat.answers += self.rest.evidence(ticket)
                elif how in ("ack", "no"):
                    seat.answers.append(m.OrderAbsent(command.client_order_id, self.now))

    def _submit(self, seat: Seat, order: m.SubmitOrder, how: str) -> None:
        self.witness.read()
        self.witness.posting(order)
        name = order.client_order_id
        unclear = m.SubmitUnclear(name, self.now, "time-out")
        match how:
            case "lost":
                self.late.append(order)
                seat.answers.append(unclear)
            case "no" if name not in self.truth.tickets:
                seat.answers.append(m.SubmitRefused(name, self.now, "no"))
            case _:
                refusal = self._arrive(order)
                if how == "mute" or refusal == "client_order_id must be unique":
                    seat.answers.append(unclear)
                elif refusal:
                    seat.answers.append(m.SubmitRefused(name, self.now, refusal))
                else:
                    seat.answers.append(told(self.truth.tickets[name], self.now))

    def _arrive(self, order: m.SubmitOrder) -> str:
        """An order reaches the broker; the broker's no, if that is what it says."""
        sign = 1 if order.side is Side.BUY else -1
        owner = order.client_order_id.partition(".")[0]
        try:
            ticket = self.truth.accept(
                order.client_order_id, owner, order.symbol, sign, units_of(order.qty), self._tick()
            )
        except Refused as no:
            self.witness.refused(order, str(no))
            return str(no)
        self._tell(told(ticket, self.now))
        return ""

    def _execute(self, ticket: Ticket, qty: int, price: int, *, silent: bool = False) -> None:
        deal = self.truth.execute(ticket, qty, price, self._tick())
        if not silent:
            self._tell(told(ticket, self.now, deal.told("stream")))

    def _end(self, ticket: Ticket, word: OrderStatus) -> None:
        ticket.status = word
        self._tell(told(ticket, self._tick()))

    def _tell(self, update: m.OrderUpdate) -> None:
        for seat in self.alive():
            seat.stream.append(update)

    def _deliver(self, seat: Seat, place: int, *, again: bool = False) -> None:
        """A bust comes after the execution that it takes back, and after what REST told before."""
        update = seat.stream[place]
        while update.bust is not None:  # which may take back what another one corrected
            named = update.bust.previous_id
            before = [u for u in seat.stream if u.execution and u.execution.execution_id == named]
            if not before:
                break
            update = before[0]
        if update.bust is not None:
            while seat.answers:
                seat.take(seat.answers.pop(0))
        if not again:
            seat.stream.remove(update)
        seat.take(update)

    def _hear_of_busts(self, seat: Seat) -> None:
        """What nothing tells a second time is heard before a process dies."""
        while seat.alive and any(update.bust for update in seat.stream):
            self._deliver(seat, 0)

    def _open_on(self, symbol: str) -> bool:
        return any(ticket.symbol == symbol for ticket in self.truth.open())

    def _start(self, seat: Seat) -> None:
        if not seat.alive:
            self.starts += 1
            self.refused_starts += not seat.start(self.now, self._others_work(seat))

    def _others_work(self, seat: Seat) -> Callable[[float], None]:
        """While one starts and waits, the others go on."""

        def work(_: float) -> None:
            for other in self.alive():
                if other is not seat:
                    while other.stream:
                        self._deliver(other, 0)
                    other.look(Depth.ACTIVITIES)
                    while other.answers:
                        other.take(other.answers.pop(0))

        return work

    def _write(self, records: Sequence[r.Record]) -> None:
        """Another process, such as the command line, writes to the journal."""
        with closing(Journal(self.home / "journal.db", ACCOUNT, "command line")) as journal:
            journal.append("", records)

    def _tick(self) -> datetime:
        self.now += timedelta(milliseconds=7)
        return self.now


def _pick(found: Sequence, which: int):  # type: ignore[no-untyped-def, type-arg]
    return found[which % len(found)] if found else None


def _memory(books: Books) -> Parts:
    """What is kept of other coordinators and of executions too, which a restart forgets."""
    return dump(books) | {
        "executions": {
            order.client_order_id: (dict(order.executions.until), order.corrected)
            for order in books.orders
        },
        "elsewhere": sorted(order.client_order_id for order in books.neighbours.orders.open()),
    }


def run(runs: int, steps: int = STEPS, start: int | None = None, *, shrinks: bool = True) -> None:
    """Play so many runs; raises with the shortest story found that violates something."""
    how = settings(
        max_examples=runs,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink] if shrinks else [Phase.generate],
        report_multiple_bugs=False,
    )
    machine = Machine if start is None else seed(start)(Machine)
    run_state_machine_as_test(machine, settings=how)


def main(arguments: Sequence[str]) -> int:
    """The command; 1 if anything was violated."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.machines", description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--as-found", action="store_true", help="do not look for a shorter story")
    given = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    began_s = time.perf_counter()
    run(given.runs, given.steps, given.seed, shrinks=not given.as_found)
    took_s = time.perf_counter() - began_s
    for kind, count in sorted(PLAYED.items()):
        print(f"{count:10,}  {kind}")
    print(f"{given.runs:,} runs of up to {given.steps} steps in {took_s:,.1f} s: 0 violations")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
