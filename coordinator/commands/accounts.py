"""The accounts under a state folder, for an operator's commands: their journals and their broker.

An operator is one more writer of an account's journal. A coordinator that runs meanwhile hears of
what is written, and whatever is decided here is decided with all that others have written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.risk import Asset
from coordinator.core.session import Hours
from coordinator.core.values import UNASSIGNED, exactly, is_crypto
from coordinator.errors import (
    BrokerRejected,
    JournalDamaged,
    OperatorError,
    SafetyRefusal,
    StorageError,
)
from coordinator.settings import SIMULATED, KeysMissing, Settings, read_settings, simulator_settings
from coordinator.shell import startup
from coordinator.shell.broker import Broker
from coordinator.shell.control_protocol import Address, addresses
from coordinator.shell.folders import JOURNAL
from coordinator.shell.journal import Journal
from coordinator.shell.journal_reading import read_newest
from coordinator.shell.journal_rows import Entry
from coordinator.shell.lease import is_running
from coordinator.shell.pace import Budgets, patient
from coordinator.shell.ports import Ports

OPERATOR = "/operator"
"""The writer's name in the journal; no configuration, and so no coordinator, can be called so."""
PATIENCE_S = 60.0
"""Local seconds that an operator's question waits for its turn."""


@dataclass(frozen=True, slots=True)
class Operator:
    """Who asks, where the state lies, and with whose keys; `say` takes a line of progress.

    `speed` is how many times as fast as ours the broker's clock may run.
    """

    home: Path
    environment: Mapping[str, str]
    by: str
    say: Callable[[str], None]
    speed: float = 1.0
    leases_folder: Path | None = None

    def journals(self) -> list[Path]:
        """The journals that matter: not those of simulators that are gone."""
        return [path for path in sorted(self.home.glob(f"*/{JOURNAL}")) if self._matters(path)]

    def settings(self, mode: str) -> Settings:
        """The broker of a mode, paper or live, as the environment names it.

        Raises:
            OperatorError: there are no keys, or they may not be used there.
        """
        return read_settings(self.environment, live=mode == "live")

    def has_keys(self) -> bool:
        """Whether the environment, or a `.env` here, holds a broker's keys, wrong ones included."""
        try:
            self.settings("paper")
        except KeysMissing:
            return False
        except OperatorError:
            return True
        return True

    def simulators(self) -> dict[str, Address]:
        """By account: where the embedded simulators of sessions that run can be asked."""
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
    """The mode of an account's newest session; paper where none was opened yet.

    And where the journal cannot be read: so the account counts, and whoever opens it is told why.
    """
    try:
        newest = read_newest(path, r.SessionOpened)
    except (JournalDamaged, StorageError):
        return "paper"
    return newest.record.mode if newest and isinstance(newest.record, r.SessionOpened) else "paper"


def is_simulated(path: Path) -> bool:
    """Whether the account of this journal is an embedded simulator's."""
    return mode_of(path) == SIMULATED


@dataclass(slots=True)
class Account:
    """An account's books as the journal has them, open for an operator.

    They are those of the coordinator `seen_by`, or nobody's own. `opened` is the newest session of
    each coordinator, `owners` says which coordinator keeps a strategy's book.
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
        """Replay the journal; close it afterwards.

        Raises:
            JournalDamaged: it was changed or damaged.
        """
        number = path.parent.name
        account = cls(number, Journal(path, number, OPERATOR), seen_by)
        try:
            account._take(account.journal.replay())
        except BaseException:
            account.journal.close()
            raise
        return account

    def __enter__(self) -> Account:
        return self

    def __exit__(self, *_: object) -> None:
        self.journal.close()

    def catch_up(self) -> None:
        """Take in what was written since."""
        if self.journal.has_news():
            self._take(self.journal.append("", ()))

    def decide(self, session_id: str, records: Callable[[], Sequence[r.Record]]) -> None:
        """Write what is decided with all that others have written, before they go on."""

        def informed(others: list[Entry]) -> Sequence[r.Record]:
            self._take(others)
            decided = records()
            self.books.apply_all(decided)
            return decided

        self.journal.append_decided(session_id, informed)

    @exactly
    def _take(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            record = entry.record
            self.newest_at = record.at
            if isinstance(record, r.SessionOpened):
                self.opened.pop(entry.coordinator, None)
                self.opened[entry.coordinator] = record
                names = (o.strategy for o in record.openings if o.strategy != UNASSIGNED)
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
            OperatorError: there are no keys, or they are another account's.
            BrokerError: it does not answer.
        """
        settings = operator.settings(mode)
        reach = cls.by_keys(operator, settings)
        if reach.account != account:
            raise SafetyRefusal(
                f"the keys in the environment are those of account {reach.account}, not {account}'s"
            )
        return reach

    @classmethod
    def by_keys(cls, operator: Operator, settings: Settings) -> Reach:
        """The broker of whatever account the keys belong to.

        Raises:
            BrokerError: it does not answer.
        """
        budgets = Budgets(settings, speed=operator.speed, folder=operator.leases_folder)
        ports = Ports.real(budgets)
        pace = patient(ports.turn, ports.sleep, patience_s=PATIENCE_S)
        broker = Broker(ports.rest(settings), feed="iex", pace=pace)
        number = broker.account().number
        budgets.on_account(number, host=settings.account_host)
        return cls(number, settings, broker, ports)

    @classmethod
    def simulated(cls, operator: Operator, account: str | None) -> Reach | None:
        """The embedded simulator of a session that runs, where that is meant.

        It is by its account's number, or where there are no keys and no other one runs.

        Raises:
            OperatorError: more than one may be meant, or its session has ended.
            BrokerError: it does not answer any more.
        """
        running = operator.simulators()
        if account is None and not operator.has_keys():
            account = next(iter(running)) if len(running) == 1 else None
            if len(running) > 1:
                raise OperatorError(
                    f"{len(running)} simulated sessions run; name one by --account:"
                    f" {', '.join(running)}."
                )
        if account in running:
            address = running[account]
            settings = simulator_settings(address.simulator, operator.home)
            return cls.by_keys(replace(operator, speed=address.clock_speed), settings)
        journal = operator.home / (account or "") / JOURNAL
        if journal.exists() and is_simulated(journal):
            raise OperatorError(
                f"{account} is a simulated account whose session does not run, and its broker ended"
                " with it: there is nothing left to compare with. `multi-trader status` has its"
                " books, and `multi-trader run --simulate` begins another."
            )
        return None

    def check(self, account: str | None) -> None:
        """See to it that this is the account that is meant.

        Raises:
            OperatorError: the keys are another account's.
        """
        if account not in (None, self.account):
            raise OperatorError(
                f"the keys in the environment are those of account {self.account}, not {account}'s:"
                " set those, or leave --account out"
            )

    def assets(self, symbols: Sequence[str]) -> dict[str, Asset]:
        """What may be ordered of each symbol that the broker knows."""
        for symbol in symbols:
            if symbol not in self._assets:
                try:
                    self._assets[symbol] = self.broker.asset(symbol)
                except BrokerRejected:
                    continue  # a crumb of it counts: nobody can say that it could not be sold
        return self._assets

    def closed(self, symbols: Sequence[str]) -> bool:
        """Whether none of these markets is open now."""
        now = self.broker.clock()
        if not self._sessions:
            self._sessions = startup.read_sessions(self.broker, now)
        exchange = any(session.covers(now) for session in self._sessions)
        return not any(is_crypto(symbol) or exchange for symbol in symbols)
