"""A stock and a crypto coordinator on one account at once, as processes of their own."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from coordinator.bootstrap import ask_broker, session_sources
from coordinator.readers import running_sessions, sources_beside
from simulator.server import Simulator
from tests.e2e.running import environment, run_command, simulator_options, wait_until
from tests.oracle import configs
from warehouse import Store, load_session, load_sessions, reconcile

pytestmark = pytest.mark.thorough

OPEN = datetime(2026, 3, 17, 13, 30, tzinfo=UTC)
UNTIL = OPEN + timedelta(minutes=30)
QUIET = ("--log-level", "ERROR")
"""For who runs on while nobody reads what it says."""


def test_a_stock_and_a_crypto_coordinator_share_one_account_and_its_books_sum(
    tmp_path: Path,
) -> None:
    with Simulator(simulator_options()) as venue:
        running = [
            run_command(venue, written(config, tmp_path), tmp_path, "--no-load")
            for config in (renamed(configs.one_of_each()), configs.crypto())
        ]
        wait_until(venue, UNTIL, lambda: any(process.poll() is not None for process in running))
        for process in running:
            process.send_signal(signal.SIGTERM)
        told = [process.communicate(timeout=60)[0] for process in running]
        account = venue.snapshot()

    assert [process.returncode for process in running] == [0, 0], told
    assert account.most_connections["/stream"] == 2
    sessions = [source.rows() for source in session_sources(tmp_path)]
    assert len(sessions) == 2
    assert all(rows["fills"] and not rows["discrepancies"] for rows in sessions)
    assert last_cash(*sessions) == account.cash


@pytest.mark.slow
def test_the_end_of_day_of_one_leaves_what_the_other_still_does_to_that_ones_own(
    tmp_path: Path,
) -> None:
    with Simulator(simulator_options()) as venue, Store.open(":memory:") as store:
        stocks, crypto = [
            run_command(venue, written(config, tmp_path), tmp_path, "--no-load", *QUIET)
            for config in (renamed(configs.one_of_each()), configs.crypto())
        ]
        ask = ask_broker(environment(venue, tmp_path))
        wait_until(venue, UNTIL, lambda: None not in (stocks.poll(), crypto.poll()))
        stocks.send_signal(signal.SIGTERM)
        stocks.communicate(timeout=300)
        every = session_sources(tmp_path)
        running = running_sessions(tmp_path, tmp_path / ".multi-trader" / "leases")
        (ended,) = [one for one in every if one.session_id not in running]
        load_session(store, ended)
        others = sources_beside(tmp_path, [ended.session_id])
        assert {one.session_id for one in others} == running.keys()
        (beside,) = reconcile(store, [ended], ask, others=others)
        (alone,) = reconcile(store, [ended], ask)
        crypto.send_signal(signal.SIGTERM)
        crypto.communicate(timeout=300)
        sources = session_sources(tmp_path)
        load_sessions(store, sources)
        (after,) = reconcile(store, sources, ask)
    assert all(source.rows()["fills"] for source in sources)
    assert (beside.three_way, beside.found) == (True, 0), beside.message
    assert alone.found > 0, "what the other one did looks like nobody's"
    assert (after.three_way, after.found, len(after.sessions)) == (True, 0, 2), after.message


def test_one_strategy_name_in_two_coordinators_is_refused(tmp_path: Path) -> None:
    with Simulator(simulator_options()) as venue:
        first = run_command(venue, written(configs.crypto(), tmp_path), tmp_path, "--no-load")
        wait_until(venue, OPEN, lambda: first.poll() is not None)
        second = run_command(venue, written(configs.one_of_each(), tmp_path), tmp_path)
        told = second.communicate(timeout=60)[0]
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=60)

    assert second.returncode == 3, told
    assert f"(process {first.pid}) already runs momentum_00 on account" in told
    assert first.returncode == 0


def renamed(config: dict[str, Any]) -> dict[str, Any]:
    for strategy in config["strategies"]:
        strategy["name"] = f"stocks-{strategy['name']}"
    return config


def written(config: Mapping[str, Any], folder: Path) -> Path:
    file = folder / f"{config['name']}.json"
    file.write_text(json.dumps(config))
    return file


def last_cash(*sessions: Mapping[str, list[dict[str, Any]]]) -> Decimal:
    """The newest cash of each book over all sessions, together."""
    rows = sorted((r for session in sessions for r in session["equity"]), key=lambda r: r["ts"])
    return sum({row["strategy"]: row["cash"] for row in rows}.values(), Decimal(0))
