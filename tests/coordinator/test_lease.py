"""One coordinator per key and market, and per account and market, whatever dies."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from coordinator.claims import Claims
from coordinator.config import Mode
from coordinator.errors import OperatorError, SafetyRefusal
from coordinator.settings import read_settings, simulator_settings
from coordinator.shell.lease import LeaseHeld, Leases, is_held, is_running
from coordinator.shell.pace import Budgets
from coordinator.shell.simulated_leases import STARTING_S, forget_killed_runs, forget_run

HOST = "paper-api.alpaca.markets"
HOLD_MANY = """
import resource, sys
from pathlib import Path
from coordinator.shell.lease import Leases
resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
with Leases(Path(sys.argv[1])) as leases:
    leases.take_for_strategies("PA1", [f"S{number}" for number in range(200)])
"""
HOLD = """
import sys
from pathlib import Path
from coordinator.errors import OperatorError, SafetyRefusal
from coordinator.shell.lease import Leases
with Leases(Path(sys.argv[1])) as leases:
    leases.take_for_key(sys.argv[2], "PK1", ["stocks"])
    leases.take_for_account("PA1", ["stocks"])
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    """Another process that holds the leases of PK1 and PA1 for stocks."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), HOST],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_more_strategies_can_run_than_a_process_may_at_first_have_open_files(
    tmp_path: Path,
) -> None:
    held = subprocess.run(
        [sys.executable, "-c", HOLD_MANY, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (held.returncode, held.stderr) == (0, "")


Take = Callable[[Leases], None]
REFUSED: list[Take] = [
    lambda leases: leases.take_for_key(HOST, "PK1", ["stocks"]),
    lambda leases: leases.take_for_key(HOST, "PK1", ["crypto", "stocks"]),  # a mixed run
    lambda leases: leases.take_for_account("PA1", ["stocks"]),  # though with other keys
]
GRANTED: list[Take] = [
    lambda leases: leases.take_for_key(HOST, "PK1", ["crypto"]),
    lambda leases: leases.take_for_key(HOST, "PK2", ["stocks"]),
    lambda leases: leases.take_for_key("127.0.0.1:5001", "PK1", ["stocks"]),
    lambda leases: leases.take_for_account("PA1", ["crypto"]),
    lambda leases: leases.take_for_account("PA2", ["stocks"]),
    lambda leases: leases.take_for_account("PA1", ["stocks"], host="127.0.0.1:5001"),
]


def test_a_second_process_is_refused_by_name_until_the_first_is_killed(tmp_path: Path) -> None:
    first = holder(tmp_path)
    try:
        for take in REFUSED:
            with Leases(tmp_path) as second, pytest.raises(LeaseHeld) as refusal:
                take(second)
            assert f"another coordinator (process {first.pid})" in str(refusal.value)
            assert "already trades stocks" in str(refusal.value)
            assert refusal.value.exit_code == 3
        for take in GRANTED:
            with Leases(tmp_path) as second:
                take(second)
    finally:
        end(first)  # kill -9: nobody cleans up
    with Leases(tmp_path) as third:
        for take in REFUSED[1:]:
            take(third)


def test_a_home_in_which_no_lease_can_lie_is_named_with_what_to_do(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("a file")

    with Leases(home / ".multi-trader" / "leases") as leases, pytest.raises(OperatorError) as told:
        leases.take_for_key(HOST, "PK1", ["stocks"])

    assert str(home) in str(told.value)
    assert "Let HOME name a folder" in str(told.value)


def test_a_lease_is_given_back_at_the_end_of_a_run(tmp_path: Path) -> None:
    with Leases(tmp_path) as first:
        first.take_for_key(HOST, "PK1", ["stocks", "crypto"])
        with Leases(tmp_path) as meanwhile, pytest.raises(LeaseHeld):
            meanwhile.take_for_key(HOST, "PK1", ["crypto"])
    with Leases(tmp_path) as second:
        second.take_for_key(HOST, "PK1", ["stocks", "crypto"])
        with Leases(tmp_path) as third, pytest.raises(LeaseHeld):
            third.take_for_key(HOST, "PK1", ["stocks"])


def test_one_lease_cannot_be_had_twice_in_one_process_either(tmp_path: Path) -> None:
    with Leases(tmp_path) as first, Leases(tmp_path) as second:
        first.take_for_account("PA1", ["stocks"])
        with pytest.raises(LeaseHeld, match="account PA1"):
            second.take_for_account("PA1", ["stocks"])


def test_a_start_is_not_refused_because_somebody_just_looks_who_is_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Leases(tmp_path) as first:
        first.take_for_coordinator("PA1", "crypto")
    (lease,) = tmp_path.iterdir()
    looking = lease.open()
    fcntl.flock(looking, fcntl.LOCK_SH)  # as `is_held` does
    monkeypatch.setattr("coordinator.shell.lease.time.sleep", lambda _: looking.close())
    with Leases(tmp_path) as ours:
        ours.take_for_coordinator("PA1", "crypto")


def test_a_session_that_starts_again_keeps_the_leases_that_it_has(tmp_path: Path) -> None:
    with Leases(tmp_path) as ours:
        for _ in range(2):
            ours.take_for_account("PA1", ["crypto"])
            ours.take_for_strategies("PA1", ["A"])
        with Leases(tmp_path) as theirs, pytest.raises(LeaseHeld):
            theirs.take_for_account("PA1", ["crypto"])
    with Leases(tmp_path) as theirs:
        theirs.take_for_account("PA1", ["crypto"])


def test_a_strategy_runs_in_one_coordinator_at_a_time_whatever_its_market(tmp_path: Path) -> None:
    with Leases(tmp_path) as first, Leases(tmp_path) as second:
        first.take_for_strategies("PA1", ["Momo", "Rsi"])
        second.take_for_strategies("PA2", ["Momo"])
        second.take_for_strategies("PA1", ["momo", "Momo-2"])
        with pytest.raises(SafetyRefusal, match="already runs Momo on account PA1") as refusal:
            second.take_for_strategies("PA1", ["Other", "Momo"])
        assert not isinstance(refusal.value, LeaseHeld), "waiting for it would not help"
        assert refusal.value.exit_code == 3


ONE_BROKER = [
    (f"https://{HOST}", f"https://{HOST}:443"),
    (f"https://{HOST}", "https://PAPER-API.Alpaca.Markets"),
    ("http://127.0.0.1:8900", "http://localhost:8900"),
    ("http://127.0.0.1:8900", "http://[::1]:8900/v2"),
]


@pytest.mark.parametrize(("url", "other"), ONE_BROKER)
def test_a_broker_written_in_another_way_is_no_other_broker(
    tmp_path: Path, url: str, other: str
) -> None:
    def claims(trading_url: str, key: str, leases: Leases) -> Claims:
        keys = {"APCA_API_KEY_ID": key, "APCA_API_SECRET_KEY": "s"}
        settings = read_settings(keys | {"APCA_API_BASE_URL": trading_url}, live=False)
        budgets = Budgets(settings, speed=1.0, folder=tmp_path)
        return Claims(key, Mode.PAPER, ["stocks"], [key], settings, leases, budgets)

    with Leases(tmp_path) as held, Leases(tmp_path) as wanted:
        first = claims(url, "PK1", held)
        first.take_key()
        first.take_account("PA1")
        with pytest.raises(LeaseHeld, match="these keys"):
            claims(other, "PK1", wanted).take_key()
        with pytest.raises(LeaseHeld, match="account PA1"):
            claims(other, "PK2", wanted).take_account("PA1")


def test_two_simulators_on_this_machine_are_two_brokers(tmp_path: Path) -> None:
    ports = [simulator_settings(f"http://127.0.0.1:{port}", tmp_path) for port in (8900, 8901)]

    assert len({settings.account_host for settings in ports}) == 2


def test_a_coordinators_name_is_one_process_at_a_time_on_an_account(tmp_path: Path) -> None:
    with Leases(tmp_path) as first, Leases(tmp_path) as second:
        first.take_for_coordinator("PA1", "Mein Händler/№ 1")
        first.take_for_strategies("PA1", ["Momo"])
        second.take_for_coordinator("PA2", "Mein Händler/№ 1")
        second.take_for_coordinator("PA1", "Momo")
        with pytest.raises(SafetyRefusal, match="already runs as Mein Händler") as refusal:
            second.take_for_coordinator("PA1", "Mein Händler/№ 1")
        assert not isinstance(refusal.value, LeaseHeld), "waiting for it would not help"


@pytest.mark.parametrize("host", ["", "127.0.0.1:5001"], ids=["at Alpaca", "in a simulator"])
def test_whether_an_account_is_traded_can_be_asked_without_disturbing(
    host: str, tmp_path: Path
) -> None:
    assert not is_running("PA1", tmp_path / "none")
    with Leases(tmp_path) as leases:
        leases.take_for_account("PA1", ["crypto"], host=host)
        assert [is_running(number, tmp_path) for number in ("PA1", "PA", "A1", "PA12")] == [
            *(True, False, False, False)
        ]
        assert is_running("PA1", tmp_path)
    assert not is_running("PA1", tmp_path)
    with Leases(tmp_path) as leases:
        leases.take_for_account("PA1", ["crypto"], host=host)


def test_no_file_of_a_lease_tells_a_key_or_leaves_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "leases"
    with Leases(folder) as leases:
        leases.take_for_key(HOST, "PKSECRET", ["stocks"])
        leases.take_for_account("../../PA1", ["stocks"])
    files = list(folder.iterdir())
    assert len(files) == 2
    assert not any("PKSECRET" in f.name or "PKSECRET" in f.read_text() for f in files)
    assert {stat.S_IMODE(f.stat().st_mode) for f in files} == {0o600}
    assert (
        stat.S_IMODE(folder.stat().st_mode) == stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    )


SIMULATOR = "127.0.0.1:5001"


def simulated(folder: Path, account: str = "SIM0001", host: str = SIMULATOR) -> Leases:
    """What a simulated run holds; its requests are counted there too."""
    leases = Leases(folder)
    leases.take_for_key(host, "simulated", ["stocks"])
    leases.take_for_account(account, ["stocks"], host=host)
    leases.take_for_coordinator(account, "one", host=host)
    leases.take_for_strategies(account, ["Edge"], host=host)
    name = host.replace(".", "_").replace(":", "_")
    (folder / f"account-{name}-{account}.requests").touch()
    return leases


def age(folder: Path) -> None:
    """All files are as old as those of a run that is no longer starting."""
    long_ago = time.time() - 2 * STARTING_S
    for path in folder.iterdir():
        os.utime(path, (long_ago, long_ago))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_simulated_run_that_ends_leaves_nothing_and_takes_nobody_elses(tmp_path: Path) -> None:
    with Leases(tmp_path) as others:
        others.take_for_account("PA1", ["stocks"])
        others.take_for_account("SIM00012", ["stocks"], host=SIMULATOR)
        others.take_for_key("127.0.0.1:50010", "simulated", ["stocks"])
        before = names(tmp_path)
        simulated(tmp_path).close()
        assert len(names(tmp_path) - before) == 5
        forget_run(SIMULATOR, "SIM0001", tmp_path)
        assert names(tmp_path) == before
    assert not is_running("SIM0001", tmp_path)


def test_what_a_killed_simulated_run_left_is_removed_by_the_next_and_nothing_else(
    tmp_path: Path,
) -> None:
    simulated(tmp_path, "SIM0001").close()
    killed = names(tmp_path)
    with Leases(tmp_path) as paper:
        paper.take_for_key(HOST, "PK1", ["stocks"])
        paper.take_for_account("PA1", ["stocks"])
        paper.take_for_account("PA3SIM000001", ["stocks"], host="127.0.0.1:5002")
    with simulated(tmp_path, "SIM0002", "127.0.0.1:5003"):
        age(tmp_path)
        simulated(tmp_path, "SIM0003", "127.0.0.1:5004").close()  # it may be starting right now
        before = names(tmp_path)
        forget_killed_runs(tmp_path)
        assert before - names(tmp_path) == killed
        assert is_running("SIM0002", tmp_path)


def test_a_lease_that_is_removed_while_it_is_looked_at_is_not_made_again(tmp_path: Path) -> None:
    simulated(tmp_path).close()
    gone = next(tmp_path.glob("*SIM0001-stocks.lock"))
    gone.unlink()
    assert not is_held(gone)
    assert not gone.exists()
