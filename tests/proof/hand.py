"""The operator's hand on single strategies: paused, flattened and resumed while everything fails.

It asks the session that runs, or writes to the journal beside it, as the commands do. It has dice
of its own, and lies still in most seeds, so that those mean what they always meant.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from coordinator.core import records as r
from coordinator.core.messages import Act

if TYPE_CHECKING:
    from tests.proof.trader import Trader
    from tests.proof.world import World

OPERATOR = "operator"
HALTS: dict[Act, type[r.Paused | r.FlattenRequested | r.Resumed]] = {
    Act.PAUSE: r.Paused,
    Act.FLATTEN: r.FlattenRequested,
    Act.RESUME: r.Resumed,
}


class Hand:
    """Halts strategies and lets them go, in one seed of four."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._dice = random.Random(f"{world.seed} hand")
        self.busy = world.seed % 4 == 3

    def minute(self) -> None:
        """What it does in one minute: seldom nothing."""
        world, dice = self._world, self._dice
        if not self.busy or world.faults.over or dice.random() < 0.5:
            return
        trader = dice.choice(world.traders)
        strategy = dice.choice(trader.config.strategies).name
        if strategy in world.judge.halted and dice.random() < 0.6:
            act = Act.RESUME
        else:
            act = dice.choice((Act.PAUSE, Act.FLATTEN))
        asks = dice.random() < 0.7
        world.faults.struck[f"hand: {act.value}"] += 1
        if not (asks and self._ask(trader, act, strategy)):
            world.office.append([HALTS[act](world.now(), strategy, OPERATOR)])

    def _ask(self, trader: Trader, act: Act, strategy: str) -> bool:
        """Ask the session, if one trades; whether it heard."""
        process = trader.living
        if process is None or process.clerk is None:
            return False
        self._world.note(f"the operator asks for {act.value}", strategy)
        process.clerk.ask(act, OPERATOR, strategy)
        return True
