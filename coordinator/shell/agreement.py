"""Agreement with the broker before the first decision and after the last.

What became of the orders that were left open, what moved the account meanwhile, and whether the
books then sum to it. Nothing is traded on books that do not. Blocking; for a worker.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.blotter import Blotter
from coordinator.core.books import Books
from coordinator.core.desk import OrderDesk
from coordinator.core.engine import Engine
from coordinator.core.fees import CRYPTO_FEE_RATE
from coordinator.core.orders import Order, OrderStatus
from coordinator.core.reconcile import Reconciler, compare, explain
from coordinator.core.reports import Reports
from coordinator.core.risk import Asset
from coordinator.core.values import MINUTE, exactly
from coordinator.errors import BrokerRejected, SafetyRefusal
from coordinator.shell.broker import Broker
from coordinator.shell.evidence import Evidence, gather
from coordinator.shell.journal import Journal
from coordinator.shell.journal_rows import Entry
from coordinator.shell.look import FEE_DAYS, Looks
from coordinator.shell.watchdog import Depth

log = logging.getLogger("coordinator")
AGREE_TRIES = 16
"""Comparisons of the books with the account, AGREE_WAIT_S local seconds apart, before they count
as different: a list of executions can lag, and another coordinator may be filled in between."""
AGREE_WAIT_S = 0.3
FURTHER_BACK = 4
"""The comparison before which executions are asked for since the session began: one that the
stream lost while REST was not to be had can be older than the last record."""
SIGHTS = 10
"""So often an account that moves is looked at before it is taken as it was seen last."""
KNOWN_FILLS = timedelta(days=1)
"""Executions so old are in what an account holds when it is first seen."""


@dataclass(frozen=True, slots=True)
class Settling:
    """What it takes to settle one account's books: themselves, their file, and the broker."""

    books: Books
    journal: Journal
    broker: Broker
    sleep: Callable[[float], None]
    crypto_fee_rate: Decimal = CRYPTO_FEE_RATE

    def keep(self, session: str, records: Sequence[r.Record]) -> None:
        """Make records durable, and take in what other coordinators wrote before."""
        for entry in self.journal.append(session, records):
            self.books.apply_foreign(entry.record)

    def decide(self, session: str, records: Callable[[], Sequence[r.Record]]) -> Sequence[r.Record]:
        """Decide with all that others have written, and before they go on; what is durable then."""
        decided = list[r.Record]()

        def informed(others: list[Entry]) -> Sequence[r.Record]:
            for entry in others:
                self.books.apply_foreign(entry.record)
            decided.extend(records())
            return decided

        self.journal.append_decided(session, informed)
        return decided

    def end_unfinished(self, now: datetime) -> None:
        """End the last session if its process died before it could."""
        opened = self.books.session
        if opened is not None and self.books.ended is None:
            ended = r.SessionEnded(now, opened.session_id, "StoppedEarly", None, {})
            self.books.apply_all([ended])
            self.keep(opened.session_id, [ended])


def agree(settling: Settling, assets: Mapping[str, Asset], now: datetime) -> list[str]:
    """Learn from the broker what happened since, and refuse books that do not sum to it.

    Returns the ids of orders that were never sent, and still may be. A difference that froze its
    symbol in a session that never ended stays frozen, and the session goes on. So it does with one
    that another coordinator's open order can be the reason of; and after a kill with any, because
    nothing is bought then and an exit is never held back.

    Raises:
        SafetyRefusal: naming each difference.
    """
    books, broker = settling.books, settling.broker
    earlier = books.session.session_id if books.session else ""
    settling.decide(earlier, lambda: adopt_account(books, broker))
    looks = Looks(broker, books, books.last_at or now)
    frozen = dict(books.frozen) if books.ended is None else {}
    desk = OrderDesk.at_rest(books, assets)
    reports = Reports(desk, settling.crypto_fee_rate)
    reconciler = Reconciler(books, desk.blotter.record, reports.on_update, at_rest=True)
    for attempt in range(AGREE_TRIES):
        if attempt:
            settling.sleep(AGREE_WAIT_S)
        if attempt == FURTHER_BACK and books.session is not None:
            looks = Looks(broker, books, books.session.at)
        unsent = _settled(settling, assets, earlier, now)
        depth = Depth.ACCOUNT if attempt else Depth.ACTIVITIES
        seen = looks.take(books.posted.version, depth)
        settling.decide(earlier, lambda s=seen: _reconciled(reconciler, desk.blotter, s))  # type: ignore[misc]
        found = differences(books, seen)
        if all(_same(f, frozen.get(f.discrepancy_id)) for f in found):
            break
    else:
        ours = [f for f in found if not books.neighbours.may_move(f.symbol)]
        if not books.killed:
            refuse_differences(ours)
        new = [f for f in ours if not _same(f, books.frozen.get(f.discrepancy_id))]
        books.apply_all(new)
        settling.keep(earlier, new)
        for finding in found:
            log.error("⚠ %s (%s)", finding.note, finding.discrepancy_id)
    in_line = (c.client_order_id for c in desk.blotter.out.commands if isinstance(c, m.SubmitOrder))
    return list(dict.fromkeys([*unsent, *in_line]))


def agree_at_the_end(
    settling: Settling, engine: Engine, session: str
) -> tuple[m.AccountSeen, list[r.DiscrepancyFound]]:
    """The account after the session's last decision, and what the books cannot explain of it.

    Raises:
        BrokerError: it could not be asked.
    """
    books = engine.books
    looks = Looks(settling.broker, books, books.last_at or settling.broker.clock())
    engine.reconciler.at_rest = True
    for attempt in range(AGREE_TRIES):
        if attempt:
            settling.sleep(AGREE_WAIT_S)
        if attempt == FURTHER_BACK and books.session is not None:
            looks = Looks(settling.broker, books, books.session.at)
        depth = Depth.ACCOUNT if attempt else Depth.ACTIVITIES
        seen = looks.take(books.posted.version, depth)
        settling.decide(session, lambda s=seen: engine.handle(s).records)  # type: ignore[misc]
        found = differences(books, seen)
        if not found:
            break
    return seen, _unexplained(books, found, seen.now)


def differences(books: Books, seen: m.AccountSeen) -> list[r.DiscrepancyFound]:
    """Every difference between the books and the broker's account as it was seen."""
    assert seen.cash is not None, "the account was asked for"
    return compare(books.ledger, seen.cash, seen.positions, seen.now)


def adopt_account(books: Books, broker: Broker) -> list[r.Record]:
    """On first sight of an account, all it holds becomes UNASSIGNED's."""
    if books.account:
        return []
    adopted = first_sight(broker)
    books.apply_all([adopted])
    return [adopted]


def first_sight(broker: Broker) -> r.AccountAdopted:
    """The record of an account that has no books yet, at a moment when nobody traded on it.

    A human may be in the middle of it: an account whose cash moves while it is looked at is looked
    at anew, so that all that was executed before the moment is in the sums, and nothing else.
    """
    before = broker.account()
    for _ in range(SIGHTS):
        now = broker.clock()
        known = [fill.execution.execution_id for fill in broker.fills(now - KNOWN_FILLS)]
        try:
            known += [found.activity_id for found in broker.activities((now - FEE_DAYS).date())]
        except BrokerRejected as refusal:
            log.warning("fees and dividends could not be asked for: %s", refusal)
        holdings = tuple(broker.positions())
        account, before = before, broker.account()
        if account.cash == before.cash:
            break
    return r.AccountAdopted(now, account.number, account.cash, holdings, tuple(known))


def _settled(
    settling: Settling, assets: Mapping[str, Asset], session: str, now: datetime
) -> list[str]:
    """Settle the open orders on what the broker says, in the order in which the journal has it."""
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
    """The broker's word on each order that an earlier process left open, by client order id."""
    sent = _sent(books)
    old = {o.client_order_id for o in sent if now - o.decided_at >= MINUTE}
    return gather(sent, broker, sleep, patient=old)


def _sent(books: Books) -> list[Order]:
    return [o for o in books.orders.open() if o.status is not OrderStatus.WAITING]


@exactly
def settle_orders(
    books: Books,
    assets: Mapping[str, Asset],
    known: Evidence,
    now: datetime,
    *,
    crypto_fee_rate: Decimal = CRYPTO_FEE_RATE,
) -> tuple[list[r.Record], list[str]]:
    """What became of the orders that an earlier process left open, from the broker's evidence.

    Returns the records of it, and the ids of orders that never left this machine but are still
    of this minute: they may be sent again, under the same id. Older ones are dropped as stale. A
    wish to get out is forgotten, and decided anew on the next bar.
    """
    desk = OrderDesk.at_rest(books, assets)
    reports = Reports(desk, crypto_fee_rate)
    for order in books.orders.open():
        order.cancel_reason = None
    desk.drop_waiting(now, older_than=MINUTE)
    sent = _sent(books)
    old = {o.client_order_id for o in sent if now - o.decided_at >= MINUTE}
    for order in sent:
        for update in known.get(order.client_order_id, ()):
            reports.on_update(update)
    unknown = [o.client_order_id for o in sent if o.client_order_id not in known]
    for order_id in unknown:
        if order_id in old:
            desk.give_up(order_id, now)
    unsent = [order_id for order_id in unknown if order_id not in old]
    in_line = [c.client_order_id for c in desk.blotter.out.commands if isinstance(c, m.SubmitOrder)]
    return desk.blotter.out.records, list(dict.fromkeys([*unsent, *in_line]))


def refuse_differences(found: Iterable[r.DiscrepancyFound]) -> None:
    """Nothing is traded on books that do not sum to the account.

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
    books: Books, found: Iterable[r.DiscrepancyFound], now: datetime
) -> list[r.DiscrepancyFound]:
    """Without what rounding would explain, as soon as the order that still excuses it has ended."""
    return [difference for difference in found if not explain(books, difference, now)]


def _same(found: r.DiscrepancyFound, known: r.DiscrepancyFound | None) -> bool:
    return known is not None and known.off == found.off
