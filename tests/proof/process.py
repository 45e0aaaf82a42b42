"""One process of the coordinator: the production session on this world's ports, until it dies."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coordinator.config import CoordinatorConfig, config_hash, configure
from coordinator.core.books import Books
from coordinator.core.engine import Engine
from coordinator.engine_setup import setup_of
from coordinator.errors import BrokerError, SafetyRefusal, StorageError
from coordinator.settings import simulator_settings
from coordinator.shell import startup
from coordinator.shell.clerk import Clerk
from coordinator.shell.journal import Journal
from coordinator.shell.journal_rows import Entry
from coordinator.shell.ports import Ports
from coordinator.shell.reload_request import Proposal
from coordinator.shell.run import Run, RunResult
from coordinator.shell.session import trade_session
from tests.proof.together import with_objects
from tests.proof.virtual import Fibers, Killed
from tests.proof.wire import WireJournal, WireRest, WireStream

if TYPE_CHECKING:
    from tests.proof.world import World


@dataclass(frozen=True)
class End:
    """How a process ended: 'ended', 'closed', 'killed', 'refused', 'failed' or 'bug'."""

    how: str
    what: str = ""


class Nobody:
    """Who joins of a configuration of built-in strategies, which have no processes."""

    def get_warm(self, *_: object) -> None:
        """There is nobody to feed."""

    def keep(self, every: object) -> None:
        """There is nobody to keep."""

    def give_back(self) -> None:
        """There is nobody to end."""


@dataclass
class Desk:
    """Where a process's configuration file lies, edited or not; nobody else wants its names."""

    config: CoordinatorConfig

    def read(self, path: str) -> Proposal:
        """What the file says now."""
        setup = setup_of(self.config, None, simulated=False)
        return Proposal(setup, config_hash(self.config), Nobody())

    def claim(self, account: str, names: object) -> Desk:
        """The names are free."""
        return self

    def keep(self) -> None:
        """They are run."""

    def give_back(self) -> None:
        """They are not."""


@dataclass
class Process:
    """A coordinator's process. Dead, it can reach nothing any more."""

    world: World
    config: CoordinatorConfig
    dead: bool = False
    ahead: bool = False
    """Whether its memory is ahead of the journal: a commit failed, and it is about to end."""
    behind: bool = False
    """Whether the last commit returned what others had written, which is taken in after it."""
    streams: list[WireStream] = field(default_factory=list)
    engine: Engine | None = None
    journal: WireJournal | None = None
    clerk: Clerk | None = None
    """The session's, while it trades."""
    stops: bool = False
    """Whether it is stopped as soon as it trades."""
    up_since: datetime | None = None
    """Since when its stream of order updates has spoken."""

    def __post_init__(self) -> None:
        self.desk = Desk(self.config)
        self.fibers = Fibers(self.world.loop, self.world.work_failed)
        self.stop = asyncio.Event()
        self._task: asyncio.Task[RunResult | None] | None = None

    async def live(self) -> End:
        """Run the session to its end, or to the process's."""
        gc.freeze()  # a session begins with a round of the collector, here over its own alone
        self._task = asyncio.ensure_future(trade_session(self._run(), self.stop, self._ports()))
        await asyncio.wait([self._task])
        end = self._end_of(self._task)
        if end.how in ("ended", "closed"):
            self.world.compare_memory(self)
        self.dead = self.fibers.dead = True
        self.fibers.bury()
        return end

    def boundary(self, name: str) -> None:
        """A step of the session's own begins or has ended: it may die here.

        Raises:
            Killed: it has died, here or before.
        """
        if not self.boundary_passed(name):
            raise Killed

    def boundary_passed(self, name: str) -> bool:
        """The same where there is nobody to raise to; False if the process is dead."""
        if not self.dead and self.world.dies_at(name):
            self.kill(name)
        return not self.dead

    def kill(self, where: str) -> None:
        """SIGKILL."""
        self.world.note(f"KILLED at {where}")
        self.dead = self.fibers.dead = True
        amid = where == "commit begins" or (where == "commit done" and self.behind)
        if self.engine is not None and not (amid or self.ahead):
            self.world.compare_memory(self)
        self.world.loop.call_soon(self._bury)

    def _bury(self) -> None:
        self.fibers.bury()
        assert self._task is not None
        self._task.cancel()

    def _end_of(self, task: asyncio.Task[RunResult | None]) -> End:
        if self.dead:
            return End("killed")
        error = None if task.cancelled() else task.exception()
        match error:
            case None:
                result = task.result()
                return End("closed") if result is None else End("ended", result.status)
            case SafetyRefusal():
                return End("refused", str(error))
            case BrokerError() | StorageError():
                return End("failed", f"{type(error).__name__}: {error}")
            case _:
                self.world.blame_bug(error)
                return End("bug", repr(error))

    def replayed(self) -> Books:
        """The books that the journal gives as far as this process has read it."""
        assert self.journal is not None
        return replayed(self.journal.path, self.config.name, self.journal.seq)

    def _run(self) -> Run:
        config = self.config
        run = _WatchedRun(
            setup=setup_of(config, None, simulated=False),
            settings=simulator_settings("http://x", self.world.home),
            speed=1.0,
            check_account=lambda _: None,
            observers=[self._seen],
            source=self.desk,
        )
        object.__setattr__(run, "process", self)
        return run

    @asynccontextmanager
    async def _seen(self, clerk: Clerk) -> AsyncIterator[None]:
        self.clerk = clerk
        if self.stops:
            self.stop.set()
        try:
            yield
        finally:
            self.clerk = None

    def _ports(self) -> Ports:
        world = self.world

        def opened(path: Path, account: str, coordinator: str) -> Journal:
            self.journal = WireJournal(world, self, path, account, coordinator)
            return self.journal

        return Ports(
            monotonic=world.loop.time,
            sleep=self.fibers.pause,
            workers=self.fibers,
            rest=lambda _: WireRest(world, self),
            order_stream=lambda _, on_update, watch: WireStream(world, self, watch, on_update),
            market_stream=lambda _, feed, symbols, on_bars, watch: WireStream(
                world, self, watch, lambda raw: on_bars([raw])
            ),
            open_journal=opened,
            tick_s=5.0,
            turn=world.turn,
        )


class _WatchedRun(Run):
    """The run, whose engine is remembered so that its books can be compared."""

    process: Process

    def engine(self, *parts: Any) -> Engine:
        engine = super().engine(*parts)
        self.process.engine = engine
        return engine


class _UpTo(Journal):
    """A journal as it was when its `last` record was the newest."""

    last: int | None = None

    def replay(self) -> Iterator[Entry]:
        for entry in super().replay():
            if self.last is None or entry.seq <= self.last:
                yield entry


def replayed(path: Path, coordinator: str, last: int | None = None) -> Books:
    """A coordinator's books as the journal gives them, as far as its record number `last`."""
    with closing(_UpTo(path, path.parent.name, coordinator)) as journal:
        journal.last = last
        books, _ = startup.replay(journal, coordinator)
    return books


def read_config(document: dict[str, Any]) -> CoordinatorConfig:
    """A configuration as a user's program gives it."""
    entries = [with_objects(strategy) for strategy in document["strategies"]]
    return configure(entries, **{k: v for k, v in document.items() if k != "strategies"})
