"""A broker that takes 200 requests a minute, and a neighbour that asks for all it can get."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from coordinator.errors import BrokerUnavailable
from coordinator.settings import Settings
from coordinator.shell.alpaca_rest import AlpacaRest
from coordinator.shell.broker import Broker
from coordinator.shell.pace import Budgets, patient
from coordinator.shell.rest import Api
from simulator.server import Simulator
from tests.e2e.running import KEYS, run_here, session_rows, simulator_options, wait_until
from tests.oracle.configs import TEN

OPEN = datetime(2026, 3, 17, 13, 30, tzinfo=UTC)
UNTIL = OPEN + timedelta(seconds=140)


class Neighbour:
    """Another program of ours on the same account: from the open on it never stops asking."""

    def __init__(self, venue: Simulator, leases: Path) -> None:
        self.answers = 0
        self._venue = venue
        self._over = threading.Event()
        key, secret = KEYS.values()
        settings = Settings(key, secret, venue.url, venue.url, venue.stream_url, leases, "")
        budgets = Budgets(settings, speed=1.0, folder=leases)
        budgets.on_account(venue.snapshot().account_number, host=urlsplit(venue.url).netloc)
        pace = patient(budgets.turn, lambda s: self._over.wait(s) and None, patience_s=130)
        self._broker = Broker(
            AlpacaRest(settings, on_answer=budgets.on_answer), feed="iex", pace=pace
        )
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Neighbour:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        wait_until(self._venue, OPEN, self._over.is_set)
        while not self._over.is_set() and self._venue.snapshot().at < UNTIL:
            try:
                self._broker.clock()
            except BrokerUnavailable:
                continue
            self.answers += 1


@pytest.mark.slow
def test_orders_go_out_beside_a_hungry_neighbour_and_nobody_is_told_too_many_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: Counter[int] = Counter()
    on_answer = Budgets.on_answer

    def noted(self: Budgets, api: Api, status: int, headers: Mapping[str, str]) -> None:
        answers[status] += 1
        on_answer(self, api, status, headers)

    monkeypatch.setattr(Budgets, "on_answer", noted)
    block = {
        "strategy_type": "momentum",
        "strategy_params": {"lookback_period": 1, "momentum_threshold": 0},
        "tickers": list(TEN),
        "min_warmup_bars": 2,
        "risk_config": {"max_position_size": 0.1},
    }
    config = {"strategies": [{"name": f"M{n}", **block} for n in range(4)]}
    options = simulator_options(
        clock_speed=1.0, start=OPEN - timedelta(seconds=15), requests_per_minute=200
    )
    with Simulator(options) as venue, Neighbour(venue, tmp_path / "leases") as neighbour:
        outcome = run_here(venue, config, tmp_path, until=UNTIL, speed=1.0)
    rows = session_rows(tmp_path)

    assert neighbour.answers >= 150, "it had all that questions may use, at least once"
    assert answers[429] == 0
    assert outcome.discrepancies == 0
    sides = Counter(order["side"] for order in rows["orders"] if order["status"] == "filled")
    assert sides["buy"] >= 10
    assert sides["sell"] >= 1
    assert not [o for o in rows["orders"] if o["reason"] == "never_reached_broker"]
