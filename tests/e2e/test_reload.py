"""A session over real sockets goes on with an edited configuration, and no connection is lost."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from coordinator.core import records as r
from coordinator.shell.control_client import ask
from coordinator.shell.control_protocol import Address, Reply, Request, addresses
from coordinator.shell.journal_reading import read_kinds
from simulator.server import Simulator
from tests.e2e.running import run_here, session_rows, simulator_options, wait_until
from tests.e2e.test_control import ACCOUNT, OPEN, timedelta
from tests.oracle import configs

pytestmark = pytest.mark.thorough

FIRST = configs.single("momentum")
LESS = {"initial_cash": 100.0}


def edited(*more: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration that runs, with more strategies."""
    document = deepcopy(FIRST)
    document["strategies"] += [dict(one) for one in more]
    return document


def strategy(name: str, *tickers: str) -> dict[str, Any]:
    """A strategy that trades often."""
    return {
        **deepcopy(FIRST["strategies"][0]),
        "name": name,
        "tickers": list(tickers),
        "strategy_params": {"lookback_period": 2, "momentum_threshold": 0.0001},
    }


def reload(home: Path, file: Path, token: str = "", remove: str = "dormant") -> Reply:
    """One request of a reload to the coordinator that runs."""
    [address] = list[Address](addresses(home / ACCOUNT))
    request = {"do": "reload", "by": "daniel", "config": str(file), "remove": remove}
    reply = ask(address, Request.model_validate(request | {"token": token}), patience_s=110)
    assert reply is not None
    return reply


def reloads_while_it_trades(
    folder: Path, late: dict[str, Any], *, after: int, until: int, **options: Any
) -> list[Reply]:
    """What a session answers that is asked for one more strategy `after` minutes, and asked again
    with the token. It ends in agreement, on the connections that it had."""
    file = folder / "edited.json"
    said: list[Reply] = []

    def story() -> None:
        wait_until(venue, OPEN + timedelta(minutes=after), lambda: False)
        file.write_text(json.dumps(edited(late)))
        said.append(reload(folder, file))
        said.append(reload(folder, file, said[0].token))

    with Simulator(simulator_options(**options)) as venue:
        outside = threading.Thread(target=story)
        outside.start()
        outcome = run_here(venue, FIRST, folder, until=OPEN + timedelta(minutes=until))
        outside.join()
        connections = venue.snapshot().most_connections
    assert outcome.discrepancies == 0
    assert max(connections.values()) == 1
    return said


def test_a_strategy_on_a_new_ticker_joins_and_trades_and_every_connection_stands(
    short_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "coordinator")
    said = reloads_while_it_trades(short_path, strategy("late", "MSFT", "SPY"), after=5, until=45)
    assert [reply.done for reply in said] == [True, True], said
    assert any(line.startswith("+ late") for line in said[0].changes)
    assert "connected again" not in caplog.text
    rows = session_rows(short_path)
    assert "late" in {row["strategy"] for row in rows["strategies"]}
    assert {row["symbol"] for row in rows["fills"] if row["strategy"] == "late"} >= {"MSFT"}
    [record] = read_kinds(short_path / ACCOUNT / "journal.db", r.Reconfigured)
    assert record.record.by == "daniel"  # type: ignore[union-attr]


def test_more_symbols_than_the_plan_has_are_refused_and_the_session_goes_on_as_it_was(
    short_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "coordinator")
    late = strategy("late", "MSFT", "AAPL", "NVDA")
    said = reloads_while_it_trades(short_path, late, after=3, until=20, symbol_limit=2)
    assert [reply.done for reply in said] == [True, False], said
    assert "does not grant all 4 symbols" in said[1].said
    assert "connected again" not in caplog.text
    journal = short_path / ACCOUNT / "journal.db"
    assert read_kinds(journal, r.Reconfigured) == []
    bars = [row["ts"] for row in session_rows(short_path)["bars"] if row["origin"] == "live"]
    assert max(bars) > OPEN + timedelta(minutes=15)


def test_cash_that_is_in_shares_is_shown_and_told_as_still_to_move_by_reloads_and_by_a_start(
    short_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    held = {"name": "held", "strategy_type": "buy_and_hold", "tickers": ["SPY"]}
    held |= {"min_warmup_bars": 1, "risk_config": {"max_position_size": 0.9}}
    rich, poor = ({"strategies": [held | more], "name": "test"} for more in ({}, LESS))
    file = short_path / "edited.json"
    file.write_text(json.dumps(poor))
    said: list[Reply] = []

    def story() -> None:
        wait_until(venue, OPEN + timedelta(minutes=10), lambda: False)
        for _ in range(2):
            said.append(reload(short_path, file))
            said.append(reload(short_path, file, said[-1].token))

    with Simulator(simulator_options()) as venue:
        outside = threading.Thread(target=story)
        outside.start()
        outcome = run_here(venue, rich, short_path, until=OPEN + timedelta(minutes=30))
        outside.join()
        caplog.clear()
        run_here(venue, poor, short_path, until=OPEN + timedelta(minutes=40))
    assert outcome.discrepancies == 0
    assert [reply.done for reply in said] == [True] * 4
    assert ["of cash moves from it, as far as it is free" in x.changes[0] for x in said] == [
        True
    ] * 4
    told = [said[1].said, said[3].said, caplog.text]
    assert ["cannot move from held yet (initial_cash 100.0)" in one for one in told] == [True] * 3
    kinds = [x.record.kind for x in read_kinds(short_path / ACCOUNT / "journal.db", r.Transferred)]  # type: ignore[union-attr]
    assert kinds == ["funding", "initial_cash"]
    cash = [row["cash"] for row in session_rows(short_path)["equity"] if row["strategy"] == "held"]
    assert 0 <= cash[-1] < 1  # type: ignore[operator]
