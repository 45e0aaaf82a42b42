"""Whatever comes over a websocket costs little memory and ends no stream (row 18)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from coordinator.shell.sockets import FRAME_BYTES_PER_TICKER, socket_options
from tests.corpus.venue import ORDERS
from tests.security.hostile import ATTACKS, BARS, ENDED, hostile_servers

ROOT = Path(__file__).parents[2]
GROWTH_MB = 50.0
CLIENT_S = 100.0


@pytest.mark.slow
def test_a_hostile_broker_costs_less_than_50_mb_and_both_streams_live_on() -> None:
    with hostile_servers() as hostile:
        done = subprocess.run(
            [sys.executable, "-m", "tests.security.hostile", json.dumps(hostile.ports)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=CLIENT_S,
            check=False,
        )
    assert done.returncode == 0, done.stderr  # else a stream did not hear its good message
    grown_mb = json.loads(done.stdout)
    assert grown_mb.keys() == ATTACKS.keys()
    assert {attack: mb for attack, mb in grown_mb.items() if mb >= GROWTH_MB} == {}
    assert hostile.given_up == {attack: {BARS, ORDERS} for attack in ENDED}


@pytest.mark.parametrize(
    ("tickers", "most"),
    [(0, 262_144), (30, 262_144), (256, 262_144), (257, 263_168), (8_000, 8_192_000)],
)
def test_a_frame_may_hold_a_bar_of_each_ticker_and_little_more(tickers: int, most: int) -> None:
    assert socket_options(tickers)["max_size"] == most
    assert most >= tickers * FRAME_BYTES_PER_TICKER
