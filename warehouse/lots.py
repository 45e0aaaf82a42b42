"""First in, first out: the lots of one strategy and ticker, in whole units of 1e-18.

A lot keeps what it cost in all (a short one, what it brought), and what is taken from it takes its
share. So gross P&L - cost of the open lots = sales - purchases to the last digit, after splits too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

ATTO = 10**18


class Kind(StrEnum):
    """What changes a position. A move is a change without an execution that is no split."""

    EXECUTION = "execution"
    MOVE = "move"
    SPLIT = "split"
    LATE_SPLIT = "late split"


@dataclass(slots=True)
class Lot:
    """An execution, or the rest of one; `worth` are the dollars paid or received for `size`."""

    no: int
    size: int
    worth: int
    price: int
    fee: int
    used: int = 0

    @property
    def left(self) -> int:
        """The units that are not used up."""
        return self.size - self.used

    def take(self, units: int) -> tuple[int, int]:
        """Use up the next units; returns their shares of worth and fee."""
        start, self.used = self.used, self.used + units
        if not start and self.used == self.size:
            return self.worth, self.fee
        return self._share(self.worth, start), self._share(self.fee, start)

    def rest(self) -> Lot:
        """What is left, as a lot of its own."""
        units = self.left
        worth, fee = self.take(units)
        return Lot(self.no, units, worth, self.price, fee)

    def _share(self, total: int, start: int) -> int:
        return total * self.used // self.size - total * start // self.size


Change = tuple[Kind, Lot, int]
"""What changes a position, its row as a lot, and by how many units, negative if they go."""


@dataclass(frozen=True, slots=True)
class Matches:
    """By column: the rows in which units were bought and sold, how many, and what they brought."""

    entries: list[int] = field(default_factory=list)
    exits: list[int] = field(default_factory=list)
    qty: list[int] = field(default_factory=list)
    entry_prices: list[int] = field(default_factory=list)
    exit_prices: list[int] = field(default_factory=list)
    gross: list[int] = field(default_factory=list)
    fees: list[int] = field(default_factory=list)

    def add(self, bought: Lot, sold: Lot, units: int) -> None:
        """Match the next units of both."""
        paid, entry_fee = bought.take(units)
        got, exit_fee = sold.take(units)
        self.entries.append(bought.no)
        self.exits.append(sold.no)
        self.qty.append(units)
        self.entry_prices.append(bought.price)
        self.exit_prices.append(sold.price)
        self.gross.append(got - paid)
        self.fees.append(entry_fee + exit_fee)


class Book:
    """The open lots of one strategy and ticker.

    `held` is the whole position, of which a part may have no lot: it was there before, or came by a
    transfer. Lots are long, or short where more was sold than was held.
    """

    def __init__(self, held: int, matches: Matches) -> None:
        self.held = held
        self.lots: dict[int, deque[Lot]] = {1: deque(), -1: deque()}
        """By sign of the position, the oldest first."""
        self._matches = matches

    def execute(self, deal: Lot, *, buys: bool) -> None:
        """Match an execution with the opposite lots.

        Its rest is a lot as far as it enlarges the position, and otherwise of units without a lot.
        """
        own, opposite = (1, -1) if buys else (-1, 1)
        self.held += own * deal.size
        others, rest = self.lots[opposite], deal.size
        while others and rest:
            lot = others[0]
            units = min(lot.size - lot.used, rest)
            self._matches.add(*((deal, lot) if buys else (lot, deal)), units)
            rest -= units
            if lot.used == lot.size:
                others.popleft()
        if rest and (rest := min(rest, max(own * self.held, 0))):
            deal.used = deal.size - rest
            self.lots[own].append(deal)

    def move(self, qty: int) -> None:
        """Units came or went without an execution: of the lots, the oldest beyond what is held."""
        self.held += qty
        sign = -1 if qty > 0 else 1
        lots = self.lots[sign]
        gone = min(sum(lot.left for lot in lots) - max(sign * self.held, 0), abs(qty))
        while gone > 0:
            units = min(lots[0].left, gone)
            lots[0].take(units)
            gone -= units
            if not lots[0].left:
                lots.popleft()

    def split(self, added: int) -> None:
        """Give each lot its part of the added units, for the same cost.

        A position that changes its sign was covered for nothing.
        """
        before, after = self.held, self.held + added
        if before * after <= 0:
            self.move(added)
            return
        self.held = after
        lots = self.lots[1 if after > 0 else -1]
        olds, lots_before = [lot.rest() for lot in lots], 0
        lots.clear()
        for lot in olds:
            start, lots_before = lots_before, lots_before + lot.size
            lot.size = lots_before * after // before - start * after // before
            if lot.size:
                lot.price = (lot.worth * ATTO + lot.size // 2) // lot.size
                lots.append(lot)


def splits_first(changes: Iterable[Change], held: int) -> list[Change]:
    """Put the splits of a day, which are booked later, before its first execution.

    What moved in between is told in the new units. `held` is the position at first; a split of none
    that was held before the executions stays where it is, and so do its later parts.
    """
    found: list[Change] = []
    first: int | None = None
    traded, stays = 0, False
    for change in changes:
        kind, _, qty = change
        before = held - traded
        held += qty
        if kind is Kind.SPLIT and first is not None:
            stays = stays or before * (before + qty) <= 0
            if not stays:
                found[first:] = _in_new_units(change, found[first:], before)
                first += 1
                continue
        if kind is Kind.EXECUTION and first is None:
            first = len(found)
        if first is not None and kind is not Kind.MOVE:
            traded += qty
        found.append(change)
    return found


def _in_new_units(split: Change, later: list[Change], before: int) -> list[Change]:
    """The split, and then what was booked before it; `before` is what it found, without trades."""
    _, of_split, added = split
    after = before + added
    old = before - sum(qty for kind, _, qty in later if kind is Kind.MOVE)
    new = old * after // before
    found = [(Kind.SPLIT, of_split, new - old)]
    for kind, row, qty in later:
        if kind is Kind.MOVE:
            old, start = old + qty, new
            new = old * after // before
            qty = new - start
        found.append((kind, row, qty))
    return found
