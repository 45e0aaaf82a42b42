"""Strategies in a session that is played at once: a book each, and a seat for each of its tickers.

A seat computes the next bar at which it could order anything, and the bars before it are skipped.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import numpy as np

from coordinator.backtest.exchange import Purse
from coordinator.backtest.reels import Reel
from coordinator.backtest.rule_signals import RuleSignals
from coordinator.core import risk
from coordinator.core.books import Books
from coordinator.core.lane import FAULT, StrategySpec
from coordinator.core.ledger import Position, SubAccount
from coordinator.core.risk import Asset
from coordinator.core.values import Denial, Side

Standing = tuple[int, Decimal, dict[str, Decimal]]
"""From a minute on: a book's cash, and its quantities by symbol."""


class Seat:
    """One strategy on one ticker, whose signals count from the place `warm` on."""

    def __init__(
        self, number: int, book: Book, reel: Reel, asset: Asset, signals: RuleSignals
    ) -> None:
        self.number, self.book, self.reel, self.asset = number, book, reel, asset
        self.symbol = reel.symbol
        self.signals = signals.as_list
        self.warm = max(book.spec.min_warmup_bars - len(reel.history) - 1, 0)
        self._ups, self._downs = signals.ups, signals.downs

    @property
    def position(self) -> Position | None:
        """The strategy's position in the ticker, if it is large enough to be sold."""
        position = self.book.account.positions.get(self.symbol)
        return position if position is not None and self.asset.floor(position.qty) else None

    def signal(self, place: int) -> int:
        """Its signal at a place, 0 before its ticker is warm."""
        return self.signals[place] if place >= self.warm else 0

    def next_place(self, place: int) -> int | None:
        """The next place after this one at which it may order, None if there is none."""
        position = self.position
        wishes = self._ups if position is None else self._downs
        after = bisect_right(wishes, max(place, self.warm - 1))
        wish = wishes[after] if after < len(wishes) and wishes[after] <= self.reel.last else None
        if position is None:
            return wish
        found = [at for at in (wish, self._next_exit(place, position)) if at is not None]
        return min(found, default=None)

    def _next_exit(self, place: int, position: Position) -> int | None:
        """The next place at which its stop or target may be reached, never a later one."""
        limits, scale = self.book.spec.limits, Decimal(1).scaleb(self.reel.bars.decimals)
        if limits.stop_loss_pct is None and limits.take_profit_pct is None:
            return None
        ahead = self.reel.bars.close[place + 1 : self.reel.last + 1]
        reached = np.zeros(len(ahead), bool)
        paid = position.cost / position.qty * scale
        if limits.stop_loss_pct is not None:
            stop = (paid * (1 - limits.stop_loss_pct)).to_integral_value(ROUND_CEILING)
            reached |= ahead <= int(stop)
        if limits.take_profit_pct is not None:
            target = (paid * (1 + limits.take_profit_pct)).to_integral_value(ROUND_FLOOR)
            reached |= ahead >= int(target)
        first = int(reached.argmax()) if len(reached) else 0
        return place + 1 + first if len(reached) and reached[first] else None


class Book:
    """A working copy of one strategy's book; the books themselves change at the session's end."""

    def __init__(self, spec: StrategySpec, books: Books, key: str, purse: Purse) -> None:
        account, day = books.ledger[spec.name], books.days[spec.name]
        self.spec, self.key, self.purse = spec, key, purse
        self.account: SubAccount = replace(account, positions=dict(account.positions))
        self.available = account.cash
        self.minute = -1
        """The minute for which `available` was taken."""
        self.entries, self.stopped = 0, ""
        self.sequence = books.sequences.get(key, 0)
        self.denied: dict[str, str] = {}
        self.fills = 0
        self.seats: list[Seat] = []
        self.faults: list[tuple[int, str]] = []
        """Minute and text of each lane's fault, the first ticker's first."""
        self.baseline = day.start_equity + account.transferred - day.transferred_before
        self.standings: list[Standing] = [(0, account.cash, self._quantities())]

    @property
    def watched(self) -> bool:
        """Whether its day's entries may be stopped, by a loss limit or a fault."""
        return self.spec.limits.max_daily_loss is not None or bool(self.faults)

    def equity(self, minute: int) -> Decimal:
        """Cash and positions valued at the last closes at the end of a minute, dollars."""
        account = self.account
        total = account.cash
        if account.positions:
            for seat in self.seats:
                position = account.positions.get(seat.symbol)
                if position is not None:
                    mark = seat.reel.mark(minute)
                    total += position.cost if mark is None else position.qty * mark
        return total

    def check_day(self, minute: int) -> None:
        """Stop the day's entries once the loss limit is reached or a lane has raised."""
        limits = self.spec.limits
        if self.stopped:
            return
        if limits.max_daily_loss is not None and risk.loss_reached(
            limits, self.equity(minute) - self.baseline
        ):
            self.stopped = Denial.MAX_DAILY_LOSS
            return
        fault = next((text for at, text in self.faults if at <= minute), "")
        if fault:
            self.stopped = FAULT + fault

    def denial(self) -> str:
        """Why it may not open a position; empty if it may."""
        most = self.spec.limits.max_daily_trades
        if self.stopped:
            return self.stopped
        return Denial.MAX_DAILY_TRADES if most is not None and self.entries >= most else ""

    def next_id(self) -> str:
        """The client id of its next order."""
        self.sequence += 1
        return f"{self.key}.{self.sequence}"

    def post(
        self,
        minute: int,
        symbol: str,
        moved: Decimal,
        price: Decimal,
        fee: Decimal,
        fee_qty: Decimal,
    ) -> Decimal:
        """Post an execution, which counts from the next minute on; return the dollars it cost."""
        paid, _ = self.account.book(symbol, moved, price, fee, fee_qty)
        self.fills += 1
        standing = (minute + 1, self.account.cash, self._quantities())
        if self.standings[-1][0] == standing[0]:
            self.standings.pop()
        self.standings.append(standing)
        return paid

    def _quantities(self) -> dict[str, Decimal]:
        return {symbol: position.qty for symbol, position in self.account.positions.items()}


@dataclass(slots=True)
class Intent:
    """An order of the current minute, and its row in the statement."""

    seat: Seat
    side: Side
    qty: Decimal
    close: Decimal
    row: dict[str, object] = field(default_factory=dict)


def in_turn(intents: list[Intent]) -> list[Intent]:
    """The sequence in which a minute's orders fill, each before the next one is sent.

    As in `core/arbiter.py`, an order opposite to others on its ticker waits until the last of them
    has filled, and then joins the end of the line.
    """
    if len(intents) == 1:
        return intents
    leads: dict[str, Side] = {}
    left: dict[str, int] = {}
    waiting: dict[str, list[Intent]] = {}
    line: list[Intent] = []
    for intent in intents:
        symbol = intent.seat.symbol
        if leads.setdefault(symbol, intent.side) is intent.side:
            line.append(intent)
            left[symbol] = left.get(symbol, 0) + 1
        else:
            waiting.setdefault(symbol, []).append(intent)
    if waiting:
        for intent in line:  # grows meanwhile
            symbol = intent.seat.symbol
            left[symbol] -= 1
            if not left[symbol]:
                line += waiting.pop(symbol, [])
    return line
