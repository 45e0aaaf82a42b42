"""A client that works, or waits for the processor, is not taken for one that has nothing to say."""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from simulator.clock import Quiet
from simulator.stillness import Stillness

CLIENT = """
import socket, sys, time
peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
for command in iter(lambda: peer.recv(1), b""):
    peer.sendall(b"k")
    ends = time.monotonic() + (30 if command == b"w" else 0)
    peer.setblocking(False)
    while time.monotonic() < ends:
        try:
            if peer.recv(1):
                break
        except BlockingIOError:
            pass
    peer.setblocking(True)
"""
pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task").is_dir(), reason="only Linux tells what its processes do"
)


@contextmanager
def client() -> Iterator[tuple[int, socket.socket]]:
    """A process of its own that idles until told to work ('w')."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        process = subprocess.Popen([sys.executable, "-c", CLIENT, str(port)])
        try:
            peer, _ = listener.accept()
            with peer:
                yield port, peer
        finally:
            process.kill()
            process.wait()


def look(stillness: Stillness) -> bool:
    """Whether the client is still over a twentieth of a second."""
    stillness.begin()
    time.sleep(0.05)
    return stillness.is_still()


def test_an_idle_process_is_still_and_a_working_one_is_not() -> None:
    with client() as (port, peer):
        stillness = Stillness()
        stillness.find(port)
        peer.sendall(b"i")
        peer.recv(1)
        assert look(stillness)
        peer.sendall(b"w")
        peer.recv(1)
        assert not look(stillness)
        peer.sendall(b"i")
        deadline_s = time.monotonic() + 5
        while not look(stillness):
            assert time.monotonic() < deadline_s


def test_one_that_never_rests_is_let_be_for_a_while() -> None:
    with client() as (port, peer):
        stillness = Stillness()
        stillness.find(port)
        peer.sendall(b"w")
        peer.recv(1)
        for _ in range(5):
            assert not look(stillness)
            stillness.tell(exhausted=True)
        assert look(stillness)
        for _ in range(30):
            stillness.tell(exhausted=False)
        assert not look(stillness)


def test_nobody_at_the_port_is_still() -> None:
    stillness = Stillness()
    stillness.find(1)
    assert look(stillness)


SECONDS = 0.01
IN_VAIN = 100
"""Looks that ten times of quiet have, a tick of a thousandth each."""


class Works(Stillness):
    """Says that the client works, and at each look does what `at` has for its number."""

    def __init__(self, at: Mapping[int, Callable[[], None]], each: Callable[[], None]) -> None:
        super().__init__()
        self.looks, self.still = 0, False
        self.told: list[bool] = []
        self._at, self._each = at, each

    def begin(self) -> None:
        """A look begins."""

    def is_still(self) -> bool:
        """Not before it is said so."""
        self.looks += 1
        self._each()
        self._at.get(self.looks, lambda: None)()
        return self.still

    def tell(self, *, exhausted: bool) -> None:
        """Kept."""
        self.told.append(exhausted)


def settled(quiet: Quiet) -> None:
    asyncio.run(quiet.settle(SECONDS))


def test_a_client_that_hangs_is_waited_for_though_another_of_its_threads_asked_the_time() -> None:
    def ask() -> None:
        quiet.times_asked += 1

    def awake() -> None:
        stillness.still = True
        quiet.stir()

    stillness = Works({5: ask, 3 * IN_VAIN: awake}, lambda: None)
    quiet = Quiet(lambda: 0, stillness)
    settled(quiet)
    assert stillness.looks > 3 * IN_VAIN
    assert stillness.told == [False]


def test_one_that_is_awake_and_never_rests_is_not_and_a_hang_behind_it_is() -> None:
    asks = True

    def ask() -> None:
        quiet.times_asked += asks

    def awake() -> None:
        stillness.still = True
        quiet.stir()

    stillness = Works({5 * IN_VAIN: awake}, ask)
    quiet = Quiet(lambda: 0, stillness)
    settled(quiet)
    assert IN_VAIN <= stillness.looks < IN_VAIN + 5
    asks = False
    settled(quiet)
    assert stillness.looks > 5 * IN_VAIN
    assert stillness.told == [True, False]


@pytest.mark.parametrize("only_looks", [True, False])
def test_one_that_never_seems_idle_and_looks_at_its_orders_again_and_again_stops_no_clock(
    only_looks: bool,
) -> None:
    """Its pauses are shorter than the patience with it; whoever acts is waited for all the same."""

    def each() -> None:
        quiet.times_asked += 1
        if stillness.looks % (IN_VAIN // 2) == 0:
            quiet.stir(looks=only_looks)
        stillness.still = stillness.looks > 5 * IN_VAIN

    stillness = Works({}, each)
    quiet = Quiet(lambda: 0, stillness)
    settled(quiet)
    assert stillness.told == [only_looks]
    assert (stillness.looks < 2 * IN_VAIN) is only_looks


@pytest.mark.thorough
@pytest.mark.parametrize("only_looks", [True, False])
def test_a_client_that_comes_and_looks_more_often_than_it_is_given_time_is_there_at_last(
    only_looks: bool,
) -> None:
    async def come() -> None:
        settling = asyncio.create_task(quiet.settle(10 * SECONDS, least_s=SECONDS))
        while not settling.done() and quiet.stirs < 60:
            quiet.stir(looks=only_looks)
            await asyncio.sleep(5 * SECONDS)
        assert settling.done() is only_looks
        await settling

    stillness = Works({}, lambda: None)
    stillness.still = True
    quiet = Quiet(lambda: 0, stillness)
    asyncio.run(come())
