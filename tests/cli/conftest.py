"""A shell of one's own for each test: no keys, an empty home, nothing of the developer's."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cli.logs import NEVER_BELOW_INFO, OURS
from tests.environment import FOREIGN, bare_environment

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Shell:
    """Runs `multi-trader` as a process in an empty folder, with a home and state of its own."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """MULTI_TRADER_HOME of the shell."""
        return self.folder / "state"

    @property
    def environment(self) -> dict[str, str]:
        """What a command sees."""
        own = {"MULTI_TRADER_HOME": str(self.home), "PYTHONPATH": str(ROOT), "COLUMNS": "80"}
        return bare_environment(self.folder) | own | self.variables

    def start(self, *args: str) -> subprocess.Popen[str]:
        """Starts the command and does not wait for it."""
        return subprocess.Popen(
            [sys.executable, "-m", "cli", *args],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *args: str, deadline_s: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Runs the command to its end."""
        with self.start(*args) as process:
            out, err = process.communicate(timeout=deadline_s)
        return subprocess.CompletedProcess(args, process.returncode, out, err)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell without keys, in an empty folder."""
    return Shell(tmp_path)


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str


@pytest.fixture
def _logging_as_before() -> Iterator[None]:
    """A command that configures logging in this process leaves none of it behind."""
    loggers = [logging.getLogger(name) for name in (None, *OURS, *NEVER_BELOW_INFO)]
    levels = [logger.level for logger in loggers]
    handlers = logging.getLogger().handlers[:]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    logging.getLogger().handlers[:] = handlers


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _logging_as_before: None
) -> Callable[[Sequence[str]], Said]:
    """Runs the command inside this process: quicker, for everything that ends before trading."""
    from typer.testing import CliRunner

    from cli.app import app

    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MULTI_TRADER_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def run(args: Sequence[str]) -> Said:
        result = CliRunner().invoke(app, list(args), prog_name="multi-trader")
        return Said(result.exit_code, result.stdout, result.stderr)

    return run
