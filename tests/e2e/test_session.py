"""Sessions over real sockets: the shared connections, the true books, restarts and refusals."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from coordinator.errors import SafetyRefusal
from coordinator.shell.lease import LeaseHeld, Leases
from simulator.server import Simulator
from tests.e2e.running import (
    CASH,
    KEYS,
    run_command,
    run_here,
    session_rows,
    simulator_options,
    wait_until,
)
from tests.in_memory import InMemorySession
from tests.oracle import configs

OPEN = datetime(2026, 3, 17, 13, 30, tzinfo=UTC)


@contextmanager
def simulator(**changes: Any) -> Iterator[Simulator]:
    with Simulator(simulator_options(**changes)) as running:
        yield running


def fills_of(rows: dict[str, list[dict[str, Any]]], before: datetime) -> list[tuple[Any, ...]]:
    decided = {order["client_order_id"]: order["decided_at"] for order in rows["orders"]}
    return sorted(
        (f["strategy"], f["symbol"], f["side"], f["qty"], f["price"], f["fee"])
        for f in rows["fills"]
        if decided[f["client_order_id"]] < before
    )


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("config", "minutes"), [(configs.twenty_six, 90), (configs.mixed, 75)], ids=["26", "mixed"]
)
def test_a_session_over_sockets_fills_exactly_what_it_fills_in_memory(
    tmp_path: Path, config: Callable[[], dict[str, Any]], minutes: int
) -> None:
    until = OPEN + timedelta(minutes=minutes)
    in_memory = InMemorySession(config(), simulator_options())
    in_memory.run(until)
    with simulator() as venue:
        outcome = run_here(venue, config(), tmp_path, until=until)
        account = venue.snapshot()
    rows = session_rows(tmp_path)

    assert outcome.status == "StoppedEarly"
    assert outcome.discrepancies == 0
    expected = fills_of(in_memory.rows(), until)
    assert fills_of(rows, until) == expected
    assert len(expected) > 20
    assert sum((row["cash"] for row in last_equity(rows)), Decimal(0)) == account.cash


def has_ended(process: subprocess.Popen[str]) -> bool:
    return process.poll() is not None


def last_equity(rows: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    last: dict[str, dict[str, Any]] = {}
    for row in rows["equity"]:
        last[row["strategy"]] = row
    return list(last.values())


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("config", "tickers"), [(configs.hundred, 30), (configs.mixed, None)], ids=["100", "mixed"]
)
def test_all_strategies_share_one_connection_per_market(
    tmp_path: Path, config: Callable[[], dict[str, Any]], tickers: int | None
) -> None:
    wanted = {ticker for one in config()["strategies"] for ticker in one["tickers"]}
    assert tickers is None or len(wanted) == tickers
    with simulator() as venue:
        run_here(venue, config(), tmp_path, until=OPEN + timedelta(minutes=5))
        seen = venue.snapshot()

    markets = {"/v2/iex"} | ({"/v1beta3/crypto/us"} if any("/" in t for t in wanted) else set())
    expected = {path: int(path in markets or path == "/stream") for path in seen.most_connections}
    assert seen.most_connections == expected
    assert not any(seen.connections.values()), "a session that has ended holds no connection"


def test_a_second_coordinator_is_refused_before_any_network_call(tmp_path: Path) -> None:
    with simulator() as venue, Leases(tmp_path / "leases") as held:
        held.take_for_key(venue.url.removeprefix("http://"), KEYS["APCA_API_KEY_ID"], ["stocks"])
        with pytest.raises(LeaseHeld, match="another coordinator"):
            run_here(venue, configs.single("rsi"), tmp_path)
        assert venue.snapshot().requests == {}


@pytest.mark.thorough
def test_a_killed_session_resumes_with_the_same_books_and_the_same_later_decisions(
    tmp_path: Path,
) -> None:
    config = configs.twenty_six()
    file = tmp_path / "twenty_six.json"
    file.write_text(json.dumps(config))
    until = OPEN + timedelta(minutes=60)
    in_memory = InMemorySession(config, simulator_options())
    in_memory.run(until)
    with simulator() as venue:
        for minutes in (10, 25, 40):
            process = run_command(venue, file, tmp_path, "--no-load")
            moment = OPEN + timedelta(minutes=minutes)
            wait_until(venue, moment, lambda p=process: has_ended(p))
            process.kill()
            process.communicate()
        process = run_command(venue, file, tmp_path, "--no-load")
        wait_until(venue, until, lambda: has_ended(process))
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
        account = venue.snapshot()
    rows = session_rows(tmp_path)

    assert process.returncode == 0, output
    assert "MULTI-TRADER COORDINATOR SUMMARY" in output
    assert len({row["session_id"] for row in rows["sessions"]}) == 1
    assert fills_of(rows, until) == fills_of(in_memory.rows(), until)
    assert sum((row["cash"] for row in last_equity(rows)), Decimal(0)) == account.cash


@pytest.mark.thorough
def test_books_that_do_not_sum_to_the_account_are_refused(tmp_path: Path) -> None:
    config = configs.single("rsi")
    with simulator() as venue:
        run_here(venue, config, tmp_path, until=OPEN + timedelta(minutes=3))
    with simulator(cash=CASH - 1) as other, pytest.raises(SafetyRefusal, match="do not sum"):
        run_here(other, config, tmp_path)


@pytest.mark.thorough
def test_controls_of_the_configuration_hold_for_every_strategy(tmp_path: Path) -> None:
    config = configs.one_of_each() | {"controls": {"max_order_notional": 5}}
    with simulator() as venue:
        run_here(venue, config, tmp_path, until=OPEN + timedelta(minutes=12))
    orders = session_rows(tmp_path)["orders"]
    assert {(o["status"], o["reason"]) for o in orders} == {("denied", "max_order_notional")}


def test_capital_that_does_not_fit_is_refused_with_every_figure(tmp_path: Path) -> None:
    config = {**configs.single("rsi"), "strategies": [short_of_cash("A"), short_of_cash("B")]}
    with simulator(cash=Decimal(9_000)) as venue, pytest.raises(SafetyRefusal) as refusal:
        run_here(venue, config, tmp_path)
    assert refusal.value.exit_code == 3
    for figure in ("$10,000.00", "$9,000.00", "A $5,000.00", "B $5,000.00"):
        assert figure in str(refusal.value)


@pytest.mark.thorough
def test_more_symbols_than_the_plan_has_are_refused_with_who_fits(tmp_path: Path) -> None:
    names = [f"{a}{b}" for a in "ABCDE" for b in "QRSTUVW"]
    first, second, third = names[:25], names[25:34], ["SPY", *names[:4]]
    blocks = [
        {"name": name, "strategy_type": "rsi", "tickers": tickers, "min_warmup_bars": 0}
        for name, tickers in (("First", first), ("Second", second), ("Third", third))
    ]
    config = {"strategies": blocks}
    with simulator(symbol_limit=30) as venue, pytest.raises(SafetyRefusal) as refusal:
        run_here(venue, config, tmp_path)
    assert refusal.value.exit_code == 3
    assert "all 35 symbols" in str(refusal.value)
    assert "these strategies: First, Third; and not for these: Second (9 more)" in str(
        refusal.value
    )


def short_of_cash(name: str) -> dict[str, Any]:
    return {"name": name, "strategy_type": "rsi", "tickers": ["SPY"], "initial_cash": 5000.0}


@pytest.mark.thorough
def test_a_coordinator_that_lost_its_journal_gives_no_order_an_id_that_was_used_before(
    tmp_path: Path,
) -> None:
    lost, fresh = tmp_path / "lost", tmp_path / "fresh"
    config = configs.single("momentum")
    with Simulator(simulator_options()) as venue:
        for home, minutes in ((lost, 10), (fresh, 30)):
            home.mkdir()
            run_here(venue, config, home, until=OPEN + timedelta(minutes=minutes))
    used, new = (
        {row["client_order_id"] for row in session_rows(h)["orders"]} for h in (lost, fresh)
    )
    assert used
    assert new
    assert not used & new
