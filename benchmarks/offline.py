"""A session's decisions without a socket, for processes that are measured from outside."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.session import engine_of, frames_of
from coordinator.core import messages as m
from coordinator.shell import wire
from coordinator.shell.fields import Malformed
from coordinator.shell.journal import Journal


def decided(strategies: int, tickers: int, minutes: int) -> None:
    """Open a session and decide on some minutes' frames, each made durable."""
    engine, records, name = engine_of(strategies, tickers)
    known = list(engine._assets)
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        journal = Journal(Path(folder) / "journal.db", "PA1", "bench")
        journal.append(name, records)
        for minute in frames_of(known, minutes):
            bars = tuple(wire.parse_bars(minute.unpacked(), _refuse))
            outcome = engine.handle(m.BarsArrived(bars[0].end, bars))
            journal.append(name, outcome.records)
        journal.close()


def _refuse(error: Malformed) -> None:
    raise error
