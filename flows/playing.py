"""A backtest being played, and its run's page.

It is played on a thread; the loop reads only its progress and finished days.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from coordinator.backtest import Backtest, StrategyResult, Tally
from coordinator.core.amounts import dollars, gain
from flows.board import Board
from flows.stopping import PREFECT_AWAY
from warehouse import LoadStatus, Store, load_session

SHOWN_EVERY_S = 5.0
PATIENCE_S = 10.0
"""Local seconds between two updates of a backtest's page, and that one update may take."""
_log = logging.getLogger("coordinator.flow")


class Playing:
    """Plays `test`, loading it into the warehouse at `place`, until it is over or `stopped`."""

    def __init__(self, test: Backtest, place: Path | str, stopped: Callable[[], bool]) -> None:
        self.test = test
        self.place = place
        self.tally = Tally()
        self.minutes = 0
        self.incomplete: list[str] = []
        """A sentence for each session with rows in quarantine."""
        self._stopped = stopped

    def play(self) -> None:
        """Play; each session is loaded before the next one begins. Blocking."""
        for session in self.test.play(self._advance, self._stopped):
            with Store.open(self.place, on_wait=_log.info) as store:
                result = load_session(store, session)
            if result.status is LoadStatus.INCOMPLETE:
                self.incomplete.append(result.message)
            self.tally.add(session)
            _log.info("%s", result.message)

    @property
    def is_whole(self) -> bool:
        """Whether every session has been played."""
        return self.tally.sessions == self.test.sessions

    @property
    def percent(self) -> float:
        """The share of the market's time that has been played, 0 to 100."""
        return round(100 * self.minutes / self.test.minutes, 1)

    def sentence(self) -> str:
        """Progress, P&L, and the account in the warehouse."""
        tally = self.tally
        days = f", {tally.first} to {tally.last}" if tally.sessions else ""
        failed = [one.in_words(tally.sessions) for one in tally.failing.values()]
        warnings = filter(None, [tally.leaps.warning, *failed])
        return (
            f"{tally.sessions} of {self.test.sessions} sessions{days}: P&L"
            f" **{gain(tally.net_pnl)}**. Fills: {self.test.model}."
            f" Account `{self.test.account}` in the warehouse."
            + "".join(f" **Warning:** {warning}" for warning in warnings)
        )

    def rows(self) -> list[dict[str, str]]:
        """A row a strategy."""
        return [_row(one) for one in list(self.tally.by_strategy.values())]

    def _advance(self, minutes: int) -> None:
        self.minutes += minutes


class Shown(Protocol):
    """A backtest or sweep that a run's page shows."""

    @property
    def percent(self) -> float:
        """The share that has been played, 0 to 100."""

    def sentence(self) -> str:
        """Progress and result."""

    def rows(self) -> list[dict[str, str]]:
        """Its table; empty while there is nothing to show."""


async def show(playing: Shown, board: Board) -> None:
    """Bring the page up to date; a slow or missing Prefect does not disturb the backtest."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            await board.show_progress(playing.percent, playing.sentence())
            if rows := playing.rows():
                await board.show_table(rows, playing.sentence())
    except PREFECT_AWAY as error:
        _log.debug("Prefect does not answer (%s): the backtest goes on", type(error).__name__)


async def watch(playing: Shown, board: Board, task: asyncio.Future[None]) -> None:
    """Show a backtest until its task is over, and once more at the end.

    Raises what the task raised.
    """
    while not task.done():
        await show(playing, board)
        await asyncio.wait([task], timeout=SHOWN_EVERY_S)
    await task
    await show(playing, board)


def _row(one: StrategyResult) -> dict[str, str]:
    return {
        "Strategy": one.strategy,
        "P&L": gain(one.net_pnl),
        "Return": f"{one.return_pct:+.2%}",
        "Equity": dollars(one.end_equity),
        "Fees": dollars(one.fees),
        "Fills": f"{one.fills:,}",
    }
