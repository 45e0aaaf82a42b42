"""What the journal must obey by itself, record after record, whatever the broker says.

Each rule looks at what was durable before, and at the configuration; none at the books under
judgement. What a strategy may spend and sell is counted here in plain sums, with some slack where
prices may have moved between a decision and its fill.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from coordinator.core import records as r
from tests.proof.model import NOUGHT, OVER

STALE = timedelta(seconds=75)
"""After its decision a buy is not sent any more: its ticker's next bar has come."""
SLACK = Decimal("1.1")
"""A fill may cost so much more than was held for it."""


@dataclass
class Wanted:
    """An order as far as its records tell."""

    intent: r.OrderIntended
    reported: Decimal = NOUGHT
    booked: Decimal = NOUGHT
    amended: bool = False
    """An execution was taken back: what was reported before says nothing any more."""
    over: bool = False
    released: bool = False
    """Whether it may be at the broker."""
    dearer: Decimal = NOUGHT
    """Dollars that its executions cost beyond what was held for them."""

    @property
    def left(self) -> Decimal:
        """What can still be filled."""
        return self.intent.qty - (self.booked if self.amended else max(self.booked, self.reported))

    @property
    def is_entry(self) -> bool:
        """Whether it uses up one of its day's entries."""
        return self.intent.side.value == "buy" and (not self.over or self.left < self.intent.qty)


class Rules:
    """Judges the records of one journal as they become durable. `blame` takes a sentence."""

    def __init__(self, config: Mapping[str, Any], blame: Callable[[str], None]) -> None:
        self._config = {strategy["name"]: strategy for strategy in config.get("strategies", ())}
        self._blame = blame
        self._session = ""
        self._last_bar: dict[str, datetime] = {}
        self._funded: set[str] = set()
        self._rolled: set[tuple[str, Any]] = set()
        self._cash: dict[str, Decimal] = defaultdict(Decimal)
        self._shares: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self._orders: dict[str, Wanted] = {}
        self._today: dict[str, list[Wanted]] = defaultdict(list)
        self._amended = False

    def know(self, strategies: Sequence[Mapping[str, Any]]) -> None:
        """Strategies that a configuration may have, though it did not begin with them."""
        self._config |= {strategy["name"]: strategy for strategy in strategies}

    def committed(self, records: Sequence[r.Record]) -> None:
        """These records were made durable together."""
        self._decided_on_the_newest(records)
        for record in records:
            self._take(record)

    def posted(self, intent: r.OrderIntended, now: datetime) -> None:
        """An order leaves for the broker."""
        if intent.side.value == "buy" and now - intent.at > STALE:
            self._blame(f"a stale buy: {intent.client_order_id} of {intent.at} leaves at {now}")

    def _take(self, record: r.Record) -> None:
        match record:
            case r.SessionOpened() if record.session_id != self._session:
                self._session = record.session_id
                self._last_bar.clear()  # it gets history of its own
            case r.BarsSeen(origin=r.Origin.CORRECTED):
                pass
            case r.BarsSeen() | r.HistorySeen():
                self._see(record)
            case r.Transferred():
                self._transfer(record)
            case r.DayRolled():
                self._roll(record)
            case r.EntriesStopped() if record.reason.startswith("fault"):
                self._blame(f"{record.strategy} failed: {record.reason}")
            case r.AccountAdopted():
                for holding in record.holdings:
                    self._shares["UNASSIGNED", holding.symbol] += holding.qty
            case r.OrderIntended():
                self._intend(record)
            case r.OrderReleased():
                self._release(self._orders[record.client_order_id])
            case r.OrderAdopted():
                old = self._orders[record.replaces]
                old.over = True  # whether or not the broker has said so of the old one itself
                intent = replace(old.intent, client_order_id=record.client_order_id, qty=record.qty)
                self._orders[record.client_order_id] = Wanted(intent, released=True)
            case r.OrderMoved():
                order = self._orders[record.client_order_id]
                order.over = record.status.value in OVER
                order.reported = max(order.reported, record.filled_qty)
            case r.FillBooked():
                self._book(record)
            case r.ActivityBooked():
                self._cash[record.strategy] += record.amount
                self._shares[record.strategy, record.symbol] += record.qty
            case _:
                pass

    def _decided_on_the_newest(self, records: Sequence[r.Record]) -> None:
        """Of a repaired gap, decisions are made on each ticker's newest bar only."""
        bars = Counter(
            bar.symbol
            for record in records
            if isinstance(record, r.BarsSeen) and record.origin is not r.Origin.CORRECTED
            for bar in record.bars
        )
        for record in records:
            match record:
                case r.BarsSeen() if record.origin is not r.Origin.CORRECTED:
                    bars.subtract(bar.symbol for bar in record.bars)
                case r.OrderIntended() if bars[record.symbol]:
                    self._blame(f"{record.client_order_id} was decided on a bar out of a gap")

    def _see(self, record: r.BarsSeen | r.HistorySeen) -> None:
        for bar in record.bars:
            last = self._last_bar.get(bar.symbol)
            if last is not None and bar.start <= last:
                self._blame(f"bars of {bar.symbol}: {bar.start} comes after {last}")
            self._last_bar[bar.symbol] = bar.start

    def _transfer(self, record: r.Transferred) -> None:
        self._cash[record.source] -= record.amount
        self._cash[record.target] += record.amount
        if record.kind != "funding":
            return
        wanted = Decimal(str(self._config[record.target]["initial_cash"]))
        if record.target in self._funded or record.amount != wanted:
            self._blame(f"{record.target} is funded with {record.amount}, and is to have {wanted}")
        self._funded.add(record.target)

    def _roll(self, record: r.DayRolled) -> None:
        if (record.strategy, record.day) in self._rolled:
            self._blame(f"{record.strategy} begins {record.day} again")
        self._rolled.add((record.strategy, record.day))
        self._today[record.strategy].clear()

    def _intend(self, record: r.OrderIntended) -> None:
        order = Wanted(record)
        if record.side.value == "buy":
            self._may_spend(record)
            self._may_enter(record)
            self._today[record.strategy].append(order)
        self._orders[record.client_order_id] = order
        if record.released:
            self._release(order)

    def _release(self, order: Wanted) -> None:
        """An order may be sent; a sale only of what the account has beside the others."""
        order.released = True
        name, symbol, qty = order.intent.client_order_id, order.intent.symbol, order.intent.qty
        if order.intent.side.value == "buy":
            return
        has = sum((units for (_, of), units in self._shares.items() if of == symbol), NOUGHT)
        sales = [
            other.left
            for other in self._orders.values()
            if other.released and not other.over and other is not order
            if (other.intent.symbol, other.intent.side.value) == (symbol, "sell")
        ]
        if qty > has - sum(sales, NOUGHT):
            self._blame(f"{name} sells {qty} {symbol} of {has}, of which {sales} are on sale")

    def _may_spend(self, record: r.OrderIntended) -> None:
        """What is decided late in a minute does not know yet what the minute's fills cost."""
        held = sum(
            (
                order.left * order.intent.decision_price
                for order in self._orders.values()
                if order.intent.strategy == record.strategy
                and order.intent.side.value == "buy"
                and not order.over
            ),
            NOUGHT,
        )
        known_later = sum(
            (
                max(order.dearer, NOUGHT)
                for order in self._orders.values()
                if order.intent.strategy == record.strategy and record.at - order.intent.at < STALE
            ),
            NOUGHT,
        )
        free = self._cash[record.strategy] - held + known_later
        cost = record.qty * record.decision_price
        if cost > max(free, NOUGHT) * SLACK:
            self._blame(f"invariant 13: {record.client_order_id} spends ${cost:.2f} of {free:.2f}")

    def _may_enter(self, record: r.OrderIntended) -> None:
        risk = self._config.get(record.strategy, {}).get("risk_config", {})
        most = risk.get("max_daily_trades")
        entries = {
            (order.intent.at, order.intent.symbol)  # what a cross leaves to order is the same one
            for order in self._today[record.strategy]
            if order.is_entry
        } | {(record.at, record.symbol)}
        if most is not None and len(entries) > most:
            self._blame(f"invariant 14: {record.client_order_id} is entry {len(entries)} of {most}")

    def _book(self, fill: r.FillBooked) -> None:
        self._amended = self._amended or bool(fill.reverses)
        sign = 1 if fill.side.value == "buy" else -1
        fee = NOUGHT if fill.fee_qty else fill.fee
        self._cash[fill.strategy] -= sign * fill.qty * fill.price + fee
        key = fill.strategy, fill.symbol
        self._shares[key] += sign * fill.qty - fill.fee_qty
        if self._shares[key] < 0 and fill.strategy in self._config and not self._amended:
            self._blame(f"{fill.strategy} has sold {-self._shares[key]} {fill.symbol} too many")
        order = self._orders.get(fill.client_order_id)
        if order is not None:
            order.booked += fill.qty
            order.dearer += sign * fill.qty * (fill.price - order.intent.decision_price)
            order.amended = order.amended or bool(fill.reverses)
