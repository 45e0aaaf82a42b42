"""How observers and operators reach a running session: its state to read, requests to hand in.

Rule: nothing here changes the session. A request goes into the inbox, waits for its turn like every
message, and is answered once its consequences are durable. Call on the loop.
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
from coordinator.shell.inbox import ConfigChange, Inbox, OperatorRequest
from coordinator.shell.reload_request import Reloads
from coordinator.shell.shadows import Shadows
from coordinator.shell.ticks import Ticks
from coordinator.shell.watchdog import Watchdog


class Clerk:
    """The one object of a session that observers get.

    Listeners register with `alarms`; `reloading` is None while the session accepts no reload.
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
        """Whether a strategy is a shadow without a book on the account.

        A shadow that was live before has one, and what it bought then can still be sold.
        """
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
            KeyError: the session has no such strategy, or it does not trade this ticker.
        """
        now = self._clock.now()
        if strategy not in {spec.name for spec in self._engine.specs}:
            return self._shadows.explain(strategy, now, ticker)
        return self._engine.explain(strategy, now, ticker)

    def ask(self, act: m.Act, by: str, strategy: str = "") -> asyncio.Future[m.Answer]:
        """Hand in an operator's request; answered once it is durable."""
        answer = asyncio.get_running_loop().create_future()
        message = m.OperatorAsked(self._clock.now(), act, by, strategy)
        self._inbox.put(OperatorRequest(message, answer))
        return answer

    def reload(self, complete: Callable[[datetime], m.Reload]) -> asyncio.Future[m.Answer]:
        """Hand in another configuration; answered once it is durable.

        `complete` is called at its turn with the broker's time, and returns the message.
        """
        answer = asyncio.get_running_loop().create_future()
        self._inbox.put(ConfigChange(complete, answer))
        return answer
