"""`pause`, `resume` and `flatten` of one strategy, whether its coordinator runs or not.

A running coordinator is asked over its control socket. If none answers, the request is decided here
and written to the journal under its lock; a coordinator that runs or starts later reads it there.
Repeating a request is safe: one that is already fulfilled writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from coordinator.commands.accounts import Account, Operator
from coordinator.commands.kill import WAIT_S, broker_time
from coordinator.commands.liquidation import Remainder, liquidate, what_became_of
from coordinator.commands.running import within
from coordinator.config.text import unknown
from coordinator.core import operator as requests
from coordinator.core import records as r
from coordinator.core.messages import Act, Answer, OperatorAsked
from coordinator.core.neighbours import joining
from coordinator.errors import JournalDamaged, MultiTraderError, OperatorError, StorageError
from coordinator.shell.control_client import ask_coordinator
from coordinator.shell.control_protocol import Reply, Request
from coordinator.shell.journal_reading import newest_opening, read_kinds
from coordinator.shell.shadows import IS_SHADOW, shadow_journals


@dataclass(frozen=True, slots=True)
class ControlResult:
    """The outcome of a request; `running` says that a coordinator answered it.

    `left` is what a flatten without a coordinator could not sell from here.
    """

    act: str
    account: str
    coordinator: str
    strategy: str
    done: bool
    said: str
    running: bool
    left: Remainder | None = None

    @property
    def is_whole(self) -> bool:
        """Whether the request is fulfilled, now or as soon as a market opens."""
        return self.done and (self.left is None or self.left.is_flat or self.left.closed)

    def sentences(self) -> str:
        """The outcome in one or two lines."""
        said = f"{self.account}: {self.said}"
        if self.left is not None and self.left.is_flat:
            return f"{said}\n{self.account}: {self.strategy} is flat."
        if self.left is not None:
            return f"{said}\n{what_became_of(self.left, f'multi-trader flatten {self.strategy}')}"
        if self.running:
            return said
        return f"{said}\nNo coordinator answered: one that runs or starts finds it in the journal."


@dataclass(frozen=True, slots=True)
class Book:
    """A strategy's book: its account's journal, and the coordinator that opened it last."""

    journal: Path
    coordinator: str
    strategy: str

    @property
    def account(self) -> str:
        """The account's number."""
        return self.journal.parent.name


def control(
    operator: Operator,
    act: Act,
    strategy: str,
    *,
    account: str | None = None,
    coordinator: str | None = None,
    wait_s: float = WAIT_S,
) -> ControlResult:
    """Pause, resume or flatten a strategy; `account` and `coordinator` choose among equal names.

    Raises:
        OperatorError: no strategy, or more than one, has this name.
        NoAnswer: its coordinator was asked but did not answer, so the outcome is unknown.
    """
    book = find(operator, strategy, account=account, coordinator=coordinator)
    reply = _ask(operator, book, act)
    if reply is not None:
        return _result(book, act, Answer(reply.done, reply.said), running=True)
    result = _result(book, act, _write(operator, book, act), running=False)
    if act is not Act.FLATTEN or not result.done:
        return result
    operator.say(f"{book.account}: no coordinator answers; getting {strategy} out from here.")
    return replace(result, left=liquidate(operator, book.journal, wait_s, [strategy]))


def find(
    operator: Operator, strategy: str, *, account: str | None = None, coordinator: str | None = None
) -> Book:
    """The one book of this name.

    Raises:
        OperatorError: there is none, more than one, or a journal that cannot be read may hold
            another; the message names those there are.
        JournalDamaged, StorageError: no readable journal has such a book, and one is unreadable.
    """
    found, unread = list[Book](), list[MultiTraderError]()
    for path in operator.journals():
        if account in (None, path.parent.name):
            try:
                found += [b for b in _books(path) if coordinator in (None, b.coordinator)]
            except (JournalDamaged, StorageError) as error:
                unread.append(error)
    mine = [one for one in found if one.strategy == strategy]
    if not mine and unread:
        raise unread[0]
    if len(mine) == 1 and not unread:
        return mine[0]
    if mine:
        places = "; ".join(f"--account {w.account} --coordinator {w.coordinator}" for w in mine)
        why = f"may have another book: {unread[0]}" if unread else "has more than one book."
        raise OperatorError(f"{strategy} {why} Say which: {places}.")
    if not found:
        raise OperatorError(
            f"No strategy has a book under {operator.home}"
            f"{within(account, coordinator)}; a simulated one counts while it runs. Does"
            " MULTI_TRADER_HOME name the folder of the coordinator?"
        )
    if any(strategy in names for names in _shadow_names(operator.home)):
        raise OperatorError(IS_SHADOW.format(strategy))
    raise OperatorError(unknown("strategy", strategy, sorted({w.strategy for w in found})))


def _shadow_names(home: Path) -> Iterator[frozenset[str]]:
    """The names of the shadows in each shadows' journal."""
    for path in shadow_journals(home):
        if newest := newest_opening(path):
            yield frozenset(joining(newest, None))


def _books(path: Path) -> Sequence[Book]:
    """The books of an account's strategies, each with the coordinator that opened it last."""
    owners, opened = dict[str, str](), dict[str, r.SessionOpened]()
    for entry in read_kinds(path, r.SessionOpened):
        if isinstance(entry.record, r.SessionOpened):
            names = joining(entry.record, opened.get(entry.coordinator))
            opened[entry.coordinator] = entry.record
            owners.update(dict.fromkeys(names, entry.coordinator))
    return [Book(path, coordinator, name) for name, coordinator in owners.items()]


def _ask(operator: Operator, book: Book, act: Act) -> Reply | None:
    """The answer of the book's coordinator; None if it does not run."""
    request = Request.model_validate(
        {"do": act.value, "by": operator.by, "strategy": book.strategy}
    )
    return ask_coordinator(book.journal.parent, book.coordinator, request)


def _write(operator: Operator, book: Book, act: Act) -> Answer:
    """Decide the request under the journal's lock and write it there."""
    asked = OperatorAsked(broker_time(operator, book.journal), act, operator.by, book.strategy)
    answer: Answer | None = None

    with Account.open(book.journal, seen_by=book.coordinator) as account:

        def decided() -> list[r.Record]:
            nonlocal answer
            records, answer = requests.decide(account.books, {}, lambda _: True, asked)
            return records

        account.decide("", decided)
    assert answer is not None, "a decision has an answer"
    return answer


def _result(book: Book, act: Act, answer: Answer, *, running: bool) -> ControlResult:
    return ControlResult(
        act=act.value,
        account=book.account,
        coordinator=book.coordinator,
        strategy=book.strategy,
        done=answer.done,
        said=answer.said,
        running=running,
    )
