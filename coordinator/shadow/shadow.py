"""The shadows of one coordinator: their journal, and the wall between them and the session.

Each call of the session is played through and made durable in one commit. What fails here stops the
shadows until the next start, which goes on from their journal, and never the session.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeGuard, TypeVar

from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.explanation import Explanation
from coordinator.core.lane import StrategySpec
from coordinator.core.mending import mended
from coordinator.core.messages import BarsArrived
from coordinator.core.opening import SessionName, session_id
from coordinator.core.reload import Reload
from coordinator.core.values import SHADOW_MARK, Bar
from coordinator.core.view import StrategyView, strategy_views
from coordinator.shell import startup
from coordinator.shell.journal import Journal, read_newest, read_session
from coordinator.shell.log_files import About
from coordinator.shell.narrator import RULE, lines_of, quantity
from coordinator.shell.run import Run
from coordinator.shell.shadows import (
    MODE,
    Beginning,
    shadow_account,
    shadow_journal,
    whole_minutes,
)

if TYPE_CHECKING:
    from coordinator.shadow.stage import Stage

log = logging.getLogger("coordinator")
T = TypeVar("T")


class Shadow:
    """The shadow strategies of a session that begins; without any, a place where some may join."""

    def __init__(self, run: Run, beginning: Beginning) -> None:
        self.specs: Sequence[StrategySpec] = ()
        self._run, self._beginning = run, beginning
        self._account = shadow_account(beginning.account)
        self._name = session_id(run.coordinator, self._account, beginning.plan)
        self._path = shadow_journal(beginning.journal.parent, run.coordinator)
        self._journal: Journal | None = None
        self._stage: Stage | None = None
        self._fault = ""
        if run.shadows:
            self._safely(self._begin_with_the_session)

    def follow(self, records: Iterable[r.Record]) -> None:
        """The session has seen bars, among these records: decide on the same."""
        bars = [record for record in records if _is_news(record)]
        if bars and self._stage is not None:
            self._safely(lambda: self._play(bars))

    def take_up(self, asked: Reload) -> None:
        """Go on with another configuration, of which this is the shadows' part."""
        self._safely(lambda: self._take_up(asked))
        if self._fault:  # who is a shadow no more must not count as one
            still = {spec.name for spec in asked.setup.specs}
            self.specs = tuple(spec for spec in self.specs if spec.name in still)

    def serves(self, spec: StrategySpec, ticker: str) -> bool:
        """Whether this strategy's indicators have been fed on this ticker."""
        stage = self._stage
        return stage is not None and self._read(
            lambda: stage.engine.lanes.roster.serves(spec, ticker), False
        )

    def mended(self, specs: Sequence[StrategySpec]) -> Sequence[str]:
        """Who of these failed today, and is not what failed any more."""
        stage, none = self._stage, list[str]()
        return none if stage is None else self._read(lambda: mended(stage.books, specs), none)

    def views(self) -> tuple[StrategyView, ...]:
        """Their books as they stand."""
        stage = self._stage
        if stage is None:
            return ()
        return self._read(lambda: tuple(strategy_views(stage.books)), ())

    def explain(self, name: str, now: datetime, ticker: str) -> tuple[Explanation, ...]:
        """Why one did what it did on its last bars.

        Raises:
            KeyError: there is no such shadow, or it is not on this ticker.
        """
        stage = self._stage
        tickers = {spec.name: spec.tickers for spec in self.specs}[name]
        if stage is None or ticker not in ("", *tickers):
            raise KeyError(name)
        return self._read(lambda: stage.engine.explain(name, now, ticker), ())

    def summary(self) -> str:
        """The end of the day in words; empty without shadows."""
        stage = self._stage
        if stage is None:
            return ""
        heading = "SHADOW STRATEGIES: simulated fills, in no sum of the account"
        none: list[str] = []
        books = self._read(lambda: self._lines_of(stage.books), none)
        stands = ["", f"They stand still: {self._fault}"] if self._fault else []
        return "\n".join(["", heading, RULE, *books, *stands, "", RULE])

    def end(self, status: str) -> None:
        """The session is over."""
        self._safely(lambda: self._finish(status))

    def close(self) -> None:
        """Close the journal."""
        if self._journal is not None:
            self._journal.close()

    def _begin_with_the_session(self) -> None:
        """Begin, and decide on what the session saw after the shadows' journal ends."""
        began = self._beginning
        resumed = self._begin(self._run.shadows, began.history, began.so_far, began.now)
        if not resumed:
            return
        missed: dict[datetime, list[r.BarsSeen]] = {}
        for entry in read_session(began.journal, began.session_id):
            if _is_news(entry.record):
                missed.setdefault(entry.record.at, []).append(entry.record)
        for minute in whole_minutes(missed.values()):
            self._play(minute)

    def _begin(
        self,
        specs: Sequence[StrategySpec],
        history: Mapping[str, Sequence[Bar]],
        so_far: Sequence[Bar],
        now: datetime,
    ) -> bool:
        """Open the books; whether this session had been begun before."""
        from coordinator.shadow.stage import Stage  # a session without shadows needs no venue

        run, plan = self._run, self._beginning.plan
        self._journal = Journal(self._path, self._account, run.coordinator)
        books, seen = startup.replay(self._journal, run.coordinator)
        resumed = books.session is not None and books.session.session_id == self._name
        if not resumed:
            self._end_unfinished(books)
            seen = []
        known = {bar.symbol for bar in seen}
        newest = read_newest(self._path)
        place = f"sh{newest.seq if newest else 0}"
        stage = Stage(run, books, specs, plan, self._beginning.hours, place)
        name = SessionName(
            self._name,
            run.coordinator,
            self._account,
            MODE,
            run.feed,
            run.config_hash,
            stage.fill_model,
        )
        kept = startup.history_of(specs, plan, history)
        bars = [*seen, *(bar for bar in so_far if bar.symbol not in known)]
        stage.open(name, kept, self._of_ours(specs, bars), now)
        self.specs = specs
        self._keep(stage)
        self._stage = stage
        log.info("Shadow strategies: %s", ", ".join(spec.name for spec in specs))
        return resumed

    def _end_unfinished(self, books: Books) -> None:
        """End the last session if its process died before it could."""
        opened, at = books.session, books.last_at
        if opened is None or books.ended is not None or at is None:
            return
        ended = r.SessionEnded(at, opened.session_id, "StoppedEarly", None, {})
        books.apply_all([ended])
        assert self._journal is not None
        self._journal.append(opened.session_id, [ended])

    def _play(self, seen: Sequence[r.BarsSeen]) -> None:
        assert self._stage is not None
        bars = tuple(bar for record in seen for bar in record.bars)
        self._stage.play(BarsArrived(seen[-1].at, bars, seen[-1].origin))
        self._keep(self._stage)

    def _take_up(self, asked: Reload) -> None:
        if self._stage is not None:
            self._stage.reload(asked)
            self.specs = asked.setup.specs
            self._keep(self._stage)
        elif asked.setup.specs:
            so_far = sorted(
                (bar for bars in asked.so_far.values() for bar in bars),
                key=lambda bar: (bar.start, bar.symbol),
            )
            self._begin(asked.setup.specs, asked.history, so_far, asked.now)

    def _finish(self, status: str) -> None:
        if self._stage is not None:
            self._stage.finish(status)
            self._keep(self._stage)

    def _keep(self, stage: Stage) -> None:
        """Make durable what was played, and say what it bought and sold."""
        assert self._journal is not None
        records, stage.records = stage.records, []
        if records:
            self._journal.append(self._name, records)
        for record in records:
            if isinstance(record, r.FillBooked):
                what = f"{record.side.value} {quantity(record.qty)} {record.symbol}"
                about = About(
                    strategy=record.strategy,
                    ticker=record.symbol,
                    order_id=record.client_order_id,
                )
                said = "[%s] shadow: %s @ %s (simulated)"
                log.info(said, record.strategy, what, record.price, extra=about)

    def _safely(self, act: Callable[[], None]) -> None:
        """Do it, unless something failed before; whatever fails is the shadows' affair alone."""
        if self._fault:
            return
        try:
            act()
        except Exception as error:
            self._stand_still(error)

    def _read(self, what: Callable[[], T], otherwise: T) -> T:
        """What stands there, after a failure too; `otherwise` where it cannot be read."""
        try:
            return what()
        except Exception as error:
            if not self._fault:
                self._stand_still(error)
            return otherwise

    def _stand_still(self, error: Exception) -> None:
        self._fault = f"{type(error).__name__}: {error}"
        log.exception("⚠ the shadow strategies stand still until the next start")

    def _lines_of(self, books: Books) -> list[str]:
        lines: list[str] = []
        for spec in (one for one in self.specs if one.name in books.ledger):
            lines += ["", *lines_of(books, spec.name, f"{spec.name}{SHADOW_MARK}")]
        return lines

    @staticmethod
    def _of_ours(specs: Sequence[StrategySpec], bars: Sequence[Bar]) -> list[Bar]:
        mine = {ticker for spec in specs for ticker in spec.tickers}
        return [bar for bar in bars if bar.symbol in mine]


def _is_news(record: r.Record) -> TypeGuard[r.BarsSeen]:
    return isinstance(record, r.BarsSeen) and record.origin is not r.Origin.CORRECTED
