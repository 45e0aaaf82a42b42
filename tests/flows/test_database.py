"""What Prefect's database keeps of a session, asked of a real server on a port of its own."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from flows.server.children import Child
from flows.server.places import HEARTBEATS_KEPT_S, Places, free_port, server_environment
from flows.server.runs import wait_until

HEARTBEAT, NEWS = "prefect.flow-run.heartbeat", "multi-trader.halt"
MANY = 40


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[httpx.Client, Path]]:
    """A server set up as ours, but for its clock: it tidies each second what is 1 s too old."""
    places, port = Places.under(tmp_path), free_port()
    ours = server_environment(places, port, os.environ)
    shortly = {
        "PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS": "1",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_EVENT_RETENTION_OVERRIDES": ours[
            "PREFECT_SERVER_SERVICES_DB_VACUUM_EVENT_RETENTION_OVERRIDES"
        ].replace(str(HEARTBEATS_KEPT_S), "1"),
    }
    child = Child("server", ["server", "start"], ours | shortly, places.folder)
    child.start()
    user, _, password = places.password().partition(":")
    url = f"http://127.0.0.1:{port}/api"
    with httpx.Client(base_url=url, auth=(user, password), timeout=5) as client:
        try:
            assert wait_until(lambda: _answers(client), 240)
            yield client, places.folder / "prefect.db"
        finally:
            child.stop()


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/health").is_success
    except httpx.TransportError:
        return False


def _tell(client: httpx.Client, event: str, times: int) -> None:
    """Sends that many events of one kind."""
    occurred = datetime.now(UTC).isoformat()
    resource = {"prefect.resource.id": "prefect.flow-run.4f2f"}
    told = [
        {"id": str(uuid4()), "event": event, "occurred": occurred, "resource": resource}
        for _ in range(times)
    ]
    client.post("/events", json=told).raise_for_status()


def _kept(database: Path, event: str) -> int:
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as reader:
        return int(
            reader.execute("SELECT count(*) FROM events WHERE event = ?", (event,)).fetchone()[0]
        )


@pytest.mark.slow
def test_heartbeats_leave_the_database_and_the_news_stays(
    server: tuple[httpx.Client, Path],
) -> None:
    client, database = server
    _tell(client, NEWS, MANY)
    assert wait_until(lambda: _kept(database, NEWS) == MANY, 60)
    _tell(client, HEARTBEAT, MANY)
    assert wait_until(lambda: _kept(database, HEARTBEAT) > 0, 60)
    assert wait_until(lambda: _kept(database, HEARTBEAT) == 0, 120)
    assert _kept(database, NEWS) == MANY
