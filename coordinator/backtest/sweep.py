"""A sweep: thousands of variants in one pass over the bars, and the best once more in detail.

Variants share nothing, so any part of them gives the same rows as among all. Nothing is written
here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from functools import partial

from coordinator.backtest.backtest import (
    Advance,
    Backtest,
    BacktestOptions,
    unstopped,
    unwatched,
)
from coordinator.backtest.lean import DETAILS, joined, lean
from coordinator.backtest.played import PlayedSession, Tables
from coordinator.backtest.result import Failing, Leaps, failing_of_many, note_faults
from coordinator.config import CoordinatorConfig
from coordinator.core.values import UNASSIGNED

ENOUGH_SESSIONS = 20
"""A month of trading: over less, chance decides which of many variants is best."""


class Sweep:
    """The variants of a configuration, or part number `part` (from 0) of `parts`.

    `config` is the options' configuration, if it has been read already.

    Raises:
        OperatorError: as `Backtest`.
    """

    def __init__(
        self,
        options: BacktestOptions,
        config: CoordinatorConfig | None = None,
        part: int = 0,
        parts: int = 1,
    ) -> None:
        self._options = options
        self._config = config = config or options.read()
        self.left_out = config.left_out
        self.failing: dict[str, Failing] = {}
        """The variants that have failed so far in sessions played or joined here."""
        self.leaps = Leaps()
        self._mine = config.enabled[part::parts]
        self.test = self._backtest({one.name for one in self._mine})

    @property
    def names(self) -> list[str]:
        """All variants, in the configuration's order."""
        return [one.name for one in self._config.enabled]

    def play(
        self, advance: Advance = unwatched, stopped: Callable[[], bool] = unstopped
    ) -> Iterator[PlayedSession]:
        """The sessions without details, each finished when it is yielded."""
        for session in self.test.play(advance, stopped):
            self._note(session)
            yield lean(session, self._mine)

    def joined(self, parts: list[PlayedSession]) -> PlayedSession:
        """The session of all parts together, in the order of the configuration."""
        session = joined(parts, self.names)
        self._note(session)
        return session

    def _note(self, session: PlayedSession) -> None:
        note_faults(self.failing, session)
        self.leaps.add(session)

    @property
    def warning(self) -> str:
        """How many variants failed, the first failure, and what to do; '' while none has failed."""
        return failing_of_many(self.failing, len(self.names))

    @staticmethod
    def caution(sessions: int) -> str:
        """What to think of a ranking by so many sessions; '' if they are enough."""
        if sessions >= ENOUGH_SESSIONS:
            return ""
        return (
            f"Of fewer than {ENOUGH_SESSIONS} sessions the best is mostly luck: sweep more days"
            " before you choose."
        )

    def in_detail(
        self, names: Collection[str], sessions: int, stopped: Callable[[], bool] = unstopped
    ) -> Iterator[PlayedSession]:
        """Play the first `sessions` sessions of these variants again, with all details."""
        if not names or not sessions:
            return
        played = self._backtest(names).play(stopped=stopped)
        for number, session in enumerate(played, 1):
            yield replace(session, played=details_of(session.rows()), summarize=str)
            if number == sessions:
                return

    def _backtest(self, names: Collection[str]) -> Backtest:
        return Backtest(self._options, config=self._config, apart=True, only=names)


def details_of(rows: Tables) -> Tables:
    """The rows that a detailed session adds to a lean one."""
    of_variants = partial(filter, lambda row: row.get("strategy") != UNASSIGNED)
    return {
        name: rows[name] if name == "bars" else list(of_variants(rows[name])) for name in DETAILS
    }
