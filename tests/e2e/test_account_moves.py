"""What moves the account besides our orders reaches the one book it belongs to, over real sockets.

A human's hands, fees, dividends, splits, busts, and what nobody can explain: the simulator plays
them, the coordinator meets them as it meets Alpaca.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from coordinator.bootstrap import SessionOutcome, session_sources
from coordinator.core import records as r
from coordinator.core.values import UNASSIGNED
from coordinator.shell.journal_reading import read_session
from simulator.server import Simulator
from simulator.snapshot import VenueSnapshot
from tests.e2e.running import run_here, session_rows, simulator_options
from tests.e2e.test_faults import held
from tests.oracle import configs

OPEN = datetime(2026, 3, 17, 13, 30, tzinfo=UTC)
D = Decimal


@dataclass(frozen=True)
class Played:
    """A session of 26 strategies that met a script, and the account as the venue has it."""

    outcome: SessionOutcome
    records: list[r.Record]
    rows: dict[str, list[dict[str, Any]]]
    account: VenueSnapshot

    def of(self, kind: type) -> list[Any]:
        return [record for record in self.records if isinstance(record, kind)]

    def assert_sums(self) -> None:
        """The books are the account: positions and cash exactly, each execution once."""
        cash = {row["strategy"]: row["cash"] for row in self.rows["equity"]}
        assert sum(cash.values(), D(0)) == self.account.cash
        assert held(self.rows) == self.account.positions
        standing = [f for f in self.of(r.FillBooked) if not f.reverses]
        assert len({f.execution_id for f in standing}) == len(standing)
        assert self.outcome.discrepancies == 0


def played(
    script: list[dict[str, Any]], folder: Path, *, minutes: int = 40, **options: Any
) -> Played:
    file = folder / "faults.json"
    file.write_text(json.dumps(script))
    with Simulator(simulator_options(faults=file, **{"clock_speed": 2000, **options})) as venue:
        outcome = run_here(
            venue, configs.twenty_six(), folder, until=OPEN + timedelta(minutes=minutes)
        )
        account = venue.snapshot()
    (source,) = session_sources(folder)
    records = [entry.record for entry in read_session(source.journal, source.session_id)]
    return Played(outcome, records, session_rows(folder), account)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "silent",
    [
        pytest.param(False, id="told", marks=pytest.mark.slow),
        pytest.param(True, id="never told by the stream"),
    ],
)
def test_a_trade_by_hand_is_unassigned_and_freezes_nothing(silent: bool, tmp_path: Path) -> None:
    by_hand = {"at": "09:40", "kind": "hand_trade", "symbol": "SPY", "side": "buy", "qty": "3"}
    story = played([{**by_hand, "silent": silent}], tmp_path, minutes=20)
    story.assert_sums()
    (fill,) = [f for f in story.of(r.FillBooked) if f.strategy == UNASSIGNED]
    assert (fill.symbol, fill.qty) == ("SPY", D(3))
    assert story.of(r.DiscrepancyFound) == []


@pytest.mark.slow
def test_a_session_on_a_suspended_account_says_so_and_trades_once_that_is_lifted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    script = [{"at": "09:20", "kind": "suspend_trading", "for_s": 1500}]
    story = played(script, tmp_path, minutes=40)
    story.assert_sums()
    assert caplog.text.count("its user has suspended trading") == 1
    assert caplog.text.count("takes the account's orders again") == 1
    refused = [o for o in story.rows["orders"] if o["status"] == "rejected"]
    assert {o["reason"] for o in refused} == {"new orders are rejected by user request"}
    fills = story.of(r.FillBooked)
    assert fills, "it trades from 09:45 on"
    assert min(f.at for f in fills) >= OPEN + timedelta(minutes=15)


@pytest.mark.slow
def test_fees_dividends_and_splits_reach_those_they_belong_to(tmp_path: Path) -> None:
    script: list[dict[str, Any]] = [
        {"at": "09:45", "kind": "activity", "type": "FEE", "net_amount": "-1.37"},
        {"at": "09:50", "kind": "activity", "type": "DIV", "symbol": "SPY", "net_amount": "7.01"},
        {"at": "09:52", "kind": "activity", "type": "CSD", "net_amount": "500"},
        {"at": "09:54", "kind": "activity", "type": "INT", "net_amount": "0.42"},
        {"at": "09:56", "kind": "activity", "type": "SPLIT", "symbol": "MSFT", "ratio": "2"},
    ]
    story = played(script, tmp_path, minutes=45)
    story.assert_sums()
    booked = story.of(r.ActivityBooked)
    by_kind: dict[str, Decimal] = {}
    for activity in booked:
        name = activity.kind.value
        by_kind[name] = by_kind.get(name, D(0)) + activity.amount
    assert by_kind["fee"] == D("-1.37")
    assert by_kind["dividend"] == D("7.01")
    assert by_kind["transfer"] == D(500)
    assert by_kind["interest"] == D("0.42")
    assert len({a.strategy for a in booked if a.kind is r.ActivityKind.FEE}) > 1
    kinds = {row["kind"] for row in story.rows["activities"]}
    assert {"fee", "dividend", "transfer", "interest"} <= kinds


@pytest.mark.slow
def test_a_dividend_that_is_called_off_is_taken_back_from_those_who_had_it(tmp_path: Path) -> None:
    script: list[dict[str, Any]] = [
        {"at": "09:38", "kind": "activity", "type": "DIV", "symbol": "SPY", "net_amount": "7.01"},
        {"at": "09:50", "kind": "activity", "type": "CSD", "net_amount": "500"},
        {"at": "09:55", "kind": "call_off", "type": "DIV"},
    ]
    story = played(script, tmp_path, minutes=60)
    story.assert_sums()
    of_spy = [a for a in story.of(r.ActivityBooked) if a.kind is r.ActivityKind.DIVIDEND]
    assert sum((a.amount for a in of_spy), D(0)) == 0
    assert sum((a.amount for a in of_spy if a.amount > 0), D(0)) == D("7.01"), "it was booked"
    assert story.of(r.DiscrepancyFound) == []


@pytest.mark.slow
def test_a_busted_execution_is_taken_back_from_the_book_that_had_it(tmp_path: Path) -> None:
    script: list[dict[str, Any]] = [
        {"at": "09:45", "kind": "bust"},
        {"at": "09:55", "kind": "correct", "price": "100.25"},
    ]
    story = played(script, tmp_path)
    story.assert_sums()
    reversed_ = [f for f in story.of(r.FillBooked) if f.qty < 0]
    assert len(reversed_) == 2
    corrected = [f for f in story.of(r.FillBooked) if f.reverses and f.qty > 0]
    assert [f.price for f in corrected] == [D("100.25")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("drift", "name"),
    [
        ({"kind": "position_drift", "symbol": "SPY", "qty": "2"}, "position.SPY"),
        ({"kind": "cash_drift", "amount": "-25.00"}, "cash"),
    ],
    ids=["position", "cash"],
)
def test_what_nobody_can_explain_freezes_entries_and_is_told_at_the_end(
    drift: dict[str, Any], name: str, tmp_path: Path
) -> None:
    story = played([{"at": "09:45", **drift}], tmp_path)
    found = story.of(r.DiscrepancyFound)
    assert [f.discrepancy_id for f in found] == [name]
    assert story.outcome.discrepancies == 1
    assert found[0].at < OPEN + timedelta(minutes=40)
    frozen = {"SPY"} if name == "position.SPY" else {o.symbol for o in story.of(r.OrderIntended)}
    late = [
        o
        for o in story.of(r.OrderIntended)
        if o.at > found[0].at and o.side.value == "buy" and o.symbol in frozen
    ]
    assert late == []
    sold = [o for o in story.of(r.OrderIntended) if o.at > found[0].at and o.side.value == "sell"]
    assert sold, "an exit is never held back"
