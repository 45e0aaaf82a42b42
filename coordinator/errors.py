"""Whose fault it is, is the type: the operator's, the broker's, the disk's, or ours.

An OperatorError is shown as it stands and ends the command with its `exit_code`; a StorageError is
the disk's; a BrokerError may pass by itself; an InvariantError is a bug of this program, unless it
is a JournalDamaged. Every message says what happened, where, and what to do next. All of them
survive pickling, and none carries headers or secrets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar


class MultiTraderError(Exception):
    """Anything that this program raises on purpose."""

    exit_code: ClassVar[int] = 1
    """What the command line answers to the shell when this error ends it."""


class OperatorError(MultiTraderError):
    """The user asked for something that cannot be done as asked; the message says what can."""

    exit_code: ClassVar[int] = 2


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a configuration.

    `path` is its place, such as `strategies[2].risk_config.max_position_size`, or `$` for the
    document as a whole.
    """

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class ConfigError(OperatorError):
    """A configuration that cannot be used, with all its problems at once.

    `source` names the file or argument; `problems` stand in the document's order.
    """

    def __init__(self, source: str, problems: Iterable[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        super().__init__(source, self.problems)

    def __str__(self) -> str:
        count = len(self.problems)
        head = f"{self.source}: {count} problem{'' if count == 1 else 's'}; correct and try again"
        return "\n".join([head, *(f"  {problem}" for problem in self.problems)])


class CredentialsError(OperatorError):
    """Keys are missing or unusable; nothing was sent to the broker."""


class SafetyRefusal(OperatorError):
    """Trading was refused to keep money safe: lease held, books apart, capital short, not armed."""

    exit_code: ClassVar[int] = 3


class StorageError(MultiTraderError):
    """The disk did not take what must be durable, or does not give it: nothing was done with it."""


class BrokerError(MultiTraderError):
    """Alpaca did not do what it was asked."""


class BrokerUnavailable(BrokerError):
    """No usable answer (time-out, lost connection, 429, 5xx): what was asked may have happened."""


class BrokerRejected(BrokerError):
    """Alpaca answered no: it did not happen, and the same request will be refused again.

    `status` is HTTP's, `code` Alpaca's own number (None without one), `message` its words, `body`
    the parsed answer for what else it names (such as `existing_order_id`).
    """

    def __init__(
        self,
        status: int,
        code: int | None,
        message: str,
        body: Mapping[str, object] | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.body = dict(body or {})
        super().__init__(status, code, message, self.body)

    def __str__(self) -> str:
        number = "" if self.code is None else f", code {self.code}"
        return f"Alpaca refused: {self.message} (HTTP {self.status}{number})"


class InvariantError(MultiTraderError):
    """Something that cannot be true is: a bug of ours. Stop, keep the journal, report it."""


class JournalDamaged(InvariantError):
    """A journal is not what was written to it: the disk's fault or a hand's, and no bug of ours."""
