"""A strategy of one's own that hangs, in a whole session over sockets: the others do not notice."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from coordinator.core.values import Bar
from coordinator.strategies import Strategy
from coordinator.strategies import registry as registry_module
from coordinator.strategies.registry import BUILT_IN, register
from simulator.server import Simulator
from tests.e2e.running import run_here, session_rows, simulator_options
from tests.in_memory import InMemorySession
from tests.oracle import configs

OPEN = datetime(2026, 3, 17, 13, 30, tzinfo=UTC)
HANGS_AT = OPEN + timedelta(minutes=8)
UNTIL = OPEN + timedelta(minutes=20)


class Hangs(Strategy):
    """Never has an opinion, and from a minute on no answer either."""

    strategy_type: ClassVar[str] = "hangs"
    how: str = "no"

    @property
    def longest_window(self) -> int:
        """One bar."""
        return 1

    def start(self) -> Callable[[Bar], int]:
        """Answers, until it hangs."""

        def step(bar: Bar) -> int:
            while self.how == "loops" and bar.start >= HANGS_AT:
                pass
            if self.how == "sleeps" and bar.start >= HANGS_AT:
                time.sleep(3600)
            return 0

        return step


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {kind.strategy_type: kind for kind in BUILT_IN}
    monkeypatch.setattr(registry_module, "_registered", known)
    register(Hangs)


def config(how: str) -> dict[str, Any]:
    document = configs.twenty_six()
    bad = {
        "name": "Bad",
        "strategy_type": "hangs",
        "strategy_params": {"how": how},
        "tickers": ["SPY", "QQQ"],
    }
    return document | {"strategies": [bad, *document["strategies"]]}


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
    calm = InMemorySession(config("no"), simulator_options())
    calm.run(UNTIL)
    with Simulator(simulator_options()) as venue:
        outcome = run_here(venue, config(how), tmp_path, until=UNTIL)
    rows = session_rows(tmp_path)

    assert outcome.discrepancies == 0
    assert len(decided(rows)) > 20
    assert decided(rows) == decided(calm.rows())
