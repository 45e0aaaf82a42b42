"""What reaches a session's loop is given out in the order of coming, and waited for in between."""

from __future__ import annotations

import asyncio

from coordinator.shell.inbox import Inbox, Stop

FIRST, SECOND = Stop("first"), Stop("second")


def test_what_is_there_is_taken_in_the_order_of_coming_and_waited_for_no_longer() -> None:
    async def play() -> None:
        inbox = Inbox()
        assert (len(inbox), inbox.take()) == (0, None)
        inbox.put(FIRST)
        inbox.put(SECOND)
        assert (len(inbox), inbox.take(), inbox.take(), len(inbox)) == (2, FIRST, SECOND, 0)

    asyncio.run(play())


def test_who_waits_gets_what_comes() -> None:
    async def play() -> None:
        inbox = Inbox()
        asyncio.get_running_loop().call_later(0.01, inbox.put, FIRST)
        assert await inbox.wait(None) is FIRST
        asyncio.get_running_loop().call_later(0.01, inbox.put, SECOND)
        assert await inbox.wait(20) is SECOND

    asyncio.run(play())


def test_who_waits_long_enough_for_nothing_goes_on_without() -> None:
    async def play() -> None:
        inbox = Inbox()
        assert await inbox.wait(0.01) is None
        inbox.put(FIRST)
        assert inbox.take() is FIRST

    asyncio.run(play())


def test_others_have_their_turn_even_if_nothing_is_waited_for() -> None:
    async def play() -> None:
        inbox, turns = Inbox(), 0

        async def other() -> None:
            nonlocal turns
            while turns < 3:
                turns += 1
                await asyncio.sleep(0)
            inbox.put(FIRST)

        task = asyncio.create_task(other())
        while (found := await inbox.wait(0.0)) is None:
            pass
        assert (found, turns) == (FIRST, 3)
        await task

    asyncio.run(play())


def test_who_stops_waiting_loses_nothing() -> None:
    async def play() -> None:
        inbox = Inbox()
        waiting = asyncio.create_task(inbox.wait(None))
        await asyncio.sleep(0)
        inbox.put(FIRST)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        inbox.put(SECOND)
        assert await inbox.wait(None) is FIRST
        assert inbox.take() is SECOND

    asyncio.run(play())
