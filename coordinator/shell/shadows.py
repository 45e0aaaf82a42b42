"""Shadow strategies as a session knows them: they watch what it sees, and nothing of it changes.

A session tells them of bars once these are durable and its own orders are sent. Their orders go to
an exchange of their own and their records to a journal of their own, so that the account's books
cannot hear of them; what goes wrong with them is told, and stays with them.
"""

from __future__ import annotations

import hashlib
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

MODE = "shadow"
"""The mode under which their sessions stand, beside paper, live, simulated and backtest."""
IS_SHADOW = (
    "{} is a shadow: it has nothing at the broker to pause or sell. Switch it off in the"
    " configuration, or make it live, and `multi-trader reload`."
)
FOLDER = "shadow"
"""In an account's folder: a journal for the shadows of each coordinator."""


def shadow_account(account: str) -> str:
    """The account that shadows of this one are booked to; no broker knows it."""
    return f"{SHADOW_ACCOUNT}{account}"


def shadowed(session_id: str) -> str:
    """The session beside which a session of shadows stands; the same for any other one."""
    before, _, account = session_id.rpartition(".")
    return f"{before}.{account.removeprefix(SHADOW_ACCOUNT)}"


def shadow_journal(account: Path, coordinator: str) -> Path:
    """Where the shadows of a coordinator are journaled, in the account's state folder."""
    name = hashlib.sha256(coordinator.encode()).hexdigest()[:16]
    return account / FOLDER / f"{name}.db"


def shadow_journals(home: Path) -> Iterator[Path]:
    """Every journal of shadows under a state folder."""
    yield from sorted(home.glob(f"*/{FOLDER}/*.db"))


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a session that starts knows, for its shadows.

    `journal` is the account's own, `account` its number. By ticker, `history` has the bars from
    before the session; `so_far` are those of the session that are history to who begins now.
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
    """The shadow strategies of one session. Nothing here raises but what is said."""

    @property
    def specs(self) -> Sequence[StrategySpec]:
        """Those that are configured now."""

    def follow(self, records: Iterable[r.Record]) -> None:
        """The session has seen bars, among these records: decide on the same."""

    def take_up(self, asked: Reload) -> None:
        """Go on with another configuration, of which this is the shadows' part."""

    def serves(self, spec: StrategySpec, ticker: str) -> bool:
        """Whether this strategy's indicators have been fed on this ticker."""

    def mended(self, specs: Sequence[StrategySpec]) -> Sequence[str]:
        """Who of these failed today, and is not what failed any more."""

    def views(self) -> tuple[StrategyView, ...]:
        """Their books as they stand."""

    def explain(self, name: str, now: datetime, ticker: str) -> tuple[Explanation, ...]:
        """Why one did what it did on its last bars.

        Raises:
            KeyError: there is no such shadow, or it is not on this ticker.
        """

    def summary(self) -> str:
        """The end of the day in words; empty without shadows."""

    def end(self, status: str) -> None:
        """The session is over."""

    def close(self) -> None:
        """Close the journal."""


def whole_minutes(seen: Iterable[Sequence[r.BarsSeen]]) -> Iterator[list[r.BarsSeen]]:
    """What was seen at once, and what came of the same minute after it, together."""
    whole: list[r.BarsSeen] = []
    for together in seen:
        if whole and whole[-1].bars[0].start != together[0].bars[0].start:
            yield whole
            whole = []
        whole = [*whole, *together]
    if whole:
        yield whole


class Following:
    """What a session has seen and its shadows have not played yet: its own orders go first.

    What is left of it when a process dies, the next start has from the account's journal.
    """

    def __init__(self, shadows: Shadows) -> None:
        self._shadows = shadows
        self._seen: deque[list[r.BarsSeen]] = deque()

    def saw(self, records: Iterable[r.Record]) -> None:
        """These records are durable."""
        bars = [record for record in records if isinstance(record, r.BarsSeen)]
        if bars:
            self._seen.append(bars)

    def catch_up(self, at_rest: bool = True) -> None:
        """Let the shadows play what was seen, if the session is `at_rest`."""
        if at_rest and self._seen:
            seen, self._seen = self._seen, deque()
            for minute in whole_minutes(seen):
                self._shadows.follow(minute)

    def take_up(self, beside: Reload | None) -> None:
        """Let them go on with another configuration, once they have played what came before."""
        self.catch_up()
        if beside is not None:
            self._shadows.take_up(beside)


class _NoShadows:
    """A session without shadows."""

    specs: Sequence[StrategySpec] = ()

    def follow(self, records: Iterable[r.Record]) -> None:
        """Nobody does."""

    def take_up(self, asked: Reload) -> None:
        """Nobody does."""

    def serves(self, spec: StrategySpec, ticker: str) -> bool:
        """Nobody does."""
        return False

    def mended(self, specs: Sequence[StrategySpec]) -> Sequence[str]:
        """Nobody failed."""
        return ()

    def views(self) -> tuple[StrategyView, ...]:
        """None."""
        return ()

    def explain(self, name: str, now: datetime, ticker: str) -> tuple[Explanation, ...]:
        """There is nobody to explain."""
        raise KeyError(name)

    def summary(self) -> str:
        """Nothing."""
        return ""

    def end(self, status: str) -> None:
        """Nothing is to be ended."""

    def close(self) -> None:
        """Nothing is open."""


NO_SHADOWS: Shadows = _NoShadows()
