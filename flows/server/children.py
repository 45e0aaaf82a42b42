"""The processes of one server: started apart from the terminal, restarted when they die.

Every child has its own process session, so that Ctrl-C reaches only the process that decides the
order of stopping, and default signals: a worker that inherits an ignored SIGINT never stops.
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

from flows.server.places import ROOT, private

_BACKOFF_S = (1.0, 2.0, 5.0, 10.0, 30.0)
_STEADY_S = 60.0
_COMMAND_S = 300.0
_LAST_WORDS = 15


class StartFailed(Exception):
    """A part of the server did not start; the message names it and shows the end of its log."""


@dataclass(slots=True)
class Child:
    """One `prefect ...` process; `revive` waits longer after each death.

    It outlives a killed supervisor, and is found again by its pid file.
    """

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    pid: int | None = None
    _process: subprocess.Popen[bytes] | None = None
    _started_s: float = 0.0
    _deaths: int = 0
    _due_s: float = field(default=-1.0)

    @property
    def log(self) -> Path:
        """The process's log file."""
        return self.folder / f"{self.name}.log"

    @property
    def _pid_file(self) -> Path:
        return self.folder / f"{self.name}.pid"

    def start(self) -> None:
        """Starts the process; its output goes to its log."""
        with open(self.log, "ab", opener=private) as out:
            self._process = subprocess.Popen(  # noqa: S603  our own interpreter, our own words
                [sys.executable, "-m", "prefect", *self.arguments],
                cwd=ROOT,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=0o077,  # else Prefect creates its database readable by others
            )
        self.pid = self._process.pid
        self._pid_file.write_text(str(self.pid))
        self._started_s = time.monotonic()

    def adopt(self) -> bool:
        """Takes over the process that an earlier supervisor left running, if there is one."""
        if self._pid_file.exists():
            self.pid = int(self._pid_file.read_text() or 0)
        return self.is_alive()

    def is_alive(self) -> bool:
        """Whether the process runs."""
        if self._process is not None:
            return self._process.poll() is None
        return self.pid is not None and self._is_ours(self.pid)

    def _is_ours(self, pid: int) -> bool:
        """Whether `pid` is this child of this folder: after a restart it may be another process."""
        home = f"PREFECT_HOME={self.folder}"
        return f"-m prefect {self.name} " in command_of(pid) and home in environment_of(pid)

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
        """Ends the process: SIGTERM, and after `patience_s` SIGKILL to its process group."""
        if self.pid is not None and self.is_alive():
            os.kill(self.pid, signal.SIGTERM)
            if not self._is_gone(patience_s):
                os.killpg(self.pid, signal.SIGKILL)
                self._is_gone(patience_s)
        self._pid_file.unlink(missing_ok=True)

    def _is_gone(self, patience_s: float) -> bool:
        end_s = time.monotonic() + patience_s
        while self.is_alive():
            if time.monotonic() > end_s:
                return False
            time.sleep(0.05)
        return True

    def last_words(self) -> str:
        """The end of the log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_LAST_WORDS:])


def command_of(pid: int) -> str:
    """A process's command line; empty for one that is gone or a zombie."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
    except OSError:
        return ""


def environment_of(pid: int) -> list[str]:
    """The variables that a process of our user was started with; empty for any other."""
    try:
        return Path(f"/proc/{pid}/environ").read_text(errors="replace").split("\0")
    except OSError:
        return []


def run_to_end(name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Runs one `prefect ...` command; raises StartFailed with its output unless it succeeds."""
    try:
        done = subprocess.run(  # noqa: S603  our own interpreter, our own words
            [sys.executable, "-m", "prefect", "--no-prompt", *arguments],
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_COMMAND_S,
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise StartFailed(f"{name} took more than {_COMMAND_S:.0f} s.") from late
    if done.returncode:
        output = done.stdout.decode(errors="replace")
        raise StartFailed(f"{name} failed (exit {done.returncode}):\n{output}")
