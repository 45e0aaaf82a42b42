"""A whole day with keys that stand nowhere else, and nothing that it leaves tells them (row 1).

Every command is a process of its own at DEBUG; the broker refuses orders, loses answers, drops its
streams and goes away, and the coordinator is killed. Prefect's part is in test_prefect.
"""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from simulator.server import Simulator
from tests.cli.conftest import ROOT, Shell
from tests.e2e.running import environment, session_rows, simulator_options, wait_until
from tests.oracle import configs
from tests.security.canary import KEY_ID, SECRET, is_told, tellers, told_in_tables

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("canary")]

OPEN = datetime(2026, 3, 17, 13, 30, tzinfo=UTC)
FAULTS: list[dict[str, Any]] = [
    {"at": "09:33", "kind": "http_error", "method": "POST", "path": "/v2/orders", "status": 403,
     "times": 3},
    {"at": "09:35", "kind": "http_error", "method": "POST", "path": "/v2/orders", "status": 422,
     "times": 3},
    {"at": "09:37", "kind": "http_500_after_accept", "times": 2, "status": 504},
    {"at": "09:39", "kind": "http_error", "method": "GET", "status": 503, "times": 3},
    {"at": "09:41", "kind": "drop_orders"},
    {"at": "09:43", "kind": "drop_data", "path": "/v2/iex"},
    {"at": "09:45", "kind": "stream_error", "path": "/v2/iex", "code": 500},
]  # fmt: skip
AT_DEBUG = ("--log-level", "DEBUG")
RUN = ("run", "--config", "mine.json", "--clock-speed", "100000", *AT_DEBUG)


@dataclass
class Day:
    """A shell whose keys stand in its `.env`, and all that its commands have said."""

    shell: Shell
    said: dict[str, str] = field(default_factory=dict)

    def run(self, what: str, *args: str, code: int) -> None:
        """One command to its end."""
        done = self.shell.run(*args)
        self.said[what] = done.stdout + done.stderr
        assert done.returncode == code, self.said[what]

    def trade(
        self, what: str, venue: Simulator, minutes: int, number: int, *, lost: bool = False
    ) -> None:
        """Trade until the venue's clock is so many minutes past the open; then the signal.

        With `lost`, the venue is gone before it.
        """
        process = self.shell.start(*RUN)
        wait_until(venue, OPEN + timedelta(minutes=minutes), lambda: process.poll() is not None)
        assert process.poll() is None
        if lost:
            venue.stop()
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        self.said[what] = out + err


def broker(folder: Path, **changes: Any) -> Simulator:
    """One that accepts the canary alone, and plays its faults."""
    script = folder / "faults.json"
    script.write_text(json.dumps(FAULTS))
    given = {"credentials": (KEY_ID, SECRET), "faults": script} | changes
    return Simulator(simulator_options(**given))


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    folder = tmp_path_factory.mktemp("canary")
    keys = folder / ".env"
    keys.write_text(f"APCA_API_KEY_ID={KEY_ID}\nAPCA_API_SECRET_KEY={SECRET}\n")
    keys.chmod(0o600)
    (folder / "mine.json").write_text(json.dumps(configs.twenty_six()))
    day = Day(Shell(folder))
    with broker(folder) as venue:
        point_at(day.shell, venue)
        day.trade("killed early", venue, 12, signal.SIGKILL)
        day.trade("killed late", venue, 25, signal.SIGKILL)
        day.trade("ended", venue, 45, signal.SIGTERM)
        day.run("status", "status", code=0)
        day.run("end of day", "end-of-day", *AT_DEBUG, code=0)
        day.run("report", "report", code=0)
        day.run("sql", "sql", "FROM orders", code=0)
        day.trade("lost its broker", venue, 50, signal.SIGTERM, lost=True)
        day.run("found no broker", *RUN, code=1)
    with broker(folder, credentials=("another", "pair")) as stranger:
        point_at(day.shell, stranger)
        day.run("refused keys", *RUN, code=1)
    return day


def point_at(shell: Shell, venue: Simulator) -> None:
    """The addresses alone: the keys are in `.env`."""
    known = environment(venue, shell.home)
    shell.variables.update({name: known[name] for name in known if name.endswith("_URL")})


def test_the_day_was_as_bad_as_it_should_be(day: Day) -> None:
    statuses = {order["status"] for order in session_rows(day.shell.home)["orders"]}
    assert statuses >= {"filled", "rejected"}
    assert "SUMMARY" in day.said["ended"]
    assert "the broker could not be asked" in day.said["lost its broker"]
    for failed, words in (("found no broker", "no answer"), ("refused keys", "HTTP 401")):
        assert "Traceback" in day.said[failed], "it was at DEBUG"
        assert words in day.said[failed]


def test_no_command_says_the_key_or_the_secret(day: Day) -> None:
    assert {what for what, text in day.said.items() if is_told(text)} == set()


def test_no_file_but_the_users_own_tells_them(day: Day) -> None:
    assert tellers(day.shell.folder) == [day.shell.folder / ".env"]
    assert told_in_tables(day.shell.home) == []
    kept = {file.name for file in day.shell.folder.rglob("*")}
    assert kept >= {"journal.db", "warehouse.duckdb", "reports", "leases"}


def test_what_holds_the_keys_is_kept_out_of_the_repository() -> None:
    assert {".env", "state/"} <= set((ROOT / ".gitignore").read_text().splitlines())
