"""An account's journal and broker, for the commands of an operator.

An operator is one more writer of an account's journal. A running coordinator reads the new records,
and a command decides under the journal's lock, with the records of all other writers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.fees import CRYPTO_FEE_RATE
from coordinator.core.neighbours import joining
from coordinator.core.risk import Asset
from coordinator.core.session import Hours
from coordinator.core.values import exactly, is_crypto
from coordinator.errors import (
    BrokerError,
    BrokerRejected,
    JournalDamaged,
    OperatorError,
    SafetyRefusal,
    StorageError,
)
from coordinator.settings import SIMULATED, Settings, has_keys, read_settings, simulator_settings
from coordinator.shell import startup
from coordinator.shell.broker import Broker
from coordinator.shell.control_protocol import Address, addresses
from coordinator.shell.folders import JOURNAL, account_journals
from coordinator.shell.journal import Journal
from coordinator.shell.journal_reading import newest_opening
from coordinator.shell.journal_rows import Entry
from coordinator.shell.lease import is_running
from coordinator.shell.pace import Budgets, patient
from coordinator.shell.ports import Ports

OPERATOR = "/operator"
"""The operator's name as a writer of the journal; no coordinator can have a name with a slash."""
PATIENCE_S = 60.0
"""Local seconds that a request waits for its turn within the broker's rate limit."""


@dataclass(frozen=True, slots=True)
class Operator:
    """The person behind a command (`by`), the state folder and the environment with the keys.

    `say` takes a line of progress. `speed` is how many times as fast as the local clock the
    broker's clock may run, if no running session's address file says more.
    """

    home: Path
    environment: Mapping[str, str]
    by: str
    say: Callable[[str], None]
    speed: float = 1.0
    leases_folder: Path | None = None

    def journals(self) -> list[Path]:
        """The accounts' journals, except those of simulators that no longer run.

        Raises:
            StorageError: the state folder cannot be listed.
        """
        return [path for path in account_journals(self.home) if self._matters(path)]

    def settings(self, mode: str) -> Settings:
        """The environment's settings for a mode, paper or live.

        Raises:
            OperatorError: there are no keys, or they may not be used at that broker.
        """
        return read_settings(self.environment, live=mode == "live")

    def simulators(self) -> dict[str, Address]:
        """The control addresses of running sessions with an embedded simulator, by account."""
        simulated = filter(is_simulated, self.journals())
        return {
            path.parent.name: address
            for path in simulated
            for address in addresses(path.parent)
            if address.simulator
        }

    def _matters(self, path: Path) -> bool:
        return not is_simulated(path) or is_running(path.parent.name, self.leases_folder)


def mode_of(path: Path) -> str:
    """The mode of an account's newest session; paper if there is none.

    An unreadable journal also counts as paper, so that opening it reports the error.
    """
    try:
        newest = newest_opening(path)
    except (JournalDamaged, StorageError):
        return "paper"
    return newest.mode if newest else "paper"


def is_simulated(path: Path) -> bool:
    """Whether the account of this journal is an embedded simulator's."""
    return mode_of(path) == SIMULATED


@dataclass(slots=True)
class Account:
    """An account's journal, open for an operator, and the books that it amounts to.

    The books are those of the coordinator `seen_by`; '' takes every record as another
    coordinator's. `opened` has the newest session of each coordinator, and `owners` the coordinator
    that keeps a strategy's book.
    """

    number: str
    journal: Journal
    seen_by: str = ""
    books: Books = field(default_factory=Books)
    opened: dict[str, r.SessionOpened] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    newest_at: datetime | None = None

    @classmethod
    def open(cls, path: Path, *, seen_by: str = "") -> Account:
        """Open the journal and replay it; use the account as a context to close the journal.

        Raises:
            JournalDamaged: the journal was changed or damaged.
        """
        number = path.parent.name
        account = cls(number, Journal(path, number, OPERATOR), seen_by)
        try:
            account._apply(account.journal.replay())
        except BaseException:
            account.journal.close()
            raise
        return account

    def __enter__(self) -> Account:
        return self

    def __exit__(self, *_: object) -> None:
        self.journal.close()

    @property
    def crypto_fee_rate(self) -> Decimal:
        """The rate at which the coordinator of these books, or else the newest, books coin fees."""
        newest = next(reversed(self.opened.values()), None)
        session = self.opened.get(self.seen_by, newest)
        return session.crypto_fee_rate if session else CRYPTO_FEE_RATE

    def catch_up(self) -> None:
        """Apply the records that others have written since."""
        if self.journal.has_news():
            self._apply(self.journal.append("", ()))

    def decide(self, session_id: str, records: Callable[[], Sequence[r.Record]]) -> None:
        """Apply what others have written, then write `records()`, all under the journal's lock."""

        def decided(others: list[Entry]) -> Sequence[r.Record]:
            self._apply(others)
            ours = records()
            self.books.apply_all(ours)
            return ours

        self.journal.append_decided(session_id, decided)

    @exactly
    def _apply(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            record = entry.record
            self.newest_at = record.at
            if isinstance(record, r.SessionOpened):
                names = joining(record, self.opened.pop(entry.coordinator, None))
                self.opened[entry.coordinator] = record
                self.owners.update(dict.fromkeys(names, entry.coordinator))
            if entry.coordinator == self.seen_by:
                self.books.apply(record)
            else:
                self.books.apply_foreign(record)


@dataclass(slots=True)
class Reach:
    """An account's broker, reached with the keys of the environment."""

    account: str
    settings: Settings
    broker: Broker
    ports: Ports
    _assets: dict[str, Asset] = field(default_factory=dict)
    _sessions: list[Hours] = field(default_factory=list)

    @classmethod
    def of(cls, operator: Operator, account: str, mode: str) -> Reach:
        """The broker of an account.

        Raises:
            OperatorError: there are no keys, or they belong to another account.
            BrokerError: the broker does not answer.
        """
        settings = operator.settings(mode)
        reach = cls.by_keys(operator, settings)
        if reach.account != account:
            raise SafetyRefusal(
                f"the keys in the environment are those of account {reach.account}, not"
                f" {account}'s: set those"
            )
        return reach

    @classmethod
    def by_keys(cls, operator: Operator, settings: Settings) -> Reach:
        """The broker of the account that the keys belong to.

        Raises:
            BrokerError: the broker does not answer.
        """
        budgets = Budgets(settings, speed=operator.speed, folder=operator.leases_folder)
        ports = Ports.real(budgets)
        pace = patient(ports.turn, ports.sleep, patience_s=PATIENCE_S)
        broker = Broker(ports.rest(settings), feed="iex", pace=pace)
        number = broker.account().number
        running = [one for one in addresses(operator.home / number) if one.simulator]
        speed = max([operator.speed, *(one.clock_speed for one in running)])
        budgets.on_account(number, host=settings.account_host, speed=speed)
        return cls(number, settings, broker, ports)

    @classmethod
    def find(
        cls,
        operator: Operator,
        account: str | None,
        modes: Collection[str] = (),
        *,
        with_books: bool = False,
    ) -> Reach:
        """The broker of `account`, or if that is None of the account that the keys belong to.

        It is a running session's embedded simulator if `account` is that session's, or if there are
        no keys; else the first broker that accepts the keys, in these modes or in the accounts'.

        Raises:
            OperatorError: no keys, or those of another account; `with_books`, and it has none; or
                a simulated session is meant that does not run, or one of several.
            BrokerError: no broker accepts the keys, or it does not answer.
        """
        reach = cls._simulated(operator, account)
        if reach is None:
            reach = cls._by_modes(operator, modes, with_books=with_books)
        if account not in (None, reach.account):
            raise OperatorError(
                f"the keys in the environment are those of account {reach.account}, not"
                f" {account}'s: set those, or leave --account out"
            )
        return reach

    @classmethod
    def _by_modes(cls, operator: Operator, modes: Collection[str], *, with_books: bool) -> Reach:
        """The first broker that accepts the keys: in these modes, else in the accounts' modes."""
        known = {mode_of(path) for path in operator.journals()} - {SIMULATED}
        refusal: OperatorError | BrokerError | None = None
        for mode in sorted(modes or known or {"paper"}, reverse=True):
            try:
                reach = cls.by_keys(operator, operator.settings(mode))
            except (SafetyRefusal, BrokerRejected) as error:
                refusal = error  # not the keys of this mode's host
                continue
            if not with_books or (operator.home / reach.account / JOURNAL).exists():
                return reach
            refusal = OperatorError(
                f"account {reach.account}, whose keys these are, has no books under"
                f" {operator.home}: there is nothing to compare it with."
            )
        assert refusal is not None, "there is at least one mode"
        raise refusal

    @classmethod
    def _simulated(cls, operator: Operator, account: str | None) -> Reach | None:
        """The embedded simulator of the running session on `account`; None for any other account.

        Without an `account` and without keys, it is the only simulated session that runs.
        """
        running = operator.simulators()
        if account is None and not has_keys(operator.environment):
            account = next(iter(running)) if len(running) == 1 else None
            if len(running) > 1:
                raise OperatorError(
                    f"{len(running)} simulated sessions run; name one by --account:"
                    f" {', '.join(running)}."
                )
        if account in running:
            settings = simulator_settings(running[account].simulator, operator.home)
            return cls.by_keys(operator, settings)
        journal = operator.home / (account or "") / JOURNAL
        if journal.exists() and is_simulated(journal):
            raise OperatorError(
                f"{account} is a simulated account whose session does not run, and its broker ended"
                " with it: there is nothing left to compare with. `multi-trader status` has its"
                " books, and `multi-trader run --simulate` begins another."
            )
        return None

    def assets(self, symbols: Sequence[str]) -> dict[str, Asset]:
        """The broker's assets by symbol, without symbols that it does not know."""
        for symbol in symbols:
            if symbol not in self._assets:
                try:
                    self._assets[symbol] = self.broker.asset(symbol)
                except BrokerRejected:
                    continue  # of such a symbol, even the smallest position counts as held
        return self._assets

    def closed(self, symbols: Sequence[str]) -> bool:
        """Whether the markets of all these symbols are closed now."""
        now = self.broker.clock()
        if not self._sessions:
            self._sessions = startup.read_sessions(self.broker, now)
        exchange = any(session.covers(now) for session in self._sessions)
        return not any(is_crypto(symbol) or exchange for symbol in symbols)
