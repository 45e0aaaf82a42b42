"""`import-account` shows what no strategy owns, and moves it by a plan: whole, and once."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from coordinator.bootstrap import ask_broker, session_sources
from coordinator.core import records as r
from coordinator.core.values import UNASSIGNED, Side
from coordinator.errors import SafetyRefusal
from coordinator.shell.journal_reading import read_kinds
from simulator.server import Simulator
from tests.cli.conftest import Said, Shell
from tests.cli.test_kill import (
    ACCOUNT,
    FAST,
    OPEN,
    at,
    hold,
    venue,
    wait_for_position,
    written,
)
from tests.cli.test_reconcile import by_hand, journal_of, trade
from tests.e2e.running import environment, run_command, run_here, session_rows, wait_until
from tests.oracle import configs
from warehouse import Store, load_session, reconcile
from warehouse.queries import ask

__all__ = ["at"]  # a fixture
D = Decimal
STRATEGY = "momentum_00"


def plan_of(folder: Path, *moves: dict[str, str], name: str = "p1") -> str:
    """A plan's file."""
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"plan": name, "account": ACCOUNT, "moves": list(moves)}))
    return str(path)


def spy(qty: str, strategy: str = STRATEGY) -> dict[str, str]:
    return {"strategy": strategy, "symbol": "SPY", "qty": qty}


def loaded(folder: Path, running: Simulator) -> tuple[list[dict[str, Any]], int]:
    """pnl_daily as the warehouse has it, and how many rows are refused or contradicted."""
    with Store.open(":memory:") as store:
        sources = session_sources(folder)
        refused = sum(load_session(store, source).quarantined for source in sources)
        found = sum(
            a.found for a in reconcile(store, sources, ask_broker(environment(running, folder)))
        )
        answer = ask(store, "SELECT * FROM pnl_daily")
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows], refused + found


@pytest.mark.thorough
def test_positions_of_before_are_adopted_and_sold_on_the_strategys_own_signal(
    at: Callable[..., Said], tmp_path: Path
) -> None:
    config = str(written(tmp_path, configs.single("momentum")))
    form = tmp_path / "form.json"
    with venue(tmp_path, start=OPEN + timedelta(minutes=2)) as running:
        by_hand(running, "SPY", 20)
        by_hand(running, "QQQ", 3)
        shown = at(running, "import-account", "--config", config, "--write-plan", str(form))
        wrote_nothing = not journal_of(tmp_path).exists()
        unfilled = at(running, "import-account", "--config", config, "--plan", str(form))
        plan = json.loads(form.read_text())
        plan["moves"] = [move for move in plan["moves"] if move["symbol"] == "SPY"]
        form.write_text(json.dumps(plan))
        asked = at(running, "import-account", "--config", config, "--plan", str(form))
        moved = at(running, "import-account", "--config", config, "--plan", str(form), "--yes")
        again = at(running, "import-account", "--config", config, "--plan", str(form), "--yes")
        outcome = trade(running, tmp_path, 60)
        agreed = at(running, "reconcile")
        account = running.snapshot()
        days, wrong = loaded(tmp_path, running)
    assert (shown.code, wrote_nothing) == (0, True)
    assert "SPY " in shown.out
    assert "QQQ " in shown.out
    assert (unfilled.code, asked.code, moved.code, again.code) == (2, 1, 0, 0)
    assert "moves[0].strategy: should be the name of the strategy" in unfilled.err
    assert "Nothing was moved." in asked.err
    assert f"Plan {plan['plan']} is carried out: 1 moved." in moved.out
    assert "was carried out before; nothing is moved again" in again.out
    rows = session_rows(tmp_path)
    fills = [f for f in rows["fills"] if f["strategy"] == STRATEGY]
    first = next(f for f in fills if f["side"] == "sell")
    bought = sum((f["qty"] for f in fills if f["side"] == "buy"), D(0))
    sold = sum((f["qty"] for f in fills if f["side"] == "sell"), D(0))
    assert (first["qty"], fills[0]["side"]) == (D(20), "sell"), "it was long already"
    left = {(p["strategy"], p["symbol"]): p["qty"] for p in rows["positions"]}
    assert left.get((STRATEGY, "SPY"), D(0)) == 20 + bought - sold
    assert left[UNASSIGNED, "QQQ"] == 3
    cash = {row["strategy"]: row["cash"] for row in rows["equity"]}
    assert sum(cash.values(), D(0)) == account.cash
    assert (outcome.discrepancies, agreed.code, wrong) == (0, 0, 0)
    day = next(day for day in days if day["strategy"] == STRATEGY)
    assert day["net_pnl"] == day["end_equity"] - day["start_equity"] - day["transfers"]
    assert day["net_pnl"] == day["realized_pnl"] + day["unrealized_change"] - day["fees"]


@pytest.mark.thorough
def test_what_was_bought_by_hand_between_two_sessions_is_adopted_into_a_book_that_exists(
    at: Callable[..., Said], tmp_path: Path
) -> None:
    with venue(tmp_path) as running:
        trade(running, tmp_path, 3)
        before = session_rows(tmp_path)
        by_hand(running, "SPY", 4)
        shown = json.loads(at(running, "import-account", "--json").out)
        plan = plan_of(tmp_path, spy("3"), {"strategy": STRATEGY, "cash": "500.50"})
        moved = at(running, "import-account", "--plan", plan, "--yes")
        after = session_rows(tmp_path)
        outcome = trade(running, tmp_path, 8)
        agreed = at(running, "reconcile")
        days, wrong = loaded(tmp_path, running)
    assert [(one["symbol"], one["qty"]) for one in shown["positions"]] == [("SPY", "4")]
    assert moved.code == 0, moved.err
    found = [one for one in after["activities"] if one["allocated_by"].startswith("imported by ")]
    price = D(shown["positions"][0]["price"])
    assert {(f["strategy"], f["symbol"], f["qty"], f["amount"]) for f in found} == {
        (UNASSIGNED, "SPY", D(-3), -3 * price),
        (STRATEGY, "SPY", D(3), 3 * price),
        (UNASSIGNED, None, None, D("-500.50")),
        (STRATEGY, None, None, D("500.50")),
    }
    was, now = (
        next(d for d in rows["pnl_daily"] if d["strategy"] == STRATEGY) for rows in (before, after)
    )
    assert now["transfers"] - was["transfers"] == 3 * price + D("500.50")
    assert now["net_pnl"] == was["net_pnl"], "nobody becomes richer by an import"
    assert (outcome.discrepancies, agreed.code, wrong) == (0, 0, 0)
    assert all(d["net_pnl"] == d["end_equity"] - d["start_equity"] - d["transfers"] for d in days)


@pytest.mark.thorough
def test_what_a_human_sold_of_a_strategy_is_taken_from_its_book_and_it_buys_again(
    at: Callable[..., Said], tmp_path: Path
) -> None:
    form = tmp_path / "form.json"
    with venue(tmp_path) as running:
        trade(running, tmp_path, 3)
        held = running.snapshot().positions["SPY"]
        by_hand(running, "SPY", held, Side.SELL)
        shown = at(running, "import-account", "--write-plan", str(form))
        moves = json.loads(form.read_text())["moves"]
        moved = at(running, "import-account", "--plan", str(form), "--yes")
        flat = json.loads(at(running, "import-account", "--json").out)
        outcome = trade(running, tmp_path, 60)
        agreed = at(running, "reconcile")
        account = running.snapshot()
        days, wrong = loaded(tmp_path, running)
    theirs = f"{STRATEGY} {held.normalize():f}"
    assert f"SPY left the account without an order of its holders: {theirs}\n" in shown.out
    assert moves == [{"strategy": STRATEGY, "symbol": "SPY", "qty": f"-{held.normalize():f}"}]
    assert moved.code == 0, moved.err
    assert flat["positions"] == []
    fills = [f for f in session_rows(tmp_path)["fills"] if f["strategy"] == STRATEGY]
    assert [f["side"] for f in fills].count("buy") > 1, "it bought again"
    left = {(p["strategy"], p["symbol"]): p["qty"] for p in session_rows(tmp_path)["positions"]}
    assert sum(left.values(), D(0)) == account.positions.get("SPY", D(0))
    assert (outcome.discrepancies, agreed.code, wrong) == (0, 0, 0)
    assert all(d["net_pnl"] == d["end_equity"] - d["start_equity"] - d["transfers"] for d in days)


@pytest.mark.thorough
def test_the_cash_of_a_strategy_that_runs_no_more_begins_the_book_of_another(
    at: Callable[..., Said], tmp_path: Path
) -> None:
    old, new = configs.single("momentum"), configs.single("rsi")
    new["strategies"][0] |= {"name": "Newcomer", "initial_cash": 999_900}
    with venue(tmp_path) as running:
        run_here(running, old, tmp_path, until=OPEN + timedelta(minutes=3))
        by_hand(running, "SPY", running.snapshot().positions["SPY"], Side.SELL)
        with pytest.raises(SafetyRefusal, match=f"any more: {STRATEGY}"):
            run_here(running, new, tmp_path, until=OPEN + timedelta(minutes=5))
        config = str(written(tmp_path, new))
        shown = json.loads(at(running, "import-account", "--config", config, "--json").out)
        said = at(running, "import-account", "--config", config)
        other = str(written(tmp_path, {**new, "name": "other"}))
        none = json.loads(at(running, "import-account", "--config", other, "--json").out)
        cash, qty = shown["left_behind"][STRATEGY], shown["positions"][0]["qty"]
        plan = plan_of(tmp_path, spy(qty), {"strategy": STRATEGY, "cash": f"-{cash}"})
        moved = at(running, "import-account", "--plan", plan, "--yes")
        assert moved.code == 0, moved.err
        outcome = run_here(running, new, tmp_path, until=OPEN + timedelta(minutes=30))
        agreed = at(running, "reconcile")
        days, wrong = loaded(tmp_path, running)
    assert f"does not run: {STRATEGY} ${D(cash):,.2f}" in said.out
    assert none["left_behind"] == {}, "they are another coordinator's, which may run"
    assert (outcome.discrepancies, agreed.code, wrong) == (0, 0, 0)
    last = {day["strategy"]: day for day in days}
    assert 0 <= last[STRATEGY]["end_equity"] < D("0.01")
    assert last["Newcomer"]["start_equity"] == 999_900


@pytest.mark.thorough
def test_the_cash_of_a_strategy_that_has_not_run_for_a_while_can_be_taken_as_it_is_shown(
    at: Callable[..., Said], tmp_path: Path
) -> None:
    idle, other = configs.single("momentum"), configs.single("momentum", "QQQ")
    for config in (idle, other):
        config["strategies"][0]["strategy_params"]["momentum_threshold"] = 10
    other["strategies"][0]["name"] = "Newcomer"
    with venue(tmp_path) as running:
        run_here(running, idle, tmp_path, until=OPEN + timedelta(minutes=1))
    with venue(tmp_path, date=OPEN.date() + timedelta(days=1)) as running:
        run_here(running, other, tmp_path, until=OPEN + timedelta(days=1, minutes=1))
        config = str(written(tmp_path, other))
        shown = json.loads(at(running, "import-account", "--config", config, "--json").out)
        cash = shown["left_behind"][STRATEGY]
        plan = plan_of(tmp_path, {"strategy": STRATEGY, "cash": f"-{cash}"})
        moved = at(running, "import-account", "--config", config, "--plan", plan, "--yes")
        assert moved.code == 0, moved.err
        days, wrong = loaded(tmp_path, running)
    assert wrong == 0
    (last,) = (day for day in days if day["strategy"] == STRATEGY)
    assert (last["transfers"], last["end_equity"]) == (-D(cash), 0)


@pytest.mark.thorough
@pytest.mark.parametrize("coordinator", ["single", "other"])
def test_shares_of_a_renamed_strategy_move_at_a_price_that_is_shown_whoever_traded_last(
    at: Callable[..., Said], tmp_path: Path, coordinator: str
) -> None:
    new = {**configs.single("rsi", "QQQ"), "name": coordinator}
    new["strategies"][0] |= {"name": "Newcomer", "initial_cash": 1000}
    with venue(tmp_path) as running:
        trade(running, tmp_path, 3)
        held = f"{running.snapshot().positions['SPY'].normalize():f}"
        run_here(running, new, tmp_path, until=OPEN + timedelta(minutes=6))
        new["strategies"][0]["tickers"] = ["QQQ", "SPY"]
        plan = plan_of(tmp_path, spy(f"-{held}"), spy(held, "Newcomer"))
        config = str(written(tmp_path, new))
        moved = at(running, "import-account", "--config", config, "--plan", plan, "--yes")
        assert moved.code == 0, moved.err
        outcome = run_here(running, new, tmp_path, until=OPEN + timedelta(minutes=30))
        agreed = at(running, "reconcile")
        days, wrong = loaded(tmp_path, running)
    rows = [line.split() for line in moved.out.splitlines() if " SPY " in line]
    assert [row[:3] for row in rows] == [
        [STRATEGY, "SPY", f"-{held}"],
        ["Newcomer", "SPY", held],
    ]
    price, value = (D(text.strip("$").replace(",", "")) for text in rows[1][3:])
    assert abs(value - D(held) * price) < D("0.01") * D(held)
    assert rows[0][3:] == [f"${price:,.2f}", f"-${value:,.2f}"]
    assert (outcome.discrepancies, agreed.code, wrong) == (0, 0, 0)
    assert all(d["net_pnl"] == d["end_equity"] - d["start_equity"] - d["transfers"] for d in days)


REFUSED = {
    "more than no strategy owns": ([spy("8")], "it wants 8 SPY, of which no strategy owns 7"),
    "an unknown strategy": ([spy("1", "Nobody")], "no strategy 'Nobody'"),
    "a ticker that it never sells": (
        [{"strategy": STRATEGY, "symbol": "QQQ", "qty": "1"}],
        f"QQQ is none of {STRATEGY}'s tickers (SPY)",
    ),
    "more cash than there is": (
        [{"strategy": STRATEGY, "cash": "99000000"}],
        "it wants $99,000,000.00 of cash; no strategy owns $",
    ),
}


@pytest.mark.thorough
def test_a_plan_that_cannot_be_carried_out_moves_nothing_and_says_all_that_stands_against_it(
    at: Callable[..., Said], tmp_path: Path
) -> None:
    by_hand_ = {"at": "09:31", "kind": "hand_trade", "symbol": "SPY", "side": "buy", "qty": "7"}
    with venue(tmp_path, by_hand_) as running:
        hold(running, tmp_path)
        before = journal_of(tmp_path).read_bytes()
        every = plan_of(tmp_path, *(move for moves, _ in REFUSED.values() for move in moves))
        refused = at(running, "import-account", "--plan", every, "--yes")
        unchanged = journal_of(tmp_path).read_bytes() == before
        at(running, "kill")
        killed = at(running, "import-account", "--plan", plan_of(tmp_path, spy("1")), "--yes")
    assert (refused.code, killed.code, unchanged) == (3, 3, True)
    assert "SPY, of which no strategy owns 7" in refused.err
    for _, words in list(REFUSED.values())[1:]:
        assert words in refused.err
    assert "the account is killed" in killed.err


def test_a_file_that_is_no_plan_is_refused_with_every_problem_before_the_broker_is_asked(
    at: Callable[..., Said], tmp_path: Path
) -> None:
    path = tmp_path / "p.json"
    path.write_text(
        '{"plan": "a b", "acount": "X", "moves": [{"strategy": "A", "symbol": "spy", "qty": 0},'
        ' {"strategy": "A", "cash": "1e400"}, {"strategy": "A"}, 3,'
        ' {"strategy": "A", "symbol": "", "qty": 1}, {"strategy": "A", "symbol": null, "qty": 1}]}'
    )
    said = at(None, "import-account", "--plan", str(path))
    assert said.code == 2
    for words in (
        "plan: should be 1 to 48 letters",
        "acount: unknown key 'acount'",
        "account: should be the account's number",
        "moves[0].symbol: should be a ticker",
        "moves[0].qty: should be a number other than 0 of at most 9 decimals, got 0",
        "moves[1].cash: should be a number other than 0 of at most 2 decimals",
        'moves[2]: should have either "symbol" and "qty", or "cash"',
        "moves[3]: should be an object, got 3",
        "moves[4].symbol: should be a ticker",
        "moves[5].symbol: should be a ticker",
    ):
        assert words in said.err


def test_a_plan_that_is_there_already_is_never_written_over(
    command: Callable[[Sequence[str]], Said], tmp_path: Path
) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text("half filled in")
    said = command(["import-account", "--write-plan", str(plan)])
    assert said.code == 2
    assert said.err == f"Error: {plan}: exists, and is left as it is; choose another name.\n"
    assert plan.read_text() == "half filled in"


@pytest.mark.slow
def test_a_running_coordinator_hears_of_an_import_and_sells_it_with_its_own(
    tmp_path: Path,
) -> None:
    config = written(tmp_path, configs.single("momentum"))
    hand = {"at": "09:31", "kind": "hand_trade", "symbol": "SPY", "side": "buy", "qty": "7"}
    with venue(tmp_path, hand, clock_speed=600) as running:
        process = run_command(running, config, tmp_path, "--no-load")
        shell = Shell(tmp_path, environment(running, tmp_path) | {"HOME": str(tmp_path)})
        wait_for_position(running, process)
        moved = shell.run("import-account", "--plan", plan_of(tmp_path, spy("7")), "--yes", *FAST)
        later = running.snapshot().at + timedelta(minutes=90)
        wait_until(running, later, lambda: process.poll() is not None)
        process.send_signal(signal.SIGTERM)
        log, _ = process.communicate(timeout=120)
        agreed = shell.run("reconcile", *FAST)
    assert moved.returncode == 0, moved.stderr + log
    booked = [e.record for e in read_kinds(journal_of(tmp_path), r.ActivityBooked)]
    assert (
        sum(b.qty for b in booked if isinstance(b, r.ActivityBooked) and b.strategy == STRATEGY)
        == 7
    )
    assert agreed.returncode == 0, agreed.stdout
    assert "discrepancy" not in log


@pytest.mark.slow
def test_a_kill_sells_what_was_imported_before_the_session_took_up_the_file_that_names_it(
    tmp_path: Path,
) -> None:
    before = configs.single("momentum")
    after = json.loads(json.dumps(before))
    after["strategies"][0]["tickers"].append("QQQ")
    config = written(tmp_path, before)
    hand = {"at": "09:31", "kind": "hand_trade", "symbol": "QQQ", "side": "buy", "qty": "7"}
    with venue(tmp_path, hand, clock_speed=300) as running:
        process = run_command(running, config, tmp_path, "--no-load")
        shell = Shell(tmp_path, environment(running, tmp_path) | {"HOME": str(tmp_path)})
        wait_until(running, OPEN + timedelta(minutes=3), lambda: process.poll() is not None)
        written(tmp_path, after)
        shares = {"strategy": STRATEGY, "symbol": "QQQ", "qty": "7"}
        plan = ("--plan", plan_of(tmp_path, shares), "--config", str(config))
        moved = shell.run("import-account", *plan, "--yes", *FAST)
        killed = shell.run("kill", *FAST, deadline_s=150)
        account = running.snapshot()
        process.send_signal(signal.SIGTERM)
        log, _ = process.communicate(timeout=60)
    assert moved.returncode == 0, moved.stderr + log
    assert (killed.returncode, account.positions) == (0, {}), killed.stdout + killed.stderr + log
