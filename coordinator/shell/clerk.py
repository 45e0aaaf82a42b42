"""Where observers and operators meet a running session: how it stands, and what they ask of it.

Rule: nothing here changes the session. A request goes into the inbox, waits for its turn like every
message, and is answered once what follows from it is durable. Call on the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from coordinator.core import messages as m
from coordinator.core.engine import Engine
from coordinator.core.explanation import Explanation
from coordinator.core.lane import StrategySpec
from coordinator.core.live_view import LiveView, live_view
from coordinator.shell.alarms import Alarms
from coordinator.shell.clock import BrokerClock
from coordinator.shell.inbox import Change, Inbox, Wish
from coordinator.shell.reload_request import Reloads
from coordinator.shell.shadows import Shadows
from coordinator.shell.ticks import Ticks
from coordinator.shell.watchdog import Watchdog


class Clerk:
    """Whoever observes a session deals with its clerk, never with its loop.

    `alarms` are there to be listened to; `reloading` is None where a session takes no other
    configuration.
    """

    def __init__(
        self,
        engine: Engine,
        shadows: Shadows,
        clock: BrokerClock,
        watchdog: Watchdog,
        ticks: Ticks,
        inbox: Inbox,
    ) -> None:
        self.alarms = Alarms()
        self.reloading: Reloads | None = None
        self._engine, self._shadows = engine, shadows
        self._clock, self._watchdog, self._ticks = clock, watchdog, ticks
        self._inbox = inbox

    @property
    def specs(self) -> tuple[StrategySpec, ...]:
        """The strategies that trade on the account, and the shadows beside them."""
        return (*self._engine.specs, *self._shadows.specs)

    def is_only_shadow(self, strategy: str) -> bool:
        """Whether the account has no book of it; what it bought while it was live can be sold."""
        shadows = {spec.name for spec in self._shadows.specs}
        return strategy in shadows and strategy not in self._engine.books.strategies()

    def view(self) -> LiveView:
        """The session as it stands now."""
        engine, watchdog, now = self._engine, self._watchdog, self._clock.now()
        states, blind = watchdog.states(), watchdog.blind()
        view = live_view(engine.books, engine.specs, engine.plan, now, states, blind)
        return replace(view, shadows=self._shadows.views(), lag_s=self._ticks.lag_s)

    def explain(self, strategy: str, ticker: str = "") -> tuple[Explanation, ...]:
        """Why a strategy did what it did on its last bars.

        Raises:
            KeyError: it is not here, or not on this ticker.
        """
        now = self._clock.now()
        if strategy not in {spec.name for spec in self._engine.specs}:
            return self._shadows.explain(strategy, now, ticker)
        return self._engine.explain(strategy, now, ticker)

    def ask(self, act: m.Act, by: str, strategy: str = "") -> asyncio.Future[m.Answer]:
        """Hand in an operator's wish; answered once it is durable."""
        answer = asyncio.get_running_loop().create_future()
        self._inbox.put(Wish(m.OperatorAsked(self._clock.now(), act, by, strategy), answer))
        return answer

    def reload(self, asked: Callable[[datetime], m.Reload]) -> asyncio.Future[m.Answer]:
        """Hand in another configuration; answered once it is durable.

        `asked` is called when its turn comes, with the broker's time.
        """
        answer = asyncio.get_running_loop().create_future()
        self._inbox.put(Change(asked, answer))
        return answer
