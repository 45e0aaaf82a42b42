"""All of it as a user has it: a venue of its own, `make up` with keys, and runs started in the UI.

Nothing in here is called by the processes; they are looked at and struck from outside.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from coordinator.shell.lease import LEASES, is_running
from flows.server.places import Places
from flows.server.supervisor import holder
from tests.flows.shells import Shell
from tests.oracle import configs
from tests.proof.kills.venue import Venue

Run = dict[str, Any]
ACCOUNT = "PA3SIM000001"
DAY = "2026-11-27"
"""A half day: the exchange closes at 13:00 New York."""
PATIENCE_S = 420.0


class Stack:
    """One venue and one server with its worker, as a context manager; `speed` is the venue's.

    `at_start` is run by each Python process of the worker and its runs before anything else.
    """

    def __init__(self, folder: Path, *, speed: float, at_start: str = "") -> None:
        self.folder, self.speed = folder, speed
        self.shell = Shell(folder)
        options = ("--date", DAY, "--clock-speed", str(speed), "--cash", "1000000")
        self.venue = Venue(folder, *options)
        self.shell.environment |= self.venue.variables
        if at_start:
            (folder / "sitecustomize.py").write_text(at_start)
            self.shell.environment["PYTHONPATH"] = str(folder)
        self.places = Places.under(self.shell.state)
        self.config = folder / "often.json"
        self.config.write_text(json.dumps(trades_often()))

    def __enter__(self) -> Stack:
        with (Path(tempfile.gettempdir()) / "multi-trader-matrix.lock").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)  # two that start at once would take one port
            up = self.shell.server("up")
        if up.returncode:
            self.__exit__()
            raise RuntimeError(up.stdout + up.stderr)
        self._api = httpx.Client(
            base_url=self.places.ready.read_text() + "/api/",
            auth=tuple(self.places.password().split(":", 1)),  # type: ignore[arg-type]
            trust_env=False,
            timeout=20,
        )
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.shell.processes():  # a row that failed leaves them
            os.kill(process, signal.SIGKILL)
        self.venue.__exit__()

    @property
    def journal(self) -> Path:
        """The account's journal."""
        return self.shell.state / ACCOUNT / "journal.db"

    # asked

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The server's answer; one whose database is busy (503) is asked again."""
        for _ in range(5):
            answer = self._api.request(method, path, json=body)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(1)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def is_up(self) -> bool:
        """Whether the server answers."""
        try:
            return self._api.get("health").is_success
        except httpx.HTTPError:
            return False

    def start(self, **parameters: object) -> str:
        """A run of coordinator/stocks, as the UI's form would make it; its id."""
        found = self.ask("GET", "deployments/name/coordinator/stocks")
        asked = {"config": str(self.config), "clock_speed": self.speed, **parameters}
        path = f"deployments/{found['id']}/create_flow_run"
        return str(self.ask("POST", path, {"parameters": found["parameters"] | asked})["id"])

    def cancel(self, run: str) -> None:
        """What `prefect flow-run cancel` does."""
        state = {"state": {"type": "CANCELLING", "name": "Cancelling"}}
        self.ask("POST", f"flow_runs/{run}/set_state", state)

    def state_of(self, run: str) -> str:
        """The name of a run's state."""
        return str(self.ask("GET", f"flow_runs/{run}")["state_name"])

    def states(self) -> list[str]:
        """The names of the states of all coordinators' runs, oldest first."""
        return [run["state_name"] for run in self.runs("coordinator")]

    def history(self, run: str) -> list[str]:
        """The names of all states that a run had."""
        states = self.ask("GET", f"flow_run_states/?flow_run_id={run}")
        return [one["name"] for one in sorted(states, key=lambda one: one["timestamp"])]

    def runs(self, flow: str) -> list[Run]:
        """Every run of a flow that has started or is about to, oldest first."""
        body = {"flows": {"name": {"any_": [flow]}}, "sort": "EXPECTED_START_TIME_ASC"}
        found = self.ask("POST", "flow_runs/filter", body)
        return [run for run in found if not run["auto_scheduled"]]

    def live(self) -> list[Run]:
        """Runs of any flow that have not ended, those of schedules to come left out."""
        types = ["RUNNING", "PENDING", "CANCELLING", "SCHEDULED"]
        body = {"flow_runs": {"state": {"type": {"any_": types}}}}
        found = self.ask("POST", "flow_runs/filter", body)
        return [run for run in found if not run["auto_scheduled"]]

    # processes

    def supervisor(self) -> int:
        """The process of `make up`."""
        found = holder(self.places.lock)
        assert found is not None, "no supervisor runs"
        return found

    def child(self, name: str) -> int:
        """The process of `server` or `worker`."""
        return int((self.places.folder / f"{name}.pid").read_text())

    def process_of(self, run: str) -> int:
        """The process that trades for a run."""
        mark = f"PREFECT__FLOW_RUN_ID={run}".encode()
        found = [p for p in self.shell.processes() if mark in _read(p, "environ")]
        engines = [p for p in found if _parent(p) not in found]
        assert engines, f"run {run} has no process"
        return engines[0]

    def is_alive(self, process: int) -> bool:
        """Whether a process runs."""
        return process in self.shell.processes()

    @contextmanager
    def without_server(self) -> Iterator[None]:
        """Within, the server is dead and nobody starts it again; afterwards it is up."""
        supervisor = self.supervisor()
        os.kill(supervisor, signal.SIGSTOP)
        os.kill(self.child("server"), signal.SIGKILL)
        try:
            self.until(lambda: not self.is_up(), "the server is down")
            yield
        finally:
            os.kill(supervisor, signal.SIGCONT)
        self.until(self.is_up, "the server is up again")

    @contextmanager
    def venue_stands(self) -> Iterator[None]:
        """Within, the venue and its clock stand still."""
        os.kill(self.venue.process, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.venue.process, signal.SIGCONT)

    # waited for

    def until(self, holds: Callable[[], object], what: str, deadline_s: float = PATIENCE_S) -> None:
        """Waits for something; fails, with what it was, once patience is over."""
        end_s = time.monotonic() + deadline_s
        while not _tried(holds):
            assert time.monotonic() < end_s, f"not within {deadline_s:.0f} s: {what}"
            time.sleep(0.25)

    def until_it_trades(self) -> None:
        """Waits until five more executions are in the journal."""
        wanted = self.fills() + 5
        self.until(lambda: self.fills() >= wanted, "five executions more")

    # the journal; the venue is not asked, its clock waits for each who comes

    def fills(self) -> int:
        """How many executions are booked."""
        return len(self._records("FillBooked"))

    def has_ended(self) -> bool:
        """Whether the session has its end, and was not taken up again after it."""
        return bool(self._records("SessionEnded"))

    def latest_bar(self) -> datetime:
        """When the newest minute that was decided ended."""
        [*_, last] = self._records("BarsSeen")
        return datetime.fromisoformat(json.loads(last)["at"])

    def is_traded(self) -> bool:
        """Whether a process holds the account's lease."""
        return is_running(ACCOUNT, self.folder / LEASES)

    def _records(self, kind: str) -> list[str]:
        if not self.journal.exists():
            return []
        with closing(sqlite3.connect(f"file:{self.journal}?mode=ro", uri=True)) as journal:
            found = journal.execute("SELECT body FROM records WHERE kind = ? ORDER BY seq", (kind,))
            return [row[0] for row in found]


def trades_often() -> dict[str, Any]:
    """A configuration with executions from its first minutes on."""
    config = configs.twenty_six()
    config["strategies"] = config["strategies"][:8]
    for strategy in config["strategies"]:
        strategy["min_warmup_bars"] = 0
    return config


def _tried(holds: Callable[[], object]) -> object:
    try:
        return holds()
    except (httpx.HTTPError, OSError, AssertionError, sqlite3.OperationalError):
        return False


def _read(process: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{process}/{name}").read_bytes()
    except OSError:
        return b""


def _parent(process: int) -> int:
    return int(_read(process, "stat").rpartition(b")")[2].split()[1] or 0)
