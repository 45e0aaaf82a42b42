"""A session that runs for a test with its door open: what is asked passes a real socket."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from coordinator.core import records as r
from coordinator.settings import simulator_settings
from coordinator.shell.broker import Broker
from coordinator.shell.control_client import ask
from coordinator.shell.control_protocol import Address, Reply, Request, addresses
from coordinator.shell.control_socket import controlled
from coordinator.shell.journal import Journal
from tests.corpus.answers import answering
from tests.corpus.test_session import NOW, Desk

BY = "daniel"


class Door:
    """The account's folder of a session that runs, and whoever asks it."""

    def __init__(self, account: Path, desk: Desk) -> None:
        self.account, self.desk = account, desk

    @property
    def address(self) -> Address:
        """Where it is asked."""
        [found] = addresses(self.account)
        return found

    async def ask(self, do: str, strategy: str = "") -> Reply:
        """One request, as a command sends it."""
        request = Request.model_validate({"do": do, "by": BY, "strategy": strategy})
        reply = await asyncio.to_thread(ask, self.address, request)
        assert reply is not None, "somebody listens"
        return reply

    async def say(self, raw: bytes, *, ends: bool = False) -> bytes:
        """All that comes back for these bytes; it `ends` its side where it says no more."""
        reader, writer = await asyncio.open_unix_connection(self.address.socket)
        try:
            writer.write(raw)
            if ends:
                writer.write_eof()
            return await reader.read()
        except (ConnectionResetError, BrokenPipeError):
            return b""  # hung up on before all was said
        finally:
            writer.close()


def at_the_door(
    home: Path,
    story: Callable[[Door], Awaitable[None]],
    environment: Mapping[str, str] = os.environ,
) -> None:
    """Play a story with a session that runs in its tenth minute and has one order open."""

    async def play(broker: Broker) -> None:
        account = home / "PA1"
        desk, over = Desk(account, broker), asyncio.Event()
        settings = simulator_settings("http://127.0.0.1:1", home)
        async with controlled(settings, environment, 60.0)(desk.live.clerk):
            running = asyncio.create_task(desk.live.run(over.is_set))
            try:
                await story(Door(account, desk))
            finally:
                over.set()
                desk.live.request_stop()
                desk.bench.books.orders = type(desk.bench.books.orders)()  # nothing to wait for
                await running

    with answering() as (broker, answers):
        answers.always({"timestamp": NOW.isoformat(), "bars": {}})
        asyncio.run(play(broker))


def kept(account: Path) -> list[r.Record]:
    """What the journal has, read as the next process does."""
    journal = Journal(account / "journal.db", account.name, "reader")
    try:
        return [entry.record for entry in journal.replay()]
    finally:
        journal.close()
