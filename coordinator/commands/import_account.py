"""`import-account`: what no strategy owns, shown, and moved to strategies by a plan.

Looking changes nothing. A plan is carried out in one commit of the journal, decided while it is
locked with all that others have written; a coordinator that runs hears of it within a tick.
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

from coordinator.commands.accounts import Account, Operator, Reach, mode_of
from coordinator.commands.import_plan import form
from coordinator.commands.reconcile import look_at
from coordinator.config import CoordinatorConfig
from coordinator.core import records as r
from coordinator.core.adoption import (
    Market,
    Plan,
    Taker,
    Unowned,
    adoption,
    is_done,
    refusals,
    unowned,
)
from coordinator.core.books import Books
from coordinator.core.fees import CRYPTO_FEE_RATE
from coordinator.core.messages import AccountSeen
from coordinator.core.orders import PHASE, Phase
from coordinator.core.review import review
from coordinator.core.values import UNASSIGNED, exactly
from coordinator.errors import BrokerError, BrokerRejected, OperatorError, SafetyRefusal
from coordinator.shell.agreement import first_sight
from coordinator.shell.folders import JOURNAL
from coordinator.shell.journal_reading import read_newest

RECENT = timedelta(days=7)
"""So old the broker's newest close of a position may be: a week with a holiday has some."""


@contextmanager
def importing(
    operator: Operator, config: CoordinatorConfig | None, number: str | None = None
) -> Iterator[Importing]:
    """The account that the keys belong to, looked at once, for as long as the context lasts.

    A simulated session that runs is meant by its account's `number`, or where there are no keys.

    Raises:
        OperatorError: no keys, or they are not those of the configuration's mode.
        BrokerError: the broker could not be asked.
    """
    reach = Reach.simulated(operator, number)
    if reach is None:
        reach = _reach(operator, config)
        reach.check(number)
    path = operator.home / reach.account / JOURNAL
    with ExitStack() as resources:
        found = Importing(operator, reach, path, resources)
        if path.exists():
            found.open(config.name if config is not None else "")
        else:
            found.books.apply_all([found.sighted(first_sight(reach.broker))])
        found.know(config)
        yield found


def _reach(operator: Operator, config: CoordinatorConfig | None) -> Reach:
    """The broker that knows the keys: of the configuration's mode, else of the accounts' modes."""
    modes = {mode_of(path) for path in operator.journals()} - {"simulated"} or {"paper"}
    if config is not None:
        modes = {config.mode.value}
    refusal: OperatorError | BrokerError | None = None
    for mode in sorted(modes, reverse=True):
        try:
            return Reach.by_keys(operator, operator.settings(mode))
        except (SafetyRefusal, BrokerRejected) as error:
            refusal = error  # not the keys of this mode's host
    assert refusal is not None, "there is at least one mode"
    raise refusal


@dataclass(slots=True)
class Importing:
    """An account, its broker, and the strategies that can be given something."""

    operator: Operator
    reach: Reach
    path: Path
    resources: ExitStack
    books: Books = field(default_factory=Books)
    at: datetime = field(init=False)
    takers: dict[str, Taker] = field(default_factory=dict)
    market: Market = field(init=False)
    _account: Account | None = None
    _session: str = ""
    _seen: AccountSeen | None = None
    _first: r.AccountAdopted | None = None

    def __post_init__(self) -> None:
        self.at = self.reach.broker.clock()

    def open(self, coordinator: str) -> None:
        """Replay the journal, as `coordinator` knows it if it ever ran, and look at the account."""
        newest = read_newest(self.path, r.SessionOpened)
        self._session = newest.session_id if newest else ""
        seen_by = newest.coordinator if newest else ""
        account = self._opened(seen_by)
        if coordinator in account.opened and coordinator != seen_by:
            account.journal.close()
            account = self._opened(coordinator)
        self._account = account
        self._seen, _ = look_at(account, self.reach)
        self.books = self._proved_books()

    def sighted(self, record: r.AccountAdopted) -> r.AccountAdopted:
        """Remember the first sight of an account; it is written with the first plan."""
        self._first = record
        return record

    def know(self, config: CoordinatorConfig | None) -> None:
        """Take in who can be given something, and what the broker says beside the books."""
        openings = self._account.opened.values() if self._account else ()
        for opening in (o for opened in openings for o in opened.openings):
            if opening.strategy != UNASSIGNED:
                self.takers[opening.strategy] = Taker(
                    opening.strategy, opening.tickers, opening.configured_cash
                )
        for one in config.active if config is not None else ():
            self.takers[one.name] = Taker(one.name, one.tickers, one.initial_cash)
        differing = review(self.books, self._seen, CRYPTO_FEE_RATE) if self._seen else None
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

    def form(self) -> str:
        """The text of a plan that moves every position."""
        name = f"{self.at:%Y-%m-%d}-{secrets.token_hex(4)}"
        return form(name, self.reach.account, self.unowned(), self.takers.values())

    def is_done(self, plan: Plan) -> bool:
        """Whether the plan was carried out already; nothing would be done again."""
        return is_done(self.books, plan)

    def check(self, plan: Plan) -> None:
        """Say everything that stands against a plan.

        Raises:
            SafetyRefusal: with all of it.
        """
        if wrong := refusals(self.books, plan, self.takers, self.market):
            reasons = "".join(f"\n  {reason}" for reason in wrong)
            raise SafetyRefusal(
                f"nothing was moved; plan {plan.id} cannot be carried out:{reasons}"
            )

    def carry_out(self, plan: Plan) -> bool:
        """Move what the plan says; False if that was done before.

        Raises:
            SafetyRefusal: with everything that stands against it by now.
            StorageError: the journal could not be written, and nothing was moved.
        """
        account = self._account or self._begun()
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
            return [*proved, *adoption(self.books, plan, self.takers, self.market, self.at, by)]

        account.decide(self._session, decided)
        return not done

    def _opened(self, coordinator: str) -> Account:
        return self.resources.enter_context(Account.open(self.path, seen_by=coordinator))

    def _begun(self) -> Account:
        """The books of an account that had none, which own nothing but for UNASSIGNED."""
        account = self._account = self._opened("")
        first = self._first
        assert first is not None, "an account without books was sighted"
        account.decide("", lambda: [] if account.books.account else [first])
        return account

    def _proved_books(self) -> Books:
        """The books with the trades by hand that the broker proves and nobody has booked yet."""
        assert self._account is not None, "the journal is open"
        books = deepcopy(self._account.books)
        books.apply_all(self._proved(books))
        return books

    def _proved(self, books: Books) -> list[r.Record]:
        if self._seen is None:
            return []
        found = review(books, self._seen, CRYPTO_FEE_RATE).bookings
        return [b for b in found if isinstance(b, r.FillBooked) and b.strategy == UNASSIGNED]

    def _closes(self) -> Iterator[tuple[str, Decimal]]:
        """The broker's newest close of each position that no strategy owns."""
        for held in self.books.ledger[UNASSIGNED].holdings():
            try:
                found = self.reach.broker.bars([held.symbol], self.at - RECENT, self.at, latest=1)
            except BrokerRejected:
                continue  # it has no bars of this symbol
            for bar in found[held.symbol][-1:]:
                yield held.symbol, bar.close

    def _busy(self) -> Iterator[str]:
        """The symbols of open orders that none of our strategies gave."""
        for order in self.reach.broker.open_orders():
            name = order.client_order_id
            ours = self.books.orders.get(name) is not None or name in self.books.neighbours.orders
            if not ours and PHASE[order.status] is not Phase.DONE:
                yield order.symbol
