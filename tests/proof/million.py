"""A million fills, doubled, split and out of order, against a sum in whole numbers.

`python -m tests.proof.million [--fills N] [--seed N]`. Each execution reaches the engine by the
stream and by REST, under two ids, some of them again and again, in an order that chance makes.
Whatever the order, the books must be what the straight sum says, digit by digit: the sum is in
integers, of which one is 1e-9 of a unit or 1e-18 of a dollar, and knows nothing of the ledger.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Context, Decimal, localcontext

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.codec import decode, encode
from coordinator.core.ledger import SubAccount
from coordinator.core.orders import OrderStatus
from coordinator.core.values import Reason, Side, is_crypto
from tests.coordinator.bench import Bench, spec

NANO = 10**9
STRATEGIES = tuple(f"S{number}" for number in range(12))
TICKERS = ("SPY", "QQQ", "IWM", "TLT", "BTC/USD", "ETH/USD")
BY_HAND = "UNASSIGNED"
BATCH = 120
"""Orders that are filled at the same time."""
STRAGGLERS = 2_000
"""Messages of earlier batches that may come once more."""
FEE_PER_MILLE_TENTHS = 25
MARK = Decimal(100)
WIDE = Context(prec=60)


@dataclass(slots=True)
class Sum:
    """The straight sum: dollars in 1e-18, quantities in 1e-9, executions of each order in 1e-9."""

    cash: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    held: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    fees: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    filled: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    executions: int = 0

    def add(self, owner: str, order_id: str, symbol: str, sign: int, qty: int, price: int) -> None:
        """One execution, once."""
        self.executions += 1
        self.filled[order_id] += qty
        self.cash[owner] -= sign * qty * price
        self.held[owner, symbol] += sign * qty
        if "/" not in symbol:
            return
        if sign > 0:
            coins = _half_up(qty * FEE_PER_MILLE_TENTHS, 10_000)
            self.held[owner, symbol] -= coins
            self.fees[owner] += coins * price
        else:
            dollars = _half_up(qty * price * FEE_PER_MILLE_TENTHS, 10_000 * NANO) * NANO
            self.cash[owner] -= dollars
            self.fees[owner] += dollars


def _half_up(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)


@dataclass(frozen=True, slots=True)
class Ticket:
    """One order: of a strategy, or of a human's hands."""

    order_id: str
    owner: str
    symbol: str
    side: Side
    qty: int

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sale."""
        return 1 if self.side is Side.BUY else -1


class Million:
    """Makes orders and messages by chance, hands them to an engine, and sums them up itself."""

    def __init__(self, seed: int, *, replays: bool = False) -> None:
        self.bench = Bench(
            *(spec(name, {}, tickers=TICKERS) for name in STRATEGIES), cash="1000000"
        )
        self.sum = Sum()
        self.messages = 0
        self.records = 0
        self.replayed = Books() if replays else None
        self._chance = random.Random(seed)
        self._orders = 0
        self._stragglers: list[m.OrderUpdate] = []
        self._began = {name: account.cash for name, account in self._accounts()}
        self._replay(self.bench.records)

    def run(self, fills: int) -> None:
        """Deliver so many messages, and those that are due with the last of them."""
        while self.messages < fills:
            for message in self._batch():
                self.messages += 1
                self._replay(self.bench.engine.handle(message).records)

    def differences(self) -> list[str]:
        """Where the books are not the straight sum; nothing if they are, digit by digit."""
        with localcontext(WIDE):
            found = [
                f"{where}: the books say {ours}, the sum {theirs}"
                for where, ours, theirs in self._compared()
                if ours != theirs
            ]
        if self.replayed is not None:
            ours, again = self.bench.books, self.replayed
            same = ours.ledger.accounts == again.ledger.accounts and ours.posted == again.posted
            found += [] if same else ["the replayed records give other books"]
        return found

    def _compared(self) -> Iterator[tuple[str, object, object]]:
        books, total = self.bench.books, self.sum
        yield "executions", len(books.posted.executions), total.executions
        for name, account in self._accounts():
            moved = account.cash - self._began[name]
            yield f"cash of {name}", moved, Decimal(total.cash[name]).scaleb(-18)
            yield f"fees of {name}", account.fees, Decimal(total.fees[name]).scaleb(-18)
            for symbol in TICKERS:
                held = account.positions.get(symbol)
                ours = held.qty if held else Decimal(0)
                yield f"{symbol} of {name}", ours, Decimal(total.held[name, symbol]).scaleb(-9)
        for order in books.orders:
            filled = Decimal(total.filled[order.client_order_id]).scaleb(-9)
            yield order.client_order_id, order.booked_qty, filled
            yield f"{order.client_order_id} is open", order.is_open, False
        gains = self.bench.gains()
        for name in STRATEGIES:
            yield f"{name}'s profit beyond its parts", gains[name], Decimal(0)

    def _accounts(self) -> list[tuple[str, SubAccount]]:
        return list(self.bench.books.ledger.accounts.items())

    def _replay(self, records: Sequence[r.Record]) -> None:
        self.records += len(records)
        if self.replayed is not None:
            self.replayed.apply_all(decode(*encode(record)) for record in records)

    def _batch(self) -> list[m.OrderUpdate]:
        """Every message of some orders, shuffled, and what comes again of older ones."""
        chance = self._chance
        news = [message for _ in range(BATCH) for message in self._order()]
        self.bench.now += timedelta(seconds=1)
        again = [one for one in self._stragglers if chance.random() < 0.1]
        self._stragglers = chance.sample(news + self._stragglers, min(STRAGGLERS, len(news)))
        messages = news + again
        chance.shuffle(messages)
        return messages

    def _order(self) -> list[m.OrderUpdate]:
        """A new order is intended, and executed in parts: what the broker says of it."""
        chance = self._chance
        self._orders += 1
        by_hand = chance.random() < 0.1
        owner = BY_HAND if by_hand else chance.choice(STRATEGIES)
        name = f"hand-{self._orders}" if by_hand else f"{owner}.2026-03-17.{self._orders}"
        symbol = chance.choice(TICKERS)
        parts = sorted(chance.sample(range(1, 10**7), chance.randrange(1, 40)))
        scale = 1 if is_crypto(symbol) else 100_000
        ticket = Ticket(name, owner, symbol, chance.choice(list(Side)), parts[-1] * scale)
        if not by_hand:
            self._intend(ticket)
        return [one for part in self._parts(ticket, parts, scale) for one in part]

    def _intend(self, ticket: Ticket) -> None:
        intent = r.OrderIntended(
            self.bench.now,
            ticket.order_id,
            ticket.owner,
            ticket.symbol,
            ticket.side,
            Decimal(ticket.qty).scaleb(-9),
            MARK,
            Reason.SIGNAL,
            released=True,
        )
        self.bench.books.apply_all([intent])
        self._replay([intent])

    def _parts(
        self, ticket: Ticket, parts: Sequence[int], scale: int
    ) -> Iterator[list[m.OrderUpdate]]:
        before = 0
        for part in parts:
            qty, total = (part - before) * scale, part * scale
            price = self._chance.randrange(50 * NANO, 150 * NANO)
            before = part
            self.sum.add(ticket.owner, ticket.order_id, ticket.symbol, ticket.sign, qty, price)
            yield self._told(ticket, qty, price, total)

    def _told(self, ticket: Ticket, qty: int, price: int, total: int) -> list[m.OrderUpdate]:
        """One execution by the stream and by REST, each once or more."""
        whole = Decimal(ticket.qty).scaleb(-9)
        status = OrderStatus.FILLED if total == ticket.qty else OrderStatus.PARTIALLY_FILLED
        found = []
        for source in ("stream", "REST"):
            execution = m.Execution(
                f"{source}:{ticket.order_id}:{total}",
                Decimal(qty).scaleb(-9),
                Decimal(price).scaleb(-9),
                Decimal(total).scaleb(-9),
                self.bench.now,
            )
            ends = source == "REST"  # it tells what has become of the order meanwhile
            update = m.OrderUpdate(
                ticket.order_id,
                f"broker-{ticket.order_id}",
                ticket.symbol,
                ticket.side,
                OrderStatus.FILLED if ends else status,
                whole,
                whole if ends else execution.cum_qty,
                execution.price,
                self.bench.now,
                self.bench.now,
                execution,
            )
            found += [update] * self._chance.choice((1, 1, 1, 2, 3))
        return found


def main(arguments: Sequence[str]) -> int:
    """The command; 1 if the books are not the sum."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.million", description=__doc__)
    parser.add_argument("--fills", type=int, default=1_000_000, help="messages to deliver")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    million, began_s = Million(given.seed), time.perf_counter()
    million.run(given.fills)
    took_s = time.perf_counter() - began_s
    found = million.differences()
    for line in found[:20]:
        print(line)
    print(
        f"{million.messages:,} messages of {million.sum.executions:,} executions in"
        f" {took_s:,.1f} s: {len(found)} differences from the straight sum (seed {given.seed})"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
