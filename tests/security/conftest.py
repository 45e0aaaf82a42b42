"""The command and the shell of tests/cli, and a home with a session in it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from coordinator.shell.journal import Journal
from tests.cli.conftest import _logging_as_before, command, shell
from tests.e2e.running import simulator_options
from tests.in_memory import ACCOUNT, InMemorySession
from tests.oracle import configs

__all__ = ["_logging_as_before", "command", "shell"]


@pytest.fixture
def keep_session() -> Callable[[Path], str]:
    """Writes the journal of a short session with fills under a home; answers the session's id."""

    def keep(home: Path) -> str:
        session = InMemorySession(configs.single("momentum"), simulator_options())
        session.run(datetime(2026, 3, 17, 14, 0, tzinfo=UTC))
        session.finish()
        journal = Journal(home / ACCOUNT / "journal.db", ACCOUNT, "memory")
        journal.append(session.session_id, session.records)
        journal.close()
        return session.session_id

    return keep
