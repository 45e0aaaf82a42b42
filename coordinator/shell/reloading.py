"""Changes the configuration of a session that trades, without losing its connections.

All that is new is prepared beside the loop: leases, assets, symbols on the open stream, history.
Then the engine takes it up between two messages, as one commit: before it nothing has changed, and
after it a restart finds the same.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.core import messages as m
from coordinator.core.funding import as_funded
from coordinator.core.lane import StrategySpec, tickers_of
from coordinator.core.mending import mended
from coordinator.core.reload import about_mended, refusals, sentences
from coordinator.core.risk import Asset
from coordinator.core.setup import Setup
from coordinator.core.values import SHADOW_MARK, Bar, is_crypto, of_market
from coordinator.errors import (
    BrokerError,
    BrokerRejected,
    OperatorError,
    SafetyRefusal,
    StorageError,
)
from coordinator.shell import startup
from coordinator.shell.coordinator import LiveSession
from coordinator.shell.journal_reading import bars_seen
from coordinator.shell.ports import Ports, Stream
from coordinator.shell.rehearsal import TAKE_UP_S
from coordinator.shell.reload_request import Claim, Proposal, ReloadRequest, ReloadResult, Source
from coordinator.shell.symbol_limit import explain_refusal

if TYPE_CHECKING:
    from coordinator.shell.run import Run, Started

log = logging.getLogger("coordinator")
SHOWN = "Nothing was changed yet."
UNCHANGED = "Nothing was changed:"
MOST_REHEARSALS = 5
"""Rounds in which users' joining strategies are fed the bars that came during the last one."""


@dataclass(frozen=True, slots=True)
class _Ready:
    """What the engine needs for a new configuration; bars are oldest first.

    `seen` are the session's bars up to the journal's record number `until`, `missed` those so far
    of tickers that it did not trade; `begins` and `shadows` are the strategies that need history.
    """

    assets: Mapping[str, Asset]
    history: Mapping[str, Sequence[Bar]]
    until: int
    seen: Sequence[Bar]
    missed: Sequence[Bar]
    begins: Sequence[StrategySpec] = ()
    shadows: Sequence[StrategySpec] = ()


class Reloading:
    """Changes one running session's configuration, one request at a time."""

    def __init__(
        self,
        run: Run,
        source: Source,
        ports: Ports,
        live: LiveSession,
        started: Started,
        streams: Sequence[Stream],
    ) -> None:
        self.setup = run.setup
        self._run, self._source, self._ports = run, source, ports
        self._live, self._started = live, started
        markets = [s for s in streams if live.watchdog.tickers_of(s.watch)]
        self._streams = {any(map(is_crypto, live.watchdog.tickers_of(s.watch))): s for s in markets}
        self._claimed = {spec.name for spec in run.setup.all_specs}
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[ReloadResult]] = set()

    async def reload(self, wanted: ReloadRequest) -> ReloadResult:
        """Show the difference, or apply it, even if the caller is cancelled meanwhile."""
        task = asyncio.create_task(self._reload(wanted))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def stop(self) -> None:
        """The session ends: drop requests that are not decided yet."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _reload(self, wanted: ReloadRequest) -> ReloadResult:
        async with self._lock:
            try:
                read = partial(self._source.read, wanted.path)
                proposal = await self._ports.workers.run(read)
            except OperatorError as error:
                return ReloadResult(False, f"{UNCHANGED} {error}")
            new = proposal.setup
            if refused := refusals(self.setup, new):
                return ReloadResult(False, f"{UNCHANGED} {'; '.join(refused)}.")
            specs = as_funded(self._live.engine.books, self.setup.specs)
            running = replace(self.setup, specs=specs)
            changes = tuple(sentences(running, new, wanted.removal))
            changes += (*self._mended(new),) if changes else ()
            if not changes:
                return ReloadResult(True, "The session runs with this configuration already.")
            token = _token(proposal.digest, new.config_hash, self.setup.config_hash, *changes)
            if not wanted.token:
                return ReloadResult(True, SHOWN, changes, token)
            if wanted.token != token:
                said = "the file or the session has changed since the difference was shown; ask"
                return ReloadResult(False, f"{UNCHANGED} {said} for it again.", changes)
            return await self._apply(proposal, wanted, changes)

    def _mended(self, new: Setup) -> list[str]:
        """Sentences on the strategies that failed today and will trade again."""
        live = self._live
        shadows = about_mended(live.shadows.mended(new.shadows), SHADOW_MARK)
        return [*about_mended(mended(live.engine.books, new.specs)), *shadows]

    async def _apply(
        self, proposal: Proposal, wanted: ReloadRequest, changes: tuple[str, ...]
    ) -> ReloadResult:
        new, old, claim = proposal.setup, self.setup.tickers, None
        added = _added(old, new.tickers)
        try:
            claim = await self._claim(new)
            self._live.intake.join(added)
            await self._subscribe([*old, *added], new)
            ready = await self._get_ready(new)
            ready = await self._get_warm(proposal, ready)
            message = partial(self._message, new, wanted, ready)
            answer = await self._live.clerk.reload(message)
        except (OperatorError, BrokerError, StorageError) as error:
            answer = m.Answer(False, f"{UNCHANGED} {error}")
        except Exception:
            await self._end(proposal, claim, kept=False)
            raise
        if answer.done:
            self.setup = new
            self._claimed |= {spec.name for spec in new.all_specs}
        trouble = await self._end(proposal, claim, kept=answer.done)
        log.info("reload asked for by %s: %s%s", wanted.by, answer.said, trouble)
        return ReloadResult(answer.done, answer.said + trouble, changes)

    async def _end(self, proposal: Proposal, claim: Claim | None, *, kept: bool) -> str:
        """Keep what joined, or give it back; says so if a stream could not be changed, else ''."""
        if claim is not None:
            if kept:
                claim.keep()
            else:
                claim.give_back()
        if not kept:
            self._live.intake.join(())
        joining = proposal.joining
        settle = partial(joining.keep, self.setup.all_specs) if kept else joining.give_back
        await self._ports.workers.run(settle)
        try:
            await self._subscribe(self.setup.tickers, self.setup)
        except (OperatorError, BrokerError) as error:
            return f" A stream still brings other tickers: {error}"
        return ""

    async def _claim(self, new: Setup) -> Claim | None:
        """Claim the names that join; those that this process has run stay claimed until its end."""
        names = [spec.name for spec in new.all_specs if spec.name not in self._claimed]
        if not names:
            return None
        claim = partial(self._source.claim, self._started.account, names)
        return await self._ports.workers.run(claim)

    async def _subscribe(self, tickers: Collection[str], setup: Setup) -> None:
        """Have the streams bring these tickers.

        Raises:
            SafetyRefusal: the plan has too few symbols for them; the streams stay as they were.
            BrokerUnavailable: the broker did not confirm it; the same.
        """
        for crypto, stream in self._streams.items():
            symbols = of_market(tickers, crypto=crypto)
            had = self._live.watchdog.tickers_of(stream.watch)
            try:
                await stream.subscribe(symbols)
            except BrokerRejected:
                words = explain_refusal(setup.all_specs, setup.feed, symbols, had)
                raise SafetyRefusal(words) from None

    async def _get_ready(self, new: Setup) -> _Ready:
        live, old = self._live, self.setup
        begins = _beginners(live.engine.lanes.roster.serves, old.specs, new.specs)
        shadows = _beginners(live.shadows.serves, old.shadows, new.shadows)
        fresh = _added(old.tickers, new.tickers)
        orderable = _added(tickers_of(old.specs), tickers_of(new.specs))
        fetch = partial(self._fetch, new, [*begins, *shadows], fresh, orderable)
        ready = await self._ports.workers.run(fetch)
        return replace(ready, begins=begins, shadows=shadows)

    def _fetch(
        self,
        new: Setup,
        begins: Sequence[StrategySpec],
        fresh: Sequence[str],
        orderable: Sequence[str],
    ) -> _Ready:
        """Ask the broker and read the journal; blocking."""
        started, run = self._started, self._run
        plan, broker = started.engine.plan, run.broker(self._ports)
        tickers = list(dict.fromkeys((*fresh, *orderable)))
        known = startup.read_assets(broker, tickers, new.all_specs)
        assets = {ticker: known[ticker] for ticker in orderable}
        now = broker.clock()
        history: Mapping[str, Sequence[Bar]] = {}
        if needs := startup.warm_up_needs(begins, plan):
            sessions = startup.read_sessions(broker, now)
            file = startup.warm_up_file(run.settings.home, started.account, plan.date)
            history = startup.fetch_history(broker, sessions, needs, file)
        missed = startup.bars_so_far(broker, fresh, plan, now) if fresh else []
        until, seen = bars_seen(started.journal.path, started.session_id, after=0)
        return _Ready(assets, history, until, seen, missed)

    def _message(self, new: Setup, wanted: ReloadRequest, ready: _Ready, now: datetime) -> m.Reload:
        """The message to the engine, with the bars that were decided on meanwhile."""
        path: Path = self._started.journal.path
        _, newest = bars_seen(path, self._started.session_id, after=ready.until)

        def part(setup: Setup, begins: Sequence[StrategySpec]) -> m.Reload:
            bars = self._bars_for(begins, ready, newest)
            return m.Reload(now, wanted.by, setup, wanted.removal, ready.assets, *bars)

        shadows = part(replace(new, specs=new.shadows, shadows=()), ready.shadows)
        return replace(part(new, ready.begins), beside=shadows)

    async def _get_warm(self, proposal: Proposal, ready: _Ready) -> _Ready:
        """Feed users' own joining strategies, until few newer bars are left for the loop.

        Raises:
            OperatorError: one fails at a bar, or bars come faster than it answers.
        """
        began_s = self._ports.monotonic()
        for rehearsal in range(MOST_REHEARSALS):
            await self._rehearse(proposal, ready)
            now_s = self._ports.monotonic()
            took_s, began_s = now_s - began_s, now_s
            path, session_id = self._started.journal.path, self._started.session_id
            newer = partial(bars_seen, path, session_id, after=ready.until)
            until, bars = await self._ports.workers.run(newer)
            if not bars or (rehearsal and took_s < TAKE_UP_S / 2):
                return ready
            ready = replace(ready, until=until, seen=(*ready.seen, *bars))
        raise OperatorError(
            "bars come faster than the strategies of your own that join can take them; make their"
            " steps quicker, and ask again"
        )

    async def _rehearse(self, proposal: Proposal, ready: _Ready) -> None:
        """Feed them all bars so far, beside the loop."""
        for begins, serves in (
            (ready.begins, self._live.engine.lanes.roster.serves),
            (ready.shadows, self._live.shadows.serves),
        ):
            bars = self._bars_for(begins, ready, ())
            unfed = lacking(serves, begins)
            await self._ports.workers.run(partial(proposal.joining.get_warm, unfed, *bars))

    def _bars_for(
        self, begins: Sequence[StrategySpec], ready: _Ready, newest: Sequence[Bar]
    ) -> tuple[dict[str, tuple[Bar, ...]], dict[str, tuple[Bar, ...]]]:
        """By ticker: the bars from before the session, and the session's up to the `newest`."""
        plan, by_start = self._started.engine.plan, dict[str, dict[datetime, Bar]]()
        for bar in (*ready.missed, *ready.seen, *newest):  # the bar decided on wins
            if plan.counts(bar):
                by_start.setdefault(bar.symbol, {})[bar.start] = bar
        kept = startup.history_of(begins, plan, ready.history)
        seen = {ticker: by_start.get(ticker, {}) for ticker in kept}
        so_far = {t: tuple(bars[start] for start in sorted(bars)) for t, bars in seen.items()}
        return {ticker: tuple(bars) for ticker, bars in kept.items()}, so_far


def _added(old: Sequence[str], new: Sequence[str]) -> list[str]:
    """The tickers of `new` that are not in `old`."""
    known = set(old)
    return [ticker for ticker in new if ticker not in known]


def _beginners(
    serves: Callable[[StrategySpec, str], bool],
    old: Sequence[StrategySpec],
    new: Sequence[StrategySpec],
) -> list[StrategySpec]:
    """The strategies that need history: with new indicators, or more warm-up bars than before."""
    known = {spec.name: spec.min_warmup_bars for spec in old}
    return [
        spec
        for spec in new
        if spec.min_warmup_bars > known.get(spec.name, -1)
        or not all(serves(spec, ticker) for ticker in spec.tickers)
    ]


def lacking(
    serves: Callable[[StrategySpec, str], bool], begins: Sequence[StrategySpec]
) -> list[StrategySpec]:
    """These strategies, with only those of their tickers on which they have no lane yet."""
    narrow = [
        replace(spec, tickers=tuple(ticker for ticker in spec.tickers if not serves(spec, ticker)))
        for spec in begins
    ]
    return [spec for spec in narrow if spec.tickers]


def _token(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
