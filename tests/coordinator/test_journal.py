"""The journal: durable, in order, never changed unseen, and shared by an account's coordinators."""

from __future__ import annotations

import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from coordinator.core import records as r
from coordinator.core.values import UNASSIGNED, Bar
from coordinator.errors import JournalDamaged, SafetyRefusal, StorageError
from coordinator.shell.journal import Journal
from coordinator.shell.journal_log import BUSY_S, LOG_BYTES, MOST_BYTES, ROOM_BYTES
from coordinator.shell.journal_reading import read_session, read_sessions
from coordinator.shell.journal_rows import Entry

AT = datetime(2026, 3, 17, 14, tzinfo=UTC)
ACCOUNT = "PA1"


def moved(amount: str) -> r.Transferred:
    return r.Transferred(AT, UNASSIGNED, "A", Decimal(amount), "gift")


def opened(name: str, *strategies: str) -> r.SessionOpened:
    zero = Decimal(0)
    openings = tuple(
        r.Opening(strategy, "rsi", {}, (), zero, zero, zero, zero, zero, (), zero)
        for strategy in (*strategies, UNASSIGNED)
    )
    return r.SessionOpened(
        AT, name, "c", ACCOUNT, "paper", "iex", date(2026, 3, 17), "hash", openings, {}
    )


def fee(strategy: str) -> r.ActivityBooked:
    kind, zero, day = r.ActivityKind.FEE, Decimal(0), date(2026, 3, 17)
    return r.ActivityBooked(AT, "f1", strategy, kind, "", zero, zero, Decimal(-1), "sales", day)


def seen(minute: int) -> r.BarsSeen:
    one = Decimal(1)
    start = AT + timedelta(minutes=minute)
    return r.BarsSeen(AT, r.Origin.LIVE, (Bar("SPY", start, one, one, one, one, one),))


_COMES_AND_LEAVES = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("SELECT count(*) FROM records").fetchone()
connection.close()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / ACCOUNT / "journal.db"


def written(path: Path, *amounts: str) -> None:
    journal = Journal(path, ACCOUNT, "c")
    for amount in amounts:
        journal.append("s", [moved(amount)])
    journal.close()


def amounts(path: Path) -> list[str]:
    journal = Journal(path, ACCOUNT, "c")
    found = [str(e.record.amount) for e in journal.replay() if isinstance(e.record, r.Transferred)]
    journal.close()
    return found


def test_a_journal_opened_twice_in_one_process_keeps_its_log_when_another_process_leaves(
    path: Path,
) -> None:
    first = Journal(path, ACCOUNT, "c")
    first.append("s", [moved("1")])
    Journal(path, ACCOUNT, "d").close()  # as `kill` does while it flattens a stopped coordinator
    subprocess.run([sys.executable, "-c", _COMES_AND_LEAVES, str(path)], check=True)
    first.append("s", [moved("2")])
    first.close()
    assert amounts(path) == ["1", "2"]


def test_what_was_appended_is_there_in_order_after_a_restart(path: Path) -> None:
    journal = Journal(path, ACCOUNT, "c")
    journal.append("s", [moved("1.50"), moved("2")])
    journal.append("t", [moved("3")])
    journal.close()
    again = Journal(path, ACCOUNT, "c")
    entries = [(e.seq, e.coordinator, e.session_id, e.record) for e in again.replay()]
    assert entries == [
        (1, "c", "s", moved("1.50")),
        (2, "c", "s", moved("2")),
        (3, "c", "t", moved("3")),
    ]
    again.append("t", [moved("4")])
    again.close()
    assert amounts(path) == ["1.50", "2", "3", "4"]


def test_each_commit_is_synced_to_the_disk(path: Path) -> None:
    journal = Journal(path, ACCOUNT, "c")
    asked = {
        name: journal._connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous")
    }
    journal.close()
    assert asked == {"journal_mode": "wal", "synchronous": 2}


def test_a_long_log_is_moved_into_the_file_when_nothing_waits_and_in_no_commit(path: Path) -> None:
    (bar,) = seen(1).bars
    minute = r.BarsSeen(AT, r.Origin.LIVE, (bar,) * 8_000)
    journal, grown = Journal(path, ACCOUNT, "c"), []
    for _ in range(10):
        before = path.stat().st_size
        journal.append("s", [minute])
        journal.tidy(at_rest=False)
        grown.append(path.stat().st_size - before)
    journal.tidy()
    moved_in = path.stat().st_size
    journal.append("s", [moved("1")])
    journal.tidy()
    assert set(grown) == {0}, "SQLite alone would have moved it in one of the commits"
    assert moved_in > LOG_BYTES
    assert path.stat().st_size == moved_in, "a short log stays"
    journal.close()
    assert amounts(path) == ["1"]


def test_a_long_log_that_a_reader_holds_is_moved_once_it_does_not(path: Path) -> None:
    (bar,) = seen(1).bars
    journal = Journal(path, ACCOUNT, "c")
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM records").fetchone()
    for _ in range(10):
        journal.append("s", [r.BarsSeen(AT, r.Origin.LIVE, (bar,) * 8_000)])
    journal.tidy()
    held = path.stat().st_size
    reader.close()
    journal.tidy()
    moved_in = path.stat().st_size
    journal.close()
    assert held < LOG_BYTES < moved_in


def test_the_log_is_written_out_ahead_in_quiet_moments_and_says_no_more_for_it(path: Path) -> None:
    log = path.with_name("journal.db-wal")
    journal, sizes = Journal(path, ACCOUNT, "c"), [log.stat().st_size]
    journal.tidy(at_rest=False)
    sizes.append(log.stat().st_size)
    for number in range(60):
        journal.append("s", [moved(str(number))] * 100)
        journal.tidy()
        sizes.append(log.stat().st_size)
    again = Journal(path, ACCOUNT, "d")
    told = len(list(again.replay()))
    again.close()
    assert sizes[0] == sizes[1], "orders may wait"
    assert {b - a for a, b in pairwise(sizes[2:])} == {0, 2 * ROOM_BYTES}, "a commit made it longer"
    assert told == 6_000
    copied = path.with_name("copy.db")  # as a power cut leaves it: the log is read from its frames
    for name in ("", "-wal"):
        copied.with_name(copied.name + name).write_bytes(Path(f"{path}{name}").read_bytes())
    assert len(amounts(copied)) == 6_000
    journal.close()


def test_to_write_ahead_waits_for_nobody_and_stops_at_a_length(path: Path) -> None:
    log = path.with_name("journal.db-wal")
    journal, other = Journal(path, ACCOUNT, "c"), sqlite3.connect(path, isolation_level=None)
    journal.append("s", [moved("1")])
    other.execute("BEGIN IMMEDIATE")
    before = log.stat().st_size
    began_s = time.monotonic()
    journal.tidy()
    waited_s = time.monotonic() - began_s
    held = log.stat().st_size
    other.execute("ROLLBACK")
    asked = journal._connection.execute("PRAGMA busy_timeout").fetchone()
    for _ in range(30):  # as many starts beside another coordinator, which keeps the log
        beside = Journal(path, ACCOUNT, "d")
        beside.skip_to_end()
        beside.append("d", [moved("2")])
        beside.tidy()
        beside.close()
    assert held == before, "another process was writing"
    assert waited_s < BUSY_S / 2, "it was waited for"
    assert asked == (1000 * BUSY_S,), "a commit waits as ever"
    assert log.stat().st_size < MOST_BYTES + 2 * ROOM_BYTES
    assert not journal.append("s", ())[30:], "what the others wrote is heard"
    other.close()
    journal.close()


def test_a_journal_behind_a_link_has_its_log_where_it_lies(path: Path, tmp_path: Path) -> None:
    Journal(path, ACCOUNT, "c").close()
    link = tmp_path / "link.db"
    link.symlink_to(path)
    journal = Journal(link, ACCOUNT, "c")
    journal.append("s", [moved("1")])
    journal.tidy()
    grown = path.with_name("journal.db-wal").stat().st_size
    journal.close()
    assert grown > 2 * ROOM_BYTES
    assert [one.name for one in tmp_path.iterdir() if one.name.endswith("-wal")] == []


def test_nobody_else_can_read_it_or_the_folders_above(path: Path, tmp_path: Path) -> None:
    journal = Journal(path, ACCOUNT, "c")
    journal.append("s", [moved("1")])
    files = {p.name: stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()}
    journal.close()
    assert set(files) == {"journal.db", "journal.db-wal", "journal.db-shm"}
    assert set(files.values()) == {0o600}
    for folder in (path.parent, path.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


DAMAGES: dict[str, str] = {
    "a digit of a quantity": "UPDATE records SET body = replace(body, '22', '23') WHERE seq = 2",
    "whose record it is": "UPDATE records SET coordinator = 'd' WHERE seq = 2",
    "the session of a record": "UPDATE records SET session_id = 't' WHERE seq = 1",
    "the kind of a record": "UPDATE records SET kind = 'DayRolled' WHERE seq = 3",
    "its hash": "UPDATE records SET hash = replace(hash, substr(hash, 1, 1), 'f') || '0'",
    "a missing record": "DELETE FROM records WHERE seq = 2",
    "a missing first record": "DELETE FROM records WHERE seq = 1",
    "two records in each other's place": """
        UPDATE records SET seq = seq + 100 WHERE seq IN (1, 2);
        UPDATE records SET seq = 203 - seq - 100 WHERE seq > 100""",
    "a record put in": "INSERT INTO records SELECT seq + 1, coordinator, session_id, kind, body,"
    " hash FROM records WHERE seq = 3",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_journal_that_was_changed_is_not_traded_on(path: Path, damage: str) -> None:
    written(path, "11", "22", "33")
    connection = sqlite3.connect(path)
    connection.executescript(DAMAGES[damage])
    connection.commit()
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    with pytest.raises(JournalDamaged, match=r"journal\.db: record \d+ does not follow"):
        amounts(path)


def test_a_record_written_while_we_run_is_checked_too(path: Path) -> None:
    mine, theirs = Journal(path, ACCOUNT, "c"), Journal(path, ACCOUNT, "d")
    theirs.append("t", [moved("1")])
    theirs._connection.execute("UPDATE records SET body = replace(body, '\"1\"', '\"9\"')")
    with pytest.raises(JournalDamaged, match="record 1"):
        mine.append("s", [moved("2")])
    for journal in (mine, theirs):
        journal.close()
    assert read_session(path, "s") == []


@pytest.mark.parametrize("begins", [opened("s"), r.SessionResumed(AT, "hash")])
def test_a_session_ends_when_another_process_begins_to_trade_under_its_name(
    path: Path, begins: r.Record
) -> None:
    ours, theirs = Journal(path, ACCOUNT, "c"), Journal(path, ACCOUNT, "c")
    ours.append("s", [opened("s"), moved("1")])
    list(theirs.replay())
    theirs.append("s", [begins])
    with pytest.raises(SafetyRefusal, match="another process trades as c"):
        ours.append("s", [moved("2")])
    theirs.append("s", [moved("3")])
    ours.close()
    theirs.close()
    assert amounts(path) == ["1", "3"]


def test_a_torn_tail_loses_the_torn_commit_and_no_other(path: Path, tmp_path: Path) -> None:
    journal = Journal(path, ACCOUNT, "c")
    for amount in ("1", "2", "3"):
        journal.append("s", [moved(amount)])
    log = path.with_name("journal.db-wal").read_bytes()
    outcomes = set()
    for cut in (0, 1, 100, 4096, 5000, 9000):
        copy = tmp_path / f"torn{cut}" / "journal.db"
        copy.parent.mkdir()
        shutil.copy(path, copy)
        copy.with_name("journal.db-wal").write_bytes(log[: len(log) - cut])
        outcomes.add(tuple(amounts(copy)))
        written(copy, "9")
        assert amounts(copy)[-1] == "9"
    journal.close()
    assert ("1", "2", "3") in outcomes
    assert len(outcomes) > 1
    assert all(("1", "2", "3")[: len(found)] == found for found in outcomes)


def test_an_append_that_fails_leaves_nothing_behind_and_the_journal_usable(path: Path) -> None:
    journal = Journal(path, ACCOUNT, "c")
    journal.append("s", [moved("1")])
    broken = r.SessionResumed(AT, {"no": "text"}.keys())  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        journal.append("s", [moved("2"), broken])
    journal.append("s", [moved("3")])
    journal.close()
    assert amounts(path) == ["1", "3"]


def test_a_full_disk_is_an_error_and_what_was_written_before_stays(path: Path) -> None:
    journal = Journal(path, ACCOUNT, "c")
    journal.append("s", [moved("1")])
    pages = journal._connection.execute("PRAGMA page_count").fetchone()[0]
    journal._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageError, match="full"):
        journal.append("s", [seen(minute) for minute in range(500)])
    journal._connection.execute("PRAGMA max_page_count = 100000")
    journal.append("s", [moved("2")])
    journal.close()
    assert amounts(path) == ["1", "2"]


def _replaced(path: Path) -> None:
    shutil.copy(path, path.with_name("copy.db")).replace(path)


@pytest.mark.parametrize(
    "lose",
    [
        lambda path: [file.unlink() for file in path.parent.iterdir()],
        lambda path: path.with_name("journal.db-wal").unlink(),
        lambda path: path.parent.rename(path.parent.with_name("moved")),
        lambda path: path.write_bytes(b""),
        _replaced,
    ],
    ids=["deleted", "its log deleted", "its folder moved", "emptied", "replaced by a copy"],
)
def test_nothing_is_written_to_a_journal_that_no_start_would_find(
    path: Path, lose: Callable[[Path], object]
) -> None:
    journal = Journal(path, ACCOUNT, "c")
    journal.append("s", [moved("1")])
    lose(path)
    with pytest.raises(StorageError, match="deleted, emptied, moved or replaced"):
        journal.append("s", [moved("2")])
    (rows,) = journal._connection.execute("SELECT count(*) FROM records").fetchone()
    journal.close()
    assert rows == 1


def test_two_coordinators_of_an_account_hear_of_each_other_at_their_next_append(
    path: Path,
) -> None:
    stocks, crypto = Journal(path, ACCOUNT, "stocks"), Journal(path, ACCOUNT, "crypto")
    assert stocks.append("s", [moved("1")]) == []
    heard = crypto.append("c", [moved("2")])
    assert [(e.coordinator, e.record) for e in heard] == [("stocks", moved("1"))]
    crypto.append("c", [moved("3")])
    heard = stocks.append("s", ())
    assert [(e.coordinator, e.record) for e in heard] == [
        ("crypto", moved("2")),
        ("crypto", moved("3")),
    ]
    assert stocks.append("s", ()) == []
    for journal in (stocks, crypto):
        journal.close()
    assert amounts(path) == ["1", "2", "3"]


def test_coordinators_that_write_at_the_same_time_keep_one_chain(path: Path) -> None:
    def write(name: str) -> None:
        journal = Journal(path, ACCOUNT, name)
        for number in range(25):
            journal.append(name, [moved(str(number))])
        journal.close()

    threads = [threading.Thread(target=write, args=(name,)) for name in ("c", "d")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(int, amounts(path))) == sorted([*range(25), *range(25)])


@pytest.mark.parametrize("restarts", [False, True])
def test_a_posting_stands_under_the_session_of_the_book_that_it_moves(
    path: Path, restarts: bool
) -> None:
    stocks, crypto = Journal(path, ACCOUNT, "stocks"), Journal(path, ACCOUNT, "crypto")
    stocks.append("s1", [opened("s1", "A")])
    crypto.append("c1", [opened("c1", "C")])
    stocks.append("s2", [opened("s2", "A")])
    if restarts:
        crypto.close()
        crypto = Journal(path, ACCOUNT, "crypto")
        list(crypto.replay())
    crypto.append("c1", [fee("A"), fee("C"), fee(UNASSIGNED)])
    found = {s: [e.record for e in read_session(path, s)][1:] for s in ("s1", "s2", "c1")}
    assert found == {"s1": [], "s2": [fee("A")], "c1": [fee("C"), fee(UNASSIGNED)]}


def newer(connection: sqlite3.Connection) -> None:
    connection.executescript("UPDATE info SET value = '3' WHERE key = 'schema'; DROP TABLE records")


def test_the_journal_of_a_newer_program_is_left_untouched(path: Path) -> None:
    written(path, "1")
    connection = sqlite3.connect(path)
    newer(connection)
    with pytest.raises(SafetyRefusal, match=r"newer Multi-Trader; update this one"):
        Journal(path, ACCOUNT, "c")
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    connection.close()
    assert "records" not in tables


def test_a_decision_about_the_accounts_cash_is_made_on_all_that_was_written_before_it(
    path: Path,
) -> None:
    stocks, crypto = Journal(path, ACCOUNT, "stocks"), Journal(path, ACCOUNT, "crypto")
    stocks.append("s", [moved("7")])
    crypto.append_decided("c", lambda others: [entry.record for entry in others])
    with pytest.raises(SafetyRefusal):
        crypto.append_decided("c", refuse)
    stocks.append("s", [moved("8")])
    for journal in (stocks, crypto):
        journal.close()
    assert amounts(path) == ["7", "7", "8"]


def refuse(others: list[Entry]) -> list[r.Record]:
    raise SafetyRefusal(f"nothing new among {len(others)} entries")


def test_the_journal_of_another_account_is_refused_by_both_names(path: Path) -> None:
    written(path, "1")
    with pytest.raises(SafetyRefusal, match=r"account PA1, but the keys belong to account PA2"):
        Journal(path, "PA2", "c")
    assert amounts(path) == ["1"]


@pytest.mark.parametrize(
    "content", [b"no journal at all, but a text" * 100, b"SQLite format 3\x00"]
)
def test_a_file_that_is_no_journal_is_refused_by_name(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(JournalDamaged, match=r"journal\.db cannot be used as a journal"):
        Journal(path, ACCOUNT, "c")
    assert path.read_bytes() == content


def test_bars_are_replayed_of_each_coordinators_last_session_only(path: Path) -> None:
    mine, theirs = Journal(path, ACCOUNT, "c"), Journal(path, ACCOUNT, "d")
    mine.append("c1", [opened("c1"), seen(1), moved("1")])
    theirs.append("d1", [opened("d1"), seen(2)])
    mine.append("c2", [opened("c2"), seen(3), moved("2")])
    again = Journal(path, ACCOUNT, "c")
    found = [(e.session_id, type(e.record).__name__) for e in again.replay()]
    for journal in (mine, theirs, again):
        journal.close()
    assert [one for one in found if one[1] == "BarsSeen"] == [
        ("d1", "BarsSeen"),
        ("c2", "BarsSeen"),
    ]
    assert [one[0] for one in found if one[1] == "Transferred"] == ["c1", "c2"]
    assert len(found) == 7


def test_readers_see_each_session_once_with_a_mark_that_follows_its_records(path: Path) -> None:
    journal = Journal(path, ACCOUNT, "c")
    journal.append("s1", [opened("s1")])
    journal.append("s2", [opened("s2")])
    before = read_sessions(path)
    journal.append("s1", [moved("1"), opened("s1")])
    after = read_sessions(path)
    read = [e.record for e in read_session(path, "s1")]
    journal.close()
    assert [name for name, _ in before] == [name for name, _ in after] == ["s1", "s2"]
    assert before[0] != after[0]
    assert before[1] == after[1]
    assert read == [opened("s1"), moved("1"), opened("s1")]


@pytest.mark.parametrize("read", [read_sessions, lambda path: read_session(path, "s")])
def test_reading_what_is_not_there_makes_no_file(
    path: Path, read: Callable[[Path], object]
) -> None:
    path.parent.mkdir(parents=True)
    with pytest.raises(StorageError, match=r"journal\.db cannot be opened just now"):
        read(path)
    assert not path.exists()
