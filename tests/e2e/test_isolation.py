"""A strategy of one's own that hangs, in a whole session over sockets: the others do not notice."""

from __future__ import annotations

import json
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from simulator.server import Simulator
from tests.e2e.running import run_command, session_rows, simulator_options, wait_until
from tests.in_memory import InMemorySession
from tests.oracle import configs

OPEN = datetime(2026, 3, 17, 13, 30, tzinfo=UTC)
HANGS_AT = OPEN + timedelta(minutes=8)
UNTIL = OPEN + timedelta(minutes=20)


HANGS = f'''
import time
from collections.abc import Callable
from datetime import datetime
from typing import ClassVar

from coordinator.core.values import Bar
from coordinator.strategies import Strategy

HANGS_AT = datetime.fromisoformat("{HANGS_AT.isoformat()}")


class Hangs(Strategy):
    """Never has an opinion, and from a minute on no answer either."""

    strategy_type: ClassVar[str] = "hangs"
    how: str = "no"

    @property
    def longest_window(self) -> int:
        return 1

    def start(self) -> Callable[[Bar], int]:
        def step(bar: Bar) -> int:
            while self.how == "loops" and bar.start >= HANGS_AT:
                pass
            if self.how == "sleeps" and bar.start >= HANGS_AT:
                time.sleep(3600)
            return 0

        return step
'''
"""A file of a user's."""


def config(how: str, folder: Path) -> dict[str, Any]:
    document = configs.twenty_six()
    bad = {
        "name": "Bad",
        "strategy_type": "hangs",
        "strategy_params": {"how": how},
        "tickers": ["SPY", "QQQ"],
    }
    strategies = [bad, *document["strategies"]]
    return document | {"strategies": strategies, "strategies_dir": str(folder)}


def decided(rows: dict[str, list[dict[str, Any]]]) -> list[tuple[Any, ...]]:
    """What became of every order of the others, to the cent."""
    known = {order["client_order_id"]: order for order in rows["orders"]}
    return sorted(
        (
            fill["client_order_id"],
            known[fill["client_order_id"]]["decided_at"],
            fill["qty"],
            fill["price"],
        )
        for fill in rows["fills"]
        if known[fill["client_order_id"]]["decided_at"] < UNTIL - timedelta(minutes=2)
    )


@pytest.mark.slow
@pytest.mark.parametrize("how", ["loops", "sleeps"])
def test_the_others_orders_and_fills_are_those_of_a_session_in_which_it_answers(
    how: str, tmp_path: Path
) -> None:
    """In a process of its own: the venue's clock asks the scheduler whether its client works."""
    (tmp_path / "hangs.py").write_text(HANGS)
    calm = InMemorySession(config("no", tmp_path), simulator_options())
    calm.run(UNTIL)
    file = tmp_path / "hanging.json"
    file.write_text(json.dumps(config(how, tmp_path)))
    with Simulator(simulator_options()) as venue:
        session = run_command(venue, file, tmp_path, "--no-load")
        wait_until(venue, UNTIL, lambda: session.poll() is not None)
        session.send_signal(signal.SIGTERM)
        told, _ = session.communicate(timeout=300)
    rows = session_rows(tmp_path)

    assert "[Bad] entries stopped: fault: " in told, told
    assert rows["discrepancies"] == []
    assert len(decided(rows)) > 20
    assert decided(rows) == decided(calm.rows())
