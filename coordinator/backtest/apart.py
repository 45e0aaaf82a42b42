"""Strategies that share bars and nothing else: each with a broker account of its own.

So a strategy's fills among thousands equal its fills alone: no order waits for another strategy's,
takes its share of a bar's volume, or spends its buying power.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from coordinator.backtest.exchange import Exchange, Ids, Purse
from coordinator.core import messages as m
from coordinator.core.ledger import SubAccount
from coordinator.core.values import ZERO
from simulator.values import Bar

Opens = Callable[[str, Decimal, dict[str, Bar | None]], Exchange]
"""Opens an account, given the prefix of its ids, its cash, and the shared cache of last bars."""


class ExchangesApart:
    """An exchange for each strategy that has ever ordered; `deposits` is the cash by strategy."""

    def __init__(self, deposits: Mapping[str, Decimal], opens: Opens) -> None:
        self._deposits = dict(deposits)
        self._opens = opens
        self._of: dict[str, Exchange] = {}
        self._resting: dict[str, Exchange] = {}
        self._last: dict[str, Bar | None] = {}

    @property
    def cash(self) -> Decimal:
        """Dollars in all accounts together."""
        own = self._of
        idle = (cash for name, cash in self._deposits.items() if name not in own)
        return sum(idle, ZERO) + sum((exchange.cash for exchange in own.values()), ZERO)

    @property
    def resting(self) -> set[str]:
        """Symbols on which an order rests."""
        return {symbol for one in self._resting.values() for symbol in one.resting}

    def begin(self) -> None:
        """Begin a session."""
        self._last.clear()
        for exchange in self._of.values():
            exchange.begin()

    def fill_resting(self, bars: Sequence[Bar], boundary: datetime) -> list[m.OrderUpdate]:
        """Fill resting orders against the bars that end at `boundary`, before publishing them."""
        return self._each(lambda exchange: exchange.fill_resting(bars, boundary))

    def publish(self, bars: Sequence[Bar], boundary: datetime) -> list[m.OrderUpdate]:
        """Publish the bars that end at `boundary`; open or close the exchanges if it is time."""
        self._last.update((bar.symbol, bar) for bar in bars)
        return self._each(lambda exchange: exchange.publish((), boundary))

    def carry_out(self, command: m.Command, now: datetime) -> list[m.Message]:
        """The answer of the strategy's broker to a command, and the updates that follow from it."""
        name = command.client_order_id.rsplit(".", 2)[0]
        answers = self._account(name).carry_out(command, now)
        self._note(name)
        return answers

    def purse(self, strategy: str) -> Purse:
        """A copy of the cash and ids of a strategy's account."""
        if strategy in self._of:
            return self._of[strategy].purse(strategy)
        return Purse(self._deposits[strategy], Ids(_prefix(strategy)))

    def settle(self, purse: Purse, books: Iterable[SubAccount]) -> None:
        """Set a strategy's account to its book, if it traded without sending orders."""
        for book in books:
            if purse.ids.given:
                self._account(book.name).settle(purse, [book])

    def positions(self) -> dict[str, Decimal]:
        """Net positions by symbol over all accounts, without those of zero."""
        net: dict[str, Decimal] = {}
        for exchange in self._of.values():
            for symbol, qty in exchange.positions().items():
                net[symbol] = net.get(symbol, ZERO) + qty
        return {symbol: qty for symbol, qty in net.items() if qty}

    def _account(self, name: str) -> Exchange:
        if name not in self._of:
            self._of[name] = self._opens(_prefix(name), self._deposits[name], self._last)
        return self._of[name]

    def _each(self, ask: Callable[[Exchange], list[m.OrderUpdate]]) -> list[m.OrderUpdate]:
        """The updates of all exchanges with a resting order; nothing can happen at the others."""
        updates: list[m.OrderUpdate] = []
        for name, exchange in list(self._resting.items()):
            updates += ask(exchange)
            self._note(name)
        return updates

    def _note(self, name: str) -> None:
        if self._of[name].resting:
            self._resting[name] = self._of[name]
        else:
            self._resting.pop(name, None)


def _prefix(strategy: str) -> str:
    return f"bt-{strategy}-"
