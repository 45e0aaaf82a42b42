"""`import-account`: shows what no strategy owns, and moves it to strategies, or back, by a plan.

Showing changes nothing. A plan is carried out in one commit of the journal, decided under its lock;
a running coordinator reads it at its next tick.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from coordinator.commands.accounts import Account, Operator, Reach
from coordinator.commands.import_plan import form
from coordinator.commands.reconcile import compare
from coordinator.config import CoordinatorConfig
from coordinator.core import records as r
from coordinator.core.adoption import (
    Market,
    Plan,
    Recipient,
    Unowned,
    adoption,
    is_done,
    price,
    refusals,
    unowned,
)
from coordinator.core.books import Books
from coordinator.core.funding import left_behind
from coordinator.core.messages import AccountSeen
from coordinator.core.orders import PHASE, Phase
from coordinator.core.review import Review, review
from coordinator.core.values import UNASSIGNED, exactly
from coordinator.errors import BrokerRejected, SafetyRefusal
from coordinator.shell.agreement import first_sight
from coordinator.shell.folders import JOURNAL
from coordinator.shell.journal_reading import newest_opening, newest_sessions

RECENT = timedelta(days=7)
"""The greatest age of a position's newest close: even a week with a holiday has one."""


@contextmanager
def importing(
    operator: Operator, config: CoordinatorConfig | None, number: str | None
) -> Iterator[Importing]:
    """The account that the keys belong to, read once and open within the context.

    It is that of a running simulated session if `number` names it, or if there are no keys.

    Raises:
        OperatorError: no keys, or keys of another mode than the configuration's.
        BrokerError: the broker could not be reached.
    """
    modes = () if config is None else (config.mode.value,)
    reach = Reach.find(operator, number, modes)
    path = operator.home / reach.account / JOURNAL
    with ExitStack() as resources:
        found = Importing(operator, reach, path, resources)
        if path.exists():
            found.open(config.name if config is not None else "")
        else:
            found.see_first(first_sight(reach.broker))
        found.add_facts(config)
        yield found


def with_books(account: Account | None, books: Books) -> dict[str, Recipient]:
    """The strategies that have a book; their newest sessions, if they are in one, know tickers."""
    found = {
        name: Recipient(name, (), book.configured_cash)
        for name, book in books.ledger.accounts.items()
        if name != UNASSIGNED
    }
    for opened in account.opened.values() if account else ():
        for opening in opened.openings:
            if (name := opening.strategy) in found:
                found[name] = Recipient(name, opening.tickers, opening.configured_cash)
    return found


@dataclass(slots=True)
class Importing:
    """An account, its broker, and the strategies that can receive something."""

    operator: Operator
    reach: Reach
    path: Path
    resources: ExitStack
    books: Books = field(default_factory=Books)
    at: datetime = field(init=False)
    recipients: dict[str, Recipient] = field(default_factory=dict)
    market: Market = field(init=False)
    left_behind: dict[str, Decimal] = field(default_factory=dict)
    """The cash of strategies that the configuration has run before and does not run now."""
    _account: Account | None = None
    _session: str = ""
    _seen: AccountSeen | None = None
    _first: r.AccountAdopted | None = None

    def __post_init__(self) -> None:
        self.at = self.reach.broker.clock()

    def open(self, coordinator: str) -> None:
        """Replay the journal, as `coordinator` if it ever ran, and read the broker's account."""
        seen_by = ""
        if newest := newest_opening(self.path):
            self._session = newest.session_id
            ran = coordinator in newest_sessions(self.path)
            seen_by = coordinator if ran else newest.coordinator
        self._account = self._opened(seen_by)
        self._seen, _ = compare(self._account, self.reach)
        self.books = self._proved_books()

    def see_first(self, record: r.AccountAdopted) -> None:
        """Take the first sight of an account without books; the first plan writes it."""
        self._first = record
        self.books.apply_all([record])

    def add_facts(self, config: CoordinatorConfig | None) -> None:
        """Collect the strategies that can receive something, and what the broker knows."""
        self.recipients = with_books(self._account, self.books)
        for one in config.active if config is not None else ():
            self.recipients[one.name] = Recipient(one.name, one.tickers, one.initial_cash)
        if config is not None and self._account and config.name in self._account.opened:
            self.left_behind = left_behind(self.books, {one.name for one in config.active})
        differing = self._reviewed(self.books)
        self.market = Market(
            dict(self._closes()),
            frozenset(self._busy()),
            frozenset(d.symbol for d in differing.differences) if differing else (),
        )

    def unowned(self) -> list[Unowned]:
        """What no strategy owns, by symbol."""
        return unowned(self.books, self.market)

    @property
    def cash(self) -> Decimal:
        """Dollars that no strategy owns."""
        return self.books.ledger[UNASSIGNED].cash

    def price(self, symbol: str) -> Decimal | None:
        """Dollars per unit at which a position changes hands; None if no price is known."""
        return price(self.books, self.market, symbol)

    def form(self) -> str:
        """The text of a plan that moves every position."""
        name = f"{self.at:%Y-%m-%d}-{secrets.token_hex(4)}"
        return form(name, self.reach.account, self.unowned(), self.recipients.values())

    def is_done(self, plan: Plan) -> bool:
        """Whether the plan was already carried out."""
        return is_done(self.books, plan)

    def check(self, plan: Plan) -> None:
        """Check that a plan can be carried out.

        Raises:
            SafetyRefusal: it cannot; lists every reason.
        """
        if wrong := refusals(self.books, plan, self.recipients, self.market):
            reasons = "".join(f"\n  {reason}" for reason in wrong)
            raise SafetyRefusal(
                f"nothing was moved; plan {plan.id} cannot be carried out:{reasons}"
            )

    def carry_out(self, plan: Plan) -> bool:
        """Carry out the plan; False if that was done before.

        Raises:
            SafetyRefusal: the plan cannot be carried out any more; lists every reason.
            StorageError: the journal could not be written, and nothing was moved.
        """
        account = self._account or self._adopted()
        done = False

        @exactly
        def decided() -> list[r.Record]:
            nonlocal done
            self.books = self._proved_books()
            done = is_done(self.books, plan)
            if done:
                return []
            self.check(plan)
            proved = self._proved(account.books)
            by = self.operator.by
            return [*proved, *adoption(self.books, plan, self.recipients, self.market, self.at, by)]

        account.decide(self._session, decided)
        return not done

    def _opened(self, coordinator: str) -> Account:
        return self.resources.enter_context(Account.open(self.path, seen_by=coordinator))

    def _adopted(self) -> Account:
        """Open books for an account that has none; everything in them is UNASSIGNED."""
        account = self._account = self._opened("")
        first = self._first
        assert first is not None, "an account without books was sighted"
        account.decide("", lambda: [] if account.books.account else [first])
        return account

    def _proved_books(self) -> Books:
        """The books with the manual trades that the broker lists and nobody has booked yet."""
        assert self._account is not None, "the journal is open"
        books = deepcopy(self._account.books)
        books.apply_all(self._proved(books))
        return books

    def _proved(self, books: Books) -> list[r.Record]:
        reviewed = self._reviewed(books)
        found = reviewed.bookings if reviewed else ()
        return [b for b in found if isinstance(b, r.FillBooked) and b.strategy == UNASSIGNED]

    def _reviewed(self, books: Books) -> Review | None:
        """The judgement of the account as it was seen; None if it has no books yet."""
        if self._account is None or self._seen is None:
            return None
        return review(books, self._seen, self._account.crypto_fee_rate)

    def _closes(self) -> Iterator[tuple[str, Decimal]]:
        """The broker's newest close of each position whose price the books do not follow."""
        held = {symbol for one in self.books.ledger.accounts.values() for symbol in one.positions}
        for symbol in sorted(held - self.books.last_bar.keys()):
            try:
                found = self.reach.broker.bars([symbol], self.at - RECENT, self.at, latest=1)
            except BrokerRejected:
                continue  # it has no bars of this symbol
            for bar in found[symbol][-1:]:
                yield symbol, bar.close

    def _busy(self) -> Iterator[str]:
        """The symbols of open orders that no strategy placed."""
        for order in self.reach.broker.open_orders():
            ours = any(order.client_order_id in orders for orders in self.books.all_orders)
            if not ours and PHASE[order.status] is not Phase.DONE:
                yield order.symbol
