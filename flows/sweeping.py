"""A sweep played by several processes, and its run's page.

The rows do not depend on the split: the variants share nothing but bars.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from coordinator.backtest import BacktestOptions, Parts, Sweep
from coordinator.config import CoordinatorConfig
from coordinator.core.amounts import gain
from warehouse import LoadResult, LoadStatus, Store, add_details, load_session, ranked

LOOK_EVERY_S = 1.0
"""Local seconds between two checks for sessions that all parts have played."""
SHOWN = 20
_log = logging.getLogger("coordinator.flow")


class Future(Protocol):
    """A part that another process plays."""

    def result(self, timeout: float | None = None) -> int:
        """The sessions it has played; raises its error, or TimeoutError after `timeout` seconds."""


Start = Callable[[BacktestOptions, int, int, Path], Future]
"""Starts a part, given the options, its number, the number of parts, and the folder."""


@dataclass(frozen=True, slots=True)
class Split:
    """How a sweep is played: the number of parts, and how many best ones by `by` are kept."""

    parts: int
    keep: int
    by: str
    start: Start


class SweepPlaying:
    """Plays a sweep in parts, loading it into the warehouse at `place`, until it is over or
    stopped.

    Then the best variants are played again for their details.
    """

    def __init__(
        self,
        options: BacktestOptions,
        config: CoordinatorConfig,
        place: Path | str,
        stopped: Callable[[], bool],
        split: Split,
    ) -> None:
        self.sweep = Sweep(options, config)
        self.incomplete: list[str] = []
        """A sentence for each session with rows in quarantine."""
        self.sessions = self.detailed = 0
        self._options, self._place, self._stopped = options, place, stopped
        self._split = replace(split, parts=min(split.parts, len(config.enabled)))
        self._share = 0.0
        self._ranked: Sequence[dict[str, Any]] = ()

    def play(self) -> None:
        """Play; each session is loaded as soon as all parts have played it. Blocking."""
        with tempfile.TemporaryDirectory(prefix="sweep-") as folder:
            self._play_parts(Path(folder))
        if not self.sessions:
            return
        self._rank()
        best = [str(one["strategy"]) for one in self._ranked[: self._split.keep]]
        for session in self.sweep.in_detail(best, self.sessions):
            with Store.open(self._place, on_wait=_log.info) as store:
                self._note(add_details(store, session.session_id, best, session.rows()))
            self.detailed += 1
        self._rank()

    @property
    def is_whole(self) -> bool:
        """Whether every session has been played."""
        return self.sessions == self.sweep.test.sessions

    @property
    def percent(self) -> float:
        """The share of the sweep that has been played, 0 to 100."""
        return round(100 * self._share, 1)

    def sentence(self) -> str:
        """Progress, the best variant, and the account in the warehouse."""
        best = ""
        if self._ranked:
            best = f" Best by {self._split.by}: **{self._ranked[0]['strategy']}**."
            best += f" {caution}" if (caution := self.sweep.caution(self.sessions)) else ""
        left = self.sweep.left_out
        warnings = self.sweep.leaps.warning, self.sweep.warning
        return (
            f"{self.sessions} of {self.sweep.test.sessions} sessions of {len(self.sweep.names):,}"
            f" variants.{best} Fills: {self.sweep.test.model}."
            + (f" {left:,} combinations make no valid strategy." if left else "")
            + "".join(f" **Warning:** {warning}" for warning in filter(None, warnings))
            + f" Account `{self.sweep.test.account}` in the warehouse; ask `v_sweep` for all."
        )

    def rows(self) -> list[dict[str, str]]:
        """A row for each of the best."""
        return [_row(place, one) for place, one in enumerate(self._ranked[:SHOWN], 1)]

    def _play_parts(self, folder: Path) -> None:
        count = self._split.parts
        parts = Parts(self.sweep, count, folder)
        futures = [self._split.start(self._options, part, count, folder) for part in range(count)]

        def wait() -> bool:
            if self._stopped():
                parts.stop()
            self._share = parts.share
            if futures and _is_over(futures[0]):
                futures.pop(0)
            return bool(futures)

        try:
            for session in parts.sessions(wait):
                with Store.open(self._place, on_wait=_log.info) as store:
                    self._note(load_session(store, session))
                self.sessions += 1
            while wait():
                pass
        finally:
            parts.stop()

    def _note(self, result: LoadResult) -> None:
        if result.status is LoadStatus.INCOMPLETE:
            self.incomplete.append(result.message)
        _log.info("%s", result.message)

    def _rank(self) -> None:
        with Store.open_read_only(self._place, on_wait=_log.info) as store:
            self._ranked = ranked(store, self.sweep.test.account, self._split.by)


def _is_over(future: Future) -> bool:
    try:
        future.result(LOOK_EVERY_S)
    except TimeoutError:
        return False
    return True


def _row(place: int, one: dict[str, Any]) -> dict[str, str]:
    return {
        "Place": str(place),
        "Variant": str(one["strategy"]),
        "P&L": gain(one["net_pnl"]),
        "Return": f"{one['total_return']:+z.2%}",
        "Sharpe": "" if one["sharpe"] is None else f"{one['sharpe']:z.2f}",
        "Drawdown": f"{one['max_drawdown']:.2%}",
        "Fills": f"{one['fills']:,}",
        "Details": "kept" if one["days_in_detail"] else "",
    }
