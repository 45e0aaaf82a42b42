"""What is loaded into the warehouse lacks nothing: a journal is proven before it is read out."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from coordinator.core import records as r
from coordinator.errors import JournalDamaged, StorageError
from coordinator.readers import session_sources
from coordinator.shell.journal import Journal
from coordinator.shell.journal_file import as_ours
from coordinator.shell.journal_proof import prove
from coordinator.shell.journal_reading import read_session
from coordinator.shell.journal_rows import Entry
from coordinator.shell.shadows import shadow_journal
from tests.coordinator.test_journal import ACCOUNT, moved, opened, seen
from tests.coordinator.test_journal_damage import flipped, small

PAGE_BYTES = 512
COMMITS: list[tuple[str, list[r.Record]]] = [
    ("s", [moved("1"), opened("s"), moved("11")]),
    ("t", [opened("t"), moved("33")]),
    ("s", [moved("44")]),
    ("t", [seen(1)]),
]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A journal of two sessions, each index of it on a page of its own."""
    return written(small(tmp_path / "home" / ACCOUNT / "journal.db"))


def written(path: Path) -> Path:
    journal = Journal(path, ACCOUNT, "c")
    for session, records in COMMITS:
        journal.append(session, records)
    journal.close()
    return path


def loaded(home: Path) -> dict[str, list[Entry]]:
    """What a load of all sessions reads of each."""
    sources = session_sources(home)
    return {one.session_id: read_session(one.journal, one.session_id) for one in sources}


def index_pages(path: Path) -> list[int]:
    """Where the pages of the indexes begin in the file."""
    with closing(sqlite3.connect(path)) as connection:
        roots = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE type = 'index' AND tbl_name = 'records'"
        ).fetchall()
    return [(root - 1) * PAGE_BYTES for (root,) in roots]


@pytest.mark.thorough
def test_a_bit_that_flips_in_an_index_hides_no_row_from_a_load(journal: Path) -> None:
    home, whole = journal.parents[1], journal.read_bytes()
    truth = loaded(home)
    assert {name: len(entries) for name, entries in truth.items()} == {"s": 4, "t": 3}
    pages, refused = index_pages(journal), list[str]()
    assert len(pages) == 2
    for at in (page + byte for page in pages for byte in range(PAGE_BYTES)):
        journal.write_bytes(flipped(whole, at, at % 8))
        try:
            assert loaded(home) == truth, f"other rows by a bit of byte {at}"
        except JournalDamaged as error:
            refused.append(str(error))
    assert len(refused) > 200
    assert all(str(journal) in said for said in refused)


def test_a_row_that_an_index_lacks_is_missed_and_comes_back_with_the_index(journal: Path) -> None:
    home, truth = journal.parents[1], loaded(journal.parents[1])
    without_its_newest(journal)
    assert len(read_session(journal, "t")) == len(truth["t"]) - 1, "who only shows it sees less"
    with pytest.raises(JournalDamaged, match="every record is the one that was written") as refused:
        session_sources(home)
    assert str(refused.value).endswith(f"sqlite3 '{journal}' REINDEX")
    with closing(sqlite3.connect(journal)) as connection:
        connection.execute("REINDEX")
    assert loaded(home) == truth


def without_its_newest(journal: Path) -> None:
    """Let the index of sessions lose the newest row, as its page was before that was written."""
    whole, (page, _) = journal.read_bytes(), index_pages(journal)
    cells = int.from_bytes(whole[page + 3 : page + 5], "big")
    journal.write_bytes(whole[: page + 3] + (cells - 1).to_bytes(2, "big") + whole[page + 5 :])


def test_shadows_whose_journal_is_damaged_keep_nobody_else_from_the_warehouse(
    journal: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shadows = written(small(shadow_journal(journal.parent, "c")))
    home, truth = journal.parents[1], loaded(journal.parents[1])
    assert len(session_sources(home)) == 4
    without_its_newest(shadows)
    with caplog.at_level(logging.WARNING, "coordinator"):
        assert loaded(home) == truth
        assert len(session_sources(home)) == 2
    assert f"the shadows' journal is not loaded: {shadows}" in caplog.text


def test_a_changed_row_of_any_session_is_noticed_by_the_load_of_another(journal: Path) -> None:
    with closing(sqlite3.connect(journal)) as connection, connection:
        connection.execute("UPDATE records SET body = replace(body, '33', '34') WHERE seq = 5")
    with pytest.raises(JournalDamaged, match="record 5 does not follow record 4"):
        session_sources(journal.parents[1], "s")


def test_what_is_no_journal_is_told_by_its_name(journal: Path) -> None:
    journal.write_bytes(b"something else" * 100)
    with pytest.raises(JournalDamaged, match=r"journal\.db cannot be used as a journal"):
        session_sources(journal.parents[1])


def test_to_load_a_named_session_no_other_accounts_journal_is_proven(journal: Path) -> None:
    home, named = journal.parents[1], f"2026-03-17.c.{ACCOUNT}"
    ours = Journal(journal, ACCOUNT, "c")
    ours.skip_to_end()
    ours.append(named, [opened(named)])
    ours.close()
    other = written(small(home / "PA2" / "journal.db"))
    other.write_bytes(b"something else" * 100)
    assert [one.session_id for one in session_sources(home, named)] == [named]
    for asked in (None, "2026-03-17.c.PA2"):
        with pytest.raises(JournalDamaged, match="PA2"):
            session_sources(home, asked)


def test_a_journal_that_cannot_be_reached_is_not_called_damaged(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be opened just now"):
        prove(tmp_path / "gone" / "journal.db")


def test_where_the_disk_has_no_room_no_journal_is_called_damaged(tmp_path: Path) -> None:
    with closing(sqlite3.connect(":memory:")) as full:
        full.execute("PRAGMA max_page_count = 1")
        with pytest.raises(sqlite3.Error) as refused:
            full.execute("CREATE TABLE info (key TEXT)")
    said = as_ours(tmp_path / "journal.db", refused.value)
    assert isinstance(said, StorageError)
    assert "(database or disk is full). Try again" in str(said)
