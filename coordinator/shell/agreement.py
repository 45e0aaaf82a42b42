"""Agreement of the books with the broker's account, before the first decision and after the last.

Orders left open are settled, movements of the account since then are booked, and the books are then
compared with it. Nothing is traded on books that do not sum to the account. Blocking: for a worker.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.blotter import Blotter
from coordinator.core.books import Books
from coordinator.core.desk import OrderDesk
from coordinator.core.engine import Engine
from coordinator.core.fees import CRYPTO_FEE_RATE
from coordinator.core.orders import Order, OrderStatus
from coordinator.core.postings import FEE_DAYS
from coordinator.core.reconcile import Reconciler, comparable_cash, compare, explain
from coordinator.core.reports import Reports
from coordinator.core.risk import Asset
from coordinator.core.values import MINUTE, exactly
from coordinator.errors import BrokerRejected, SafetyRefusal
from coordinator.shell.broker import Broker
from coordinator.shell.evidence import Evidence, gather
from coordinator.shell.journal import Journal
from coordinator.shell.journal_rows import Entry
from coordinator.shell.look import Looks
from coordinator.shell.watchdog import Depth

log = logging.getLogger("coordinator")
AGREE_TRIES = 16
"""Comparisons, AGREE_WAIT_S local seconds apart, before the books count as different from the
account: the list of executions can lag, and another coordinator may be filled in between."""
AGREE_WAIT_S = 0.3
FURTHER_BACK = 4
"""From this comparison on executions are requested back to the session's start, or to the account's
first sight: one that the stream lost while REST was unavailable can be older than the last
record. From there on the broker is also asked which executions it has taken back meanwhile."""
SIGHTS = 10
"""Reads of an account whose cash keeps moving, before the last one is taken."""
KNOWN_FILLS = timedelta(days=1)
"""How far back executions are listed that an account's holdings already contain at first sight."""


@dataclass(frozen=True, slots=True)
class Settling:
    """The books of one account with what settling them needs: their journal and the broker."""

    books: Books
    journal: Journal
    broker: Broker
    sleep: Callable[[float], None]
    crypto_fee_rate: Decimal = CRYPTO_FEE_RATE

    def keep(self, session: str, records: Sequence[r.Record]) -> None:
        """Make records durable, and apply what other coordinators wrote before them."""
        for entry in self.journal.append(session, records):
            self.books.apply_foreign(entry.record)

    def decide(self, session: str, records: Callable[[], Sequence[r.Record]]) -> Sequence[r.Record]:
        """Decide and write in one transaction, after applying all that other coordinators wrote.

        Returns the records, which are then durable.
        """
        decided = list[r.Record]()

        def informed(others: list[Entry]) -> Sequence[r.Record]:
            for entry in others:
                self.books.apply_foreign(entry.record)
            decided.extend(records())
            return decided

        self.journal.append_decided(session, informed)
        return decided

    def end_unfinished(self, now: datetime) -> None:
        """Record the end of the last session if its process died before doing so."""
        opened = self.books.session
        if opened is not None and self.books.ended is None:
            status = r.SessionEnd.STOPPED_EARLY
            ended = r.SessionEnded(now, opened.session_id, status, None, {})
            self.books.apply_all([ended])
            self.keep(opened.session_id, [ended])


def agree(
    settling: Settling, assets: Mapping[str, Asset], now: datetime, *, goes_on: bool = False
) -> list[str]:
    """Book what happened at the broker meanwhile, and refuse books that do not sum to the account.

    Returns the ids of orders that were never sent but still may be. Some differences do not stop
    the session: those frozen in a session that never ended (they stay frozen), those that another
    coordinator's open order may explain, and all after a kill, because then nothing is bought, or
    if the session `goes_on`: they freeze entries then, and an exit is never held back.

    Raises:
        SafetyRefusal: naming each difference.
    """
    books, broker = settling.books, settling.broker
    earlier = books.session.session_id if books.session else ""
    settling.decide(earlier, lambda: adopt_account(books, broker))
    frozen = dict(books.frozen) if books.ended is None else {}
    desk = OrderDesk.at_rest(books, assets)
    reports = Reports(desk, settling.crypto_fee_rate)
    reconciler = Reconciler(books, desk.blotter.record, reports.on_update, at_rest=True)
    for looks, depth in _attempts(settling, books.last_at or now):
        unsent = _settled(settling, assets, earlier, now)
        seen = looks.take(books.posted.version, depth)
        settling.decide(earlier, partial(_reconciled, reconciler, desk.blotter, seen))
        found = differences(books, seen)
        if all(f.is_among(frozen) for f in found):
            break
    else:
        theirs = {f.symbol for f in found if books.neighbours.may_move(f.symbol)}
        ours = [f for f in found if f.symbol not in theirs and (f.symbol or not theirs)]
        if not (books.halts.killed or goes_on):
            refuse_differences(ours)
        new = [f for f in ours if not f.is_among(books.frozen)]
        books.apply_all(new)
        settling.keep(earlier, new)
        for finding in found:
            log.error("⚠ %s (%s)", finding.note, finding.discrepancy_id)
    return list(dict.fromkeys([*unsent, *_to_send(desk.blotter.out)]))


def agree_at_the_end(
    settling: Settling, engine: Engine, session: str
) -> tuple[m.AccountSeen, list[r.DiscrepancyFound]]:
    """The account after the session's last decision, and the differences the books cannot explain.

    Raises:
        BrokerError: the account could not be read.
    """
    books = engine.books
    engine.reconciler.at_rest = True
    for looks, depth in _attempts(settling, books.last_at or settling.broker.clock()):
        seen = looks.take(books.posted.version, depth)
        settling.decide(session, partial(_followed, engine, seen))
        found = differences(books, seen)
        if not found:
            break
    return seen, _unexplained(books, found, seen.now)


def _followed(engine: Engine, seen: m.AccountSeen) -> list[r.Record]:
    """What follows from a reading of the account, in which an order is never sent any more."""
    records: list[r.Record] = []
    messages = deque[m.Message]([seen])
    while messages:
        outcome = engine.handle(messages.popleft())
        records += outcome.records
        messages += [m.OrderAbsent(name, seen.now) for name in _to_send(outcome)]
    return records


def _attempts(settling: Settling, since: datetime) -> Iterator[tuple[Looks, Depth]]:
    """The looks and depth of each comparison, after its wait.

    Activities are read first, and again every FURTHER_BACK comparisons: what moved the cash may be
    listed seconds later.
    """
    books = settling.books
    looks = Looks(settling.broker, books, since)
    yield looks, Depth.ACTIVITIES
    began = books.session.at if books.session else books.posted.adopted_at
    for attempt in range(1, AGREE_TRIES):
        settling.sleep(AGREE_WAIT_S)
        if attempt == FURTHER_BACK and began is not None:
            looks = Looks(settling.broker, books, began, doubtful=True)
        yield looks, Depth.ACCOUNT if attempt % FURTHER_BACK else Depth.ACTIVITIES


def differences(books: Books, seen: m.AccountSeen) -> list[r.DiscrepancyFound]:
    """Every difference between the books and a reading of the broker's account."""
    cash = comparable_cash(books.ledger, seen)
    return compare(books.ledger, cash, seen.positions, seen.now)


def adopt_account(books: Books, broker: Broker) -> list[r.Record]:
    """At first sight of an account, book all it holds to UNASSIGNED."""
    if books.account:
        return []
    adopted = first_sight(broker)
    books.apply_all([adopted])
    return [adopted]


def first_sight(broker: Broker) -> r.AccountAdopted:
    """The record that opens the books of an account, read at a moment when nobody traded on it.

    A human may be trading: an account whose cash moves during the read is read again, so that its
    sums contain exactly what was executed before that moment.
    """
    before = broker.account()
    for _ in range(SIGHTS):
        now = broker.clock()
        known = [fill.execution.execution_id for fill in broker.fills(now - KNOWN_FILLS)]
        try:
            listed = broker.activities((now - FEE_DAYS).date())
            known += [one.activity_id for one in listed if not one.is_void]
        except BrokerRejected as refusal:
            log.warning("fees and dividends could not be asked for: %s", refusal)
        holdings = tuple(broker.positions())
        account, before = before, broker.account()
        if account.cash == before.cash:
            break
    number, cash, set_aside = account.number, account.cash, account.set_aside
    return r.AccountAdopted(now, number, cash, holdings, tuple(known), set_aside)


def _settled(
    settling: Settling, assets: Mapping[str, Asset], session: str, now: datetime
) -> list[str]:
    """Settle the open orders on the broker's evidence; returns the ids that may be sent again."""
    books, rate = settling.books, settling.crypto_fee_rate
    known = ask_about_orders(books, settling.broker, now, settling.sleep)
    unsent: list[str] = []

    def decided() -> Sequence[r.Record]:
        records, ids = settle_orders(books, assets, known, now, crypto_fee_rate=rate)
        unsent.extend(ids)
        return records

    settling.decide(session, decided)
    return unsent


def ask_about_orders(
    books: Books, broker: Broker, now: datetime, sleep: Callable[[float], None]
) -> Evidence:
    """The broker's reports on each order that an earlier process left open, by client order id."""
    sent = _sent(books)
    return gather(sent, broker, sleep, patient=_old(sent, now))


def _sent(books: Books) -> list[Order]:
    return [o for o in books.orders.open() if o.status is not OrderStatus.WAITING]


def _old(orders: Iterable[Order], now: datetime) -> set[str]:
    """The ids of those that were decided too long ago to be sent again."""
    return {o.client_order_id for o in orders if now - o.decided_at >= MINUTE}


def _to_send(outcome: m.Outcome) -> list[str]:
    """The ids of the orders whose turn has come."""
    return [c.client_order_id for c in outcome.commands if isinstance(c, m.SubmitOrder)]


@exactly
def settle_orders(
    books: Books,
    assets: Mapping[str, Asset],
    known: Evidence,
    now: datetime,
    *,
    crypto_fee_rate: Decimal = CRYPTO_FEE_RATE,
) -> tuple[list[r.Record], list[str]]:
    """Settle the orders that an earlier process left open, on the broker's evidence.

    Returns the records, and the ids of orders that never left this machine and were decided within
    the last minute: they may be sent again under the same id. Older ones are dropped as stale. What
    is to be cancelled still is, and the session sells what such an order left (`Liquidation`).
    """
    desk = OrderDesk.at_rest(books, assets)
    reports = Reports(desk, crypto_fee_rate)
    desk.drop_waiting(now, older_than=MINUTE)
    sent = _sent(books)
    old = _old(sent, now)
    for order in sent:
        for update in known.get(order.client_order_id, ()):
            reports.on_update(update)
    unknown = [o.client_order_id for o in sent if o.client_order_id not in known]
    for order_id in unknown:
        if order_id in old:
            desk.give_up(order_id, now)
    unsent = [order_id for order_id in unknown if order_id not in old]
    return desk.blotter.out.records, list(dict.fromkeys([*unsent, *_to_send(desk.blotter.out)]))


def refuse_differences(found: Iterable[r.DiscrepancyFound]) -> None:
    """Refuse to trade while there are differences.

    Raises:
        SafetyRefusal: naming each difference.
    """
    notes = "; ".join(f"{finding.note} ({finding.discrepancy_id})" for finding in found)
    if notes:
        raise SafetyRefusal(
            f"the books do not sum to the broker's account: {notes}. Nothing was traded. Look at"
            " the account's activity for what this program did not do; `multi-trader reconcile`"
            " shows the difference, and with --accept and the name in brackets takes it as it is."
        )


@exactly
def _reconciled(reconciler: Reconciler, blotter: Blotter, seen: m.AccountSeen) -> list[r.Record]:
    before = len(blotter.out.records)
    reconciler.take(seen)
    return blotter.out.records[before:]


@exactly
def _unexplained(
    books: Books, found: Sequence[r.DiscrepancyFound], now: datetime
) -> list[r.DiscrepancyFound]:
    """Those of the differences that the broker's rounding and late crypto fees do not explain."""
    return [difference for difference in found if not explain(books, difference, found, now)]
