"""The server's processes and files: who sees the keys, who may read what, who holds the lock."""

from __future__ import annotations

import itertools
import os
import select
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

import flows.server.stack as stacks
import flows.server.up as starting
from coordinator.settings import has_keys
from flows.server.children import Child, StartFailed, run_to_end
from flows.server.demo import market_of
from flows.server.deploying import flow_of
from flows.server.places import (
    PORT_TAKEN,
    Places,
    client_environment,
    free_port,
    server_environment,
    without,
)
from flows.server.ports import listener
from flows.server.runs import is_healthy, is_left_out
from flows.server.stack import Stack
from flows.server.supervisor import holder, sole
from tests.environment import bare_environment
from tests.flows.shells import Shell

ROOT = Path(__file__).parents[2]
SHELL = {
    "PATH": "/bin",
    "APCA_API_KEY_ID": "PKTEST",
    "APCA_API_SECRET_KEY": "hidden",
    "PREFECT_API_URL": "http://elsewhere/api",
    "PREFECT_PROFILE": "mine",
}


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_worker_is_given_the_brokers_keys(tmp_path: Path) -> None:
    places = Places.under(tmp_path)
    worker = client_environment(places, 4200, SHELL)
    server = server_environment(places, 4200, SHELL)
    secrets = {"hidden", "PKTEST"}
    assert secrets <= set(worker.values())
    assert not secrets & set(server.values())


def test_nothing_of_the_shells_prefect_leaks_in(tmp_path: Path) -> None:
    environment = client_environment(Places.under(tmp_path), 4321, SHELL)
    assert environment["PREFECT_API_URL"] == "http://127.0.0.1:4321/api"
    assert "PREFECT_PROFILE" not in environment
    assert without(SHELL, "APCA_", "PREFECT_") == {"PATH": "/bin"}


def test_the_server_listens_on_loopback_and_asks_for_a_password_made_once(tmp_path: Path) -> None:
    places = Places.under(tmp_path)
    server = server_environment(places, 4200, {})
    password = server["PREFECT_SERVER_API_AUTH_STRING"]
    assert server["PREFECT_SERVER_API_HOST"] == "127.0.0.1"
    assert server["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"] == (
        "http://127.0.0.1:4200,http://localhost:4200"
    )
    assert len(password.partition(":")[2]) >= 32
    assert Places.under(tmp_path).password() == password
    assert client_environment(places, 4200, {})["PREFECT_API_AUTH_STRING"] == password
    assert Places.under(tmp_path / "other").password() != password


def test_secret_blocks_are_encrypted_with_a_key_that_is_not_in_the_database(tmp_path: Path) -> None:
    places = Places.under(tmp_path)
    key = server_environment(places, 4200, {})["PREFECT_SERVER_ENCRYPTION_KEY"]
    assert len(Fernet(key).encrypt(b"x")) > 32
    assert mode_of(places.folder / "encryption-key") == 0o600
    (places.folder / "prefect.db").touch()
    assert server_environment(places, 4200, {})["PREFECT_SERVER_ENCRYPTION_KEY"] == key
    assert "PREFECT_SERVER_ENCRYPTION_KEY" not in client_environment(places, 4200, {})


def test_a_database_that_was_made_without_a_key_keeps_its_own(tmp_path: Path) -> None:
    places = Places.under(tmp_path)
    (places.folder / "prefect.db").touch()
    assert "PREFECT_SERVER_ENCRYPTION_KEY" not in server_environment(places, 4200, {})
    assert not (places.folder / "encryption-key").exists()


def test_what_the_server_keeps_is_for_its_user_alone(tmp_path: Path) -> None:
    places = Places.under(tmp_path)
    places.password()
    child = Child("told", ["--version"], dict(os.environ), places.folder)
    child.start()
    assert mode_of(places.folder) == 0o700
    assert {path.name: mode_of(path) for path in (places.folder / "auth", child.log)} == {
        "auth": 0o600,
        "told.log": 0o600,
    }
    child.stop()


@pytest.mark.parametrize(
    ("environment", "dotenv", "found"),
    [
        ({}, None, False),
        ({"APCA_API_KEY_ID": "k"}, None, False),
        ({"APCA_API_KEY_ID": "k", "APCA_API_SECRET_KEY": ""}, None, False),
        ({"APCA_API_KEY_ID": "k", "APCA_API_SECRET_KEY": "s"}, None, True),
        ({}, "APCA_API_KEY_ID=k\nAPCA_API_SECRET_KEY=s\n", True),
        ({"APCA_API_KEY_ID": "k"}, "APCA_API_SECRET_KEY=s\n", True),
        ({}, "APCA_API_KEY_ID=k\n", False),
        ({}, "export APCA_API_KEY_ID = k\nAPCA_API_SECRET_KEY = s # mine\n", True),
        ({}, "# APCA_API_KEY_ID=k\n# APCA_API_SECRET_KEY=s\n", False),
        ({}, "APCA_API_KEY_ID=\nAPCA_API_SECRET_KEY=\n", False),
    ],
)
def test_sessions_are_simulated_unless_both_keys_can_be_found(
    environment: dict[str, str], dotenv: str | None, found: bool, tmp_path: Path
) -> None:
    if dotenv is not None:
        (tmp_path / ".env").write_text(dotenv)
        (tmp_path / ".env").chmod(0o600)
    assert has_keys(environment, tmp_path) is found


def test_a_port_in_use_is_left_to_whoever_has_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert free_port(port) != port
    assert free_port(port) == port


def test_who_holds_a_port_is_told_by_its_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = listener(port) or ""
        assert said.startswith(f"process {os.getpid()} (")
        assert "py" in said
    assert listener(port) is None


def test_where_the_system_does_not_tell_who_holds_a_port_it_is_taken_for_our_server() -> None:
    with socket.socket() as silent:  # bound and not listening, it is in no list of listeners
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        assert listener(port) == "another process"
        assert listener(port, but_for=os.getpid()) is None


@pytest.mark.thorough
def test_a_server_whose_port_was_taken_meanwhile_says_by_whom(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = Shell(tmp_path).server("supervise", "--port", str(port), "--simulate")
    assert ended.returncode == PORT_TAKEN, ended.stderr
    said = ended.stderr.splitlines()[-1]
    assert said.startswith(f"Port {port} is held by process {os.getpid()} (")
    assert said.endswith("): the server cannot start.")


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["no database", "a newer release's"])
def test_a_server_that_cannot_use_its_database_says_what_to_do_with_it(
    damage: str, tmp_path: Path
) -> None:
    shell = Shell(tmp_path)
    database = Places.under(shell.state).folder / "prefect.db"
    if damage == "no database":
        database.write_bytes(b"something else" * 1_000)
    else:
        with sqlite3.connect(database) as newer:
            newer.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
            newer.execute("INSERT INTO alembic_version VALUES ('ffffffffffff')")
    ended = shell.server("supervise", "--port", str(free_port()), "--simulate")
    assert ended.returncode == 1
    said = ended.stderr.splitlines()[-1]
    assert said.startswith(f"Prefect cannot use its database {database}. Move it away")
    assert said.endswith("and no books.")


@pytest.mark.slow
def test_a_port_that_is_taken_while_the_server_starts_costs_a_second_try_and_no_more(
    tmp_path: Path,
) -> None:
    shell, told = Shell(tmp_path), Places.under(tmp_path / "state").port
    started = Thread(target=lambda: ups.append(shell.server("up")))
    ups: list[subprocess.CompletedProcess[str]] = []
    started.start()
    try:
        wait_until(told.exists)  # written before its server begins, which takes seconds
        with socket.create_server(("127.0.0.1", int(told.read_text()))) as taken:
            started.join()
            port = taken.getsockname()[1]
    finally:
        started.join()
        down = shell.server("down")
    [up] = ups
    assert up.returncode == 0, up.stdout + up.stderr
    assert f"Port {port} is held by process {os.getpid()} " in up.stdout
    assert "Another port is tried." in up.stdout
    steps = ["Starting the Prefect server", "Deploying prefect.yaml"]
    assert [line for line in up.stdout.splitlines() if line in steps][-2:] == steps
    assert int(told.read_text()) != port
    assert "Stopped." in down.stdout.splitlines()


@pytest.mark.slow
def test_a_server_that_is_slow_to_start_is_waited_for_and_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stacks, "STILL_S", 0.1)
    shell, said = Shell(tmp_path), list[str]()
    stack = Stack(Places.under(shell.state), free_port(), shell.environment)
    client = stack.client_environment
    ours = {PREFECT_API_URL: client["PREFECT_API_URL"]}
    ours |= {PREFECT_API_AUTH_STRING: client["PREFECT_API_AUTH_STRING"]}
    with temporary_settings(ours):
        try:
            stack._server.start()
            stack._wait_for_server(said.append)
            assert is_healthy()
        finally:
            stack._server.stop()
    assert said
    assert all("waiting on" in line for line in said)


@pytest.mark.slow
def test_a_server_that_takes_too_long_to_start_is_shown_with_its_log_and_can_be_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = Shell(tmp_path)
    with monkeypatch.context() as hasty:
        hasty.setattr(starting, "_SILENT_S", -1.0)
        hasty.setattr(starting, "_STOP_S", 1.0)
        with pytest.raises(StartFailed, match="did not get ready"):
            starting.up(shell.state, shell.environment)
    assert shell.server("down").returncode == 0
    assert shell.server("down").stdout == "Nothing runs.\n"


@pytest.mark.thorough
def test_a_demonstration_of_a_wrong_configuration_says_so_before_anything_starts(
    tmp_path: Path,
) -> None:
    config = tmp_path / "mine.json"
    config.write_text('{"strategies": []}')
    command = [sys.executable, "-m", "flows.server", "demo", "--config", str(config)]

    ended = subprocess.run(
        [*command, "--home", str(tmp_path / "state")],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
    )

    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert f"{config}: 1 problem" in ended.stderr
    assert "strategies: should hold at least one" in ended.stderr
    assert "Starting" not in ended.stdout


def test_a_lock_names_its_holder_and_goes_with_it(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    assert holder(lock) is None
    hold = (
        "import sys, pathlib\nfrom flows.server.supervisor import sole\n"
        "with sole(pathlib.Path(sys.argv[1])) as alone:\n    print(alone, flush=True)\n"
        "    sys.stdin.read()"
    )
    command = [sys.executable, "-c", hold, str(lock)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        assert holder(lock) == other.pid
        with sole(lock) as alone:
            assert alone is False
        other.kill()
        other.wait()
    assert holder(lock) is None
    with sole(lock) as alone:
        assert alone is True
        assert holder(lock) == os.getpid()


def test_make_down_says_what_it_waits_for_while_it_waits_also_into_a_pipe(tmp_path: Path) -> None:
    places = Places.under(tmp_path)
    places.lock.parent.mkdir(parents=True, exist_ok=True)
    hold = (
        "import pathlib, signal, sys\nfrom flows.server.supervisor import sole\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "with sole(pathlib.Path(sys.argv[1])) as alone:\n    print(alone, flush=True)\n"
        "    sys.stdin.read()"
    )
    down = [sys.executable, "-m", "flows.server", "down", "--home", str(tmp_path)]
    environment = bare_environment(tmp_path)
    environment.pop("PYTHONUNBUFFERED", None)
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", hold, str(places.lock)]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as busy:
        assert busy.stdin is not None
        assert busy.stdout is not None
        assert busy.stdout.readline() == "True\n"
        with subprocess.Popen(down, stdout=pipe, text=True, cwd=ROOT, env=environment) as ending:
            assert ending.stdout is not None
            told, _, _ = select.select([ending.stdout], [], [], 60)
            busy.stdin.close()
            assert told, "it waited without a word"
            said = ending.stdout.read().splitlines()
    assert said == ["Ending the live sessions, then the worker and the server", "Stopped."]


def wait_until(holds: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end_s
        time.sleep(0.05)


def test_a_dead_child_is_started_again_and_each_time_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts: list[float] = []
    now_s = 1_000.0
    monkeypatch.setattr("flows.server.children.time.monotonic", lambda: now_s)
    child = Child("short", [], {}, tmp_path)
    monkeypatch.setattr(Child, "is_alive", lambda _: False)

    def start(one: Child) -> None:
        starts.append(now_s)
        one._started_s = now_s

    monkeypatch.setattr(Child, "start", start)
    child.start()
    for _ in range(600):
        now_s += 0.1
        child.revive()
    pauses = [round(b - a) for a, b in itertools.pairwise(starts)]
    assert pauses == [2, 5, 10, 30]


def test_a_child_is_found_again_by_the_next_supervisor_and_can_be_ended_by_it(
    tmp_path: Path,
) -> None:
    environment = {**os.environ, "PREFECT_HOME": str(tmp_path)}
    server = ["server", "start", "--port", str(free_port()), "--no-ui"]
    first = Child("server", server, environment, tmp_path)
    first.start()
    second = Child("server", server, environment, tmp_path)
    try:
        wait_until(second.adopt)
        assert second.pid == first.pid
    finally:
        os.kill(first.pid or 0, signal.SIGKILL)
    wait_until(lambda: not first.is_alive())
    assert not second.is_alive()
    assert not Child("server", server, environment, tmp_path).adopt()
    second.stop()
    assert not (tmp_path / "server.pid").exists()


def test_after_the_machines_restart_another_process_with_a_childs_number_is_not_taken_for_it(
    tmp_path: Path,
) -> None:
    ours, others = tmp_path / "ours", tmp_path / "others"
    server = ["server", "start", "--port", str(free_port()), "--no-ui"]
    for folder in (ours, others):
        folder.mkdir()
    running = Child("server", server, {**os.environ, "PREFECT_HOME": str(others)}, others)
    running.start()
    try:
        wait_until(Child("server", [], {}, others).adopt)
        for name, folder in (("worker", others), ("server", ours)):
            (folder / f"{name}.pid").write_text(str(running.pid))
            stranger = Child(name, [], {}, folder)
            assert not stranger.adopt()
            stranger.stop()
        assert running.is_alive()
    finally:
        running.stop()


@pytest.mark.thorough
def test_a_prefect_command_that_fails_says_so_in_prefects_own_words() -> None:
    with pytest.raises(StartFailed, match=r"(?s)Trying failed \(exit \d+\).*no-such-command"):
        run_to_end("Trying", ["no-such-command"], dict(os.environ))


@pytest.mark.parametrize(
    ("ended", "loaded", "now", "left_out"),
    [
        (None, None, "16:30:00", False),  # nothing was traded
        ("16:00:30", None, "16:01:29", False),  # the trigger may still come
        ("16:00:30", None, "16:01:30", True),
        ("16:00:30", "15:00:00", "16:02:00", True),  # that was an earlier session's
        ("16:00:30", "16:00:41", "16:02:00", False),
    ],
)
def test_the_end_of_day_is_run_where_prefects_trigger_left_it_out(
    ended: str | None, loaded: str | None, now: str, left_out: bool
) -> None:
    def at(time: str) -> datetime:
        return datetime.fromisoformat(f"2026-03-17T{time}Z")

    found = is_left_out(at(ended) if ended else None, at(loaded) if loaded else None, at(now))
    assert found is left_out


def test_the_supervisor_starts_no_second_end_of_day_while_its_first_is_on_its_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[SimpleNamespace] = []
    ended = False

    def start_run(*_: object) -> SimpleNamespace:
        started.append(SimpleNamespace(id=uuid4()))
        return started[-1]

    monkeypatch.setattr("flows.server.runs.is_end_of_day_due", lambda _: True)
    monkeypatch.setattr("flows.server.runs.start_run", start_run)
    monkeypatch.setattr("flows.server.runs.has_ended", lambda run: ended and run == started[0].id)
    stack = Stack(Places.under(tmp_path), 4200, {})
    now = datetime.fromisoformat("2026-03-17T16:05:00Z")
    for _ in range(3):
        stack._load(now)
    assert len(started) == 1
    ended = True
    for _ in range(3):
        stack._load(now)
    assert len(started) == 2


@pytest.mark.parametrize(
    ("config", "market"),
    [("stocks_only", "stocks"), ("crypto_only", "crypto"), ("multi_asset", "stocks")],
)
def test_a_configuration_belongs_to_crypto_only_if_it_trades_nothing_else(
    config: str, market: str
) -> None:
    assert market_of(ROOT / f"configs/{config}.json") == market


def test_a_flows_name_is_told_by_its_entrypoint() -> None:
    assert flow_of({"entrypoint": "flows.end_of_day.end_of_day"}) == "end-of-day"
