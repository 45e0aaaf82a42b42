"""Days on which the exchange, the broker or its client library does what it rarely does."""

from __future__ import annotations

import json
import signal
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from coordinator.bootstrap import session_sources
from coordinator.core import records as r
from coordinator.core.values import UNASSIGNED
from coordinator.shell.journal_reading import read_session
from simulator.server import Simulator
from tests.e2e.running import run_command, run_here, session_rows, simulator_options, wait_until
from tests.e2e.test_account_moves import OPEN, played
from tests.oracle import configs

pytestmark = pytest.mark.slow


def minute(n: float) -> str:
    """The n-th minute after the open, for a script."""
    return (OPEN + timedelta(minutes=n)).isoformat()


def test_nothing_is_decided_on_a_halted_ticker_and_the_others_trade_on(tmp_path: Path) -> None:
    script: list[dict[str, Any]] = [
        {"at": minute(10), "kind": "halt", "symbol": ticker, "for_s": 900}
        for ticker in ("SPY", "NVDA")
    ]
    story = played(script, tmp_path)
    story.assert_sums()
    halted = OPEN + timedelta(minutes=10.5), OPEN + timedelta(minutes=24)
    meanwhile = {o.symbol for o in story.of(r.OrderIntended) if halted[0] < o.at < halted[1]}
    assert meanwhile
    assert not meanwhile & {"SPY", "NVDA"}
    after = [o for o in story.of(r.OrderIntended) if o.at > halted[1]]
    assert {o.symbol for o in after} & {"SPY", "NVDA"}, "and goes on afterwards"


@pytest.mark.parametrize("unheard", [(), ("new", "partial_fill", "fill", "canceled")])
def test_an_order_that_a_human_replaces_while_it_fills_stays_its_strategys(
    tmp_path: Path, unheard: tuple[str, ...]
) -> None:
    script: list[dict[str, Any]] = [
        {"at": minute(7), "kind": "lose_trade_updates", "share": 1, "event": event, "for_s": 1800}
        for event in unheard
    ]
    script += [
        {"at": minute(at), "kind": "hand_replace", "qty": qty}
        for at, qty in ((8, "1"), (12, "9"), (16, "2.5"), (20, "30"), (24, "4"))
    ]
    story = played(script, tmp_path, minutes=28, fill_model="participation:0.002")
    story.assert_sums()
    adopted = story.of(r.OrderAdopted)
    assert adopted
    names = {order.client_order_id for order in adopted}
    fills = [fill for fill in story.of(r.FillBooked) if fill.client_order_id in names]
    assert fills
    assert all(fill.strategy != UNASSIGNED for fill in fills)
    assert not any(row["status"] == "unknown" for row in story.rows["orders"])


def test_words_that_nobody_knows_lose_no_fill(tmp_path: Path) -> None:
    script: list[dict[str, Any]] = [
        {"at": minute(at), "kind": "odd_update", "event": "reassigned", "status": "in_limbo"}
        for at in range(5, 35)
    ]
    story = played(script, tmp_path)
    story.assert_sums()
    booked = [fill for fill in story.of(r.FillBooked) if not fill.reverses]
    assert len(booked) == len(story.account.executions) > 20


def test_an_account_that_is_reset_is_bought_on_no_more_and_its_next_start_begins_new_books(
    tmp_path: Path,
) -> None:
    file = tmp_path / "faults.json"
    file.write_text(json.dumps([{"at": minute(12), "kind": "reset_account"}]))
    with Simulator(simulator_options(faults=file, clock_speed=2000)) as venue:
        first = run_here(venue, configs.twenty_six(), tmp_path, until=OPEN + timedelta(minutes=30))
        (old,) = session_sources(tmp_path)
        written = [entry.record for entry in read_session(old.journal, old.session_id)]
        bytes_of_old = old.journal.read_bytes()
        second = run_here(venue, configs.twenty_six(), tmp_path, until=OPEN + timedelta(minutes=50))
        account = venue.snapshot()

    found = [x for x in written if isinstance(x, r.DiscrepancyFound)]
    assert found[0].discrepancy_id == "account"
    bought = [x for x in written if isinstance(x, r.OrderIntended) and x.side.value == "buy"]
    assert bought
    assert max(x.at for x in bought) <= found[0].at
    assert first.discrepancies
    assert second.account != first.account
    assert second.discrepancies == 0
    assert old.journal.read_bytes() == bytes_of_old
    cash = {row["strategy"]: row["cash"] for row in session_rows(tmp_path)["equity"]}
    assert sum(cash.values(), Decimal(0)) == account.cash


def test_a_sigterm_while_orders_are_being_sent_leaves_none_of_unknown_fate(tmp_path: Path) -> None:
    config, file = tmp_path / "config.json", tmp_path / "faults.json"
    config.write_text(json.dumps(configs.twenty_six()))
    slow = {"kind": "delay_response", "method": "POST", "path": "/v2/orders", "delay_s": 0.5}
    file.write_text(json.dumps([{"at": minute(8), "times": 400, **slow}]))
    with Simulator(simulator_options(faults=file)) as venue:
        process = run_command(venue, config, tmp_path, "--no-load")
        wait_until(venue, OPEN + timedelta(minutes=9), lambda: process.poll() is not None)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
        account = venue.snapshot()
    assert process.returncode == 0, output
    (source,) = session_sources(tmp_path)
    records = [entry.record for entry in read_session(source.journal, source.session_id)]
    assert isinstance(records[-1], r.SessionEnded)
    assert records[-1].status == "StoppedEarly"
    rows = session_rows(tmp_path)
    assert {row["status"] for row in rows["orders"]} <= {"filled", "denied", "canceled"}
    booked = [x for x in records if isinstance(x, r.FillBooked)]
    assert len(booked) == len(account.executions) > 0
    cash = {row["strategy"]: row["cash"] for row in rows["equity"]}
    assert sum(cash.values(), Decimal(0)) == account.cash
