"""The shadows' session: a stage that plays the bars, and the journal of what it records.

The records of each call are made durable in one commit. A start goes on from what the journal has
of the last one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeGuard

from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.lane import StrategySpec
from coordinator.core.messages import BarsArrived
from coordinator.core.reload import Reload
from coordinator.core.values import Bar
from coordinator.shadow.stage import Stage
from coordinator.shell import startup
from coordinator.shell.journal import Journal
from coordinator.shell.journal_reading import read_newest, read_session
from coordinator.shell.log_files import About
from coordinator.shell.narrator import price_of, quantity
from coordinator.shell.run import Run
from coordinator.shell.shadows import (
    MODE,
    Beginning,
    shadow_account,
    shadow_journal,
    whole_minutes,
)

log = logging.getLogger("coordinator")


class ShadowSession:
    """The session of the shadows `specs` beside the account's, begun at `now` or gone on with.

    By ticker, `history` has the bars from before the session; `so_far` are the session's bars that
    are history to a strategy new to it.

    Raises:
        SafetyRefusal: the journal belongs to another account or to a newer program.
        JournalDamaged: the file is no journal, or its hash chain is broken.
        StorageError: it cannot be written.
    """

    def __init__(
        self,
        run: Run,
        beginning: Beginning,
        specs: Sequence[StrategySpec],
        history: Mapping[str, Sequence[Bar]],
        so_far: Sequence[Bar],
        now: datetime,
    ) -> None:
        self.specs = specs
        self._beginning = beginning
        account, plan = shadow_account(beginning.account), beginning.plan
        name = run.session_name(account, plan)
        self._id = name.session_id
        path = shadow_journal(beginning.journal.parent, run.setup.coordinator)
        self._journal = Journal(path, account, run.setup.coordinator)
        try:
            books, seen = startup.replay(self._journal, run.setup.coordinator)
            self._goes_on = books.session is not None and books.session.session_id == self._id
            if not self._goes_on:
                self._end_unfinished(books)
                seen = []
            newest = read_newest(path)
            prefix = f"sh{newest.seq if newest else 0}"
            self.stage = Stage(run, books, specs, plan, beginning.hours, prefix)
            name = replace(name, mode=MODE, fill_model=self.stage.fill_model)
            known = {bar.symbol for bar in seen}
            mine = {ticker for spec in specs for ticker in spec.tickers}
            bars = [*seen, *(bar for bar in so_far if bar.symbol not in known)]
            kept = startup.history_of(specs, plan, history)
            self.stage.open(name, kept, [bar for bar in bars if bar.symbol in mine], now)
            self._keep()
        except BaseException:
            self.close()
            raise
        log.info("Shadow strategies: %s", ", ".join(spec.name for spec in specs))

    def catch_up(self) -> None:
        """If it goes on, decide on what the account's session saw after this journal's end."""
        if not self._goes_on:
            return
        missed: dict[datetime, list[r.BarsSeen]] = {}
        for entry in read_session(self._beginning.journal, self._beginning.session_id):
            if _has_new_bars(entry.record):
                missed.setdefault(entry.record.at, []).append(entry.record)
        for minute in whole_minutes(missed.values()):
            self.play(minute)

    def play(self, records: Iterable[r.Record]) -> None:
        """Decide on the bars among these records of the account's session."""
        seen = [record for record in records if _has_new_bars(record)]
        if not seen:
            return
        bars = tuple(bar for record in seen for bar in record.bars)
        self.stage.play(BarsArrived(seen[-1].at, bars, seen[-1].origin))
        self._keep()

    def take_up(self, asked: Reload) -> None:
        """Go on with other shadows."""
        self.stage.reload(asked)
        self.specs = asked.setup.specs
        self._keep()

    def finish(self, status: r.SessionEnd) -> None:
        """End the session."""
        self.stage.finish(status)
        self._keep()

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()

    def _end_unfinished(self, books: Books) -> None:
        """End the last session if its process died before it could."""
        opened, at = books.session, books.last_at
        if opened is None or books.ended is not None or at is None:
            return
        status = r.SessionEnd.STOPPED_EARLY
        ended = r.SessionEnded(at, opened.session_id, status, None, {})
        books.apply_all([ended])
        self._journal.append(opened.session_id, [ended])

    def _keep(self) -> None:
        """Make the new records durable, and log the fills among them."""
        records, self.stage.records = self.stage.records, []
        if records:
            self._journal.append(self._id, records)
        for record in records:
            if isinstance(record, r.FillBooked):
                what = f"{record.side.value} {quantity(record.qty)} {record.symbol}"
                about = About(
                    strategy=record.strategy,
                    ticker=record.symbol,
                    order_id=record.client_order_id,
                )
                said = "[%s] shadow: %s @ %s (simulated)"
                log.info(said, record.strategy, what, price_of(record.price), extra=about)


def _has_new_bars(record: r.Record) -> TypeGuard[r.BarsSeen]:
    return isinstance(record, r.BarsSeen) and record.origin is not r.Origin.CORRECTED
