"""What lies between the session and the broker: requests, streams and a disk that can fail.

Requests and messages take time and get lost here, as the seed's faults will have it. A request
that has left the process travels on even if the process dies.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgpack

from coordinator.core.records import Record
from coordinator.errors import BrokerBusy, BrokerRejected, BrokerUnavailable, StorageError
from coordinator.shell.journal import Journal
from coordinator.shell.journal_rows import Entry
from coordinator.shell.rest import Api
from coordinator.shell.stream_watch import StreamWatch
from tests.proof.market import TapeBar
from tests.proof.model import Refused
from tests.proof.virtual import Killed

if TYPE_CHECKING:
    from tests.proof.process import Process
    from tests.proof.world import World

TIMEOUT_S = 10.0
Raw = Mapping[str, Any]


class WireRest:
    """The REST port of one process."""

    def __init__(self, world: World, process: Process) -> None:
        self._world, self._process = world, process

    def get(self, api: Api, path: str, query: Mapping[str, Any]) -> Any:
        """The parsed answer to a GET."""
        return self._ask("GET", path, query)

    def post(self, api: Api, path: str, body: Mapping[str, Any]) -> Any:
        """The parsed answer to a POST."""
        sent = json.loads(json.dumps(dict(body)))
        self._process.boundary(f"POST {path} is meant")
        self._world.judge.posted(sent, self._world.now())
        return self._ask("POST", path, sent)

    def delete(self, api: Api, path: str) -> None:
        """A DELETE."""
        self._ask("DELETE", path, {})

    def _ask(self, method: str, path: str, payload: Mapping[str, Any]) -> Any:
        world, process, fibers = self._world, self._process, self._process.fibers
        process.boundary(f"{method} {path} leaves")
        me, answers = fibers.here(), list[Any]()
        fate = world.fate(method)

        def answer(value: Any) -> None:
            if not answers:
                answers.append(value)
                fibers.wake(me)

        def arrive(*, travels_on: bool = True) -> None:
            if process.dead and travels_on:
                lot = world.chance.random()
                if lot > 0.3:  # else it had not left the machine yet
                    slow_s = world.chance.uniform(0.1, 5.0) if lot > 0.6 else 0.0
                    world.loop.call_later(slow_s, partial(arrive, travels_on=False))
                return
            world.note(f"{method} {path} arrives ({fate or 'well'})", payload)
            try:
                value = world.broker.handle(method, path, payload)
            except Refused as no:
                value = BrokerRejected(no.status, no.code, no.message, no.body)
            process.boundary_passed(f"{method} {path} done")
            if fate in ("answer lost", "arrived late"):
                return
            if fate == "answer 504":
                value = BrokerUnavailable("the broker answered HTTP 504: gateway time-out")
            if fate == "answer garbled" and not isinstance(value, Exception):
                value = {"id": 7, "status": "strange"}
            world.loop.call_later(world.latency_s(), answer, value)

        self._send(fate, arrive, answer)
        fibers.sleep_until_woken()
        process.boundary(f"{method} {path} answered")
        (value,) = answers
        if isinstance(value, Exception):
            world.note(f"{method} {path} failed", value)
            raise value
        return value

    def _send(self, fate: str, arrive: Callable[[], None], answer: Callable[[Any], None]) -> None:
        loop, world = self._world.loop, self._world
        on_way_s = world.latency_s()
        nobody = BrokerUnavailable(
            "no answer from the broker (ReadTimeout); it may have done what was asked"
        )
        match fate:
            case "refused by a gateway" | "too many requests":
                kind, status = BrokerUnavailable, 503
                if fate == "too many requests":
                    kind, status = BrokerBusy, 429
                no = kind(f"the broker answered HTTP {status}: {fate}")
                loop.call_later(2 * on_way_s, answer, no)
                return
            case "hung":
                loop.call_later(TIMEOUT_S, answer, nobody)
                return
            case "answer lost":
                after_s = world.chance.choice((on_way_s + 0.001, TIMEOUT_S))
                loop.call_later(max(after_s, on_way_s + 0.001), answer, nobody)
            case "arrived late":
                on_way_s = TIMEOUT_S + world.chance.uniform(0.0, world.latest_s)
                loop.call_later(TIMEOUT_S, answer, nobody)
            case "slow":
                on_way_s += world.chance.uniform(0.0, 5.0)
        loop.call_later(on_way_s, arrive)


class WireStream:
    """A stream port: one connection of one process, up or down."""

    def __init__(
        self, world: World, process: Process, watch: StreamWatch, on_message: Callable[[Raw], None]
    ) -> None:
        self.watch = watch
        self._world, self._process, self._on_message = world, process, on_message
        self._on_end: Callable[[str], None] = lambda _: None
        self._connection = 0
        self._up = self._stopped = False
        self._mute_until_s = 0.0

    def start(self, on_end: Callable[[str], None]) -> None:
        """Connect."""
        self._on_end = on_end
        self._process.streams.append(self)
        self._connect()

    def restart(self) -> None:
        """Hang up and dial again."""
        self._drop(self._world.chance.uniform(0.5, 2.0))

    async def subscribe(self, symbols: Sequence[str]) -> None:
        """Bring these symbols too; every stream here brings all that there are."""

    async def stop(self) -> None:
        """Hang up."""
        self._stopped, self._up = True, False

    def suffer(self) -> None:
        """A minute has passed; something may happen to the connection."""
        faults, chance, world = self._world.faults, self._world.chance, self._world
        if not self._up or self._process.dead:
            return
        if faults.strikes("stream dropped"):
            world.note(f"{self.watch.name} stream drops")
            self._drop(chance.uniform(0.5, 25.0))
        elif faults.strikes("stream mute"):
            self._mute_until_s = world.loop.time() + chance.uniform(5.0, 150.0)
        elif faults.strikes("stream ended"):
            self._up, self._stopped = False, True
            world.note(f"{self.watch.name} stream ends")
            self._on_end(self.watch.name)

    def deliver(self, message: Raw, after_s: float) -> None:
        """Send a message, if the connection still stands when it arrives."""
        if self._up and not self._process.dead:
            self._world.loop.call_later(after_s, self._arrive, message, self._connection)

    def _drop(self, down_s: float) -> None:
        self._up, self._mute_until_s = False, 0.0
        self.watch.lost()
        self._world.loop.call_later(down_s, self._connect)

    def _connect(self) -> None:
        world = self._world
        if self._stopped or self._process.dead:
            return
        if world.faults.strikes("slot taken"):
            self.watch.refused(406, "connection limit exceeded")
            world.loop.call_later(world.chance.uniform(1.0, 12.0), self._connect)
            return
        world.loop.call_later(world.latency_s(), self._connected)

    def _connected(self) -> None:
        if not self._stopped and not self._process.dead:
            self._up = True
            self._connection += 1
            self._world.note(f"{self.watch.name} stream is up")
            self._process.up_since = self._process.up_since or self._world.now()
            self.watch.live()

    def _arrive(self, message: Raw, connection: int) -> None:
        lost = self._stopped or not self._up or connection != self._connection
        if lost or self._world.loop.time() < self._mute_until_s:
            return
        name = f"message on {self.watch.name}"
        if self._process.boundary_passed(f"{name} arrives"):
            self._on_message(message)
            self._process.boundary_passed(f"{name} taken")


def stream_bar(symbol: str, bar: TapeBar) -> dict[str, Any]:
    """A bar as the stream sends it."""
    at = msgpack.Timestamp.from_datetime(bar.start)
    return {"T": "b", "S": symbol, "t": at, **bar.numbers()}


class WireJournal(Journal):
    """The production journal on a disk that can be full, told of to the judge."""

    def __init__(
        self, world: World, process: Process, path: Path, account: str, coordinator: str
    ) -> None:
        self._world, self._process = world, process
        super().__init__(path, account, coordinator)
        world.journal_path = path

    @property
    def seq(self) -> int:
        """The number of the last record that this process has read or written."""
        return self._end.seq

    def append_decided(
        self, session_id: str, decide: Callable[[list[Entry]], Sequence[Record]]
    ) -> None:
        """Commit, unless the process is dead or the disk is full."""
        process, world = self._process, self._world
        written: list[Record] = []

        def noted(others: list[Entry]) -> Sequence[Record]:
            process.behind = bool(others)
            records = decide(others)
            written.extend(records)
            return records

        process.boundary("commit begins")
        try:
            super().append_decided(session_id, noted)
        except StorageError as error:
            process.ahead = True
            world.note("commit fails", error)
            raise
        if process.dead:
            raise Killed
        world.last_session = session_id or world.last_session
        world.judge.committed(written, world.now(), process.up_since)
        if world.judge.adopted:
            world.adopted.set()
        for record in written:
            world.note("record", record)
        process.boundary("commit done")

    def fill_disk(self) -> None:
        """Leave no page free."""
        (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
        self._connection.execute(f"PRAGMA max_page_count = {pages}")
