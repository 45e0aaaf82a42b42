"""A session amid garbage decides, orders and books exactly what it does in silence."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgpack
import pytest

from simulator.server import Simulator
from tests.corpus.frames import BROKEN_FRAMES, BROKEN_RECORDS, BROKEN_UPDATES, bar, packed
from tests.e2e.running import run_here, session_rows, simulator_options
from tests.e2e.test_session import fills_of
from tests.in_memory import InMemorySession
from tests.oracle import configs

OPEN = datetime(2026, 3, 17, 13, 30, tzinfo=UTC)
UNTIL = OPEN + timedelta(minutes=60)
MARKET, ORDERS = "/v2/iex", "/stream"
LONG_AGO = msgpack.Timestamp.from_datetime(OPEN - timedelta(days=400))
YESTERDAY = msgpack.Timestamp.from_datetime(OPEN - timedelta(days=1))
FIRST = msgpack.Timestamp.from_datetime(OPEN)
ABSURD = {"o": 1e-7, "h": 1e15, "l": 1e-7, "c": 1e15}


def garbage() -> list[dict[str, Any]]:
    """Some of all that is broken, minute by minute, on both streams."""
    market = [
        *(b"\x91" + record for record in BROKEN_RECORDS.values()),
        *BROKEN_FRAMES.values(),
        packed([bar("SPY", t=LONG_AGO, **ABSURD), bar("SPY", t=YESTERDAY, **ABSURD)]),
        packed([bar("SPY", t=FIRST, **ABSURD), bar("NOBODY", t=FIRST, **ABSURD)]),
        packed([bar("SPY", t=FIRST, c=float("nan")), bar("SPY", t=FIRST, h=float("inf"))]),
        packed([{"T": "error", "code": 500, "msg": "internal error"}]),
    ]
    small = [frame for frame in BROKEN_UPDATES.values() if len(frame) < 5000]
    return [
        {"at": f"09:{31 + number % 29}", "kind": "garbage_frame", "path": path, **said(frame)}
        for path, frames in ((MARKET, market), (ORDERS, small))
        for number, frame in enumerate(frames)
    ]


def said(frame: str | bytes) -> dict[str, str]:
    return {"text": frame} if isinstance(frame, str) else {"hex": frame.hex()}


@pytest.mark.slow
def test_a_session_amid_garbage_fills_exactly_what_it_fills_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    script = tmp_path / "faults.json"
    script.write_text(json.dumps(garbage()))
    in_silence = InMemorySession(configs.twenty_six(), simulator_options())
    in_silence.run(UNTIL)
    with Simulator(simulator_options(faults=script)) as venue:
        outcome = run_here(venue, configs.twenty_six(), tmp_path, until=UNTIL)
        account = venue.snapshot()
    rows = session_rows(tmp_path)

    assert (outcome.status, outcome.discrepancies) == ("StoppedEarly", 0)
    expected = fills_of(in_silence.rows(), UNTIL)
    assert fills_of(rows, UNTIL) == expected
    assert len(expected) > 20
    assert not [b for b in rows["bars"] if b["close"] == Decimal("1e15")]
    assert "not understood" in caplog.text
    assert "connected again" not in caplog.text
    assert len(account.executions) == len(rows["fills"])
