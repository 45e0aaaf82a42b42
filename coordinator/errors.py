"""The exceptions of this program; the type says whose fault it is.

An OperatorError is the user's: it is shown as it is and ends the command with its `exit_code`. A
BrokerError is Alpaca's and may pass; a StorageError is the disk's; an InvariantError is a bug of
this program, unless it is a JournalDamaged. Every message says what happened, where, and what to
do next. All of them survive pickling, and none carries headers or secrets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar


class MultiTraderError(Exception):
    """Anything that this program raises on purpose."""

    exit_code: ClassVar[int] = 1
    """The exit status of a command that this error ends."""


class OperatorError(MultiTraderError):
    """The user asked for something that cannot be done as asked; the message says what can."""

    exit_code: ClassVar[int] = 2


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem in a configuration.

    `path` is its place, such as `strategies[2].risk_config.max_position_size`, or `$` for the
    document as a whole.
    """

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class ConfigError(OperatorError):
    """A configuration that cannot be used, with all its problems.

    `source` names the file or argument; `problems` are in the document's order.
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
    """Trading refused for safety: a held lease, books that differ, too little cash, not armed."""

    exit_code: ClassVar[int] = 3


class StorageError(MultiTraderError):
    """The disk could not write or read what must be durable; nothing was done without it."""


class BrokerError(MultiTraderError):
    """Alpaca did not do what was requested."""


class BrokerUnavailable(BrokerError):
    """No usable answer (time-out, lost connection, 429, 5xx): the request may have taken effect."""


class BrokerBusy(BrokerUnavailable):
    """The broker has taken too many requests and refused this one (429): it may be sent again."""


_LOOK_AT_KEYS = "; look at the keys: a paper account's are not those of a live account"
_CHANGE_FEED = '; the account\'s plan does not include it: set "feed": "iex", or change the plan'
_OF_THE_PLAN = "insufficient subscription", "subscription does not permit"
_START = "; if it does not come back by itself, start again"
_AGAIN = (
    "; it connects again by itself: if it stays so, look at the network and Alpaca's status page"
)
_OF_STREAMS: Mapping[int, str] = {
    400: "; look at the tickers: Alpaca may write one otherwise",
    401: _START,
    402: _LOOK_AT_KEYS,
    403: _START,
    404: _AGAIN,
    405: "; give the strategies fewer tickers, or end what else is subscribed with these keys",
    406: "; stop the other program",
    407: "; this machine is too slow: run less beside it, or give the strategies fewer tickers",
    408: _CHANGE_FEED,
    409: _CHANGE_FEED,
    410: '; look at the tickers and at "feed": that feed does not bring them',
    411: _LOOK_AT_KEYS,
    500: _AGAIN,
}
"""What to do about each error that a stream can send, by its code."""


class BrokerRejected(BrokerError):
    """Alpaca refused: the request had no effect, and repeating it would be refused again.

    `status` is the HTTP status; `code` (None if there is none), `message` and `body` are Alpaca's
    error code, its text and the parsed answer, which may hold more (such as `existing_order_id`).
    A stream has only codes; there both numbers are the code.
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
        numbers = f"code {self.code}" if self._is_of_stream else f"HTTP {self.status}{number}"
        return f"Alpaca refused: {self.message} ({numbers}){self.advice}"

    @property
    def advice(self) -> str:
        """What to do: about a stream's error, wrong keys, a feed that is not paid for; else ''."""
        if self._is_of_stream:
            return _OF_STREAMS.get(self.status, _AGAIN)
        if any(words in self.message for words in _OF_THE_PLAN):
            return _CHANGE_FEED
        return _LOOK_AT_KEYS if self._is_of_keys else ""

    @property
    def _is_of_stream(self) -> bool:
        return self.code == self.status

    @property
    def _is_of_keys(self) -> bool:
        """Whether it is the answer to wrong keys; a plain 403 may also refuse an order or data."""
        forbids = self.status == 403 and self.message.startswith("forbidden")
        return self.status == 401 or forbids


class InvariantError(MultiTraderError):
    """A bug of this program: something impossible happened. Stop, keep the journal, report it."""


class JournalDamaged(InvariantError):
    """A journal is not what was written to it: the disk or somebody changed it. No bug of ours."""
