"""Takes the pictures of docs/pictures: `python -m docs.pictures`, some minutes.

A `make up` of its own, in a home of its own, trades one simulated day; Chromium looks at Prefect's
pages meanwhile and after it. Nothing of the user's own server or profile is touched.
"""

from __future__ import annotations

import argparse
import base64
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from docs.browser import Page, browser
from flows.server.places import ROOT, Places, client_environment, free_port, without

INTO = Path(__file__).parent / "pictures"
DAY, SPEED = "2026-03-17", 120.0
FORMS = (
    ("coordinator/stocks", "Clock speed", "form.png"),
    ("control/adhoc", "Removed strategies", "control.png"),
)
"""Deployments, the last words of their forms, and the pictures of them."""
ON_ITS_WAY = 30.0
_DEADLINE_S = 1_800.0
_SETTLED_S = 2.0
"""What a page may take to draw itself once its words are there."""


def main() -> None:
    """Starts, trades, looks, stops."""
    parser = argparse.ArgumentParser(prog="python -m docs.pictures", description=__doc__)
    parser.add_argument("--into", type=Path, default=INTO)
    asked = parser.parse_args()
    asked.into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "state"
        clean = without(os.environ, "PREFECT_", "APCA_", "MULTI_TRADER_") | {"HOME": folder}
        places, port = Places.under(home), free_port()
        with _server(places, port, clean):
            os.environ.update(client_environment(places, port, clean))
            with browser() as page:
                url = f"http://127.0.0.1:{port}"
                _log_in(page, url, places.password())
                _look(page, url, asked.into)


@contextmanager
def _server(places: Places, port: int, environment: dict[str, str]) -> Iterator[None]:
    """What `make up` leaves running, on a port of its own; ended as `make down` does."""
    command = [sys.executable, "-m", "flows.server", "supervise", "--simulate"]
    command += ["--home", str(places.home), "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment)  # noqa: S603
    try:
        _wait(lambda: process.poll() is not None or places.ready.exists() or None)
        if process.poll() is not None:
            raise SystemExit("the server did not get ready")
        yield
    finally:
        process.terminate()
        process.wait()


def _log_in(page: Page, url: str, password: str) -> None:
    """As the log-in page does: it keeps the password in the browser."""
    page.open(url)
    kept = base64.b64encode(password.encode()).decode()
    page.wait_for("location.origin !== 'null'")
    page.value_of(f"localStorage.setItem('prefect-password', '{kept}')")


def _look(page: Page, url: str, into: Path) -> None:
    from flows.server import runs

    asked = {"session_date": DAY, "clock_speed": SPEED}
    run = runs.start_run("coordinator/stocks", asked)
    session = _wait(lambda: _artifact("session-stocks-only", least=ON_ITS_WAY))
    table = _wait(lambda: _artifact("strategies-stocks-only"))

    page.size(1280, 900)
    page.open(f"{url}/deployments", "coordinator", "end-of-day")
    _take(page, into / "deployments.png")
    page.open(f"{url}/runs/flow-run/{run.id}", "Artifacts", "Running")
    page.click("Artifacts")
    page.wait_for("document.body.innerText.includes('session-stocks-only')")
    _take(page, into / "run.png")
    page.size(1280, 620)
    page.open(f"{url}/artifacts/artifact/{session}", "Progress:")
    _take(page, into / "live.png")
    page.open(f"{url}/artifacts/artifact/{table}", "BigTech_Momentum")
    _take(page, into / "strategies.png")
    page.size(1280, 1200)
    for name, last, picture in FORMS:
        page.open(f"{url}/deployments/deployment/{_deployment(name)}/run", last)
        _take(page, into / picture)

    runs.wait_for_end(run.id, deadline_s=_DEADLINE_S)
    day = _wait(lambda: _artifact("end-of-day"))
    page.size(1280, 1180)
    page.open(f"{url}/artifacts/artifact/{day}", "Gain within the session", "Reports")
    _take(page, into / "report.png")


def _take(page: Page, file: Path) -> None:
    time.sleep(_SETTLED_S)
    page.picture(file)
    print(f"{file} ({file.stat().st_size / 1_000:.0f} KB)", flush=True)


def _deployment(name: str) -> UUID:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        return client.read_deployment_by_name(name).id


def _artifact(key: str, *, least: float = 0.0) -> UUID | None:
    """The newest artifact of a key, once its progress is at `least`."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        found = [one for one in client.read_artifacts() if one.key == key]
    ready = [one for one in found if not least or float(str(one.data)) >= least]
    return ready[-1].id if ready else None


def _wait(answer: Callable[[], Any]) -> Any:
    end_s = time.monotonic() + _DEADLINE_S
    while (found := answer()) is None:
        if time.monotonic() > end_s:
            raise TimeoutError(f"not within {_DEADLINE_S:.0f} s")
        time.sleep(1)
    return found


if __name__ == "__main__":
    main()
