"""`reconcile` compares, shows, and takes what differs only by name and as it was shown."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from coordinator.commands.accounts import Account, Operator, Reach
from coordinator.core import records as r
from coordinator.core.discrepancies import DiscrepancyKind, finding
from coordinator.core.messages import SubmitOrder
from coordinator.core.values import UNASSIGNED, Side, is_crypto
from coordinator.settings import simulator_settings
from coordinator.shell.alpaca_rest import AlpacaRest
from coordinator.shell.broker import Broker
from coordinator.shell.budget import Urgency
from coordinator.shell.control_protocol import Address, address_file, line
from coordinator.shell.journal import Journal
from coordinator.shell.journal_reading import read_kinds
from coordinator.shell.pace import Budgets
from coordinator.shell.rest import Api
from simulator.server import Simulator
from tests.cli.conftest import Said, Shell
from tests.cli.test_kill import (
    ACCOUNT,
    FAST,
    OPEN,
    at,
    found_in_its_session,
    journal_of,
    purchase,
    venue,
    wait_for_position,
    written,
)
from tests.coordinator.test_readers import keep, paper
from tests.coordinator.test_statement import a_day
from tests.e2e.running import environment, run_command, run_here, session_rows, wait_until
from tests.oracle import configs

__all__ = ["at"]  # a fixture
Command = Callable[[Sequence[str]], Said]
DRIFT = {"at": "09:32", "kind": "position_drift", "symbol": "SPY", "qty": "2"}
LOSS = {"at": "09:32", "kind": "cash_drift", "amount": "-25.00"}


def trade(running: Simulator, folder: Path, until_minute: int = 5) -> Any:
    """A session of one strategy, which is long SPY from the first minutes on."""
    until = OPEN + timedelta(minutes=until_minute)
    return run_here(running, configs.single("momentum"), folder, until=until)


def by_hand(running: Simulator, symbol: str, qty: Decimal | int, side: Side = Side.BUY) -> None:
    """A human's order on the same account."""
    broker = Broker(AlpacaRest(simulator_settings(running.url, Path("x"))), feed="iex")
    until = "gtc" if is_crypto(symbol) else "day"
    broker.submit(SubmitOrder(f"by-hand-{symbol}", symbol, side, Decimal(qty), until))


@pytest.mark.thorough
def test_books_that_agree_end_in_0_and_so_do_those_that_will_once_a_hands_trade_is_booked(
    at: Callable[..., Said], tmp_path: Path
) -> None:
    with venue(tmp_path) as running:
        trade(running, tmp_path)
        agreed = at(running, "reconcile")
        by_hand(running, "QQQ", 3)
        explained = at(running, "reconcile")
        machine = json.loads(at(running, "reconcile", "--json").out)
    assert agreed.code == explained.code == 0
    assert agreed.out == f"{ACCOUNT}: books and broker agree, at 2026-03-17 13:35:00 UTC.\n"
    assert "a trade by hand: buy 3 QQQ @ " in explained.out
    assert f", for {UNASSIGNED}\n" in explained.out
    assert "books and broker agree" not in explained.out
    assert f"{ACCOUNT}: books and broker will agree once that is booked, at " in explained.out
    assert (machine["account"], machine["differences"]) == (ACCOUNT, [])
    assert len(machine["explained"]) == 1


@pytest.mark.thorough
def test_what_an_open_order_can_be_the_reason_of_is_not_accepted(
    at: Callable[..., Said], tmp_path: Path
) -> None:
    with venue(tmp_path, DRIFT) as running:
        assert trade(running, tmp_path).discrepancies == 1
        found_in_its_session(tmp_path, purchase(tmp_path, "SPY"))
        refused = at(running, "reconcile", "--accept", "position.SPY")
    assert refused.code == 3
    assert "position.SPY is not accepted: an order is open that can be the reason" in refused.err
    assert read_kinds(journal_of(tmp_path), r.DiscrepancyResolved) == []


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("drift", "name", "off"),
    [
        pytest.param(DRIFT, "position.SPY", "2", id="position"),
        pytest.param(LOSS, "cash", "-25", id="cash", marks=pytest.mark.slow),
    ],
)
def test_a_difference_is_shown_accepted_by_name_and_then_forgotten(
    drift: dict[str, Any], name: str, off: str, at: Callable[..., Said], tmp_path: Path
) -> None:
    with venue(tmp_path, drift) as running:
        assert trade(running, tmp_path).discrepancies == 1
        shown = at(running, "reconcile")
        (machine,) = json.loads(at(running, "reconcile", "--json").out)["differences"]
        unknown = at(running, "reconcile", "--accept", "position.QQQ")
        accepted = at(running, "reconcile", "--accept", name)
        again = at(running, "reconcile")
        outcome = trade(running, tmp_path, 8)
        account = running.snapshot()
    line = next(line.split() for line in shown.out.splitlines() if line.split()[:1] == [name])
    assert (shown.code, line[0], line[3], line[4]) == (1, name, off, "frozen")
    assert Decimal(machine["brokers"]) - Decimal(machine["ours"]) == Decimal(machine["difference"])
    assert (machine["id"], Decimal(machine["difference"])) == (name, Decimal(off))
    assert unknown.code == 2
    assert "unknown discrepancy 'position.QQQ'" in unknown.err
    assert f"(known: {name})" in unknown.err
    assert accepted.code == again.code == 0
    assert f"{ACCOUNT}: {name} is accepted." in accepted.out
    assert outcome.discrepancies == 0
    (resolved,) = [e.record for e in read_kinds(journal_of(tmp_path), r.DiscrepancyResolved)]
    assert isinstance(resolved, r.DiscrepancyResolved)
    assert resolved.how.startswith("accepted by ")
    rows = session_rows(tmp_path)
    cash = {row["strategy"]: row["cash"] for row in rows["equity"]}
    assert sum(cash.values(), Decimal(0)) == account.cash
    assert [row["allocated_by"] for row in rows["activities"]][-1] == resolved.how


@pytest.mark.thorough
def test_what_changed_since_it_was_looked_at_is_not_accepted(
    at: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide = Account.decide

    def after_another_wrote(account: Account, *args: Any) -> None:
        other = Journal(journal_of(tmp_path), ACCOUNT, "crypto")
        fill = r.FillBooked(
            OPEN, "h1", "by-hand", UNASSIGNED, "SPY", Side.BUY, Decimal(2), Decimal(500),
            Decimal(0), Decimal(0), Decimal(2),
        )  # fmt: skip
        other.append("", [fill])
        other.close()
        decide(account, *args)

    with venue(tmp_path, DRIFT) as running:
        trade(running, tmp_path)
        monkeypatch.setattr(Account, "decide", after_another_wrote)
        refused = at(running, "reconcile", "--accept", "position.SPY")
    assert refused.code == 3
    assert "position.SPY is not accepted: it has changed since it was looked at" in refused.err
    assert read_kinds(journal_of(tmp_path), r.DiscrepancyResolved, r.ActivityBooked) == []


@pytest.mark.thorough
def test_a_leap_of_a_price_is_a_discrepancy_until_it_is_accepted(
    at: Callable[..., Said], tmp_path: Path
) -> None:
    with venue(tmp_path) as running:
        trade(running, tmp_path)
        leap = r.DiscrepancyFound(
            OPEN, "price", "SPY", UNASSIGNED, Decimal(500), Decimal(50), "SPY leapt", "price.SPY"
        )
        found_in_its_session(tmp_path, leap)
        shown, status = at(running, "reconcile"), at(None, "status")
        accepted, again = (
            at(running, "reconcile", "--accept", "price.SPY"),
            at(running, "reconcile"),
        )
        calm = at(None, "status")
    assert (shown.code, accepted.code, again.code) == (1, 0, 0)
    assert "price.SPY: SPY leapt. Nothing is bought of it" in status.out
    assert "price.SPY" not in calm.out


def test_the_reset_of_an_account_is_shown_and_never_accepted(
    at: Callable[..., Said], tmp_path: Path
) -> None:
    with venue(tmp_path) as running:
        trade(running, tmp_path, 1)
        found_in_its_session(
            tmp_path, finding(OPEN, DiscrepancyKind.ACCOUNT, "", Decimal(1), Decimal(2))
        )
        shown, refused = at(running, "reconcile"), at(running, "reconcile", "--accept", "account")
    assert (shown.code, refused.code) == (1, 2)
    assert "account cannot be accepted: the account was reset" in refused.err
    assert read_kinds(journal_of(tmp_path), r.DiscrepancyResolved) == []


@pytest.mark.thorough
@pytest.mark.parametrize(("rate", "code"), [("0.0025", 0), ("0.001", 1)])
def test_coins_are_judged_at_the_fee_that_the_next_start_will_book_them_with(
    rate: str, code: int, at: Callable[..., Said], tmp_path: Path
) -> None:
    config = configs.single("momentum") | {"crypto_fee_rate": float(rate)}
    with venue(tmp_path) as running:
        run_here(running, config, tmp_path, until=OPEN + timedelta(minutes=2))
        by_hand(running, "BTC/USD", 1)
        shown = at(running, "reconcile")
        if code:
            assert at(running, "reconcile", "--accept", "position.BTC/USD").code == 0
        outcome = run_here(running, config, tmp_path, until=OPEN + timedelta(minutes=4))
    assert (shown.code, outcome.discrepancies) == (code, 0)


def test_of_two_coordinators_the_fee_is_that_of_whose_books_are_looked_at_else_the_newest(
    tmp_path: Path,
) -> None:
    records = a_day()
    (opened,) = (one for one in records if isinstance(one, r.SessionOpened))
    x, y = (
        replace(opened, coordinator=name, session_id=name, crypto_fee_rate=Decimal(rate))
        for name, rate in (("x", "0.001"), ("y", "0.004"))
    )
    keep(tmp_path, [*records[: records.index(opened)], x], "PA1", "x")
    keep(tmp_path, [replace(y, openings=())], "PA1", "y")
    rates = []
    for seen_by in ("x", "y", ""):
        with Account.open(tmp_path / "PA1" / "journal.db", seen_by=seen_by) as account:
            rates.append(str(account.crypto_fee_rate))
    assert rates == ["0.001", "0.004", "0.004"]


def test_without_keys_without_books_and_without_an_answer_it_says_what_is_missing(
    at: Callable[..., Said], tmp_path: Path
) -> None:
    keyless = at(None, "reconcile")
    with venue(tmp_path) as running:
        bookless = at(running, "reconcile")
        trade(running, tmp_path, 1)
    unanswered = at(running, "reconcile")
    assert keyless.code == bookless.code == 2
    assert "Missing Alpaca API credentials" in keyless.err
    assert f"account {ACCOUNT}, whose keys these are, has no books" in bookless.err
    assert unanswered.code == 1
    assert "no answer from the broker" in unanswered.err


def test_beside_a_session_on_a_fast_simulator_the_commands_know_how_fast_it_is(
    tmp_path: Path,
) -> None:
    leases = tmp_path / "leases"
    with venue(tmp_path) as running:
        keys = environment(running, tmp_path)
        operator = Operator(tmp_path, keys, "daniel", print, leases_folder=leases)
        settings = operator.settings("paper")
        session = Budgets(settings, speed=1.0, folder=leases)
        session.on_account(ACCOUNT, host=settings.account_host)
        while session.turn(Api.TRADING, Urgency.EXIT) == 0.0:
            pass  # as many in a second as a fast session sends
        waits_s = Reach.by_keys(operator, settings).ports.turn(Api.TRADING, Urgency.EXIT)
        address = Address(
            coordinator="c", socket=tmp_path, simulator=running.url, clock_speed=100_000.0
        )
        file = address_file(tmp_path / ACCOUNT, "c")
        file.parent.mkdir(parents=True)
        file.write_bytes(line(address))
        known_s = Reach.by_keys(operator, settings).ports.turn(Api.TRADING, Urgency.EXIT)
    assert (waits_s > 10, known_s) == (True, 0.0)


def test_an_end_of_day_beside_a_fast_simulator_waits_for_no_minute_of_ours(
    at: Callable[..., Said], tmp_path: Path
) -> None:
    keep(tmp_path, list(paper(a_day())), "PA1")
    with venue(tmp_path, account_number="PA1") as running:
        settings = Operator(tmp_path, environment(running, tmp_path), "x", print).settings("paper")
        session = Budgets(settings, speed=1.0, folder=tmp_path / ".multi-trader" / "leases")
        for _ in range(2):  # what counts for the key, and then for the account
            while session.turn(Api.TRADING, Urgency.EXIT) == 0.0:
                pass
            session.on_account("PA1", host=settings.account_host)
        said = at(running, "end-of-day")
    assert said.code == 0, said.err
    assert "waiting for a turn" not in said.err
    assert "(journal, broker and warehouse)" in said.err


@pytest.mark.slow
def test_a_running_coordinator_hears_what_was_accepted_and_buys_again(tmp_path: Path) -> None:
    config = configs.single("momentum")
    with venue(tmp_path, {**DRIFT, "at": "09:33"}, clock_speed=600) as running:
        process = run_command(running, written(tmp_path, config), tmp_path, "--no-load")
        shell = Shell(tmp_path, environment(running, tmp_path) | {"HOME": str(tmp_path)})
        wait_for_position(running, process)
        path = journal_of(tmp_path)
        wait_until(
            running,
            OPEN + timedelta(hours=3),
            lambda: bool(read_kinds(path, r.DiscrepancyFound)) or process.poll() is not None,
        )
        shown = shell.run("reconcile", *FAST)
        status = shell.run("status")
        accepted = shell.run("reconcile", "--accept", "position.SPY", *FAST)
        later = running.snapshot().at + timedelta(minutes=30)
        wait_until(running, later, lambda: process.poll() is not None)
        process.send_signal(signal.SIGTERM)
        log, _ = process.communicate(timeout=60)
        agreed = shell.run("reconcile", *FAST)
    assert (shown.returncode, accepted.returncode, agreed.returncode) == (1, 0, 0), log
    assert "Nothing is bought of it" in status.stdout
    assert "✓ discrepancy position.SPY is over: accepted by" in log
    before, _, after = log.partition("is over: accepted by")
    assert "🟢 BUY" in after, before
