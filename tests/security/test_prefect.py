"""What `make up` leaves running asks for its password, keeps no key, and is its user's alone.

Rows 1, 3 to 7 and 17, at a real server and worker: they trade a session with canary keys at a
simulator that accepts no others, by the way that real keys go.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from simulator.server import Simulator
from tests.e2e.running import environment, simulator_options
from tests.flows.shells import Shell, wait_until
from tests.security.canary import KEY_ID, PAIR, SECRET, is_told, tellers, told_in_tables
from tests.security.listening import addresses_of
from tests.security.test_privacy import open_to_others

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("prefect")]

MARK = "a-users-own-secret-block-4711"
SAVE_A_BLOCK = f"from prefect.blocks.system import Secret; Secret(value={MARK!r}).save('mark')"
NO_ID = "00000000-0000-0000-0000-000000000000"
SOCKETS = ("events/in", "events/out", "logs/out", "task_runs/subscriptions/scheduled")
LISTS = (
    "artifacts",
    "automations",
    "block_documents",
    "block_schemas",
    "block_types",
    "deployments",
    "events",
    "flow_runs",
    "flows",
    "logs",
    "task_runs",
    "variables",
    "work_pools",
    "work_queues",
)


@dataclass(frozen=True)
class Stack:
    """A running server and worker whose coordinator has traded a session."""

    shell: Shell
    url: str
    password: str

    @property
    def server(self) -> httpx.Client:
        """The server, for somebody who has no password."""
        return httpx.Client(base_url=f"{self.url}/api", trust_env=False, timeout=60)

    @property
    def known(self) -> tuple[str, str]:
        """User and password that open it."""
        user, _, word = self.password.partition(":")
        return user, word

    def process(self, *words: str) -> int:
        """The one process with these words in its command line."""
        named = {pid: Path(f"/proc/{pid}/cmdline").read_text() for pid in self.shell.processes()}
        [found] = [pid for pid, line in named.items() if all(word in line for word in words)]
        return found


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    shell = Shell(tmp_path_factory.mktemp("stack"))
    with Simulator(simulator_options(credentials=(KEY_ID, SECRET))) as venue:
        known = environment(venue, shell.state) | PAIR
        shell.environment.update({k: v for k, v in known.items() if k.startswith("APCA_")})
        try:
            up = shell.server("up")
            assert up.returncode == 0, up.stdout + up.stderr
            assert "simulated" not in up.stdout
            run = ("-m", "prefect", "deployment", "run", "coordinator/stocks", "-p")
            assert shell.python(*run, "clock_speed=100000").returncode == 0
            assert shell.python("-c", SAVE_A_BLOCK).returncode == 0
            wait_until(lambda: list((shell.state / "reports").glob("2026-03-17.*.html")))
            places = shell.state / "prefect"
            yield Stack(shell, (places / "ready").read_text(), (places / "auth").read_text())
        finally:
            shell.server("down")
            for process in shell.processes():  # only where something failed
                os.kill(process, signal.SIGKILL)


def test_everything_but_health_asks_for_the_password(stack: Stack) -> None:
    with stack.server as server:
        paths = server.get("/openapi.json", auth=stack.known).json()["paths"]
        calls = [(way.upper(), path) for path, ways in paths.items() for way in ways]
        answers = {
            (way, path): server.request(way, re.sub(r"\{[^}]*\}", NO_ID, path)).status_code
            for way, path in calls
        }
        assert len(answers) > 150
        assert {call for call, status in answers.items() if status != 401} == {
            ("GET", "/health"),
            ("GET", "/ready"),
        }
        body = {"name": "x", "value": "1"}
        for wrong in (("trader", "wrong"), ("other", stack.known[1]), ("", "")):
            assert server.post("/variables/", json=body, auth=wrong).status_code == 401
        assert server.post("/variables/", json=body, auth=stack.known).status_code == 201


@pytest.mark.parametrize("path", SOCKETS)
def test_a_websocket_asks_for_the_password_too(path: str, stack: Stack) -> None:
    url = f"{stack.url.replace('http', 'ws', 1)}/api/{path}"
    with pytest.raises(InvalidStatus):
        connect(url, proxy=None).close()
    with connect(url, subprotocols=[Subprotocol("prefect")], proxy=None) as socket:
        socket.send(json.dumps({"type": "auth", "token": "trader:wrong"}))
        assert not any("auth_success" in answer for answer in _until_closed(socket))


def _until_closed(socket: ClientConnection) -> list[str]:
    answers = []
    try:
        while True:
            answers.append(str(socket.recv(timeout=30)))
    except ConnectionClosed:
        return answers


def test_no_other_page_may_ask_it_in_a_users_browser(stack: Stack) -> None:
    allowed = "access-control-allow-origin"
    with stack.server as server:
        for origin in ("http://evil", "null", f"{stack.url}.evil", "http://localhost:1"):
            assert allowed not in server.get("/health", headers={"Origin": origin}).headers
            asking = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            refused = server.options("/variables/", headers=asking)
            assert refused.status_code == 400
            assert allowed not in refused.headers
        own = server.get("/health", headers={"Origin": stack.url})
        assert own.headers[allowed] == stack.url


def _all_of(server: httpx.Client, kind: str, auth: tuple[str, str]) -> list[Any]:
    """Every object of a kind, as whoever has the password may read it."""
    found: list[Any] = []
    while True:
        asked: dict[str, Any] = {"limit": 100, "offset": len(found), "include_secrets": True}
        if kind == "events":
            asked = {"limit": 50}
        answer = server.post(f"/{kind}/filter", json=asked, auth=auth)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        if kind == "events":
            return list(page["events"])
        found += page
        if len(page) < 100:
            return found


def test_prefect_holds_no_key_in_any_block_variable_parameter_or_log(stack: Stack) -> None:
    with stack.server as server:
        held = {kind: _all_of(server, kind, stack.known) for kind in LISTS}
    telling = {kind for kind, objects in held.items() if is_told(json.dumps(objects))}
    assert telling == set()
    assert MARK in json.dumps(held["block_documents"]), "a secret block would be told"
    assert any("SUMMARY" in log["message"] for log in held["logs"])
    assert {run["parameters"].get("simulate") for run in held["flow_runs"]} <= {False, None}
    assert held["artifacts"]
    assert held["deployments"]


def test_a_secret_block_is_in_the_database_only_encrypted(stack: Stack) -> None:
    home = stack.shell.state / "prefect"
    with sqlite3.connect(home / "prefect.db") as server:
        blocks = server.execute("SELECT data FROM block_document").fetchall()
        keys = server.execute("SELECT key FROM configuration").fetchall()
    assert blocks
    assert ("ENCRYPTION_KEY",) not in keys
    holding = [file for file in home.rglob("*") if file.is_file() and MARK in _text(file)]
    assert holding == []


def _text(file: Path) -> str:
    return file.read_bytes().decode("utf-8", "replace")


def test_no_file_tells_the_keys_and_every_file_is_its_users(stack: Stack) -> None:
    assert tellers(stack.shell.folder) == []
    assert told_in_tables(stack.shell.state) == []
    assert open_to_others(stack.shell.state) == {}
    assert {file.name for file in stack.shell.state.rglob("*.db")} == {"journal.db", "prefect.db"}


def test_all_that_runs_listens_on_loopback(stack: Stack) -> None:
    listening = addresses_of(stack.shell.processes())
    assert ("127.0.0.1", int(stack.url.rpartition(":")[2])) in listening
    assert {address for address, _ in listening} <= {"127.0.0.1", "::1"}


def test_the_worker_has_the_keys_and_the_server_has_not(stack: Stack) -> None:
    server, worker = stack.process("server", "start"), stack.process("worker", "start")
    assert is_told(Path(f"/proc/{worker}/environ").read_bytes())
    assert not is_told(Path(f"/proc/{server}/environ").read_bytes())
    for process in stack.shell.processes():
        assert not is_told(Path(f"/proc/{process}/cmdline").read_bytes())
        limits = Path(f"/proc/{process}/limits").read_text()
        assert re.search(r"Max core file size +0 +0 ", limits)
