"""Who owns what on the one account: a sub-account for each strategy, and UNASSIGNED for the rest.

Rules: money moves by a booked fill, an activity or a transfer and by nothing else; a position keeps
its total cost, and a sale relieves cost x sold / qty, rounded half-even at 1e-18; average price
excludes fees. All sub-accounts together are the broker's account.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import assert_never

from coordinator.core.marks import Marks
from coordinator.core.records import ActivityBooked, ActivityKind, FillBooked, Holding
from coordinator.core.values import ATTO, UNASSIGNED, ZERO, is_crypto, storable


@dataclass(frozen=True, slots=True)
class Position:
    """What a sub-account holds of one symbol: quantity, and what it cost in dollars."""

    qty: Decimal = ZERO
    cost: Decimal = ZERO

    @property
    def avg_price(self) -> Decimal:
        """Dollars paid per unit, fees excluded; zero when flat."""
        return self.cost / self.qty if self.qty else ZERO


@dataclass(slots=True)
class SubAccount:
    """One strategy's book, in dollars and units.

    It began with `initial_cash`; `transferred` came later. `configured_cash` is the initial cash of
    the newest configuration. `realized` and `fees` count from the opening of this session.
    """

    name: str
    initial_cash: Decimal = ZERO
    configured_cash: Decimal = ZERO
    transferred: Decimal = ZERO
    cash: Decimal = ZERO
    positions: dict[str, Position] = field(default_factory=dict)
    realized: Decimal = ZERO
    fees: Decimal = ZERO

    def market_value(self, marks: Mapping[str, Decimal]) -> Decimal:
        """Positions at `marks`; one without a mark counts at cost.

        Each is rounded as it is stored: a pair's close may have more than nine decimals.
        """
        total = ZERO
        for symbol, position in self.positions.items():
            mark = marks.get(symbol)
            value = position.cost if mark is None else position.qty * mark
            total += storable(value) if is_crypto(symbol) else value
        return total

    def book(
        self, symbol: str, moved: Decimal, price: Decimal, fee: Decimal, fee_qty: Decimal
    ) -> tuple[Decimal, Decimal]:
        """Post an execution of `moved` units, negative if sold; (dollars paid, units received).

        Cash pays for the gross quantity; the units received are net of a fee taken in coins. A
        coin's price may have more than nine decimals: what it makes is rounded as it is stored.
        """
        arrived, worth = moved - fee_qty, storable(moved * price)
        paid = worth + (ZERO if fee_qty else fee)
        self.cash -= paid
        self.fees += fee
        self.move(symbol, arrived, worth - storable(fee_qty * price) if fee_qty else worth)
        return paid, arrived

    def move(self, symbol: str, change: Decimal, worth: Decimal) -> None:
        """Change a position by `change` units that are worth `worth` dollars, of the same sign.

        A reduction relieves cost in proportion and realises the gain; what goes beyond flat opens a
        position on the other side.
        """
        held = self.positions.get(symbol, Position())
        if held.qty * change >= 0:
            self._keep(symbol, Position(held.qty + change, held.cost + worth))
            return
        closing = min(abs(change), abs(held.qty)).copy_sign(change)
        closed = worth if closing == change else (worth * closing / change).quantize(ATTO)
        relieved = (held.cost * -closing / held.qty).quantize(ATTO)
        self.realized -= closed + relieved
        self._keep(symbol, Position(held.qty + change, held.cost - relieved + worth - closed))

    def split(self, symbol: str, change: Decimal) -> None:
        """Change a position's quantity by `change` units for the same total cost.

        A short position that the change makes a long one was covered for nothing, so that the long
        one's cost is not negative.
        """
        held = self.positions.get(symbol, Position())
        if held.qty * (held.qty + change) < 0:
            self.move(symbol, change, ZERO)
        else:
            self._keep(symbol, Position(held.qty + change, held.cost))

    def _keep(self, symbol: str, position: Position) -> None:
        if position.qty or position.cost:
            self.positions[symbol] = position
        else:
            self.positions.pop(symbol, None)

    def holdings(self) -> tuple[Holding, ...]:
        """Positions as stored, by symbol."""
        return tuple(
            Holding(symbol, position.qty, position.cost)
            for symbol, position in sorted(self.positions.items())
        )


class Ledger:
    """All sub-accounts of one broker account, and the marks they are valued at."""

    def __init__(self) -> None:
        self.accounts: dict[str, SubAccount] = {UNASSIGNED: SubAccount(UNASSIGNED)}
        self.marks = Marks()
        self._cash = ZERO
        self._held: dict[str, Decimal] = {}
        """Both sums are kept up to date: many books make no order slower."""

    def __getitem__(self, strategy: str) -> SubAccount:
        return self.accounts[strategy]

    def __contains__(self, strategy: str) -> bool:
        return strategy in self.accounts

    def restore(self, account: SubAccount, holdings: Iterable[Holding]) -> None:
        """Put a sub-account in place as an earlier session left it."""
        account.positions = {h.symbol: Position(h.qty, h.cost) for h in holdings if h.qty or h.cost}
        self.put(account)

    def fund(self, source: str, target: str, amount: Decimal) -> None:
        """Begin the book of `target` with cash from `source`."""
        giver = self.accounts[source]
        giver.cash -= amount
        giver.transferred -= amount
        self._cash -= amount
        self.put(SubAccount(target, initial_cash=amount, configured_cash=amount, cash=amount))

    def transfer(self, source: str, target: str, amount: Decimal) -> None:
        """Move cash between two sub-accounts; a negative amount moves it back.

        A book that its session opens only after that has the transfer in its opening.
        """
        for name, moved in ((source, -amount), (target, amount)):
            if (account := self.accounts.get(name)) is not None:
                account.cash += moved
                account.transferred += moved
                self._cash += moved

    def book(self, fill: FillBooked) -> None:
        """Post one execution, or the reversal of one, to the sub-account that owns it."""
        account = self.accounts[fill.strategy]
        moved, fees = fill.side.sign * fill.qty, (fill.fee, fill.fee_qty)
        paid, arrived = account.book(fill.symbol, moved, fill.price, *fees)
        self._cash -= paid
        self._hold(fill.symbol, arrived)

    def adjust(self, activity: ActivityBooked) -> None:
        """Post an activity: its cash, and its units at its price.

        A split changes the quantity and not the cost; `follow_split` has its price.
        """
        account = self.accounts[activity.strategy]
        account.cash += activity.amount
        self._cash += activity.amount
        self._hold(activity.symbol, activity.qty)
        of_units = storable(activity.qty * activity.price)
        worth = activity.amount + of_units
        match activity.kind:
            case ActivityKind.SPLIT:
                account.split(activity.symbol, activity.qty)
                return
            case ActivityKind.DIVIDEND | ActivityKind.INTEREST | ActivityKind.ROUNDING:
                account.realized += worth
            case ActivityKind.FEE:
                account.fees -= worth
            case ActivityKind.TRANSFER:
                account.transferred += worth
            case _:
                assert_never(activity.kind)
        if activity.qty:
            account.move(activity.symbol, activity.qty, of_units)

    def follow_split(self, posted: ActivityBooked, last_bar: datetime | None) -> None:
        """Set a mark from before a split's day to the split's price.

        Another coordinator, which trades another market, may have booked it without one, or with
        what an old price has become. `last_bar` is the start of the ticker's newest bar.
        """
        if last_bar is not None and last_bar.date() >= posted.day:
            return
        if posted.price:
            self.marks[posted.symbol] = posted.price
            return
        held = self.accounts[posted.strategy].positions.get(posted.symbol, Position())
        self.marks.split(posted.symbol, posted.activity_id, held.qty - posted.qty, held.qty)

    def pnl(self, strategy: str) -> Decimal:
        """Dollars won since the book began: equity - initial cash - later transfers."""
        account = self.accounts[strategy]
        return self.equity(strategy) - account.initial_cash - account.transferred

    def equity(self, strategy: str) -> Decimal:
        """Cash and positions at the last marks, in dollars."""
        account = self.accounts[strategy]
        return account.cash + account.market_value(self.marks)

    def units(self, symbol: str) -> dict[str, Decimal]:
        """Quantity of one symbol in each book that has a position in it."""
        return {
            name: account.positions[symbol].qty
            for name, account in self.accounts.items()
            if symbol in account.positions
        }

    def held(self, symbol: str) -> Decimal:
        """Quantity of one symbol over all sub-accounts."""
        return self._held.get(symbol, ZERO)

    def net_positions(self) -> dict[str, Decimal]:
        """Quantity of each symbol over all sub-accounts: what the broker must hold."""
        return {symbol: qty for symbol, qty in self._held.items() if qty}

    def net_cash(self) -> Decimal:
        """Cash over all sub-accounts: what the broker must hold."""
        return self._cash

    def put(self, account: SubAccount) -> None:
        """Overwrite the sub-account of this name in place, so that references to it stay valid."""
        own = self.accounts.setdefault(account.name, SubAccount(account.name))
        self._cash += account.cash - own.cash
        for symbol, position in own.positions.items():
            self._hold(symbol, -position.qty)
        for symbol, position in account.positions.items():
            self._hold(symbol, position.qty)
        for name in SubAccount.__slots__:
            setattr(own, name, getattr(account, name))
        own.positions = dict(account.positions)

    def _hold(self, symbol: str, change: Decimal) -> None:
        if change:
            self._held[symbol] = self.held(symbol) + change


def agrees(exact: Decimal, reported: Decimal) -> bool:
    """Whether `exact` equals a reported amount to the decimals that it has, or to cents."""
    return abs(exact - reported) < precision(reported)


def precision(reported: Decimal) -> Decimal:
    """The most that the broker's rounding of an amount it reports may hide: a cent, or less.

    An amount with more than two decimals was not rounded to cents, but to those.
    """
    exponent = reported.as_tuple().exponent
    places = min(exponent if isinstance(exponent, int) else 0, -2)
    return Decimal((0, (1,), places))
