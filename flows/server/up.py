"""`make up` and `make down`: start the supervisor in the background, and end it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from coordinator.settings import has_keys
from flows.server.children import Child, StartFailed, command_of
from flows.server.deploying import deploy
from flows.server.places import (
    HOST,
    PORT,
    PORT_TAKEN,
    ROOT,
    Places,
    client_environment,
    free_port,
    private,
)
from flows.server.ports import listener
from flows.server.profile import overriding, restore_profile, select_profile
from flows.server.supervisor import holder

_SILENT_S = 660.0
"""How long one step of the start may take: longer than the supervisor gives any."""
_TRIES = 3
"""How many ports are tried if other processes take them before our server does."""
_LEFT_ALONE = "Its supervisor was killed: ending the live sessions, then the worker and the server"
_STOP_S = 240.0
_NO_KEYS = "No keys (APCA_API_KEY_ID, APCA_API_SECRET_KEY): every session is simulated."
_KEYS_CAME_LATER = (
    "It was started without keys: every session is simulated. `make down` and `make up` let it"
    " trade with those that are set now."
)
STEP = " [INFO] "
"""Precedes each step's text in the supervisor's log."""


def up(home: Path, environment: Mapping[str, str]) -> int:
    """Starts the server, waits until all is deployed, selects the user's profile.

    Returns the exit code; raises StartFailed with the end of the supervisor's log.
    """
    places = Places.under(home)
    keys, running = has_keys(environment, ROOT), holder(places.lock)
    if running is None:
        simulate = not keys
        _start(places, environment, simulate=simulate)
    else:
        simulate = "--simulate" in command_of(running).split()
        print("Already running.", flush=True)
        if not places.ready.exists():
            _wait_until_ready(places)
        _deploy_again(places, environment, simulate=simulate)
    url = places.ready.read_text()
    profile = select_profile(url, places.password())
    if simulate:
        print(_KEYS_CAME_LATER if keys else _NO_KEYS)
    _tell(places, url, profile, environment=environment)
    return 0


def _deploy_again(places: Places, environment: Mapping[str, str], *, simulate: bool) -> None:
    """Takes over what has changed in prefect.yaml, in the way in which the server was started."""
    print("Deploying prefect.yaml", flush=True)
    client = client_environment(places, int(places.port.read_text()), environment)
    deploy(places, client, simulate=simulate, unattended=True)


def _start(places: Places, environment: Mapping[str, str], *, simulate: bool) -> None:
    """Starts the supervisor and waits until its server is ready; tries other ports if needed."""
    for tries_left in reversed(range(_TRIES)):
        process = _supervisor(places, environment, simulate=simulate)
        try:
            _wait_until_ready(places)
        except StartFailed:
            still_starting = holder(places.lock) is not None
            if still_starting or process.wait(_STOP_S) != PORT_TAKEN or not tries_left:
                raise
            *_, reason = places.log("supervisor").read_text(errors="replace").splitlines()
            print(f"{reason} Another port is tried.")
        else:
            return


def _supervisor(
    places: Places, environment: Mapping[str, str], *, simulate: bool
) -> subprocess.Popen[bytes]:
    places.ready.unlink(missing_ok=True)
    command = [sys.executable, "-m", "flows.server", "supervise", "--home", str(places.home)]
    command += ["--port", str(_port(places)), *(["--simulate"] if simulate else [])]
    log = places.log("supervisor")
    with open(log, "wb", opener=private) as out:
        process = subprocess.Popen(  # noqa: S603  our own interpreter, our own words
            command,
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    while holder(places.lock) is None:
        if process.poll() is not None:
            raise StartFailed(f"The supervisor ended at once:\n{log.read_text()}")
        time.sleep(0.1)
    return process


def _port(places: Places) -> int:
    """The port of a server that a killed supervisor left running; else 4200 or a free one."""
    left = Child("server", [], {}, places.folder)
    if left.adopt() and places.port.exists():
        return int(places.port.read_text())
    port = free_port(PORT)
    if port != PORT:
        print(f"Port {PORT} is held by {listener(PORT)}: port {port} is taken instead.")
    return port


def _wait_until_ready(places: Places) -> None:
    """Waits, and prints the supervisor's steps meanwhile."""
    heard_s, log = time.monotonic(), places.log("supervisor")
    printed, ready = 0, False
    while not ready:
        ready = places.ready.exists()
        text = log.read_text(errors="replace")
        lines = text.splitlines()
        if len(lines) > printed:
            heard_s = time.monotonic()
        silent = time.monotonic() > heard_s + _SILENT_S
        if not ready and (holder(places.lock) is None or silent):
            raise StartFailed(f"The server did not get ready:\n{text}")
        for line in lines[printed:]:
            printed += 1
            if STEP in line:
                print(line.partition(STEP)[2], flush=True)
        time.sleep(0.3)


def _tell(places: Places, url: str, profile: Path, *, environment: Mapping[str, str]) -> None:
    print(f"Prefect runs at {url}  (its log-in is the line in {places.folder / 'auth'})")
    for name in overriding(environment):
        print(f"Note: {name} of this shell wins over the profile; unset it to reach this server.")
    print(f"Profile 'multi-trader' is selected in {profile}. Try:")
    print("  prefect deployment run coordinator/stocks")
    print(f"Logs: {places.folder}    Stop: make down")


def down(home: Path) -> int:
    """Ends what `up` started and waits for it: sessions flush first. Returns the exit code."""
    places = Places.under(home)
    process = holder(places.lock)
    if process is not None:
        ended = _end_supervisor(places, process)
    elif _left_over(places):
        ended = _end_left_over(places)
    else:
        ended = True
        print("Nothing runs.")
    if ended and (selected := restore_profile(_url_of_last(places))):
        print(f"Profile {selected!r} is selected again.")
    return 0 if ended else 1


def _end_supervisor(places: Places, process: int) -> bool:
    print("Ending the live sessions, then the worker and the server", flush=True)
    os.kill(process, signal.SIGTERM)
    end_s = time.monotonic() + _STOP_S
    while holder(places.lock) is not None or "flows.server" in command_of(process):
        if time.monotonic() > end_s:
            print(f"Still ending after {_STOP_S:.0f} s; see {places.log('supervisor')}")
            return False
        time.sleep(0.2)
    print("Stopped.")
    return True


def _left_over(places: Places) -> list[str]:
    """The processes that a killed supervisor left running."""
    names = ("server", "worker")
    return [name for name in names if Child(name, [], {}, places.folder).adopt()]


def _end_left_over(places: Places) -> bool:
    """Ends them under the server's settings, which are another process's, not the user's."""
    print(_LEFT_ALONE, flush=True)
    command = [sys.executable, "-m", "flows.server", "finish", "--home", str(places.home)]
    command += ["--port", places.port.read_text()]
    done = subprocess.run(command, cwd=ROOT, check=False)  # noqa: S603  our own words
    if not done.returncode:
        print("Stopped.")
    return not done.returncode


def _url_of_last(places: Places) -> str | None:
    """The URL of the server that was started last."""
    return f"http://{HOST}:{places.port.read_text()}" if places.port.exists() else None
