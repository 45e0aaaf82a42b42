"""The control socket of a running session: it serves its own user, and nobody else.

A request becomes a message in the session's inbox, and is answered once what follows is durable.
No client can hurt the session: a request is small, read in bounded time, and accepted at a bounded
rate. A session whose socket cannot be opened trades without one, and takes commands by its journal.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import stat
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from pydantic import ValidationError

from coordinator.core.explanation import without_values
from coordinator.core.lane import StrategySpec
from coordinator.core.messages import Act
from coordinator.core.naming import listed, nearest
from coordinator.core.reload import Removal
from coordinator.settings import Settings
from coordinator.shell.clerk import Clerk
from coordinator.shell.control_protocol import (
    MOST_REQUEST_BYTES,
    Address,
    Reply,
    Request,
    address_file,
    complaint,
    guarded,
    line,
    socket_path,
)
from coordinator.shell.isolated_rule import IsolatedRule
from coordinator.shell.recent import Recent, recent
from coordinator.shell.reload_request import ReloadRequest
from coordinator.shell.run import Observer
from coordinator.shell.shadows import IS_SHADOW

log = logging.getLogger("coordinator")
ASK_S, ANSWER_S = 2.0, 10.0
"""Local seconds in which a request must arrive, and in which it should be answered."""
RELOAD_S = 100.0
"""Local seconds in which a reload should be answered: history is fetched first."""
MOST_AT_ONCE, MOST_PER_S, MOST_IN_LINE = 8, 100.0, 64
"""Concurrent requests, new ones a second, and connections that wait in the kernel."""
RETRY_S = 1.0
"""Local seconds until the next try when no client could be accepted."""


def controlled(settings: Settings, environment: Mapping[str, str], speed: float) -> Observer:
    """An observer that keeps a control socket open under the state folder while a session trades.

    `environment` may name the user's runtime folder; `speed`, the broker clock's, goes into the
    address file.
    """

    @asynccontextmanager
    async def observe(clerk: Clerk) -> AsyncIterator[None]:
        view = clerk.view()
        file = address_file(settings.home / view.account, view.coordinator)
        address = Address(
            coordinator=view.coordinator,
            socket=socket_path(file, environment).absolute(),
            simulator=settings.trading_url if settings.account_host else "",
            clock_speed=speed,
        )
        try:
            listener = _listen(file, address)
        except OSError as error:
            log.warning("no control socket (%s): commands come by the journal instead", error)
            yield
            return
        with recent(log) as said:
            serving = asyncio.create_task(_Server(clerk, listener, said).serve())
            try:
                yield
            finally:
                serving.cancel()
                await asyncio.gather(serving, return_exceptions=True)
                _close(listener, file)

    return observe


def _listen(file: Path, address: Address) -> socket.socket:
    """Listen, and write the address file.

    A socket that is there already was left by a process that died: we hold its lease.
    """
    path = address.socket
    guarded(file.parent)
    guarded(path.parent)
    if os.path.lexists(path):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(f"{path} is no socket")
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.setblocking(False)
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(MOST_IN_LINE)
        _write(file, line(address))
    except BaseException:
        listener.close()
        raise
    return listener


def _write(file: Path, text: bytes) -> None:
    """Write a private file atomically."""
    fresh = file.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as out:
        out.write(text)
    fresh.replace(file)


def _close(listener: socket.socket, file: Path) -> None:
    path = Path(listener.getsockname())
    listener.close()
    for one in (path, file):
        one.unlink(missing_ok=True)


class _Server:
    """Serves the clients of a socket: so many at once, and so many new ones a second."""

    def __init__(self, clerk: Clerk, listener: socket.socket, recent_events: Recent) -> None:
        self._clerk, self._recent = clerk, recent_events
        self._listener = listener
        self._free = asyncio.Semaphore(MOST_AT_ONCE)
        self._clients: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Serve until cancelled; clients that still wait then are told that the session ended."""
        try:
            while True:
                await self._free.acquire()
                task = asyncio.create_task(self._serve_one(await self._accept()))
                self._clients.add(task)
                task.add_done_callback(self._forget)
                await asyncio.sleep(1 / MOST_PER_S)
        finally:
            for task in self._clients:
                task.cancel()
            await asyncio.gather(*self._clients, return_exceptions=True)

    async def _accept(self) -> socket.socket:
        while True:
            try:
                client, _ = await asyncio.get_running_loop().sock_accept(self._listener)
            except OSError as error:  # no file descriptor is free
                log.warning("the control socket accepts nobody for now: %s", error)
                await asyncio.sleep(RETRY_S)
            else:
                return client

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._clients.discard(task)
        self._free.release()

    async def _serve_one(self, client: socket.socket) -> None:
        """Read one request and answer it; a broken client fails alone."""
        if not _is_this_user(client):
            client.close()
            return
        reader, writer = await asyncio.open_unix_connection(sock=client, limit=MOST_REQUEST_BYTES)
        try:
            async with asyncio.timeout(ASK_S):
                asked = await reader.readline()
            writer.write(line(await self._answer(asked)))
            async with asyncio.timeout(ASK_S):
                await writer.drain()
        except (OSError, ValueError, TimeoutError):
            return  # gone, too long, or too slow
        except asyncio.CancelledError:
            said = "The session has ended. Look at `multi-trader status`, and ask again."
            writer.write(line(Reply(done=False, said=said)))
            raise
        finally:
            with suppress(OSError, TimeoutError):
                writer.close()

    async def _answer(self, asked: bytes) -> Reply:
        try:
            request = Request.model_validate_json(asked)
        except ValidationError as error:
            return Reply(done=False, said=f"Not understood: {complaint(error)}.")
        if request.do == "status":
            view = self._clerk.view()
            said, events = f"{view.coordinator} trades.", self._recent.events
            return Reply(done=True, said=said, status=view, events=events)
        if request.do == "explain":
            return await _explain(self._clerk, request)
        if request.do == "reload":
            return await self._reload(request)
        if self._clerk.is_only_shadow(request.strategy):
            return Reply(done=False, said=IS_SHADOW.format(request.strategy))
        answer = self._clerk.ask(Act(request.do), request.by, request.strategy)
        log.debug("asked over the control socket: %s %s", request.do, request.strategy)
        try:
            async with asyncio.timeout(ANSWER_S):
                told = await answer
        except TimeoutError:
            late = f"Not answered within {ANSWER_S:.0f} s; see `multi-trader status`."
            return Reply(done=False, said=late)
        return Reply(done=told.done, said=told.said)

    async def _reload(self, request: Request) -> Reply:
        if self._clerk.reloading is None:
            said = "The session has not begun, and takes no other configuration before that."
            return Reply(done=False, said=said)
        removal = Removal(request.remove)
        wanted = ReloadRequest(request.by, request.config, removal, request.token)
        try:
            async with asyncio.timeout(RELOAD_S):
                told = await self._clerk.reloading.reload(wanted)
        except TimeoutError:
            late = f"Not ready within {RELOAD_S:.0f} s, and still at it; see the session's log."
            return Reply(done=False, said=late)
        return Reply(done=told.done, said=told.said, changes=told.changes, token=told.token)


async def _explain(clerk: Clerk, request: Request) -> Reply:
    found = _asked_for(clerk, request)
    if isinstance(found, Reply):
        return found
    explained = clerk.explain(request.strategy, request.ticker)
    if isinstance(found.rule, IsolatedRule):
        await found.rule.wait_for_explanations()
        found = _asked_for(clerk, request)  # a reload may have taken it out meanwhile
        if isinstance(found, Reply):
            return found
        explained = clerk.explain(request.strategy, request.ticker)
    if not explained:
        said = f"{request.strategy} cannot be explained now: see the session's log."
        return Reply(done=False, said=said)
    silent = without_values(explained)
    more = f" It did not say what it saw: {'; '.join(silent)}." if silent else ""
    said = f"{request.strategy} as it stands.{more}"
    return Reply(done=True, said=said, explained=explained)


def _asked_for(clerk: Clerk, request: Request) -> StrategySpec | Reply:
    """The strategy to be explained, or the answer that it, or its ticker, is not traded here."""
    found = {spec.name: spec for spec in clerk.specs}
    if request.strategy not in found:
        close = nearest(request.strategy, sorted(found))
        meant = f"did you mean {close!r}? There are" if close else "there are"
        said = f"no strategy {request.strategy!r} trades here; {meant}: {listed(sorted(found))}."
        return Reply(done=False, said=said)
    spec = found[request.strategy]
    if request.ticker and request.ticker not in spec.tickers:
        theirs = ", ".join(spec.tickers)
        said = f"{request.strategy} does not trade {request.ticker}; it trades {theirs}."
        return Reply(done=False, said=said)
    return spec


def _is_this_user(client: socket.socket) -> bool:
    """Whether a client is our own user, if the system can tell; file modes exclude others too."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True
    _, uid, _ = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, option, 12))
    return bool(uid == os.getuid())
