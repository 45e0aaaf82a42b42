"""A sweep split over processes: each part writes its sessions to a folder; `Parts` joins them.

A session is one JSON file, which appears complete or not at all. A file named `stop` ends all parts
at their next minute, and so does the end of the process that started them.
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
"""A type that JSON lacks is an object with one of these keys; no strategy field has a tilde."""


def play_part(options: BacktestOptions, part: int, parts: int, folder: Path) -> int:
    """Play a part of a sweep into a folder; return the number of sessions played.

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
    """The sessions that the parts of a sweep have written to a folder so far."""

    def __init__(self, sweep: Sweep, parts: int, folder: Path) -> None:
        self._sweep, self._parts, self._folder = sweep, parts, folder

    @property
    def share(self) -> float:
        """The fraction of the sweep that has been played, 0 to 1."""
        done = len(list(self._folder.glob("*.session")))
        return done / (self._parts * self._sweep.test.sessions)

    def stop(self) -> None:
        """End all parts."""
        (self._folder / STOP).touch()

    def sessions(self, wait: Callable[[], bool]) -> Iterator[PlayedSession]:
        """The joined sessions in order, each as soon as all parts have played it.

        `wait` waits a moment and returns whether any part is still playing.
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
    """A lean session as JSON, with exact decimals."""
    rows = {table: list(some) for table, some in session.rows().items()}
    content = (session.session_id, session.session_date, rows)
    return json.dumps(content, default=_tagged)


def read(text: str) -> PlayedSession:
    """The inverse of `written`."""
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
