"""The processes of one server: started apart from the terminal, restarted when they die.

Every child has a session of its own, so that Ctrl-C reaches only whoever decides the order of
stopping, and default signals: a worker that inherits an ignored SIGINT never stops.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flows.server.places import ROOT

_BACKOFF_S = (1.0, 2.0, 5.0, 10.0, 30.0)
_STEADY_S = 60.0


class StartFailed(Exception):
    """A part of the server did not start; the message says which, and shows its last words."""


@dataclass(slots=True)
class Child:
    """One `prefect ...` process; `start` again after its death waits longer each time."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    _started_s: float = 0.0
    _deaths: int = 0
    _due_s: float = field(default=0.0)

    def start(self) -> None:
        """Starts the process; its output goes to its log."""
        with open(self.log, "ab", opener=_private) as out:
            self.process = subprocess.Popen(  # noqa: S603  our own interpreter, our own words
                [sys.executable, "-m", "prefect", *self.arguments],
                cwd=ROOT,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._started_s = time.monotonic()

    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.poll() is None

    def revive(self) -> bool:
        """Starts a dead process again once its pause is over; True if it did."""
        now_s = time.monotonic()
        if self.is_alive():
            return False
        if self._due_s < self._started_s:
            steady = now_s - self._started_s > _STEADY_S
            self._deaths = 0 if steady else self._deaths + 1
            self._due_s = now_s + _BACKOFF_S[min(self._deaths, len(_BACKOFF_S) - 1)]
        if now_s < self._due_s:
            return False
        self.start()
        return True

    def stop(self, patience_s: float = 20.0) -> None:
        """Ends the process: SIGTERM, and after `patience_s` SIGKILL to all it started."""
        if self.process is None or not self.is_alive():
            return
        self.process.terminate()
        try:
            self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def last_words(self, lines: int = 15) -> str:
        """The end of the log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def run_to_end(
    name: str, arguments: Sequence[str], environment: Mapping[str, str], *, deadline_s: float = 120
) -> None:
    """Runs one `prefect ...` command; raises StartFailed with its output unless it succeeds."""
    try:
        done = subprocess.run(  # noqa: S603  our own interpreter, our own words
            [sys.executable, "-m", "prefect", "--no-prompt", *arguments],
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=deadline_s,
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise StartFailed(f"{name} took more than {deadline_s:.0f} s.") from late
    if done.returncode:
        said = done.stdout.decode(errors="replace")
        raise StartFailed(f"{name} failed (exit {done.returncode}):\n{said}")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
