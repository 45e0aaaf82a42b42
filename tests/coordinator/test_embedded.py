"""The embedded simulator: a fresh account for each run, on this machine, as rich as it must be."""

from __future__ import annotations

import asyncio
import stat
import threading
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from coordinator.bootstrap import RunOptions, SessionOutcome, run_configured
from coordinator.config import parse_config
from coordinator.embedded import Simulation, claim_account, embedded_simulator
from coordinator.errors import OperatorError
from coordinator.shell.alpaca_rest import AlpacaRest
from coordinator.shell.broker import Broker
from coordinator.shell.lease import LEASES, Leases
from coordinator.shell.pace import Budgets
from tests.backtest.recording import write_recording

DAY = date(2026, 3, 17)


def simulation(home: Path, capital: str = "10000", *tickers: str) -> Simulation:
    return Simulation(home, tickers or ("SPY",), Decimal(capital), 600.0, DAY)


def warmed(home: Path, account: str, day: date = DAY) -> None:
    folder = home / account / "warmup"
    folder.mkdir()
    (folder / f"{day.isoformat()}.parquet").touch()


@pytest.mark.parametrize(
    ("capital", "cash"),
    [("10000", "100000"), ("90909", "100000"), ("100000", "110000.0"), ("260000", "286000.0")],
)
def test_the_account_holds_a_tenth_more_than_the_strategies_and_a_hundred_thousand_at_least(
    tmp_path: Path, capital: str, cash: str
) -> None:
    with embedded_simulator(simulation(tmp_path, capital), "SIM0007") as settings:
        account = Broker(AlpacaRest(settings), feed="iex").account()
    assert (account.number, account.cash) == ("SIM0007", Decimal(cash))
    assert settings.trading_url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    ("tickers", "hour"), [(("SPY",), 13), (("SPY", "BTC/USD"), 13), (("BTC/USD",), 0)]
)
def test_its_day_begins_before_the_open_or_for_crypto_alone_at_midnight(
    tmp_path: Path, tickers: tuple[str, ...], hour: int
) -> None:
    with embedded_simulator(simulation(tmp_path, "1", *tickers), "SIM0001") as settings:
        now = Broker(AlpacaRest(settings), feed="iex").clock()
    assert (now.date(), now.hour) == (DAY, hour)


def test_a_bars_file_or_a_fill_model_that_cannot_be_used_is_the_operators_fault(
    tmp_path: Path,
) -> None:
    bad = tmp_path / "bars.csv"
    bad.write_text("symbol,timestamp\nSPY,2026-03-17\n")
    for change in ({"bars": bad}, {"fill_model": "wishful"}, {"bars": tmp_path / "none.csv"}):
        wrong = replace(simulation(tmp_path), **change)  # type: ignore[arg-type]
        with pytest.raises(OperatorError) as error, embedded_simulator(wrong, "SIM0001"):
            pass
        assert error.value.exit_code == 2


def test_tickers_that_a_bars_file_lacks_are_named_before_it_plays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bars = write_recording(tmp_path / "bars.parquet", ["SPY"], DAY, DAY)
    played = replace(simulation(tmp_path, "1", "SPY", "SPX", "QQQ"), bars=bars)
    with embedded_simulator(played, "SIM0001"):
        assert "has no bars of SPX, QQQ, so nothing is decided on them; it holds SPY" in caplog.text


def test_a_bars_file_without_any_of_the_tickers_is_refused(tmp_path: Path) -> None:
    bars = write_recording(tmp_path / "bars.parquet", ["SPY"], DAY, DAY)
    played = replace(simulation(tmp_path, "1", "SPX", "QQQ"), bars=bars)
    account = claim_account(played)
    with (
        pytest.raises(OperatorError, match=r"of SPX, QQQ; it holds SPY\. Correct"),
        embedded_simulator(played, account),
    ):
        pass
    assert not (tmp_path / account).exists()


def test_each_run_has_an_account_of_its_own(tmp_path: Path) -> None:
    home = tmp_path / "deep" / "home"
    assert [claim_account(simulation(home)) for _ in range(3)] == ["SIM0001", "SIM0002", "SIM0003"]
    (home / "PA1").mkdir()
    (home / "SIM0041").mkdir()
    assert claim_account(simulation(home)) == "SIM0042"
    modes = {stat.S_IMODE(f.stat().st_mode) for f in (home.parent, home, home / "SIM0001")}
    assert modes == {0o700}


def test_the_run_after_a_warm_up_of_its_date_takes_over_its_account(tmp_path: Path) -> None:
    old = claim_account(simulation(tmp_path), for_warm_up=True)
    warmed(tmp_path, old)
    newer = claim_account(simulation(tmp_path), for_warm_up=True)
    warmed(tmp_path, newer)
    other_day = replace(simulation(tmp_path), session_date=date(2026, 3, 18))
    assert claim_account(other_day) == "SIM0003"
    assert [claim_account(simulation(tmp_path)) for _ in range(3)] == [newer, old, "SIM0004"]


def test_runs_that_start_together_never_get_the_same_account(tmp_path: Path) -> None:
    for _ in range(4):
        warmed(tmp_path, claim_account(simulation(tmp_path), for_warm_up=True))
    got: list[str] = []
    threads = [
        threading.Thread(target=lambda: got.append(claim_account(simulation(tmp_path))))
        for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(got)) == len(got) == 12
    assert {"SIM0001", "SIM0004"} <= set(got)


def test_a_run_that_cannot_be_played_gives_its_account_back(tmp_path: Path) -> None:
    wrong = replace(simulation(tmp_path), fill_model="wishful")
    for _ in range(2):
        account = claim_account(wrong)
        assert account == "SIM0001"
        with pytest.raises(OperatorError), embedded_simulator(wrong, account):
            pass
        assert list(tmp_path.iterdir()) == []


def test_a_run_leaves_no_lease_and_no_count_of_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    leases = tmp_path / LEASES
    with embedded_simulator(simulation(tmp_path), "SIM0001") as settings, Leases() as held:
        held.take_for_key(settings.account_host, settings.key_id, ["stocks"])
        held.take_for_account("SIM0001", ["stocks"], host=settings.account_host)
        Budgets(settings, speed=600.0).on_account("SIM0001", host=settings.account_host)
        assert len(list(leases.iterdir())) == 3
    assert list(leases.iterdir()) == []


def test_a_run_that_is_stopped_while_it_starts_opens_no_session(tmp_path: Path) -> None:
    one = {"name": "A", "strategy_type": "momentum", "tickers": ["SPY"]}
    config = parse_config({"strategies": [one]}, "one")
    options = RunOptions(simulate=True, date=DAY, home=tmp_path)

    async def stopped() -> SessionOutcome:
        stop = asyncio.Event()
        stop.set()
        leases = tmp_path / "leases"
        return await run_configured(config, options, {}, stop=stop, leases_folder=leases)

    outcome = asyncio.run(stopped())
    assert (outcome.status, outcome.session_id) == ("StoppedEarly", None)
    assert outcome.message == "It was stopped before a session was opened."
    assert not list(tmp_path.rglob("journal.db"))
