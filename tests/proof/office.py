"""The broker's back office, people with other keys to the account, and the operator.

They post fees and dividends, take executions back, change the account and tell nobody, trade by
hand, and pull the kill switch: whatever happens to an account beside the session's own orders.
"""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from coordinator.core import records as r
from coordinator.core.reconcile import accept, compare
from coordinator.core.values import exactly
from coordinator.shell import startup
from coordinator.shell.journal import Journal
from tests.proof.model import ENDED, NOUGHT, TrueExecution

if TYPE_CHECKING:
    from tests.proof.world import World

OPERATOR = "operator"
SETTLED = timedelta(seconds=75)
"""An execution is not taken back before whoever looks for it can have it."""
HEARD_S = 8.0
"""Seconds in which a session that hears of a bust has booked it."""
A_WHILE = timedelta(seconds=3)
"""A split that is listed so late is listed as what it takes, and then what it gives."""
CENT = Decimal("0.01")


class Office:
    """Acts on the account from outside."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._listed: set[TrueExecution] = set()
        """Executions whose fees are listed."""

    def minute(self) -> None:
        """What happens in one minute."""
        strikes = self._world.faults.strikes
        if strikes("activity"):
            self._post_something()
        if strikes("bust"):
            self._amend(corrects=False)
        if strikes("correction"):
            self._amend(corrects=True)
        if strikes("drift"):
            self._drift()
        if strikes("hand order"):
            self._world.broker.by_hand()
        if self._world.judge.killed:
            self._revive_if_flat()
        elif strikes("kill switch"):
            self.append([r.Killed(self._world.now(), OPERATOR)])

    def end_of_day(self) -> None:
        """The fees that were taken with the day's crypto fills are listed; nothing moves."""
        executions = self._world.brokerage.executions
        new = [fill for fill in executions if fill.stands and fill.fee and fill not in self._listed]
        self._listed.update(new)
        coins: dict[str, Decimal] = {}
        for fill in new:
            key = fill.order.symbol if fill.fee_qty else ""
            coins[key] = coins.get(key, NOUGHT) + (fill.fee_qty or fill.fee)
        for symbol, fee in sorted(coins.items()):
            if fee and symbol:
                self._list("CFEE", symbol, NOUGHT, -fee, "Coin Pair Transaction Fee (Non USD)")
            elif fee:
                self._list("FEE", "", -fee, NOUGHT, "Coin Pair Transaction Fee (USD)")

    def while_nobody_trades(self) -> None:
        """The account moves as accounts do, long before anybody looks at it again."""
        for _ in range(4):
            self._post_something()

    def accept(self) -> None:
        """The operator takes what differs as it is, as `reconcile --accept` does."""
        world, now = self._world, self._world.now()
        if world.journal_path is None:
            return
        with closing(Journal(world.journal_path, world.brokerage.number, OPERATOR)) as journal:
            books, _ = startup.replay(journal, OPERATOR)
            held = {symbol: p.qty for symbol, p in world.brokerage.positions.items()}
            found = compare(books.ledger, world.face.cash(), held, now)
            records = [x for f in found for x in exactly(accept)(books, f, (), now, OPERATOR)]
            journal.append(world.last_session, records)
        world.note("the operator accepts", records)
        world.judge.committed(records, now)

    def pay_in(self) -> None:
        """The operator adds cash to the account, more than any drift or edit has taken."""
        now = self._world.now()
        self._world.brokerage.post("CSD", "", Decimal(100_000), NOUGHT, now, now)

    def _post_something(self) -> None:
        world, chance = self._world, self._world.chance
        kind = chance.choice(("INT", "CSD", "CSW", "FEE", "DIV", "SPLIT"))
        account, now = world.brokerage, world.now()
        stocks = [symbol for symbol in account.positions if "/" not in symbol]
        cash, shares, symbol = CENT * chance.randrange(1, 5000), NOUGHT, ""
        if kind in ("CSW", "FEE"):
            cash = -cash / (1 if kind == "CSW" else 100)
            cash = cash.quantize(CENT)
        if kind in ("DIV", "SPLIT"):
            if not stocks:
                return
            symbol = chance.choice(stocks)
        if kind == "SPLIT":
            if any(account.open_orders(symbol)):
                return
            cash, shares = NOUGHT, account.held(symbol)
        lag = timedelta(seconds=chance.uniform(0.0, 6.0))
        world.faults.struck[f"activity {kind}"] += 1
        if kind == "SPLIT" and lag > A_WHILE:
            takes = account.post(kind, symbol, cash, -shares, now, now + lag / 2)
            world.note("posted", takes)
            shares *= 2
        activity = account.post(kind, symbol, cash, shares, now, now + lag)
        world.note("posted", activity)

    def _list(self, kind: str, symbol: str, cash: Decimal, shares: Decimal, note: str) -> None:
        now = self._world.now()
        self._world.brokerage.post(kind, symbol, cash, shares, now, now, moves=False, note=note)

    def _amend(self, *, corrects: bool) -> None:
        """Take back, or correct, an execution of an order that has ended."""
        world, chance = self._world, self._world.chance
        fills = [fill for fill in world.brokerage.executions if self._amendable(fill)]
        if not fills:
            return
        fill = chance.choice(fills)
        if corrects:
            price = fill.price + CENT * chance.choice((-2, -1, 1, 2))
            now, late_s = world.now(), chance.choice((None, 0.0, 0.3, 5.0))
            dated = None if late_s is None else now + timedelta(seconds=late_s)
            instead = world.brokerage.correct(fill, max(price, CENT), now, dated)
            world.broker.amended(instead, "trade_correct")
        else:
            world.brokerage.take_back(fill)
            world.broker.amended(fill, "trade_bust")
        world.loop.call_later(HEARD_S, self._unheard, fill)

    def _amendable(self, fill: TrueExecution) -> bool:
        """Whether this execution may be taken back.

        Nobody knows how Alpaca would take back the fee that it has listed.
        """
        order, account = fill.order, self._world.brokerage
        ended = order.status in ENDED and fill.stands and fill not in self._listed
        old = ended and self._world.now() - fill.at > SETTLED and self._world.judge.is_booked(fill)
        return old and (order.side == "sell" or account.available(order.symbol) >= fill.shares)

    def _unheard(self, fill: TrueExecution) -> None:
        """Nobody heard of it: from then on nothing explains the account."""
        if self._world.judge.is_booked(fill):
            self._world.faults.struck["amended unheard"] += 1
            for symbol in ("", fill.order.symbol):
                self._world.brokerage.drifts.append((self._world.now(), symbol))

    def _drift(self) -> None:
        world, chance = self._world, self._world.chance
        account, now = world.brokerage, world.now()
        symbols = [""] * 2 + [s for s in account.positions if account.available(s) > 0]
        symbol = chance.choice(symbols)
        if symbol:
            places = world.face.listing(symbol).places
            part = account.available(symbol) * chance.randrange(20, 60) / 100
            account.drift(symbol, NOUGHT, round(chance.choice((-1, 1)) * part, places), now)
        else:
            account.drift(
                "", CENT * chance.choice((-1, 1)) * chance.randrange(900, 90000), NOUGHT, now
            )
        world.note("drifts", symbol)

    def _revive_if_flat(self) -> None:
        world = self._world
        held = [
            symbol
            for name, book in world.judge.books.items()
            for symbol, qty in book.shares.items()
            if name != "UNASSIGNED" and qty >= world.face.listing(symbol).least
        ]
        if not held and world.chance.random() < 0.5:
            self.append([r.Revived(world.now(), OPERATOR)])

    def append(self, records: list[r.Record]) -> None:
        """Write to the journal beside the session, which must be trading."""
        world = self._world
        if world.journal_path is None:
            return
        with closing(Journal(world.journal_path, world.brokerage.number, OPERATOR)) as journal:
            journal.append(world.last_session, records)
        world.note("the operator", records)
        world.judge.committed(records, world.now())
