"""A user's shell: a home directory and a state folder of its own, and what runs for them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import duckdb

from tests.environment import bare_environment

ROOT = Path(__file__).parents[2]


class Shell:
    """A user's shell with a home directory and a state folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.environment = bare_environment(folder)

    def server(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`make up`, `make down` or `make demo`, in this shell."""
        return self.python("-m", "flows.server", *arguments, "--home", str(self.state))

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One command of the project's interpreter."""
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """What the warehouse answers."""
        with duckdb.connect(str(self.state / "warehouse.duckdb"), read_only=True) as books:
            return books.execute(sql).fetchall()

    def processes(self) -> list[int]:
        """Every process that was started for this state folder and still runs."""
        mark, own = str(self.folder).encode(), os.getpid()
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == own:
                continue
            try:
                told = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if mark in told:
                found.append(int(entry.name))
        return found


def wait_until(holds: Callable[[], object], deadline_s: float = 240) -> None:
    """Waits for something that happens elsewhere; fails once patience is over."""
    end_s = time.monotonic() + deadline_s
    while not holds():
        assert time.monotonic() < end_s, f"not within {deadline_s:.0f} s"
        time.sleep(0.5)
