"""The judge: every record against the model's truth as it is written, and all of it at the end.

It keeps books of its own, from the journal's records alone, in plain sums: the ledger under
judgement is never asked how it would have added up.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

from coordinator.core import records as r
from coordinator.core.books import Books
from tests.proof.memory import differences, dump
from tests.proof.model import ENDED, NOUGHT, OVER, WIDE, Brokerage, TrueExecution, TrueOrder
from tests.proof.rules import Rules

HEARD_WITHIN = timedelta(seconds=6)
"""The session looks at its journal that often, and hears of what others have written."""
LONG_AGO = timedelta(days=8)
"""What was listed longer ago nobody lists again, once the account is adopted with it."""
LEFT_OVER = "UNASSIGNED"


@dataclass
class Intent:
    """One order as the journal intends it."""

    record: r.OrderIntended
    released: bool
    status: str = ""
    posts: int = 0
    crossed: bool = False

    @property
    def over(self) -> bool:
        """Whether the journal says that it has ended."""
        return self.status in OVER


@dataclass
class PlainBook:
    """One book as the judge adds it up."""

    cash: Decimal = NOUGHT
    shares: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))


class Judge:
    """Collects violations, each a sentence.

    The broker may show `cents_only` of its cash; of several `coordinators` each hears of what
    another one found a little later.
    """

    def __init__(
        self,
        brokerage: Brokerage,
        config: Mapping[str, Any],
        *,
        cents_only: bool = False,
        coordinators: int = 1,
    ) -> None:
        self._cents_only, self._coordinators = cents_only, coordinators
        self.violations: list[str] = []
        self._rules = Rules(config, self.blame)
        self.intents: dict[str, Intent] = {}
        self.books: dict[str, PlainBook] = defaultdict(PlainBook)
        self.longest_lag_s = 0.0
        self.fills = 0
        self.adopted = False
        self.killed: datetime | None = None
        self.halted: dict[str, datetime] = {}
        """Strategies that an operator has halted, and from when on they may open nothing."""
        self.found: list[tuple[datetime, str]] = []
        """When the session found that a ticker, or cash under '', is not explained."""
        self._brokerage = brokerage
        self._known: set[str] = set()
        self._named: set[str] = set()
        """The broker's ids of orders that the journal knows."""
        self._whose: dict[TrueExecution, str] = {}
        self._booked: Counter[TrueExecution] = Counter()
        self._trades: list[tuple[datetime, str, str, Decimal]] = []
        """Everything bought and sold, also inside: when, by whom, and units with their sign."""
        self._postings: dict[tuple[str, str], r.ActivityBooked] = {}
        self._frozen: dict[str, tuple[str, datetime]] = {}
        self._stopped: dict[str, r.EntriesStopped] = {}
        self._up_since: datetime | None = None

    def know(self, strategies: Sequence[Mapping[str, Any]]) -> None:
        """Strategies that a configuration may have, though it did not begin with them."""
        self._rules.know(strategies)

    def blame(self, sentence: str) -> None:
        """Note a violation."""
        if len(self.violations) < 50:
            self.violations.append(sentence)

    # what the session does, as it does it

    def committed(
        self, records: Sequence[r.Record], now: datetime, up_since: datetime | None = None
    ) -> None:
        """These records have become durable; their process has traded `up_since` then."""
        self._up_since = up_since
        with localcontext(WIDE):
            self._rules.committed(records)
            for record in records:
                self._take(record, now)
            self._crosses([x for x in records if isinstance(x, r.FillBooked) and _crosses(x)])

    def posted(self, body: dict[str, Any], now: datetime) -> None:
        """The session has sent this order: is there a durable intent of it?"""
        intent = self.intents.get(body["client_order_id"])
        if intent is None:
            self.blame(f"invariant 7: {body['client_order_id']} was sent without a durable intent")
            return
        intent.posts += 1
        wanted = intent.record
        self._rules.posted(wanted, now)
        sent = (body["symbol"], body["side"], Decimal(str(body["qty"])))
        if sent != (wanted.symbol, wanted.side.value, wanted.qty) or not intent.released:
            self.blame(f"invariant 7: {body} is not what was intended and released: {intent}")
        if intent.over and wanted.client_order_id not in self._brokerage.by_client_id:
            self.blame(f"invariant 10: {wanted.client_order_id} was sent after its end")
        for order in self._brokerage.open_orders(wanted.symbol):
            if order.side != wanted.side.value and not order.by_hand:
                other = self.intents.get(order.client_order_id)
                if other is None or not other.over:
                    self.blame(
                        f"opposite orders together: {wanted.client_order_id} was sent while"
                        f" {order.client_order_id} stood"
                    )

    def _take(self, record: r.Record, now: datetime) -> None:
        match record:
            case r.AccountAdopted():
                self._adopt(record)
            case r.Transferred():
                self.books[record.source].cash -= record.amount
                self.books[record.target].cash += record.amount
            case r.OrderIntended():
                self._intend(record)
            case r.OrderReleased():
                self.intents[record.client_order_id].released = True
                if self._is_halted(self.intents[record.client_order_id].record, record.at):
                    self.blame(f"invariant 14: {record} while its strategy is halted")
            case r.OrderAdopted():
                self._adopt_order(record)
            case r.OrderMoved():
                self._move(record)
            case r.FillBooked() if _crosses(record):
                self._cross(record)
            case r.FillBooked():
                self._book(record, now)
            case r.ActivityBooked():
                self._post(record)
            case r.EntriesStopped():
                self._stopped[record.strategy] = record
            case r.DayRolled():
                self._stopped.pop(record.strategy, None)
            case r.Reconfigured():
                for name in record.mended:
                    if self._stopped.pop(name).reason == "max_daily_loss":
                        self.blame(f"invariant 14: an edit lifts the loss limit of {name}")
            case r.DiscrepancyFound():
                self._find(record)
            case r.DiscrepancyResolved():
                self._frozen.pop(record.discrepancy_id, None)
            case r.Killed():
                self.killed = now
            case r.Revived():
                self.killed = None
            case r.Paused() | r.FlattenRequested():
                heard = now if self._up_since else now + HEARD_WITHIN  # who wrote it knows at once
                self.halted[record.strategy] = min(self.halted.get(record.strategy, heard), heard)
            case r.Resumed():
                self.halted.pop(record.strategy, None)
            case _:
                pass

    def _adopt(self, record: r.AccountAdopted) -> None:
        if self.adopted:
            self.blame("the account was adopted twice")
        self.adopted = True
        self.books[LEFT_OVER].cash += record.cash
        for holding in record.holdings:
            self.books[LEFT_OVER].shares[holding.symbol] += holding.qty
        self._known.update(record.known)  # what moved before: the adopted sums have it
        self._known.update(
            fill.activity_id for fill in self._brokerage.executions if fill.at < record.at
        )
        self._known.update(
            one.activity_id
            for one in self._brokerage.activities
            if one.visible_at < record.at - LONG_AGO
        )

    def _intend(self, record: r.OrderIntended) -> None:
        name = record.client_order_id
        if name in self.intents:
            self.blame(f"invariant 6: the id {name} was used twice")
        key = (record.strategy, record.symbol, record.side)
        for other in self.intents.values():
            same = (other.record.strategy, other.record.symbol, other.record.side) == key
            if same and not other.over:
                self.blame(f"invariant 6: {name} while {other.record.client_order_id} is open")
        killed = self.killed is not None and record.at - self.killed > HEARD_WITHIN
        stopped = self._stopped.get(record.strategy)
        halts = [stopped.reason if stopped and stopped.at < record.at else ""]
        halts.append("a kill" if killed else "")
        halts.append("a pause" if self._is_halted(record, record.at) else "")
        late = HEARD_WITHIN if self._coordinators > 1 else timedelta(0)
        halts += [
            name
            for name, (symbol, found_at) in self._frozen.items()
            if symbol in ("", record.symbol) and record.at - found_at >= late
        ]
        if record.side.value == "buy" and any(halts):
            self.blame(f"invariant 14: {name} was intended after {[h for h in halts if h]}")
        self.intents[name] = Intent(record, record.released)

    def _adopt_order(self, record: r.OrderAdopted) -> None:
        """A human's order in the place of one of ours is that one's strategy's."""
        self._named.add(record.broker_order_id)
        new, old = self._brokerage.by_client_id[record.client_order_id], record.replaces
        if new.replaces is None or new.replaces.client_order_id != old:
            self.blame(f"{record} took the place of no such order")
        if record.client_order_id in self.intents:
            self.blame(f"{record} is of an order that had a strategy already")
        wanted = replace(
            self.intents[old].record, client_order_id=new.client_order_id, qty=record.qty
        )
        self.intents[new.client_order_id] = Intent(wanted, released=True)

    def _is_halted(self, wanted: r.OrderIntended, at: datetime) -> bool:
        """Whether an operator has halted a buy's strategy by then."""
        since = self.halted.get(wanted.strategy)
        return wanted.side.value == "buy" and since is not None and at > since

    def _move(self, record: r.OrderMoved) -> None:
        self._named.add(record.broker_order_id)
        intent = self.intents[record.client_order_id]
        before, after = intent.status, record.status.value
        revived = before == "denied" and intent.released
        if before in OVER and after not in ("filled", before) and not revived:
            self.blame(f"invariant 10: {record.client_order_id} went from {before} to {after}")
        intent.status = after

    def _book(self, record: r.FillBooked, now: datetime) -> None:
        """An execution, or with a quantity below zero the taking back of one."""
        back = record.qty < 0
        fill = self._true_fill(record.reverses if back else record.execution_id)
        if fill is None or record.client_order_id not in _names(fill.order):
            self.blame(f"invariant 5: booked, but never executed: {record}")
            return
        self._booked[fill] += -1 if back else 1
        if self._booked[fill] not in (0, 1) or (back and fill.stands):
            self.blame(f"invariant 5: booked {self._booked[fill]} times: {record}")
            return
        before = fill if back else fill.instead_of
        owner = self._whose.get(before) if before else None
        owner = self._whose[fill] = owner or self._owner(fill.order)
        sign = -1 if back else 1
        facts = (owner, fill.order.symbol, fill.order.side, sign * fill.qty, fill.price)
        said = (record.strategy, record.symbol, record.side.value, record.qty, record.price)
        fees = (sign * fill.fee, sign * fill.fee_qty)
        if facts != said or (record.fee, record.fee_qty) != fees:
            self.blame(f"invariant 5: {record} is not {fill} of {owner}")
        book = self.books[record.strategy]
        book.cash += sign * fill.cash
        book.shares[record.symbol] += sign * fill.shares
        self._trades.append((record.at, record.strategy, record.symbol, sign * fill.shares))
        self.fills += not back
        if self._up_since is not None and not back:
            lag = now - max(fill.at, self._up_since)
            self.longest_lag_s = max(self.longest_lag_s, lag.total_seconds())

    def _owner(self, order: TrueOrder) -> str:
        """Whose an order is: that of whoever wanted the one that it took the place of, if the
        journal knows by then which one the broker means."""
        intent, old = self.intents.get(order.client_order_id), order.replaces
        if intent is None and old is not None and old.order_id in self._named:
            return self._owner(old)
        return intent.record.strategy if intent else LEFT_OVER

    def _true_fill(self, name: str) -> TrueExecution | None:
        """The execution of this id, the stream's or the activities'."""
        return self._brokerage.by_any_id.get(name)

    def _cross(self, record: r.FillBooked) -> None:
        """What two strategies pass to each other inside, at a price, without a fee."""
        sign = 1 if record.side.value == "buy" else -1
        book = self.books[record.strategy]
        book.cash -= sign * record.qty * record.price
        book.shares[record.symbol] += sign * record.qty
        self._trades.append((record.at, record.strategy, record.symbol, sign * record.qty))
        intent = self.intents[record.client_order_id]
        intent.crossed = True
        if record.fee or record.fee_qty or intent.posts or record.qty != intent.record.qty:
            self.blame(f"crossed with a fee, beside an order, or in part: {record}")

    def _crosses(self, records: Sequence[r.FillBooked]) -> None:
        """What is crossed is sold and bought at once, by two strategies, at one price."""
        for sale, buy in zip(records[::2], records[1::2], strict=True):
            same = [(x.symbol, x.qty, x.price) for x in (sale, buy)]
            sides = sale.side.value, buy.side.value
            if same[0] != same[1] or sides != ("sell", "buy") or sale.strategy == buy.strategy:
                self.blame(f"invariant 2: {sale} and {buy} are no pair")

    def _post(self, record: r.ActivityBooked) -> None:
        key = record.activity_id, record.strategy
        if key in self._postings or record.activity_id in self._known:
            self.blame(f"invariant 5: posted twice: {record}")
        self._postings[key] = record
        book = self.books[record.strategy]
        book.cash += record.amount
        if record.symbol:
            if record.kind is r.ActivityKind.SPLIT:
                self._judge_split(record)
            book.shares[record.symbol] += record.qty

    def _judge_split(self, record: r.ActivityBooked) -> None:
        """Is it of one who holds some, or held some when it was listed, and are some left?

        If nobody holds any now, or nobody held any then, it is of shares that nobody knows.
        """
        now = {name: one.shares[record.symbol] for name, one in self.books.items()}
        listed = {one.activity_id: one.at for one in self._brokerage.activities}
        then = dict(now)
        for at, strategy, symbol, units in self._trades:
            if symbol == record.symbol and at > listed[record.activity_id]:
                then[strategy] -= units
        unknown = record.strategy == LEFT_OVER and sum(now.values()) < 0  # nobody bought them
        if unknown or not any(now.values()) or not any(then.values()):
            return
        held = now[record.strategy], then[record.strategy]
        if all(units * (units + record.qty) <= 0 for units in held):
            self.blame(f"a split is of those who hold, and leaves them some: {record}")

    def _find(self, record: r.DiscrepancyFound) -> None:
        """The session says that it cannot explain something: is there something?"""
        self.found.append((record.at, record.symbol))
        if record.discrepancy_id:
            self._frozen[record.discrepancy_id] = record.symbol, record.at

    def is_booked(self, fill: TrueExecution) -> bool:
        """Whether an execution is in the books now."""
        return self._booked[fill] == 1

    # memory, file and model, at rest

    def compare_memory(self, ours: Books, replayed: Books, tickers: Collection[str]) -> None:
        """Invariant 11: what is in memory is what the journal gives.

        Of tickers that nobody holds any more, and those of another coordinator, less is kept.
        """
        mine, theirs = dump(ours), dump(replayed)
        for part in ("marks", "last bars"):
            theirs[part] = {key: theirs[part][key] for key in tickers if key in theirs[part]}
            mine[part] = {key: mine[part].get(key) for key in theirs[part]}
        for line in differences(mine, theirs):
            self.blame(f"invariant 11: {line}")
        for key, sequence in replayed.sequences.items():
            if ours.sequences.get(key, 0) < sequence:
                self.blame(f"invariant 11: sequence {key} in memory is behind the journal's")

    def at_rest(self, known: Sequence[Books], path: Path) -> None:
        """All that must hold once nothing is under way any more; books as each coordinator reads
        them."""
        with localcontext(WIDE):
            self._sums()
            self._fills()
            self._activities()
            self._refusals()
            for intent in self.intents.values():
                self._order(intent)
            self._chain(path)
            for books in known:
                self._ledger(books)
                for order in books.orders.open():
                    there = self._brokerage.by_client_id.get(order.client_order_id)
                    if there is None or there.status in ENDED or order.open_qty != there.left:
                        self.blame(f"invariant 13: at rest ${order.hold} are held by {order}")

    def _refusals(self) -> None:
        """No order of ours needed the broker to keep it from harm, but for what humans did."""
        if any(order.by_hand for order in self._brokerage.orders.values()):
            return
        drifted = {symbol for _, symbol in self._brokerage.drifts}
        busted = [fill.order for fill in self._brokerage.executions if not fill.stands]
        drifted |= {order.symbol for order in busted}
        owing = any(
            order.side == "sell" for order in busted
        )  # its cash may have been spent by then
        for name, message in self._brokerage.refusals:
            intent = self.intents.get(name)
            if intent is None or {"", intent.record.symbol} & drifted:
                continue
            explained = owing and message == "insufficient buying power"
            if not explained and "must be unique" not in message:
                self.blame(f"opposite orders together, or too much sold: {name}: {message}")

    def _sums(self) -> None:
        """Invariants 3 and 4: all books are the account."""
        cash, theirs = sum((b.cash for b in self.books.values()), NOUGHT), self._brokerage.cash
        rounded = self._brokerage.whole_cents or self._brokerage.drifts
        shown = round(theirs, 2) if self._cents_only else theirs
        if abs(cash - shown) >= Decimal("0.01") or (cash != theirs and not rounded):
            self.blame(f"invariant 4: the books' cash is {cash}, the broker's {theirs}")
        net: dict[str, Decimal] = defaultdict(Decimal)
        for book in self.books.values():
            for symbol, qty in book.shares.items():
                net[symbol] += qty
        for symbol in {*net, *self._brokerage.positions}:
            if net[symbol] != self._brokerage.held(symbol):
                self.blame(
                    f"invariant 3: the books hold {net[symbol]} {symbol}, the broker"
                    f" {self._brokerage.held(symbol)}"
                )

    def _ledger(self, books: Books) -> None:
        """Each sub-account is what the judge has added up, and its equity identity holds."""
        for name, account in books.ledger.accounts.items():
            plain = self.books[name]
            if account.cash != plain.cash:
                self.blame(f"invariant 1: {name} has ${account.cash}, and should have {plain.cash}")
            held = {name: held.qty for name, held in account.positions.items() if held.qty}
            if held != {symbol: qty for symbol, qty in plain.shares.items() if qty}:
                self.blame(f"invariant 1: {name} holds {held}, and should hold {plain.shares}")

    def _fills(self) -> None:
        """Invariant 5: each execution that stands was booked, and no other."""
        drifted = {symbol for _, symbol in self._brokerage.drifts}
        for fill in self._brokerage.executions:
            if fill.activity_id in self._known:
                continue
            if self.is_booked(fill) != fill.stands and fill.order.symbol not in drifted:
                self.blame(f"invariant 5: lost, or not taken back: {fill} of {fill.order}")

    def _activities(self) -> None:
        """Each activity was posted once and whole, and nothing else but what may be.

        A coin fee that is listed before its execution is heard of is charged twice for a moment:
        what was charged so and given back is no posting.
        """
        named = {activity.activity_id: activity for activity in self._brokerage.activities}
        sums: dict[str, list[Decimal]] = defaultdict(lambda: [NOUGHT, NOUGHT])
        guessed = NOUGHT
        coins: dict[tuple[str, str], Decimal] = defaultdict(lambda: NOUGHT)
        for posting in self._postings.values():
            if posting.activity_id not in named and posting.kind is r.ActivityKind.FEE:
                coins[posting.strategy, posting.symbol] += posting.qty
        given_back = {whose for whose, qty in coins.items() if not qty}
        for (name, _), posting in self._postings.items():
            sums[name][0] += posting.amount
            sums[name][1] += posting.qty
            if name in named or name.startswith("import."):
                continue
            rounding = posting.kind is r.ActivityKind.ROUNDING
            guessed += posting.amount if rounding else NOUGHT
            may_be = rounding and (self._brokerage.whole_cents or self._cents_only)
            may_be |= (posting.strategy, posting.symbol) in given_back
            if not (may_be or self._brokerage.drifts):
                self.blame(f"posted, but nothing moved: {posting}")
        if guessed and not (self._brokerage.whole_cents or self._brokerage.drifts):
            self.blame(f"rounding of {guessed} was never taken back, and nothing was rounded")
        for name in sums:
            if name.startswith("import.") and any(sums[name]):
                self.blame(f"invariant 1: {name} gave {sums[name]} that it took from nobody")
        for name, activity in named.items():
            moved = [activity.cash, activity.shares] if activity.moves else [NOUGHT, NOUGHT]
            if activity.moves and not any(moved) and name not in sums:
                continue  # a fee of nothing moves no book
            if name not in self._known and (name not in sums or sums[name] != moved):
                self.blame(f"invariant 5: {activity} was posted as {sums.get(name)}")

    def _order(self, intent: Intent) -> None:
        """Invariants 8 and 9: an order ends here as it ended there."""
        name, status = intent.record.client_order_id, intent.status
        order = self._brokerage.by_client_id.get(name)
        if order is None:
            if status not in ("denied", "rejected") and not intent.crossed:
                self.blame(f"invariant 9: {name} is {status or 'intended'}, the broker has none")
            return
        booked = sum((fill.qty for fill in order.executions if self.is_booked(fill)), NOUGHT)
        unheard = any(not fill.stands for fill in order.executions)
        if (booked != order.filled and not unheard) or booked > intent.record.qty:
            self.blame(f"invariant 8: {name} has {booked} booked, the broker filled {order.filled}")
        if order.status not in ENDED and intent.over:
            self.blame(f"invariant 9: {name} is {status}, but stands at the broker")
        if order.status in ENDED and status != order.status:
            self.blame(f"invariant 9: {name} is {status}, at the broker {order.status}")

    def _chain(self, path: Path) -> None:
        """Invariant 12: no gap in the sequence, no break in the chain of hashes."""
        previous, expected = hashlib.sha256(b"multi-trader journal").hexdigest(), 1
        for seq, *parts, digest in _rows(path):
            text = "\x1f".join((previous, str(seq), *parts))
            if seq != expected or hashlib.sha256(text.encode()).hexdigest() != digest:
                self.blame(f"invariant 12: the chain breaks at record {seq}")
                return
            previous, expected = digest, seq + 1


def _names(order: TrueOrder) -> set[str]:
    """What the books may call an order: a human's by either id, for it may be hidden a while."""
    return {order.client_order_id, order.order_id} if order.by_hand else {order.client_order_id}


def _crosses(record: r.FillBooked) -> bool:
    """Whether it changed hands inside."""
    return record.execution_id.startswith("cross.")


def net_pnl(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The identity of every day's profit, and no stranger among its rows."""
    found = []
    with localcontext(WIDE):
        for row in rows:
            net = row["end_equity"] - row["start_equity"] - row["transfers"]
            parts = row["realized_pnl"] + row["unrealized_change"] - row["fees"]
            if not net == parts == row["net_pnl"]:
                found.append(f"invariant 1: {row['strategy']} won {net}, its parts say {parts}")
    return found


def journal_hash(path: Path) -> str:
    """The hash of a journal's last record, which stands for all of it."""
    rows = _rows(path, "ORDER BY seq DESC LIMIT 1")
    return str(rows[0][-1]) if rows else ""


def _rows(path: Path, order: str = "ORDER BY seq") -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(
            f"SELECT seq, coordinator, session_id, kind, body, hash FROM records {order}"
        ).fetchall()
