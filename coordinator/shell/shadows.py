"""Shadow strategies as a session sees them: they decide on its bars, and change nothing in it.

They get bars once these are durable and the session's own orders are sent. Their orders go to a
simulated exchange and their records to a journal of their own, so that the account's books never
contain them; their failures are logged, and stop only them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from coordinator.core import records as r
from coordinator.core.explanation import Explanation
from coordinator.core.lane import StrategySpec
from coordinator.core.live_view import StrategyView
from coordinator.core.reload import Reload
from coordinator.core.session import Hours, SessionPlan
from coordinator.core.values import SHADOW_ACCOUNT, Bar
from coordinator.shell.folders import file_name

MODE = "shadow"
"""The mode of their sessions, beside paper, live, simulated and backtest."""
IS_SHADOW = (
    "{} is a shadow: it has nothing at the broker to pause or sell. Switch it off in the"
    " configuration, or make it live, and `multi-trader reload`."
)
FOLDER = "shadow"
"""The folder, in an account's, of the journals of its coordinators' shadows."""


def shadow_account(account: str) -> str:
    """The account to which this account's shadows are booked; no broker knows it."""
    return f"{SHADOW_ACCOUNT}{account}"


def shadowed(session_id: str) -> str:
    """The session that a session of shadows belongs to; any other session's id is unchanged."""
    before, _, account = session_id.rpartition(".")
    return f"{before}.{account.removeprefix(SHADOW_ACCOUNT)}"


def shadow_journal(account: Path, coordinator: str) -> Path:
    """The journal of a coordinator's shadows, in the account's state folder."""
    return account / FOLDER / f"{file_name(coordinator)}.db"


def shadow_journals(home: Path) -> Iterator[Path]:
    """All journals of shadows under a state folder."""
    yield from sorted(home.glob(f"*/{FOLDER}/*.db"))


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a session that starts hands to its shadows.

    `journal` is the account's own, `account` its number. By ticker, `history` has the bars from
    before the session; `so_far` are the session's bars that are history to a strategy new to it.
    """

    account: str
    session_id: str
    plan: SessionPlan
    hours: Sequence[Hours]
    journal: Path
    history: Mapping[str, Sequence[Bar]]
    so_far: Sequence[Bar]
    now: datetime


class Shadows(Protocol):
    """The shadow strategies of one session. A method raises only what it documents."""

    @property
    def specs(self) -> Sequence[StrategySpec]:
        """The shadows that are configured now."""

    def follow(self, records: Iterable[r.Record]) -> None:
        """Decide on the bars among these records, which the session has seen."""

    def take_up(self, asked: Reload) -> None:
        """Go on with another configuration; `asked` is the shadows' part of the reload."""

    def serves(self, spec: StrategySpec, ticker: str) -> bool:
        """Whether this strategy's indicators have been fed on this ticker."""

    def mended(self, specs: Sequence[StrategySpec]) -> Sequence[str]:
        """Names of those that failed today, and are not what failed any more."""

    def views(self) -> tuple[StrategyView, ...]:
        """Their books as they are now."""

    def explain(self, name: str, now: datetime, ticker: str) -> tuple[Explanation, ...]:
        """Why a shadow did what it did on its last bars.

        Raises:
            KeyError: there is no such shadow, or it is not on this ticker.
        """

    def summary(self) -> str:
        """The summary of their day; empty without shadows."""

    def end(self, status: r.SessionEnd) -> None:
        """End their session."""

    def close(self) -> None:
        """Close the journal."""


def whole_minutes(seen: Iterable[Sequence[r.BarsSeen]]) -> Iterator[list[r.BarsSeen]]:
    """Join batches that follow each other and are of the same minute."""
    whole: list[r.BarsSeen] = []
    for together in seen:
        if whole and whole[-1].bars[0].start != together[0].bars[0].start:
            yield whole
            whole = []
        whole = [*whole, *together]
    if whole:
        yield whole


class Following:
    """The bars that a session has seen and its shadows have not: the session's orders go first.

    Should the process die, the next start reads the rest of them from the account's journal.
    """

    def __init__(self, shadows: Shadows) -> None:
        self._shadows = shadows
        self._seen: deque[list[r.BarsSeen]] = deque()

    def saw(self, records: Iterable[r.Record]) -> None:
        """Keep the bars among these records, which are durable now."""
        bars = [record for record in records if isinstance(record, r.BarsSeen)]
        if bars:
            self._seen.append(bars)

    def catch_up(self, *, at_rest: bool = True) -> None:
        """Let the shadows play the kept bars, if the session is `at_rest`."""
        if at_rest and self._seen:
            seen, self._seen = self._seen, deque()
            for minute in whole_minutes(seen):
                self._shadows.follow(minute)

    def take_up(self, beside: Reload | None) -> None:
        """Let the shadows go on with another configuration, after the bars that came before it."""
        self.catch_up()
        if beside is not None:
            self._shadows.take_up(beside)


class _NoShadows:
    """A session without shadows."""

    specs: Sequence[StrategySpec] = ()

    def follow(self, records: Iterable[r.Record]) -> None:
        """Does nothing."""

    def take_up(self, asked: Reload) -> None:
        """Does nothing."""

    def serves(self, spec: StrategySpec, ticker: str) -> bool:
        return False

    def mended(self, specs: Sequence[StrategySpec]) -> Sequence[str]:
        return ()

    def views(self) -> tuple[StrategyView, ...]:
        return ()

    def explain(self, name: str, now: datetime, ticker: str) -> tuple[Explanation, ...]:
        raise KeyError(name)

    def summary(self) -> str:
        return ""

    def end(self, status: r.SessionEnd) -> None:
        """Does nothing."""

    def close(self) -> None:
        """Does nothing."""


NO_SHADOWS: Shadows = _NoShadows()
