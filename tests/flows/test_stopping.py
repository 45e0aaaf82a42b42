"""How a running session learns that it shall end: real signals, and the run's own state."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

import httpx
import pytest
from prefect.client.schemas.objects import StateType

from flows.stopping import Stop, last_state, stop_signal


def answering(*states: StateType | Exception) -> Callable[[], Awaitable[StateType | None]]:
    left = list(states)

    async def read_state() -> StateType | None:
        state = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(state, Exception):
            raise state
        return state

    return read_state


async def reason_of(
    read_state: Callable[[], Awaitable[StateType | None]], act: Callable[[], None] = lambda: None
) -> str | None:
    async with stop_signal(read_state, poll_s=0.01) as stop:
        act()
        await asyncio.wait_for(stop.event.wait(), 10)
        return stop.reason


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_asks_the_session_to_end(number: signal.Signals) -> None:
    running = answering(StateType.RUNNING)
    assert asyncio.run(reason_of(running, lambda: os.kill(os.getpid(), number))) == number.name


@pytest.mark.parametrize("state", [StateType.CANCELLING, StateType.CANCELLED, StateType.FAILED])
def test_a_run_that_is_not_running_any_more_ends_its_session(state: StateType) -> None:
    assert asyncio.run(reason_of(answering(StateType.RUNNING, state))) == state.value


def test_a_server_that_is_away_ends_nothing_and_its_cancellation_is_seen_when_it_is_back() -> None:
    away = [httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), OSError("no route")]
    assert asyncio.run(reason_of(answering(*away, StateType.CANCELLING))) == "CANCELLING"


def test_a_run_that_is_called_crashed_while_it_lives_says_so_and_goes_on() -> None:
    said: list[str] = []

    async def say_alive() -> None:
        said.append("alive")
        if len(said) == 1:
            raise httpx.ConnectError("away again")

    async def reason() -> str | None:
        crashed, end = StateType.CRASHED, StateType.CANCELLING
        states = answering(StateType.RUNNING, crashed, crashed, StateType.RUNNING, end)
        async with stop_signal(states, poll_s=0.01, alive=say_alive) as stop:
            await asyncio.wait_for(stop.event.wait(), 10)
            return stop.reason

    assert asyncio.run(reason()) == "CANCELLING"
    assert said == ["alive", "alive"]


def test_a_session_that_ended_while_prefect_is_away_waits_to_say_how() -> None:
    away = [httpx.ConnectError("refused"), OSError("no route")]
    states = answering(*away, StateType.CANCELLING)
    assert asyncio.run(last_state(states, poll_s=0.01)) is StateType.CANCELLING


def test_prefect_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.stopping.AWAY_AT_END_S", 0.05)
    assert asyncio.run(last_state(answering(OSError("gone")), poll_s=0.01)) is None


def test_a_session_that_nobody_stops_goes_on() -> None:
    async def looks() -> tuple[int, Stop]:
        count = 0

        async def read_state() -> StateType:
            nonlocal count
            count += 1
            if count == 5:
                enough.set()
            return StateType.RUNNING

        enough = asyncio.Event()
        async with stop_signal(read_state, poll_s=0.001) as stop:
            await asyncio.wait_for(enough.wait(), 10)
            return count, stop

    count, stop = asyncio.run(looks())
    assert count >= 5
    assert (stop.reason, stop.event.is_set()) == (None, False)


def test_the_first_reason_stays() -> None:
    async def reasons() -> str | None:
        stop = Stop()
        stop.fire("SIGTERM")
        stop.fire("CANCELLING")
        return stop.reason

    assert asyncio.run(reasons()) == "SIGTERM"


def test_the_handlers_from_before_come_back() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    asyncio.run(reason_of(answering(StateType.CANCELLING)))
    assert {number: signal.getsignal(number) for number in before} == before
