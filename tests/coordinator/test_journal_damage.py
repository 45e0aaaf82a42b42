"""A journal damaged at any byte is whole, ends at an earlier commit, or is refused in words.

A flipped bit or a torn end must never give other books. Pages are small here, so that the sweeps
meet more of what a journal is made of than of empty space.
"""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from coordinator.core import records as r
from coordinator.errors import JournalDamaged, SafetyRefusal, StorageError
from coordinator.readers import running_sessions, session_sources
from coordinator.shell import journal_file
from coordinator.shell.journal import Journal
from coordinator.shell.journal_file import SCHEMA
from coordinator.shell.journal_proof import prove
from coordinator.shell.journal_reading import read_session, read_sessions
from coordinator.shell.journal_rows import Entry
from coordinator.status import read_status
from tests.coordinator.test_journal import ACCOUNT, moved, opened, seen

COMMITS: list[tuple[str, list[r.Record]]] = [
    ("s", [opened("s"), moved("11")]),
    ("s", [moved("22")]),
    ("t", [opened("t"), seen(1), moved("33")]),
]
WHOLE = "whole"
Book = list[tuple[int, r.Record]]


@dataclass(frozen=True)
class Left:
    """What a killed process left: the file, its log, where in it the last commit begins."""

    path: Path
    log: bytes
    last_at: int
    truth: Book

    def places(self, step: int) -> Iterable[int]:
        """Each `step`-th byte of the last commit, and some of those before it."""
        return [*range(0, self.last_at, max(step, 61)), *range(self.last_at, len(self.log), step)]

    def become(self, folder: Path, log: bytes) -> str:
        """What becomes of the file beside this log."""
        copy = fresh(folder, self.path)
        copy.with_name("journal.db-wal").write_bytes(log)
        return outcome(copy, self.truth)


def small(path: Path) -> Path:
    """A new file of small pages, as SQLite leaves the choice to whoever makes it."""
    path.parent.mkdir(parents=True, mode=0o700)
    connection = sqlite3.connect(path)
    connection.executescript("PRAGMA page_size = 512; VACUUM;")
    connection.close()
    return path


def read(path: Path) -> Book:
    journal = Journal(path, ACCOUNT, "c")
    try:
        return [(entry.seq, entry.record) for entry in journal.replay()]
    finally:
        journal.close()


def ends() -> list[int]:
    """How many records there are after each commit."""
    return [sum(len(records) for _, records in COMMITS[: n + 1]) for n in range(len(COMMITS))]


def outcome(path: Path, truth: Book) -> str:
    """What becomes of a damaged journal: how many records it has, or what refused it."""
    try:
        found = read(path)
    except (JournalDamaged, SafetyRefusal) as error:
        return (
            type(error).__name__
            if str(path) in str(error)
            else f"refused without its name: {error}"
        )
    assert found == truth[: len(found)], "other books"
    return WHOLE if len(found) == len(truth) else str(len(found))


@pytest.fixture
def closed(tmp_path: Path) -> tuple[bytes, Book]:
    """The file of a journal that was closed, and what it says."""
    path = small(tmp_path / "home" / "journal.db")
    journal = Journal(path, ACCOUNT, "c")
    for session, records in COMMITS:
        journal.append(session, records)
    journal.close()
    return path.read_bytes(), read(path)


@pytest.fixture
def open_still(tmp_path: Path) -> Iterator[Left]:
    """A journal whose commits are in its write-ahead log, as after a kill."""
    path = small(tmp_path / "home" / "journal.db")
    written = Journal(path, ACCOUNT, "c")
    sizes = [0]
    for session, records in COMMITS:
        written.append(session, records)
        sizes.append(path.with_name("journal.db-wal").stat().st_size)
    copy = fresh(tmp_path / "copy", path)
    log = path.with_name("journal.db-wal").read_bytes()
    copy.with_name("journal.db-wal").write_bytes(log)
    yield Left(path, log, sizes[-2], read(copy))
    written.close()


def fresh(folder: Path, path: Path) -> Path:
    """A copy of a journal's file alone."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    return Path(shutil.copy(path, folder / "journal.db"))


STEPS = [61, pytest.param(1, marks=pytest.mark.slow)]


@pytest.mark.parametrize("step", STEPS)
def test_a_bit_that_flips_anywhere_in_the_file_is_refused_or_means_nothing(
    step: int, closed: tuple[bytes, Book], tmp_path: Path
) -> None:
    whole, truth = closed
    damaged = (flipped(whole, at, at // step % 8) for at in range(0, len(whole), step))
    found = swept(tmp_path / "copy", damaged, truth)
    assert set(found) <= {WHOLE, "JournalDamaged", "SafetyRefusal"}
    assert found["JournalDamaged"] > len(whole) / step / 4


@pytest.mark.parametrize("step", STEPS)
def test_a_file_that_was_cut_anywhere_is_refused_or_nothing_of_it_is_missing(
    step: int, closed: tuple[bytes, Book], tmp_path: Path
) -> None:
    whole, truth = closed
    parts = (whole[:length] for length in range(2, len(whole), step))  # less is an empty file
    found = swept(tmp_path / "copy", parts, truth)
    assert set(found) <= {WHOLE, "JournalDamaged"}
    assert found["JournalDamaged"] > found[WHOLE]


@pytest.mark.thorough
@pytest.mark.parametrize("step", STEPS)
def test_a_log_that_is_torn_anywhere_ends_at_a_whole_commit(
    step: int, open_still: Left, tmp_path: Path
) -> None:
    log = open_still.log
    found = {open_still.become(tmp_path / "torn", log[:n]) for n in open_still.places(step)}
    assert found <= {"0", *map(str, ends())}
    assert {str(count) for count in ends()[:-1]} <= found
    assert open_still.become(tmp_path / "torn", log) == WHOLE


@pytest.mark.parametrize("step", STEPS)
def test_a_bit_that_flips_in_the_log_costs_the_commits_behind_it_and_no_other(
    step: int, open_still: Left, tmp_path: Path
) -> None:
    log = open_still.log
    found = {
        open_still.become(tmp_path / "flipped", flipped(log, at, at // step % 8))
        for at in open_still.places(step)
    }
    assert found <= {"0", *map(str, ends()), WHOLE}
    assert str(ends()[-2]) in found


def test_a_quantity_that_changed_is_not_read_out_into_the_warehouse_either(
    closed: tuple[bytes, Book], tmp_path: Path
) -> None:
    path = tmp_path / "home" / "journal.db"
    assert len(read_session(path, "s")) == 3
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE records SET body = replace(body, '22', '23') WHERE seq = 3")
    connection.close()
    with pytest.raises(JournalDamaged, match="record 3 does not follow record 2"):
        read_session(path, "s")
    assert [type(entry) for entry in read_session(path, "t")] == [Entry] * 3


def flipped(content: bytes, at: int, bit: int) -> bytes:
    """With one bit of one byte turned."""
    return content[:at] + bytes([content[at] ^ (1 << bit)]) + content[at + 1 :]


def swept(folder: Path, damaged: Iterable[bytes], truth: Book) -> Counter[str]:
    """What became of each damaged file."""
    found: Counter[str] = Counter()
    path = folder / "journal.db"
    folder.mkdir(mode=0o700)
    for content in damaged:
        for left in folder.glob("journal.db*"):
            left.unlink()
        path.write_bytes(content)
        found[outcome(path, truth)] += 1
    return found


MADE: dict[str, list[str]] = {
    "nothing": [],
    "its first page": ["PRAGMA journal_mode = WAL"],
    "its first table": ["PRAGMA journal_mode = WAL", SCHEMA.split(";")[0]],
}


@pytest.mark.parametrize("made", MADE)
def test_a_file_that_an_end_amid_its_making_left_holds_nothing_and_is_begun_anew(
    made: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / ACCOUNT / "journal.db"
    path.parent.mkdir(mode=0o700)
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, isolation_level=None)
    for step in MADE[made]:
        connection.execute(step)
    connection.close()
    assert (session_sources(tmp_path), running_sessions(tmp_path), read_status(tmp_path)) == (
        [],
        {},
        [],
    )
    assert [line for line in caplog.messages if f"{path} holds no record" in line]
    caplog.clear()
    journal = Journal(path, ACCOUNT, "c")
    for session, records in COMMITS:
        journal.append(session, records)
    journal.close()
    assert len(read(path)) == ends()[-1]
    assert [line for line in caplog.messages if "the file has lost it: restore it" in line]


def test_a_new_journal_is_begun_without_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Journal(tmp_path / "home" / "journal.db", ACCOUNT, "c").close()
    assert caplog.messages == []


def test_a_file_that_was_emptied_beside_its_log_is_refused_and_the_log_is_kept(
    open_still: Left, tmp_path: Path
) -> None:
    path = fresh(tmp_path / "emptied", open_still.path)
    path.write_bytes(b"")
    log = path.with_name("journal.db-wal")
    log.write_bytes(open_still.log)
    for look in (read, prove, read_sessions):
        with pytest.raises(JournalDamaged, match=r"journal\.db is empty, but its log .* is not"):
            look(path)  # type: ignore[operator]
    assert (path.read_bytes(), log.read_bytes()) == (b"", open_still.log)


def test_a_file_whose_table_is_gone_is_refused_and_not_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "home" / "journal.db"
    journal = Journal(path, ACCOUNT, "c")
    journal.append("s", COMMITS[0][1])
    journal.close()
    whole = path.read_bytes()
    no_cells = whole[:103] + bytes(2) + whole[105:]  # of the page that names the tables
    path.write_bytes(no_cells)
    for look in (read, prove, read_sessions):
        with pytest.raises(JournalDamaged, match="its table of records is gone"):
            look(path)  # type: ignore[operator]
    assert path.read_bytes() == no_cells


@pytest.mark.parametrize("lock", ["EXCLUSIVE", "IMMEDIATE"])
def test_a_journal_that_another_process_is_making_is_busy_and_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: str
) -> None:
    monkeypatch.setattr(journal_file, "BUSY_S", 0.05)
    path = tmp_path / "home" / "journal.db"
    path.parent.mkdir(mode=0o700)
    path.touch(mode=0o600)
    maker = sqlite3.connect(path, isolation_level=None)
    maker.execute(f"BEGIN {lock}")
    with pytest.raises(StorageError, match=r"journal\.db cannot be opened just now"):
        Journal(path, ACCOUNT, "c")
    maker.close()
    Journal(path, ACCOUNT, "c").close()


def test_two_that_make_a_journal_in_the_same_moment_wait_for_each_other(tmp_path: Path) -> None:
    path = tmp_path / "home" / "journal.db"
    path.parent.mkdir(mode=0o700)
    path.touch(mode=0o600)
    maker = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    maker.execute("BEGIN IMMEDIATE")
    soon = threading.Timer(0.2, maker.close)
    soon.start()
    Journal(path, ACCOUNT, "c").close()
    soon.join()
    assert list(read_sessions(path)) == []
