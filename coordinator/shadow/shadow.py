"""The shadows of one coordinator, walled off from the account's session.

A failure in a shadow stops all shadows until the next start, which goes on from their journal
(`session.py`); it never stops the account's session.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.explanation import Explanation
from coordinator.core.lane import StrategySpec
from coordinator.core.live_view import StrategyView, strategy_views
from coordinator.core.mending import mended
from coordinator.core.reload import Reload
from coordinator.core.values import SHADOW_MARK, Bar
from coordinator.shell.narrator import RULE, lines_of
from coordinator.shell.run import Run
from coordinator.shell.shadows import Beginning

if TYPE_CHECKING:
    from coordinator.shadow.session import ShadowSession

log = logging.getLogger("coordinator")
T = TypeVar("T")


class Shadow:
    """The shadow strategies of a session; if it begins without any, some may join by a reload."""

    def __init__(self, run: Run, beginning: Beginning) -> None:
        self._run, self._beginning = run, beginning
        self._session: ShadowSession | None = None
        self._fault = ""
        if run.setup.shadows:
            history, so_far, now = beginning.history, beginning.so_far, beginning.now
            self._safely(lambda: self._begin(run.setup.shadows, history, so_far, now).catch_up())

    @property
    def specs(self) -> Sequence[StrategySpec]:
        """The shadows that are configured now."""
        return () if self._session is None else self._session.specs

    def follow(self, records: Iterable[r.Record]) -> None:
        """Decide on the bars among these records, which the session has seen."""
        if (session := self._session) is not None:
            self._safely(lambda: session.play(records))

    def take_up(self, asked: Reload) -> None:
        """Go on with another configuration; `asked` is the shadows' part of the reload."""
        self._safely(lambda: self._take_up(asked))
        if self._fault and (session := self._session) is not None:
            still = {spec.name for spec in asked.setup.specs}  # not those promoted
            session.specs = tuple(spec for spec in session.specs if spec.name in still)

    def serves(self, spec: StrategySpec, ticker: str) -> bool:
        """Whether this strategy's indicators have been fed on this ticker."""
        session = self._session
        return session is not None and self._read(
            lambda: session.stage.engine.lanes.roster.serves(spec, ticker), False
        )

    def mended(self, specs: Sequence[StrategySpec]) -> Sequence[str]:
        """Names of those that failed today, and are not what failed any more."""
        session, none = self._session, list[str]()
        if session is None:
            return none
        return self._read(lambda: mended(session.stage.books, specs), none)

    def views(self) -> tuple[StrategyView, ...]:
        """Their books as they are now."""
        session = self._session
        if session is None:
            return ()
        return self._read(lambda: tuple(strategy_views(session.stage.books)), ())

    def explain(self, name: str, now: datetime, ticker: str) -> tuple[Explanation, ...]:
        """Why a shadow did what it did on its last bars.

        Raises:
            KeyError: there is no such shadow, or it is not on this ticker.
        """
        session = self._session
        tickers = {spec.name: spec.tickers for spec in self.specs}[name]
        if session is None or ticker not in ("", *tickers):
            raise KeyError(name)
        return self._read(lambda: session.stage.engine.explain(name, now, ticker), ())

    def summary(self) -> str:
        """The summary of their day; empty without shadows."""
        session = self._session
        if session is None:
            return ""
        heading = "SHADOW STRATEGIES: simulated fills, in no sum of the account"
        none: list[str] = []
        books = self._read(lambda: _lines_of(session.stage.books, session.specs), none)
        stands = ["", f"They stand still: {self._fault}"] if self._fault else []
        return "\n".join(["", heading, RULE, *books, *stands, "", RULE])

    def end(self, status: r.SessionEnd) -> None:
        """End their session."""
        if (session := self._session) is not None:
            self._safely(lambda: session.finish(status))

    def close(self) -> None:
        """Close the journal."""
        if self._session is not None:
            self._session.close()

    def _begin(
        self,
        specs: Sequence[StrategySpec],
        history: Mapping[str, Sequence[Bar]],
        so_far: Sequence[Bar],
        now: datetime,
    ) -> ShadowSession:
        from coordinator.shadow.session import ShadowSession  # without shadows, no venue is needed

        self._session = ShadowSession(self._run, self._beginning, specs, history, so_far, now)
        return self._session

    def _take_up(self, asked: Reload) -> None:
        if self._session is not None:
            self._session.take_up(asked)
        elif asked.setup.specs:
            so_far = sorted(
                (bar for bars in asked.so_far.values() for bar in bars),
                key=lambda bar: (bar.start, bar.symbol),
            )
            self._begin(asked.setup.specs, asked.history, so_far, asked.now)

    def _safely(self, act: Callable[[], None]) -> None:
        """Act, unless the shadows failed before; a failure stops them alone."""
        if not self._fault:
            self._read(act, None)

    def _read(self, what: Callable[[], T], otherwise: T) -> T:
        """The result of `what`, which is called after a failure too; `otherwise` if it raises."""
        try:
            return what()
        except Exception as error:
            if not self._fault:
                self._fault = f"{type(error).__name__}: {error}"
                log.exception("⚠ the shadow strategies stand still until the next start")
            return otherwise


def _lines_of(books: Books, specs: Iterable[StrategySpec]) -> list[str]:
    lines: list[str] = []
    for spec in (one for one in specs if one.name in books.ledger):
        lines += ["", *lines_of(books, spec.name, f"{spec.name}{SHADOW_MARK}")]
    return lines
