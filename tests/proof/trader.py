"""One coordinator over a day: started, and started again, until its session is over.

Whoever starts it also reads what it says: a refusal that names a difference which nothing explains
is answered as an operator would, by taking the difference as it is, and one for want of cash by
paying some in.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.proof.market import ONE_MINUTE
from tests.proof.process import End, Process, read_config

if TYPE_CHECKING:
    from tests.proof.world import World

MOST_STARTS = 150
REPEATED = {"refused": 6, "failed": 60}
"""So often in a row a start may end so, before it counts as never recovering."""


class Trader:
    """A configuration's processes, one after the other."""

    def __init__(self, world: World, config: dict[str, Any]) -> None:
        self.config = read_config(config)
        self.process: Process | None = None
        self.starts = 0
        self._world = world

    @property
    def living(self) -> Process | None:
        """The process that lives now."""
        return self.process if self.process is not None and not self.process.dead else None

    async def trade(self) -> None:
        """Start, and start again, until the session is over."""
        world, chance = self._world, self._world.chance
        again = dict.fromkeys(REPEATED, 0)
        while True:
            end = await self.start()
            if end.how == "killed" and chance.random() < 0.3:
                world.kill_soon()
            again = {how: again[how] + 1 if how == end.how else 0 for how in again}
            if any(again[how] > most for how, most in REPEATED.items()) or (
                self.starts > MOST_STARTS
            ):
                world.judge.blame(f"does not come up again: {end.how} {end.what}")
                return
            if self._is_over(end):
                return
            await asyncio.sleep(chance.choice((0.2, 2.0, 30.0)) * chance.random())

    async def settle(self) -> None:
        """The next session's coordinator begins, finds what was left, and is stopped at once."""
        for _ in range(3):
            end = await self.start(stops=True)
            if end.how != "refused":
                break
        if self._world.brokerage.drifts:
            self._world.office.accept()  # a kill, or a session that goes on, refused nothing
        if end.how not in ("ended", "closed"):
            self._world.judge.blame(f"the next session could not begin: {end.how} {end.what}")

    async def start(self, *, stops: bool = False) -> End:
        """One process, from its start to its end."""
        world = self._world
        self.starts += 1
        self.process = Process(world, self.config, stops=stops)
        world.note(f"STARTS {self.config.name}", self.starts)
        end = await self.process.live()
        world.note(f"ENDS {self.config.name}", end)
        if end.how == "refused" and end.what.startswith("capital does not fit"):
            world.office.pay_in()
        elif end.how == "refused" and world.brokerage.drifts:
            world.office.accept()
        return end

    def _is_over(self, end: End) -> bool:
        world = self._world
        if end.how in ("closed", "bug") or world.now() > world.play.ends + 3 * ONE_MINUTE:
            return True
        early = end.what == "StoppedEarly" and world.chance.random() < 0.7
        return end.how == "ended" and not early
