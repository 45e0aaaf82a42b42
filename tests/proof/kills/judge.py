"""The judge of a session of kills: what the venue says against what the journal and warehouse say.

It adds the books up itself, from the journal's records and in plain sums; only the last question,
whether a replay agrees with these sums, is put to the product's own books.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import duckdb

from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.codec import decode_all
from tests.proof.kills.venue import Account, Raw
from tests.proof.model import NOUGHT, OVER, WIDE

LEFT_OVER = "UNASSIGNED"
GENESIS = hashlib.sha256(b"multi-trader journal").hexdigest()


@dataclass
class Findings:
    """What a judge finds: sentences, and how many executions or orders they are about."""

    sentences: list[str] = field(default_factory=list)
    lost: int = 0
    doubled: int = 0

    def blame(self, sentence: str) -> None:
        """Note a violation."""
        self.sentences.append(sentence)


class Witness:
    """Looks at journal and venue after every kill: what was durable once must stay."""

    def __init__(self, journal: Path, findings: Findings) -> None:
        self.journal = journal
        self.records: list[r.Record] = []
        self._seq, self._hash = 0, GENESIS
        self._intents: set[str] = set()
        self._findings = findings

    def look(self, orders: Iterable[Raw], ours: set[str]) -> None:
        """Read on in the journal, the chain verified; no order is older than its intent."""
        for seq, kind, body, parts, digest in self._rows():
            text = "\x1f".join((self._hash, str(seq), *parts))
            if seq != self._seq + 1 or hashlib.sha256(text.encode()).hexdigest() != digest:
                self._findings.blame(f"the chain breaks at record {seq}, after {self._seq}")
                return
            self._seq, self._hash = seq, digest
            for record in decode_all(kind, body):
                self.records.append(record)
                if isinstance(record, r.OrderIntended):
                    self._intents.add(record.client_order_id)
        for order in orders:
            name = order["client_order_id"]
            if name.partition(".")[0] in ours and name not in self._intents:
                self._findings.blame(f"{name} is at the venue, its intent is not in the journal")

    def _rows(self) -> Iterator[tuple[int, str, str, tuple[str, ...], str]]:
        if not self.journal.exists():
            return
        connection = sqlite3.connect(f"file:{self.journal}?mode=ro", uri=True, timeout=10)
        try:
            known = "SELECT count(*) FROM sqlite_master WHERE name = 'records'"
            if not connection.execute(known).fetchone()[0]:
                return
            kept = connection.execute("SELECT hash FROM records WHERE seq = ?", (self._seq,))
            if self._seq and kept.fetchone() != (self._hash,):
                self._findings.blame(f"record {self._seq} was durable, and is gone or changed")
            for seq, who, session, kind, body, digest in connection.execute(
                "SELECT seq, coordinator, session_id, kind, body, hash FROM records"
                " WHERE seq > ? ORDER BY seq",
                (self._seq,),
            ):
                yield seq, kind, body, (who, session, kind, body), digest
        finally:
            connection.close()


class PlainBooks:
    """Cash and units by owner, each record added up as it stands."""

    def __init__(self, records: Iterable[r.Record]) -> None:
        self.cash: dict[str, Decimal] = defaultdict(Decimal)
        self.units: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self.intents: dict[str, r.OrderIntended] = {}
        self.adopted: dict[str, str] = {}
        self.status: dict[str, str] = {}
        self.fills: list[r.FillBooked] = []
        self.twice: list[str] = []
        for record in records:
            self._add(record)

    def standing(self) -> list[r.FillBooked]:
        """The bookings of executions that nothing has taken back."""
        reversed_ = {fill.reverses for fill in self.fills if fill.qty < 0}
        return [f for f in self.fills if f.qty > 0 and f.execution_id not in reversed_]

    def net(self) -> dict[str, Decimal]:
        """What all hold together, by symbol without its slash."""
        total: dict[str, Decimal] = defaultdict(Decimal)
        for (_, symbol), qty in self.units.items():
            total[symbol.replace("/", "")] += qty
        return {symbol: qty for symbol, qty in total.items() if qty}

    def held(self, owner: str) -> dict[str, Decimal]:
        """What one owner holds."""
        return {symbol: q for (who, symbol), q in self.units.items() if who == owner and q}

    def _add(self, record: r.Record) -> None:
        match record:
            case r.AccountAdopted():
                self.cash[LEFT_OVER] += record.cash
                for holding in record.holdings:
                    self.units[LEFT_OVER, holding.symbol] += holding.qty
            case r.Transferred():
                self.cash[record.source] -= record.amount
                self.cash[record.target] += record.amount
            case r.ActivityBooked():
                self.cash[record.strategy] += record.amount
                self.units[record.strategy, record.symbol] += record.qty
            case r.OrderIntended():
                if record.client_order_id in self.intents:
                    self.twice.append(record.client_order_id)
                self.intents[record.client_order_id] = record
                self.status[record.client_order_id] = "intended"
            case r.OrderAdopted():
                self.adopted[record.client_order_id] = record.replaces
                self.status[record.client_order_id] = "adopted"
            case r.OrderMoved():
                self.status[record.client_order_id] = record.status.value
            case r.FillBooked():
                self._book(record)

    def _book(self, fill: r.FillBooked) -> None:
        self.fills.append(fill)
        buys = fill.side.value == "buy"
        dollars, units = fill.qty * fill.price, fill.qty - fill.fee_qty if buys else -fill.qty
        fee = NOUGHT if fill.fee_qty else fill.fee  # a fee in coin has left the units already
        self.cash[fill.strategy] += (-dollars if buys else dollars) - fee
        self.units[fill.strategy, fill.symbol] += units

    def owner(self, client_order_id: str) -> str:
        """Whose an order is; one that took another's place is its owner's."""
        while client_order_id in self.adopted:
            client_order_id = self.adopted[client_order_id]
        intent = self.intents.get(client_order_id)
        return intent.strategy if intent else LEFT_OVER


def judge(
    account: Account, records: list[r.Record], ours: set[str], findings: Findings
) -> PlainBooks:
    """All that must hold between venue and journal once the session is over."""
    with localcontext(WIDE):
        books = PlainBooks(records)
        _sums(account, books, findings)
        _executions(account, books, findings)
        _orders(account, books, ours, findings)
        _replay(records, books, findings)
    return books


def _sums(account: Account, books: PlainBooks, findings: Findings) -> None:
    cash = sum(books.cash.values(), NOUGHT)
    if cash != account.cash:
        findings.blame(f"the books' cash is {cash}, the venue's {account.cash}")
    net = books.net()
    for symbol in {*net, *account.positions}:
        mine, theirs = net.get(symbol, NOUGHT), account.positions.get(symbol, NOUGHT)
        if mine != theirs:
            findings.blame(f"the books hold {mine} {symbol}, the venue {theirs}")


def _executions(account: Account, books: PlainBooks, findings: Findings) -> None:
    """Each of the venue's once, to the owner that its client id names; and no other."""
    names = {order["id"]: order["client_order_id"] for order in account.orders}
    true = Counter(_as_executed(fill, names[fill["order_id"]], books) for fill in account.fills)
    said = Counter(
        (f.strategy, f.client_order_id, f.symbol, f.side.value, f.qty, f.price)
        for f in books.standing()
    )
    for execution, count in (true - said).items():
        findings.lost += count
        findings.blame(f"lost, or with another owner or price: {count} x {execution}")
    for execution, count in (said - true).items():
        findings.doubled += count
        findings.blame(f"booked {count} too often, or as it never was: {execution}")


def _as_executed(fill: Raw, name: str, books: PlainBooks) -> tuple[Any, ...]:
    numbers = Decimal(fill["qty"]), Decimal(fill["price"])
    return books.owner(name), name, fill["symbol"], fill["side"], *numbers


def _orders(account: Account, books: PlainBooks, ours: set[str], findings: Findings) -> None:
    at_venue: dict[str, Raw] = {}
    decisions: Counter[tuple[str, ...]] = Counter()
    for order in account.orders:
        name = order["client_order_id"]
        if name in at_venue:
            findings.doubled += 1
            findings.blame(f"two orders of the venue have the id {name}")
        at_venue[name] = order
        intent = books.intents.get(name)
        if intent is not None:
            _matches(order, intent, findings)
            key = intent.strategy, intent.symbol, intent.side.value, f"{intent.at:%H:%M}"
            decisions[key] += 1
        elif name.partition(".")[0] in ours:
            findings.blame(f"{name} is at the venue, its intent is not in the journal")
    for decision, count in decisions.items():
        if count > 1:
            findings.doubled += 1
            findings.blame(f"{count} orders of one decision: {decision}")
    for name in books.twice:
        findings.blame(f"the id {name} was intended twice")
    for name, status in books.status.items():
        _ends_alike(name, status, at_venue.get(name), findings)


def _matches(order: Raw, intent: r.OrderIntended, findings: Findings) -> None:
    sent = order["symbol"], order["side"], Decimal(order["qty"])
    if sent != (intent.symbol, intent.side.value, intent.qty):
        findings.blame(f"{order['client_order_id']} was sent as {sent}, intended as {intent}")
    if datetime.fromisoformat(order["submitted_at"]) < intent.at:
        findings.blame(f"{order['client_order_id']} was taken before it was intended")


def _ends_alike(name: str, status: str, order: Raw | None, findings: Findings) -> None:
    there = order["status"] if order is not None else None
    never_there = {"denied", "rejected"}
    if status not in OVER:
        findings.blame(f"{name} is {status} after the session's end, at the venue {there}")
    elif status != there and not (there is None and status in never_there):
        findings.blame(f"{name} has ended as {status}, at the venue it is {there}")


def _replay(records: list[r.Record], plain: PlainBooks, findings: Findings) -> None:
    """A replay works, and gives the plain sums."""
    books = Books()
    books.apply_all(records)
    for name, account in books.ledger.accounts.items():
        held = {symbol: position.qty for symbol, position in account.positions.items()}
        if (account.cash, held) != (plain.cash[name], plain.held(name)):
            findings.blame(
                f"replayed, {name} has {account.cash} and {held}; the records sum to"
                f" {plain.cash[name]} and {plain.held(name)}"
            )
    if books.frozen:
        findings.blame(f"at the end unexplained: {books.frozen}")


def judge_warehouse(file: Path, books: PlainBooks, account: Account, findings: Findings) -> None:
    """Each execution once and every sum again, as SQL finds them."""
    with duckdb.connect(str(file), read_only=True) as warehouse:
        rows = warehouse.execute("SELECT execution_id, strategy, qty, price FROM fills").fetchall()
        said = Counter((f.execution_id, f.strategy, f.qty, f.price) for f in books.fills)
        loaded = Counter(rows)
        if loaded != said:
            findings.blame(f"the warehouse's fills differ: {(loaded - said) | (said - loaded)}")
        if warehouse.execute("SELECT count(*) FROM quarantine").fetchall() != [(0,)]:
            findings.blame("the warehouse has rows in quarantine")
        held = warehouse.execute(
            "SELECT replace(symbol, '/', ''), sum(qty) FROM positions GROUP BY ALL"
        ).fetchall()
        if {symbol: qty for symbol, qty in held if qty} != account.positions:
            findings.blame(f"the warehouse holds {held}, the venue {account.positions}")
        ((cash,),) = warehouse.execute(
            "SELECT sum(cash) FROM (SELECT last(cash ORDER BY ts) AS cash"
            " FROM equity GROUP BY session_id, strategy)"
        ).fetchall()
        if cash != account.cash:
            findings.blame(f"the warehouse's cash is {cash}, the venue's {account.cash}")
