"""Stop requests for a running session: by a signal, or by its run's state at Prefect.

Prefect's own handlers raise inside whatever frame is running, and after an outage of the server its
cancellation never arrives; so the run handles signals and polls its state itself. While the server
is down, trading goes on. A living run that Prefect calls crashed was only unheard during an outage;
it sets itself Running again and goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx
from prefect import State
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.exceptions import PrefectException
from prefect.runtime import flow_run
from prefect.states import Running

POLL_S = 10.0
AWAY_AT_END_S = 900.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
PREFECT_AWAY = (httpx.HTTPError, PrefectException, OSError, RuntimeError)
"""The errors of a request to Prefect while its server is away."""
_log = logging.getLogger("coordinator.flow")

ReadState = Callable[[], Awaitable[StateType | None]]
"""Returns the run's state at Prefect, None if it has none; may raise while Prefect is away."""

SayAlive = Callable[[], Awaitable[None]]
"""Tells Prefect that this run is running, not crashed."""


class Stop:
    """A request to end the session: `event` is set by it, and the first `reason` is kept."""

    def __init__(self) -> None:
        self.event = asyncio.Event()
        self.reason: str | None = None

    def fire(self, reason: str) -> None:
        """Asks the session to end; `reason` is a signal's name or a state's."""
        if self.reason is None:
            self.reason = reason
            _log.info("Asked to stop (%s): ending the session", reason)
        self.event.set()

    async def wait(self, seconds: float) -> None:
        """Waits until it is asked for, at most so many seconds."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.event.wait(), seconds)


async def read_own_state() -> StateType | None:
    """The state of the run that executes this code; None outside of a run."""
    run_id = flow_run.get_id()
    if run_id is None:
        return None
    async with get_client() as client:
        run = await client.read_flow_run(UUID(str(run_id)))
    return run.state.type if run.state else None


async def say_alive() -> None:
    """Makes this run Running again at Prefect, by force: no transition leads back from Crashed."""
    async with get_client() as client:
        state: State[Any] = Running(message="It was not heard for a while, and runs.")
        await client.set_flow_run_state(UUID(str(flow_run.get_id())), state, force=True)


async def state_or_none(read_state: ReadState) -> StateType | None:
    """The run's state, or None while Prefect does not answer."""
    try:
        return await read_state()
    except PREFECT_AWAY as error:
        _log.debug("Prefect does not answer (%s): the session goes on", type(error).__name__)
        return None


async def last_state(read_state: ReadState, poll_s: float = POLL_S) -> StateType | None:
    """The run's state once Prefect answers; None if it stays away for a quarter of an hour.

    The session is over by then and its books are safe, but a run that ended while Prefect is away
    would be called crashed.
    """
    for look in itertools.count():
        try:
            return await read_state()
        except PREFECT_AWAY:
            if look * poll_s >= AWAY_AT_END_S:
                break
            if look == 0:
                _log.info("Waiting for Prefect, to tell it how the session ended")
        await asyncio.sleep(poll_s)
    return None


async def was_cancelled(read_state: ReadState) -> bool:
    """Whether the run is being cancelled: Prefect's server accepts no other final state then."""
    return await last_state(read_state) in (StateType.CANCELLING, StateType.CANCELLED)


@contextlib.asynccontextmanager
async def stop_signal(
    read_state: ReadState = read_own_state, poll_s: float = POLL_S, alive: SayAlive = say_alive
) -> AsyncIterator[Stop]:
    """Yields a Stop that SIGTERM, SIGINT, or any state but Running and Crashed at Prefect fires.

    The previous signal handlers are restored at the end.
    """
    stop, loop = Stop(), asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop.fire, number.name)
    watch = asyncio.create_task(_watch(stop, read_state, poll_s, alive), name="watch own state")
    try:
        yield stop
    finally:
        watch.cancel()
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, before[number])
        await asyncio.gather(watch, return_exceptions=True)


async def _watch(stop: Stop, read_state: ReadState, poll_s: float, alive: SayAlive) -> None:
    while not stop.event.is_set():
        state = await state_or_none(read_state)
        if state is StateType.CRASHED:
            with contextlib.suppress(*PREFECT_AWAY):
                await alive()
        elif state not in (None, StateType.RUNNING):
            stop.fire(state.value)
        await stop.wait(poll_s)
