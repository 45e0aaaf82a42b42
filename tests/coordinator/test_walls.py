"""What a strategy's process is cut off from, read where the system tells it: /proc."""

from __future__ import annotations

import logging
import os
import resource
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from coordinator.core.lanes import Lanes
from coordinator.core.values import Bar
from coordinator.shell import strategy_process
from coordinator.shell.cell import Budget
from coordinator.strategies.registry import BUILT_IN
from tests.coordinator.isolating import (
    Does,
    Turns,
    answers,
    bars,
    isolated,
    loop,
    named,
    on_a_loop,
)
from tests.coordinator.test_control_socket import no_file_can_be_opened

ROOT = Path(__file__).parents[2]
SECRETS = {
    "APCA_API_KEY_ID": "CANARY-KEY",
    "APCA_API_SECRET_KEY": "CANARY-SECRET",
    "MULTI_TRADER_ALLOW_LIVE": "CANARY-ACCOUNT",
    "PREFECT_API_AUTH_STRING": "CANARY-AUTH",
}
COORDINATOR = """
import fcntl, logging, os, socket, sys
from coordinator.core.lanes import Lanes
from tests.coordinator.isolating import isolated
from coordinator.strategies.registry import BUILT_IN
from tests.coordinator.isolating import Does, bars, named

lease = open(sys.argv[1], "w")
fcntl.flock(lease, fcntl.LOCK_EX)
listener = socket.create_server(("127.0.0.1", 0))
logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s")


def tells(bar):
    print(sorted(name for name in os.environ if "CANARY" in os.environ[name]), os.environ["KEPT"])
    return 1


rules = {"A": Does(tells), "B": Does(tells, longest_window=2)}
with isolated([named(name, rule) for name, rule in rules.items()], BUILT_IN) as specs:
    Lanes(specs).feed_all([bars()[0]])
    print("ready", flush=True)
    sys.stdin.read()
"""
pytestmark = pytest.mark.skipif(
    not Path("/proc/self/environ").is_file(), reason="only Linux tells what its processes have"
)


@contextmanager
def coordinator(folder: Path) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A process with the keys in its environment and two strategies; what they told."""
    process = subprocess.Popen(
        [sys.executable, "-c", COORDINATOR, str(folder / "lease")],
        env={**os.environ, **SECRETS, "KEPT": "kept"},
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        told = list(iter(process.stdout.readline, "ready\n"))
        yield process, told
        process.kill()


def descendants(pid: int) -> list[int]:
    """The process that forks, then the workers."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [one for child in map(int, text.split()) for one in (child, *descendants(child))]


def files_of(pid: int) -> list[str]:
    folder = Path(f"/proc/{pid}/fd")
    return [os.readlink(folder / name).partition(":")[0] for name in os.listdir(folder)]


def ended(pids: list[int], within_s: float = 30) -> bool:
    """Whether all of these processes end in time."""
    for pid in pids:
        try:
            file = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            if not select.select([file], [], [], within_s)[0]:
                return False
        finally:
            os.close(file)
    return True


def test_neither_it_nor_its_strategy_can_read_the_keys_in_its_environment(tmp_path: Path) -> None:
    with coordinator(tmp_path) as (process, told):
        assert b"CANARY" in Path(f"/proc/{process.pid}/environ").read_bytes()
        others = descendants(process.pid)
        assert len(others) == 3
        for pid in others:
            block = Path(f"/proc/{pid}/environ").read_bytes()
            assert b"CANARY" not in block
            assert b"KEPT=kept" in block
    assert told == ["[A] says: [] kept\n", "[B] says: [] kept\n"]


def test_it_holds_no_file_of_the_coordinators_and_dumps_no_core(tmp_path: Path) -> None:
    with coordinator(tmp_path) as (process, _):
        assert str(tmp_path / "lease") in files_of(process.pid)
        for pid in descendants(process.pid):
            files = files_of(pid)
            assert set(files) == {"/dev/null", "socket"}
            assert files.count("socket") == 1
            limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
            assert [line.split()[4:6] for line in limits if "core" in line] == [["0", "0"]]


def test_nothing_outlives_a_coordinator_that_is_killed(tmp_path: Path) -> None:
    with coordinator(tmp_path) as (process, _):
        others = descendants(process.pid)
        process.kill()
        assert ended(others)


def test_ctrl_c_and_the_stop_of_a_service_are_heard_by_the_coordinator_alone(
    tmp_path: Path,
) -> None:
    with coordinator(tmp_path) as (process, _):
        others = descendants(process.pid)
        for pid in others:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                os.kill(pid, number)
        assert not ended(others[:1], within_s=0.2)
        assert descendants(process.pid) == others
        process.communicate("")
        assert process.returncode == 0
        assert ended(others)


def test_when_the_process_that_forks_ends_so_do_the_strategies_and_they_are_faulted() -> None:
    with isolated([named("A", Turns())], BUILT_IN) as (one,):
        lanes, late = Lanes([one]), Lanes([one])
        forks, worker = descendants(os.getpid())
        os.kill(forks, signal.SIGKILL)
        assert ended([worker], within_s=5)
        for each in (lanes, late):
            each.feed_all([bars()[0]])
            assert each.fault(one).endswith("its process has ended")


def test_one_that_was_never_begun_is_faulted_when_nobody_is_left_to_fork() -> None:
    with isolated([named("A", Turns())], BUILT_IN) as (one,):
        (forks,) = descendants(os.getpid())
        os.kill(forks, signal.SIGKILL)
        lanes = Lanes([one])
        lanes.feed_all([bars()[0]])
        assert "StrategyDied" in lanes.fault(one)
        assert "no process for it" in lanes.fault(one)


def test_one_for_which_no_more_files_can_be_opened_is_faulted_and_its_process_ends() -> None:
    with isolated([named("A", Turns())], BUILT_IN) as (one,):
        with no_file_can_be_opened():
            lanes = Lanes([one])
        lanes.feed_all([bars()[0]])
        assert lanes.fault(one).endswith("no process for it: too many open files")
        assert len(descendants(os.getpid())) == 1


@contextmanager
def stopped(forks: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process that forks does nothing meanwhile; nobody waits, and it catches up afterwards."""
    os.kill(forks, signal.SIGSTOP)
    try:
        with monkeypatch.context() as impatient:
            impatient.setattr(strategy_process, "REPLY_S", 0.3)
            yield
    finally:
        os.kill(forks, signal.SIGCONT)


def test_a_process_that_is_forked_too_late_decides_for_no_other_strategy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rules = {"A": Does(lambda bar: 1), "B": Does(lambda bar: -1, longest_window=2)}
    with isolated([named(*each) for each in rules.items()], BUILT_IN) as (one, other):
        (forks,) = descendants(os.getpid())
        with stopped(forks, monkeypatch):
            first = Lanes([one])
        second = Lanes([other])
        for lanes, strategy in ((first, one), (second, other)):
            lanes.feed_all([bars()[0]])
            assert "no process for it" in lanes.fault(strategy)


@pytest.mark.thorough
def test_one_that_hangs_is_ended_although_another_was_forked_too_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    specs = [named("A", Does(lambda bar: loop())), named("B", Turns())]
    with isolated(specs, BUILT_IN, budget=Budget(start_s=1)) as (one, other):
        lanes = Lanes([one])
        forks, worker = descendants(os.getpid())
        with stopped(forks, monkeypatch):
            Lanes([other])
        lanes.feed_all([bars()[0]])
        assert "StrategyHung" in lanes.fault(one)
        assert ended([worker], within_s=5)


def test_what_a_strategy_has_started_ends_although_another_was_forked_too_late(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told = tmp_path / "pid"

    def start_another() -> None:
        told.write_text(str(subprocess.Popen(["sleep", "3600"]).pid))

    specs = [named("A", Does(lambda bar: 1, at_start=start_another)), named("B", Turns())]
    with isolated(specs, BUILT_IN) as (one, other):
        Lanes([one])
        forks, *_ = descendants(os.getpid())
        with stopped(forks, monkeypatch):
            Lanes([other])
    assert ended([int(told.read_text())], within_s=5)


@pytest.mark.parametrize("befalls", [signal.SIGSTOP, signal.SIGKILL], ids=["hangs", "is killed"])
def test_what_a_strategy_has_started_ends_although_the_one_that_forks(
    monkeypatch: pytest.MonkeyPatch, befalls: signal.Signals
) -> None:
    rule = Does(lambda bar: 1, at_start=lambda: subprocess.Popen(["sleep", "3600"]))
    with isolated([named("A", rule)], BUILT_IN) as (one,):
        Lanes([one])
        forks, *others = descendants(os.getpid())
        monkeypatch.setattr(strategy_process, "REPLY_S", 0.3)
        os.kill(forks, befalls)
    assert len(others) == 2, "the strategy's process, and what it has started"
    assert ended([forks, *others])


def test_what_a_strategy_has_started_ends_with_it(tmp_path: Path) -> None:
    told = tmp_path / "pid"

    def start_and_hang(bar: Bar) -> int:
        told.write_text(str(subprocess.Popen(["sleep", "3600"]).pid))
        time.sleep(3600)
        return 0

    with isolated([named("A", Does(start_and_hang))], BUILT_IN, budget=Budget(start_s=1)) as (one,):
        lanes = Lanes([one])
        lanes.feed_all([bars()[0]])
        assert "StrategyHung" in lanes.fault(one)
        assert ended([int(told.read_text())], within_s=5)


def test_one_that_gets_no_processor_is_not_taken_for_one_that_hangs() -> None:
    def let_another_have_it() -> None:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        if not os.fork():
            while True:
                pass
        os.nice(19)

    def think(bar: Bar) -> int:
        until_s = time.monotonic() + 1
        while time.monotonic() < until_s:
            pass
        return 1

    rule, budget = Does(think, at_start=let_another_have_it), Budget(answer_s=0.5)
    with isolated([named("A", rule)], BUILT_IN, budget=budget) as (one,):
        lanes = Lanes([one])
        assert on_a_loop(lambda: answers(lanes, one, bars(minutes=[0]))) == [1], lanes.fault(one)


@pytest.mark.thorough
def test_threads_that_log_while_it_is_forked_lock_nobody_out() -> None:
    logger = logging.Logger("busy")
    logger.addHandler(logging.FileHandler(os.devnull))
    done = threading.Event()

    def hammer() -> None:
        while not done.is_set():
            logger.error("a line")
            logging.getLogger("busy.too").debug("another")

    def talk(bar: Bar) -> int:
        logging.getLogger("busy.too").error("mine")
        logger.handlers[0].acquire()
        return 1

    threads = [threading.Thread(target=hammer) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            with isolated([named("A", Does(talk))], BUILT_IN) as (one,):
                assert answers(Lanes([one]), one, bars(minutes=[0])) == [1]
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_a_session_on_a_thread_of_its_own_walls_its_strategies_off_too() -> None:
    def session() -> list[int]:
        with isolated([named("A", Turns())], BUILT_IN) as (one,):
            return on_a_loop(lambda: answers(Lanes([one]), one, bars(minutes=range(3))))

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(session).result() == [1, -1, 0]


def test_its_limits_are_not_ours() -> None:
    kinds = (resource.RLIMIT_CORE, resource.RLIMIT_DATA)
    before = [resource.getrlimit(kind) for kind in kinds]
    with isolated([named("Good", Turns())], BUILT_IN) as specs:
        Lanes(specs)
        assert before == [resource.getrlimit(kind) for kind in kinds]
