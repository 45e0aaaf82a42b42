"""An account whose folder this user may not read is told, and hides no other account."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coordinator.commands.accounts import Operator
from coordinator.commands.kill import kill, revive
from coordinator.core import records as r
from coordinator.errors import MultiTraderError, StorageError
from coordinator.readers import loadable
from coordinator.shell.folders import JOURNAL, account_journals
from coordinator.shell.journal import Journal
from coordinator.shell.journal_reading import read_kinds
from coordinator.status import read_status
from tests.another_user import NOBODY, somebody_else
from tests.coordinator.test_readers import holding, keep, paper

CLOSED, OPEN = "PA0", "PA1"
WHY = rf"{CLOSED}/{JOURNAL} cannot be opened just now .*look at who may read it"


@pytest.fixture
def home(short_path: Path) -> Iterator[Path]:
    """A state folder with an account that its user may not read, one that it may, and no others."""
    keep(short_path, list(paper(holding().records)), OPEN)
    Journal(short_path / CLOSED / JOURNAL, CLOSED, "single").close()
    for name in ("lost+found", CLOSED):  # the first is a disk's, where the folder is a whole disk
        (short_path / name).mkdir(exist_ok=True)
        (short_path / name).chmod(0)
    (short_path / "reports").mkdir()
    if os.geteuid() == 0:
        for path in (short_path, *(short_path / OPEN).rglob("*"), short_path / OPEN):
            os.chown(path, NOBODY, NOBODY)
    yield short_path
    for name in ("lost+found", CLOSED):
        (short_path / name).chmod(0o700)


def test_status_and_the_warehouse_read_the_other_accounts_and_tell_which_they_cannot(
    home: Path,
) -> None:
    unread: list[MultiTraderError] = []
    with somebody_else():
        views = read_status(home, home / "leases", unreadable=unread.append)
        found = loadable(home)
        with pytest.raises(StorageError, match=WHY):
            read_status(home, home / "leases")
    assert [view.account for view in views] == [OPEN]
    assert [one.journal.parent.name for one in found.sources] == [OPEN]
    for [error] in (unread, found.kept_out):
        with pytest.raises(StorageError, match=WHY):
            raise error


@pytest.mark.parametrize(
    "opens",
    [
        pytest.param(lambda journal: read_kinds(journal, r.Killed), id="to read"),
        pytest.param(lambda journal: Journal(journal, OPEN, "single"), id="to write"),
    ],
)
def test_an_intact_journal_in_a_folder_that_only_may_be_read_is_not_told_as_damaged(
    home: Path, opens: Callable[[Path], object]
) -> None:
    for end in ("-wal", "-shm"):  # a copy has none, nor has what the last process has closed
        (home / OPEN / f"{JOURNAL}{end}").unlink(missing_ok=True)
    (home / OPEN).chmod(0o500)
    with somebody_else(), pytest.raises(StorageError, match="who may write to its folder"):
        opens(home / OPEN / JOURNAL)


def test_a_kill_tells_which_account_it_cannot_kill_and_kills_the_other(home: Path) -> None:
    told: list[str] = []
    operator = Operator(home, {}, "me", told.append, leases_folder=home / "leases")
    with somebody_else():
        for command in (kill, revive):
            with pytest.raises(MultiTraderError):
                command(operator)
        assert len(read_kinds(home / OPEN / JOURNAL, r.Killed)) == 1
    assert [line for line in told if line.startswith(f"{CLOSED}: NOT KILLED: ")]
    assert [line for line in told if line.startswith(f"{CLOSED}: NOT REVIVED: ")]


def test_a_state_folder_that_cannot_be_listed_is_not_taken_for_an_empty_one(home: Path) -> None:
    with somebody_else():
        home.chmod(0o300)
        with pytest.raises(StorageError, match=r"cannot be listed .*look at who may read it"):
            account_journals(home)
        home.chmod(0o700)
    assert account_journals(home / "not made yet") == []
