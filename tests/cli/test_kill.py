"""`kill` gets everything out, whoever runs and whatever answers; `revive` is the way back."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from coordinator.commands.accounts import Operator
from coordinator.commands.kill import kill, revive
from coordinator.commands.liquidation import what_became_of
from coordinator.core import records as r
from coordinator.core.messages import SubmitOrder
from coordinator.core.values import UNASSIGNED, Reason, Side
from coordinator.errors import JournalDamaged, SafetyRefusal
from coordinator.shell.alpaca_rest import AlpacaRest
from coordinator.shell.broker import Broker
from coordinator.shell.folders import JOURNAL
from coordinator.shell.journal import Journal
from coordinator.shell.journal_reading import read_kinds
from coordinator.shell.lease import Leases
from simulator.server import Simulator
from tests.cli.conftest import Said, Shell
from tests.e2e.running import (
    SPEED,
    environment,
    run_command,
    run_here,
    session_rows,
    simulator_options,
    wait_until,
)
from tests.oracle import configs

Command = Callable[[Sequence[str]], Said]
OPEN = datetime(2026, 3, 17, 13, 30, tzinfo=UTC)
CLOSE = datetime(2026, 3, 17, 20, tzinfo=UTC)
ACCOUNT = "PA3SIM000001"
FAST = ("--clock-speed", str(SPEED))
BY_HAND = {"at": "09:31", "kind": "hand_trade", "symbol": "SPY", "side": "buy", "qty": "7"}


@contextmanager
def venue(folder: Path, *faults: dict[str, Any], **options: Any) -> Iterator[Simulator]:
    script = folder / "faults.json"
    script.write_text(json.dumps(faults))
    with Simulator(simulator_options(faults=script, **options)) as running:
        yield running


@pytest.fixture
def at(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """Runs a command with the keys of a venue, or without any, and the state of `tmp_path`."""

    def run(running: Simulator | None, *args: str) -> Said:
        monkeypatch.setenv("MULTI_TRADER_HOME", str(tmp_path))
        with monkeypatch.context() as keys:
            for name, value in environment(running, tmp_path).items() if running else ():
                keys.setenv(name, value)
            return command([*args, *(FAST if args[0] != "status" else ())])

    return run


def hold(running: Simulator, folder: Path, *, minutes: int = 3) -> None:
    """A session that ended early and left its strategy with SPY."""
    run_here(running, configs.single("momentum"), folder, until=OPEN + timedelta(minutes=minutes))
    assert running.snapshot().positions["SPY"] > 1


def kinds(folder: Path, *wanted: type[r.Record]) -> list[str]:
    return [type(e.record).__name__ for e in read_kinds(folder / ACCOUNT / JOURNAL, *wanted)]


def journal_of(folder: Path) -> Path:
    return folder / ACCOUNT / JOURNAL


def found_in_its_session(folder: Path, found: r.Record) -> None:
    """A discrepancy, or an order, that the session's coordinator has recorded."""
    session = next(e.session_id for e in read_kinds(journal_of(folder), r.SessionOpened))
    journal = Journal(journal_of(folder), ACCOUNT, "single")
    journal.skip_to_end()
    journal.append(session, [found])
    journal.close()


def purchase(folder: Path, symbol: str) -> r.OrderIntended:
    """An order of the session's strategy, of which nothing more is known."""
    [opened] = (e.record for e in read_kinds(journal_of(folder), r.SessionOpened))
    assert isinstance(opened, r.SessionOpened)
    [name] = (one.strategy for one in opened.openings if one.strategy != UNASSIGNED)
    order_id = f"{name}.2026-03-17.99"
    at, qty, price = OPEN + timedelta(minutes=5), Decimal(5), Decimal(100)
    return r.OrderIntended(at, order_id, name, symbol, Side.BUY, qty, price, Reason.SIGNAL, True)


@pytest.mark.thorough
def test_where_nobody_runs_the_command_itself_sells_what_strategies_hold_and_nothing_else(
    at: Callable[..., Said], tmp_path: Path
) -> None:
    with venue(tmp_path, BY_HAND) as running:
        hold(running, tmp_path)
        killed = at(running, "kill")
        account = running.snapshot()
        again = at(running, "kill", "--json")
        revived, once_more = at(running, "revive"), at(running, "revive", "--json")
    assert (killed.code, killed.out) == (0, f"{ACCOUNT}: flat. {FLAT}\n")
    assert f"{ACCOUNT}: killed. Nothing is bought" in killed.err
    assert account.positions == {"SPY": Decimal(7)}, "the human's are his own"
    told = {"account": ACCOUNT, "flat": True, "told": f"{ACCOUNT}: flat. {FLAT}"}
    assert (again.code, json.loads(again.out)) == (0, [told])
    assert f"{ACCOUNT}: killed already, at 2026-03-17 13:33:" in again.err
    assert (revived.code, revived.out) == (0, f"{ACCOUNT}: revived: strategies may buy again.\n")
    assert json.loads(once_more.out) == [{"account": ACCOUNT, "was_killed": False}]
    assert kinds(tmp_path, r.Killed, r.Revived) == ["Killed", "Revived"]


FLAT = "No strategy holds what could be sold, and nothing is open."


@pytest.mark.thorough
def test_what_a_coordinator_holds_that_runs_and_does_not_sell_is_left_to_it_and_told(
    tmp_path: Path,
) -> None:
    told: list[str] = []
    with venue(tmp_path) as running, Leases() as leases:
        hold(running, tmp_path)
        held = running.snapshot().positions
        operator = Operator(tmp_path, environment(running, tmp_path), "me", told.append, SPEED)
        host = operator.settings("paper").account_host
        leases.take_for_coordinator(ACCOUNT, "single", host=host)
        [left] = kill(operator, wait_s=2.0)
        assert running.snapshot().positions == held
    assert not left.is_flat
    assert left.problem == "the coordinator single runs, and has to get out by itself"
    assert left.problem in what_became_of(left)
    assert kinds(tmp_path, r.Killed) == ["Killed"]


@pytest.mark.thorough
def test_shares_given_to_a_strategy_that_nobody_has_run_yet_are_told_with_what_sells_them(
    at: Callable[..., Said], tmp_path: Path
) -> None:
    told: list[str] = []
    file = configs.single("momentum")
    file["strategies"][0]["name"] = "newcomer"
    config = tmp_path / "edited.json"
    config.write_text(json.dumps(file))
    plan = tmp_path / "plan.json"
    move = {"strategy": "newcomer", "symbol": "SPY", "qty": "7"}
    plan.write_text(json.dumps({"plan": "p1", "account": ACCOUNT, "moves": [move]}))
    with venue(tmp_path, BY_HAND) as running:
        hold(running, tmp_path)
        moved = at(running, "import-account", "--config", str(config), "--plan", str(plan), "--yes")
        operator = Operator(tmp_path, environment(running, tmp_path), "me", told.append, SPEED)
        [left] = kill(operator, wait_s=10.0)
        account = running.snapshot()
    assert moved.code == 0, moved.err
    assert account.positions == {"SPY": Decimal(7)}, "what has an owner is sold"
    assert [held.strategy for held in left.held] == ["newcomer"]
    assert "no coordinator has run newcomer yet" in what_became_of(left)


@pytest.mark.thorough
def test_an_order_that_a_dead_coordinator_left_is_cancelled_though_it_holds_nothing(
    tmp_path: Path,
) -> None:
    halt = {"at": "09:30", "kind": "halt", "symbol": "SPY", "for_s": 3600}
    with venue(tmp_path, halt) as running:
        run_here(running, configs.single("momentum"), tmp_path, until=OPEN + timedelta(minutes=3))
        left = purchase(tmp_path, "SPY")
        found_in_its_session(tmp_path, left)
        operator = Operator(tmp_path, environment(running, tmp_path), "me", str, SPEED)
        broker = Broker(AlpacaRest(operator.settings("paper")), feed="iex")
        broker.submit(SubmitOrder(left.client_order_id, "SPY", left.side, left.qty, "day"))
        assert len(broker.open_orders()) == 1
        [account] = kill(operator, wait_s=20.0)
        assert account.is_flat
        assert broker.open_orders() == []


@pytest.mark.thorough
def test_a_coordinator_that_is_called_operator_is_got_out_like_any_other(
    at: Callable[..., Said], tmp_path: Path
) -> None:
    with venue(tmp_path) as running:
        named = {**configs.single("momentum"), "name": "operator"}
        run_here(running, named, tmp_path, until=OPEN + timedelta(minutes=3))
        assert running.snapshot().positions["SPY"] > 1
        killed = at(running, "kill")
        assert (killed.code, running.snapshot().positions) == (0, {}), killed


@pytest.mark.thorough
def test_the_command_sells_under_the_configuration_that_the_session_had_last(
    at: Callable[..., Said], tmp_path: Path
) -> None:
    with venue(tmp_path) as running:
        hold(running, tmp_path)
        [begun] = read_kinds(tmp_path / ACCOUNT / JOURNAL, r.SessionOpened)
        with closing(Journal(tmp_path / ACCOUNT / JOURNAL, ACCOUNT, begun.coordinator)) as journal:
            books = list(journal.replay())
            edited = r.Reconfigured(books[-1].record.at, begun.session_id, "edited", "somebody")
            journal.append(begun.session_id, [edited])
        killed = at(running, "kill")
    assert (killed.code, killed.out) == (0, f"{ACCOUNT}: flat. {FLAT}\n")
    assert kinds(tmp_path, r.SessionResumed, r.Reconfigured) == ["Reconfigured", "SessionResumed"]


@pytest.mark.thorough
def test_the_command_books_the_fee_of_coins_that_the_configuration_has(
    at: Callable[..., Said], tmp_path: Path
) -> None:
    config = configs.single("momentum", "BTC/USD") | {"crypto_fee_rate": 0.004}
    with venue(tmp_path) as running:
        run_here(running, config, tmp_path, until=OPEN + timedelta(minutes=3))
        assert running.snapshot().positions["BTC/USD"] > 0
        killed = at(running, "kill")
    assert killed.code == 0
    sold = [e.record for e in read_kinds(journal_of(tmp_path), r.FillBooked)][-1]
    assert isinstance(sold, r.FillBooked)
    rate = sold.fee / (sold.qty * sold.price)
    assert (sold.side, round(rate, 6)) == (Side.SELL, Decimal("0.004"))
    assert kinds(tmp_path, r.SessionOpened, r.SessionResumed) == ["SessionOpened", "SessionResumed"]


@pytest.mark.slow
def test_what_the_command_sold_is_in_the_books_and_the_next_session_goes_on_from_there(
    at: Callable[..., Said], tmp_path: Path
) -> None:
    with venue(tmp_path) as running:
        hold(running, tmp_path)
        at(running, "kill")
        cash = running.snapshot().cash
        rows = session_rows(tmp_path)
        later = OPEN + timedelta(minutes=40)
        outcome = run_here(running, configs.single("momentum"), tmp_path, until=later)
        account = running.snapshot()
    last = {row["strategy"]: row["cash"] for row in rows["equity"]}
    assert sum(last.values(), Decimal(0)) == cash
    assert [(f["side"], f["strategy"]) for f in rows["fills"]][-1] == ("sell", "momentum_00")
    assert outcome.discrepancies == 0
    assert account.positions == {}, "it is killed still"
    reasons = {row["reason"] for row in session_rows(tmp_path)["orders"]}
    assert "killed" in reasons


@pytest.mark.thorough
def test_after_the_close_the_kill_stands_and_revive_is_refused_until_all_is_sold(
    at: Callable[..., Said], tmp_path: Path
) -> None:
    with venue(tmp_path, start=CLOSE - timedelta(minutes=12)) as running:
        run_here(running, configs.single("momentum"), tmp_path)
        qty = running.snapshot().positions["SPY"]
        killed, refused = at(running, "kill"), at(running, "revive")
        still = running.snapshot().positions["SPY"]
    assert killed.code == 0
    assert f"{ACCOUNT}: momentum_00 holds {qty} SPY. Its market is closed." in killed.out
    assert "sold at the open by the coordinator that runs then" in killed.out
    assert "if none does, run `multi-trader kill` again." in killed.out
    assert refused.code == 3
    assert f"{ACCOUNT} is not revived: momentum_00 holds {qty} SPY." in refused.err
    assert still == qty
    assert kinds(tmp_path, r.Killed, r.Revived) == ["Killed"]


@pytest.mark.thorough
@pytest.mark.parametrize("keys", [True, False], ids=["broker gone", "no keys"])
def test_the_kill_is_in_the_journal_even_if_the_broker_cannot_be_asked(
    keys: bool, at: Callable[..., Said], tmp_path: Path
) -> None:
    with venue(tmp_path) as running:
        hold(running, tmp_path)
    asked = running if keys else None
    killed, refused = at(asked, "kill"), at(asked, "revive")
    words = "no answer from the broker" if keys else "Missing Alpaca API credentials"
    assert killed.code == 1
    assert f"{ACCOUNT}: momentum_00 holds" in killed.out
    assert words in killed.out
    assert kinds(tmp_path, r.Killed) == ["Killed"]
    assert refused.code == 3
    assert words in refused.err


@pytest.mark.thorough
def test_a_live_account_is_traded_by_the_command_itself_only_if_it_is_armed(
    at: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = {**configs.single("momentum"), "mode": "live"}
    with venue(tmp_path) as running:
        run_here(running, config, tmp_path, until=OPEN + timedelta(minutes=3))
        unarmed = at(running, "kill")
        held = running.snapshot().positions
        monkeypatch.setenv("MULTI_TRADER_ALLOW_LIVE", ACCOUNT)
        armed = at(running, "kill")
        account = running.snapshot()
    assert held["SPY"] > 1
    assert unarmed.code == 1
    assert f"MULTI_TRADER_ALLOW_LIVE must equal {ACCOUNT}" in unarmed.out
    assert kinds(tmp_path, r.Killed) == ["Killed"], "which needs no arming"
    assert (armed.code, account.positions) == (0, {})


def test_an_account_that_cannot_be_killed_keeps_no_other_alive(tmp_path: Path) -> None:
    told: list[str] = []
    for number in ("PA1", "PA2", "PA3"):
        Journal(tmp_path / number / JOURNAL, number, "single").close()
    with closing(sqlite3.connect(tmp_path / "PA2" / JOURNAL)) as newer:
        newer.execute("UPDATE info SET value = '99' WHERE key = 'schema'")
        newer.commit()
    with pytest.raises(SafetyRefusal, match="newer Multi-Trader"):
        kill(Operator(tmp_path, {}, "me", told.append))
    assert [line.replace(f"{tmp_path}/", "").partition(".")[0] for line in told] == [
        *("PA1: killed", "PA2: NOT KILLED: PA2/journal", "PA3: killed", "PA1: flat", "PA3: flat")
    ]
    for number, count in (("PA1", 1), ("PA2", 0), ("PA3", 1)):
        assert len(read_kinds(tmp_path / number / JOURNAL, r.Killed)) == count


def test_an_account_whose_journal_is_damaged_is_told_and_every_other_is_killed_and_revived(
    tmp_path: Path,
) -> None:
    told: list[str] = []
    for number in ("PA1", "PA2"):
        Journal(tmp_path / number / JOURNAL, number, "single").close()
    (tmp_path / "PA1" / JOURNAL).write_bytes(b"something else" * 100)
    with pytest.raises(JournalDamaged, match="PA1"):
        kill(Operator(tmp_path, {}, "me", told.append))
    assert told[0].startswith("PA1: NOT KILLED: ")
    assert len(read_kinds(tmp_path / "PA2" / JOURNAL, r.Killed)) == 1
    with pytest.raises(JournalDamaged, match="PA1"):
        revive(Operator(tmp_path, {}, "me", told.append))
    assert told[-2].startswith("PA1: NOT REVIVED: ")
    assert told[-1] == "PA2: revived: strategies may buy again."
    assert len(read_kinds(tmp_path / "PA2" / JOURNAL, r.Revived)) == 1


def test_beside_a_journal_of_which_a_record_was_changed_every_other_account_is_got_out(
    tmp_path: Path,
) -> None:
    told: list[str] = []
    for number in ("PA1", "PA2"):
        with closing(Journal(tmp_path / number / JOURNAL, number, "single")) as journal:
            journal.append("", [r.Paused(OPEN, "A", "me")])
    with closing(sqlite3.connect(tmp_path / "PA1" / JOURNAL)) as changed:
        changed.execute("UPDATE records SET body = replace(body, 'me', 'us')")
        changed.commit()
    with pytest.raises(JournalDamaged, match="record 1 does not follow"):
        kill(Operator(tmp_path, {}, "me", told.append))
    assert told[2].startswith("PA1: killed, but nothing is sold from here: ")
    assert told[3].startswith("PA2: flat.")


def test_without_any_account_the_command_says_so_and_where_it_looked(
    command: Command, tmp_path: Path
) -> None:
    said = command(["kill"])
    assert said.code == 2
    assert f"No account has books under {tmp_path / 'state'}" in said.err
    assert command(["revive"]).code == 0


def written(folder: Path, config: dict[str, Any]) -> Path:
    file = folder / f"{config['name']}.json"
    file.write_text(json.dumps(config))
    return file


def wait_for_position(running: Simulator, process: subprocess.Popen[str]) -> None:
    def gone() -> bool:
        return process.poll() is not None or bool(running.snapshot().positions)

    wait_until(running, CLOSE, gone)
    assert running.snapshot().positions, process.communicate()[0]


@pytest.mark.slow
def test_a_running_coordinator_hears_it_gets_everything_out_and_buys_nothing_more(
    tmp_path: Path,
) -> None:
    with venue(tmp_path, BY_HAND, clock_speed=300) as running:
        file = written(tmp_path, configs.single("momentum"))
        process = run_command(running, file, tmp_path, "--no-load")
        shell = Shell(tmp_path, environment(running, tmp_path) | {"HOME": str(tmp_path)})
        wait_for_position(running, process)
        wait_until(running, OPEN + timedelta(minutes=2), lambda: False)
        killed = shell.run("kill", *FAST)
        at_once = running.snapshot()
        wait_until(running, at_once.at + timedelta(minutes=20), lambda: False)
        later = running.snapshot()
        process.send_signal(signal.SIGTERM)
        log, _ = process.communicate(timeout=60)
    assert killed.returncode == 0, killed.stderr
    assert at_once.positions == later.positions == {"SPY": Decimal(7)}
    assert "⚠ KILL" in log
    assert process.returncode == 0


@pytest.mark.slow
def test_what_a_coordinator_that_was_killed_itself_left_behind_is_got_out_beside_another(
    tmp_path: Path,
) -> None:
    dead = configs.single("momentum")
    alive = {**configs.single("rsi", "QQQ"), "name": "another"}
    with venue(tmp_path, clock_speed=300) as running:
        shell = Shell(tmp_path, environment(running, tmp_path) | {"HOME": str(tmp_path)})
        first = run_command(running, written(tmp_path, dead), tmp_path, "--no-load")
        wait_for_position(running, first)
        first.kill()
        first.communicate()
        second = run_command(running, written(tmp_path, alive), tmp_path, "--no-load")
        wait_until(running, running.snapshot().at + timedelta(minutes=2), lambda: False)
        held = running.snapshot().positions
        killed = shell.run("kill", *FAST)
        account = running.snapshot()
        second.send_signal(signal.SIGTERM)
        log, _ = second.communicate(timeout=60)
        checked = shell.run("status", "--json")
    assert "SPY" in held
    assert killed.returncode == 0, killed.stderr
    assert account.positions == {}
    assert second.returncode == 0, log
    books = {b["name"]: b["positions"] for s in json.loads(checked.stdout) for b in s["strategies"]}
    assert books == {"momentum_00": {}, "rsi_00": {}}


@pytest.mark.slow
def test_an_embedded_simulation_is_killed_while_it_runs_and_left_alone_when_it_has_ended(
    shell: Shell,
) -> None:
    file = written(shell.folder, configs.single("momentum"))
    args = ("run", "--date", "2026-03-17", "--config", str(file), "--no-load")
    with shell.start(*args) as process:
        try:
            assert process.stderr is not None
            seen = [""]
            while "🟢 BUY" not in seen[-1]:
                seen.append(process.stderr.readline())
                assert seen[-1], "".join(seen)
            killed = shell.run("kill")
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
        finally:
            process.kill()
    assert (killed.returncode, killed.stdout) == (0, f"SIM0001: flat. {FLAT}\n")
    assert process.returncode == 0
    assert shell.run("kill").returncode == 2, "its simulator is gone, and all that was in it"
