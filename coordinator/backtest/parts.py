"""A sweep split over processes: each part leaves its sessions in a folder, and one joins them.

A session is there whole or not at all, as JSON. A file named `stop` ends all parts at their next
minute, and so does the end of the process that began them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from coordinator.backtest.backtest import BacktestOptions
from coordinator.backtest.played import PlayedSession
from coordinator.backtest.sweep import Sweep

STOP = "stop"
_DECIMAL, _TIME, _DATE = "~decimal", "~time", "~date"
"""What JSON has no word for is an object of one such key; no field of a strategy has a tilde."""


def play_part(options: BacktestOptions, part: int, parts: int, folder: Path) -> int:
    """Play a part of a sweep into a folder; answers how many sessions it played.

    Raises:
        OperatorError: as `Sweep`.
    """
    stop, parent = folder / STOP, os.getppid()

    def stopped() -> bool:
        return stop.exists() or os.getppid() != parent

    played = 0
    for session in Sweep(options, part=part, parts=parts).play(stopped=stopped):
        place = _place(folder, part, played)
        unfinished = place.with_suffix(".unfinished")
        unfinished.write_text(written(session), encoding="utf-8")
        unfinished.replace(place)
        played += 1
    return played


class Parts:
    """What the parts of a sweep have left in a folder so far."""

    def __init__(self, sweep: Sweep, parts: int, folder: Path) -> None:
        self._sweep, self._parts, self._folder = sweep, parts, folder

    @property
    def share(self) -> float:
        """How much of the sweep has been played, 0 to 1."""
        done = len(list(self._folder.glob("*.session")))
        return done / (self._parts * self._sweep.test.sessions)

    def stop(self) -> None:
        """End all parts."""
        (self._folder / STOP).touch()

    def sessions(self, wait: Callable[[], bool]) -> Iterator[PlayedSession]:
        """The sessions that all parts have played, joined, in order, each as soon as it is there.

        `wait` waits a moment for more, and says whether any part still plays.
        """
        for number in range(self._sweep.test.sessions):
            places = [_place(self._folder, part, number) for part in range(self._parts)]
            playing = True
            while not all(place.exists() for place in places):
                if not playing:
                    return
                playing = wait()
            yield self._sweep.joined([read(place.read_text("utf-8")) for place in places])


def written(session: PlayedSession) -> str:
    """A lean session as JSON, nothing rounded."""
    rows = {table: list(some) for table, some in session.rows().items()}
    told = (session.session_id, session.session_date, rows)
    return json.dumps(told, default=_tagged)


def read(text: str) -> PlayedSession:
    """The session that was written."""
    session_id, day, rows = json.loads(text, object_hook=_untagged)
    return PlayedSession(session_id, day, rows)


def _tagged(value: object) -> dict[str, str]:
    match value:
        case Decimal():
            return {_DECIMAL: str(value)}
        case datetime():
            return {_TIME: value.isoformat()}
        case date():
            return {_DATE: value.isoformat()}
        case _:
            raise TypeError(f"a row holds {value!r}, which no table takes")


def _untagged(found: dict[str, Any]) -> Any:
    match found:
        case {"~decimal": str(text)}:
            return Decimal(text)
        case {"~time": str(text)}:
            return datetime.fromisoformat(text)
        case {"~date": str(text)}:
            return date.fromisoformat(text)
        case _:
            return found


def _place(folder: Path, part: int, number: int) -> Path:
    return folder / f"{part}-{number}.session"
