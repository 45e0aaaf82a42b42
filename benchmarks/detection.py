"""How soon a session detects faults, in broker seconds of virtual time."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from coordinator.shell.stream_watch import StreamWatch
from tests.proof.virtual import VirtualLoop
from tests.proof.wire import WireStream
from tests.proof.world import World


def lags(rates: dict[str, float], seeds: int) -> list[float]:
    """The longest lag of each session from an execution to its booking."""
    played = [_played(seed, rates, VirtualLoop()) for seed in range(seeds)]
    return [world.judge.longest_lag_s for world in played if world.judge.longest_lag_s]


def mutes(seeds: int) -> list[float]:
    """The times from the first bar that a mute stream lost to its detection as mute."""
    found: list[float] = []
    for seed in range(seeds):
        silence = _Silence(VirtualLoop(), found)
        with (
            patch.object(WireStream, "suffer", silence.suffer),
            patch.object(WireStream, "_arrive", silence.arrive),
            patch.object(StreamWatch, "muted", silence.known),
        ):
            _played(seed, {"stream mute": 0.05}, silence.loop)
    return found


@dataclass
class _Silence:
    """Keeps muted bar streams mute until detected; `since` is each one's first lost bar."""

    loop: VirtualLoop
    found: list[float]
    since: dict[StreamWatch, float] = field(default_factory=dict)
    detected: set[StreamWatch] = field(default_factory=set)

    def __post_init__(self) -> None:
        originals = WireStream.suffer, WireStream._arrive, StreamWatch.muted
        really_suffer, really_arrive, really_muted = originals

        def suffer(stream: WireStream) -> None:
            before = stream._mute_until_s
            really_suffer(stream)
            if stream._mute_until_s != before and stream.watch.name != "orders":
                stream._mute_until_s = float("inf")

        def arrive(stream: WireStream, message: Mapping[str, Any], connection: int) -> None:
            if stream._up and stream._mute_until_s == float("inf"):
                if stream.watch not in self.detected:
                    self.since.setdefault(stream.watch, self.loop.time())
            else:
                self.detected.discard(stream.watch)
            really_arrive(stream, message, connection)

        def known(watch: StreamWatch) -> None:
            if watch in self.since:
                self.found.append(self.loop.time() - self.since.pop(watch))
            self.detected.add(watch)
            really_muted(watch)

        self.suffer, self.arrive, self.known = suffer, arrive, known


def _played(seed: int, rates: dict[str, float], loop: VirtualLoop) -> World:
    """A simulated session with only these faults switched on; it must end without violations."""
    log = logging.getLogger("coordinator")
    log.disabled = True
    try:
        with tempfile.TemporaryDirectory() as home:
            world = World(seed, Path(home), loop, kills=())
            world.faults.rates = dict(rates)
            loop.run_until_complete(world.run())
    finally:
        loop.close()
        log.disabled = False
    assert not world.judge.violations, world.judge.violations
    return world
