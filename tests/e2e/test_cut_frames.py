"""Connections that end inside a frame, at any byte of it: nothing is lost, doubled or misplaced."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alpaca.data.live.websocket import DataStream
from alpaca.trading.stream import TradingStream

from coordinator.core import records as r
from simulator.server import Simulator
from tests.e2e.running import run_here, session_rows, simulator_options
from tests.e2e.test_account_moves import OPEN, played
from tests.oracle import configs

pytestmark = pytest.mark.slow
FIRST_MINUTE, EVERY = 4, 3
A_BAR = 125
"""Bytes of a frame with one bar, and more."""


def script(path: str, places: range) -> list[dict[str, Any]]:
    """Every few minutes a cut, after so many bytes of the frame each."""
    moments = (OPEN + timedelta(minutes=FIRST_MINUTE + EVERY * n) for n in range(len(places)))
    return [
        {"at": at.isoformat(), "kind": "cut_frame", "path": path, "keep_bytes": kept}
        for at, kept in zip(moments, places, strict=True)
    ]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulator's clock waits for nobody who is away: come back at once."""
    for stream in (DataStream, TradingStream):
        monkeypatch.setattr(stream, "_reconnect_delay", lambda *_: 0.01)


def test_bars_of_a_frame_that_breaks_off_at_any_byte_come_once_and_in_order(
    tmp_path: Path,
) -> None:
    file, places = tmp_path / "faults.json", range(A_BAR)
    file.write_text(json.dumps(script("/v2/iex", places)))
    minutes = FIRST_MINUTE + EVERY * len(places) + 5
    with Simulator(simulator_options(faults=file, clock_speed=6000)) as venue:
        run_here(venue, configs.single("rsi"), tmp_path, until=OPEN + timedelta(minutes=minutes))
    bars = [bar for bar in session_rows(tmp_path)["bars"] if bar["ts"] >= OPEN]
    starts = [bar["ts"] for bar in bars]
    assert starts == [OPEN + timedelta(minutes=n) for n in range(len(starts))]
    assert len(starts) >= minutes - 2
    cut_off = {OPEN + timedelta(minutes=FIRST_MINUTE + EVERY * n - 1) for n in places[:-15]}
    fetched = {bar["ts"] for bar in bars if bar["origin"] == "backfill"}
    assert len(fetched & cut_off) > len(cut_off) * 0.9, "REST brought what was cut off"


@pytest.mark.parametrize("start", [0, 400, 800])
def test_fills_of_an_update_that_breaks_off_are_booked_once(start: int, tmp_path: Path) -> None:
    places = range(start, start + 400, 40)
    story = played(script("/stream", places), tmp_path, minutes=EVERY * len(places) + 8)
    story.assert_sums()
    booked = [fill for fill in story.of(r.FillBooked) if not fill.reverses]
    assert len(booked) == len(story.account.executions) > 10
