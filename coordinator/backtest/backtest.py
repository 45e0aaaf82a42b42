"""A whole backtest: from options to finished sessions, one after another, on the same books.

Bad options are refused before the first minute is played. Nothing is written here: the caller loads
each session into the warehouse as it is yielded.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.backtest.apart import ExchangesApart
from coordinator.backtest.exchange import Exchange
from coordinator.backtest.instant import Instant, Unfit
from coordinator.backtest.played import Means, PlayedSession, Tables
from coordinator.backtest.readout import Readout
from coordinator.backtest.session import Session
from coordinator.backtest.setup import Opened, alone, backtest_setup, deposit_for
from coordinator.backtest.tape import Recording
from coordinator.config import CoordinatorConfig, config_hash, load_config
from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.session import SessionPlan
from coordinator.core.statement import statement
from coordinator.core.values import MINUTE, ZERO
from coordinator.embedded import FILL_MODEL
from coordinator.errors import OperatorError
from coordinator.shell import startup
from coordinator.shell.gc_pauses import few_gc_pauses
from coordinator.shell.narrator import Narrator
from simulator.errors import OptionsError
from simulator.fills import FillModel, fill_model
from simulator.values import Bar

if TYPE_CHECKING:
    from coordinator.backtest.compiled.player import Player

_PLAYER = "coordinator.backtest.compiled.player"
_WORTH_COMPILING = 1_000_000
"""Strategy-minutes from which on machine code saves more than numba costs to load."""
Advance = Callable[[int], None]
"""Called with the minutes of market time that were played since its last call."""


def unwatched(_minutes: int) -> None:
    """An Advance that ignores progress."""


def unstopped() -> bool:
    """A `stopped` that never stops a run."""
    return False


@dataclass(frozen=True, slots=True)
class BacktestOptions:
    """What to test. `start` and `end` are session dates, both included; None: the file's own.

    `strategies` is a folder that replaces the configuration's `strategies_dir`; `grid`, sweeps by
    strategy name, replaces the sweeps of the configuration.
    """

    config: Path
    bars: Path
    source: str | None = None
    start: date | None = None
    end: date | None = None
    fill_model: str | None = None
    strategies: Path | None = None
    grid: Mapping[str, object] | None = None

    def read(self) -> CoordinatorConfig:
        """The configuration to test.

        Raises:
            ConfigError: as `load_config`.
        """
        return load_config(self.config, self.strategies, self.grid)


class Backtest:
    """The sessions of a recording, played by the engine that trades live.

    With `apart`, as in a sweep, strategies share the bars and nothing else, as if each were tested
    alone; then `only` may restrict the run to some of them, without changing their results.
    `config` is the options' configuration, if it has been read already.

    Raises:
        OperatorError: bad configuration, file, source, dates or fill model.
    """

    def __init__(
        self,
        options: BacktestOptions,
        *,
        config: CoordinatorConfig | None = None,
        apart: bool = False,
        only: Collection[str] | None = None,
    ) -> None:
        config = config or options.read()
        apart = apart or bool(config.swept)
        assert apart or only is None, "strategies on one account need each other"
        if not config.enabled:
            raise OperatorError(
                f"{options.config}: no strategy is enabled, so there is nothing to test. "
                'Set "enabled": true for one.'
            )
        _refuse_order(options)
        self.model = options.fill_model or FILL_MODEL
        self._model = _fill_model(self.model)
        self._recording = Recording(options.bars, options.source, config.tickers)
        self._starts = self._recording.starts(options.start, options.end)
        setup = backtest_setup(config, self._account(config, options), self.model)
        self.setup = alone(setup, only) if apart else setup
        self._books = Books()
        self._exchange = self._new_exchange()

    @property
    def account(self) -> str:
        """The account under which its sessions are stored in the warehouse."""
        return self.setup.account

    @property
    def sessions(self) -> int:
        """The number of sessions to play."""
        return len(self._starts)

    @cached_property
    def gaps(self) -> str:
        """What the bars lack between the sessions, as a sentence; '' if it is nothing."""
        missing = self._recording.missing(self._starts)
        return (
            f"trading days without bars between these sessions: {missing:,}. What was held stayed"
            " held over them."
            if missing
            else ""
        )

    @cached_property
    def minutes(self) -> int:
        """Minutes of market time in all sessions together."""
        return sum((self._plan(start).end - start) // MINUTE for start in self._starts)

    def read_bars(self) -> None:
        """Load all bars into memory as columns, instead of ticker by ticker while playing."""
        for ticker in self.setup.traded:
            self._recording.reels.strip(ticker)

    def play(
        self,
        advance: Advance = unwatched,
        stopped: Callable[[], bool] = unstopped,
        means: Means | None = None,
    ) -> Iterator[PlayedSession]:
        """Play the sessions in order; each is finished when it is yielded.

        Once `stopped` returns true, the session being played is abandoned. A session is played by
        `means` or, where that is impossible, by slower means; without `means`, by the cheapest. The
        rows are the same.
        """
        player = self._player(means)
        before: datetime | None = None
        for start in self._starts:
            self._recording.forget_before(start)
            missed = [] if before is None else self._between_sessions(before, start)
            plan = self._plan(start)
            session = None
            with few_gc_pauses():
                if player is not None and not missed and not stopped():
                    session = self._compiled(player, start, plan)
                if session is not None:
                    advance((plan.end - start) // MINUTE)
                else:
                    slowly = means is Means.BY_MESSAGE or bool(missed)
                    self._settle(player)
                    session = self._on_books(start, missed, advance, stopped, slowly=slowly)
            if session is None:
                return
            before = plan.end
            yield session

    def _player(self, means: Means | None) -> Player | None:
        """The machine code player, if it is wanted or saves more than its start costs."""
        if means not in (None, Means.COMPILED):
            return None
        loaded = _PLAYER in sys.modules
        if means is None and not loaded and self.minutes * len(self.setup.specs) < _WORTH_COMPILING:
            return None
        from coordinator.backtest.compiled.player import Player

        reels = self._recording.reels
        try:
            return Player(self.setup, self._model, reels, self._books, self._exchange)
        except Unfit:
            return None

    def _compiled(self, player: Player, start: datetime, plan: SessionPlan) -> PlayedSession | None:
        """Play the session in machine code; None if that is impossible."""
        from coordinator.backtest.compiled.tables import Statement

        try:
            played = player.play(start, plan, self.setup.name(plan))
        except Unfit:
            return None
        rows = Statement(played, self.model, apart=self.setup.apart).rows()

        def summarize() -> str:
            return Narrator(played.closed.books(), self.setup.specs).summary()

        return PlayedSession(played.name.session_id, plan.date, rows, summarize, Means.COMPILED)

    def _settle(self, player: Player | None) -> None:
        """Write to the books what machine code has played without them."""
        if player is not None and player.closed is not None:
            if not self._books.account:
                first, tape = self._starts[0], self._recording.tape
                Opened.on(self._books, self.setup, tape, self._exchange, first)
            player.settle()

    def _on_books(
        self,
        start: datetime,
        missed: Sequence[m.OrderUpdate],
        advance: Advance,
        stopped: Callable[[], bool],
        *,
        slowly: bool,
    ) -> PlayedSession | None:
        """Play the session at once or message by message; None if it was stopped."""
        opened = Opened.on(self._books, self.setup, self._recording.tape, self._exchange, start)
        means = Means.AT_ONCE
        rows = None if slowly else self._at_once(opened, advance, stopped)
        if rows is None:
            means = Means.BY_MESSAGE
            rows = self._by_message(opened, missed, advance, stopped)
        if rows is None:
            return None
        summary = Narrator(self._books, self.setup.specs).summary()
        name, day = opened.name.session_id, opened.plan.date
        return PlayedSession(name, day, rows, lambda: summary, means)

    def _plan(self, start: datetime) -> SessionPlan:
        plan = startup.plan(start, self._recording.tape.hours, self.setup.tickers)
        assert plan is not None, f"nothing is traded from {start} on"
        return plan

    def _at_once(
        self, opened: Opened, advance: Advance, stopped: Callable[[], bool]
    ) -> Tables | None:
        """The session's rows; None if an order may not fill at once, or the run was stopped."""
        books, exchange = self._books, self._exchange
        try:
            reels = self._recording.reels
            session = Instant(self.setup, self._model, reels, exchange, books, opened)
            if not session.play(stopped):
                return None
        except Unfit:
            return None
        readout = Readout(session, books)
        session.settle()
        end = opened.plan.end
        cash, positions = exchange.cash, exchange.positions()
        status = r.SessionEnd.COMPLETED
        ended = r.SessionEnded(end, opened.name.session_id, status, cash, positions)
        books.apply_all([ended])
        advance((end - opened.start) // MINUTE)
        return readout.rows(ended)

    def _by_message(
        self,
        opened: Opened,
        missed: Iterable[m.OrderUpdate],
        advance: Advance,
        stopped: Callable[[], bool],
    ) -> Tables | None:
        """The session's rows from the engine, message by message; None if it was stopped."""
        session = Session(self.setup, self._recording.tape, self._exchange, self._books, opened)
        session.handle(missed)
        while session.now < session.plan.end:
            if stopped():
                return None
            session.step()
            advance(1)
        session.finish()
        return statement(session.records)

    def _new_exchange(self) -> Exchange | ExchangesApart:
        """One account for all strategies, or one for each if they are apart."""
        feed, calendar = self._recording.feed, self._recording.tape.calendar
        specs, model, fee_rate = self.setup.specs, self._model, self.setup.crypto_fee_rate
        if not self.setup.apart:
            capital = sum((spec.initial_cash for spec in specs), ZERO)
            return Exchange(feed, calendar, deposit_for(capital), model, fee_rate)

        def opens(prefix: str, cash: Decimal, last: dict[str, Bar | None]) -> Exchange:
            return Exchange(feed, calendar, cash, model, fee_rate, prefix=prefix, last=last)

        return ExchangesApart({spec.name: deposit_for(spec.initial_cash) for spec in specs}, opens)

    def _between_sessions(self, since: datetime, until: datetime) -> list[m.OrderUpdate]:
        """The updates between two sessions of orders that still rest at the exchange."""
        resting = sorted(self._exchange.resting)
        minutes = self._recording.tape.minutes(resting, since, until)
        self._exchange.begin()
        updates: list[m.OrderUpdate] = []
        for start, pairs in sorted(minutes.items()):
            bars = [bar for bar, _ in pairs]
            updates += self._exchange.fill_resting(bars, start + MINUTE)
            updates += self._exchange.publish(bars, start + MINUTE)
        return updates

    def _account(self, config: CoordinatorConfig, options: BacktestOptions) -> str:
        """An account name that depends on configuration, bars, source, fill model, first session.

        So a repetition replaces its own sessions, a longer run adds to them, and any other backtest
        is stored beside them. A sweep's name also depends on the last session: variants are ranked
        by all days of their account.
        """
        with options.bars.open("rb") as file:
            bars = hashlib.file_digest(file, "sha256").hexdigest()
        last = self._starts[-1:] if config.swept else ()
        parts = (config_hash(config), bars, options.source, self.model, self._starts[0], *last)
        identity = "\n".join(str(part) for part in parts)
        return f"BT-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"


def _fill_model(text: str) -> FillModel:
    try:
        return fill_model(text)
    except OptionsError as error:
        raise OperatorError(str(error)) from None


def _refuse_order(options: BacktestOptions) -> None:
    if options.start and options.end and options.start > options.end:
        raise OperatorError(
            f"--start {options.start} is after --end {options.end}: give them the other way round."
        )
