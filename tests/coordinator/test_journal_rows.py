"""Orders of one minute share a row of the journal; whoever reads it sees each of them as ever."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from coordinator.core import records as r
from coordinator.core.codec import encode
from coordinator.core.values import Reason, Side
from coordinator.errors import JournalDamaged
from coordinator.shell.journal import Journal
from coordinator.shell.journal_reading import read_kinds, read_newest, read_session
from coordinator.shell.journal_rows import GENESIS, chained
from coordinator.shell.late import read_intents
from tests.coordinator.test_journal import ACCOUNT, AT, moved, opened, seen


def order(strategy: str, number: int = 1) -> r.OrderIntended:
    name = f"{strategy}.2026-03-17.{number}"
    size, price = Decimal("1.5"), Decimal(500)
    return r.OrderIntended(
        AT, name, strategy, "SPY", Side.BUY, size, price, Reason.SIGNAL, released=True
    )


MINUTE: Sequence[r.Record] = [seen(1), order("A"), order("B"), order("C")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The journal of a session that ordered thrice in one minute, and once in another."""
    path = tmp_path / ACCOUNT / "journal.db"
    journal = Journal(path, ACCOUNT, "c")
    journal.append("s", [opened("s")])
    journal.append("s", MINUTE)
    journal.append("s", [order("A", 2)])
    journal.close()
    return path


def rows(path: Path) -> list[tuple[int, str]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT seq, kind FROM records ORDER BY seq").fetchall()


def changed(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def test_the_orders_of_a_minute_take_one_row(path: Path) -> None:
    assert rows(path) == [
        (1, "SessionOpened"),
        (2, "BarsSeen"),
        (3, "OrderIntended"),
        (4, "OrderIntended"),
    ]


def test_every_reader_sees_each_order_in_its_place(path: Path) -> None:
    journal, beside = Journal(path, ACCOUNT, "c"), Journal(path, ACCOUNT, "d")
    replayed = list(journal.replay())
    heard = beside.append("d", ())
    journal.close()
    beside.close()
    whole = [opened("s"), *MINUTE, order("A", 2)]
    assert replayed == heard == read_session(path, "s")
    assert [entry.record for entry in replayed] == whole
    assert [entry.seq for entry in replayed] == [1, 2, 3, 3, 3, 4]
    found = read_kinds(path, r.OrderIntended, r.SessionOpened)
    assert [entry.record for entry in found] == [whole[0], *whole[2:]]


def test_the_newest_record_is_the_last_of_those_in_its_row(path: Path) -> None:
    journal = Journal(path, ACCOUNT, "c")
    list(journal.replay())
    journal.append("s", [order("B", 2), order("C", 2)])
    journal.close()
    for newest in (read_newest(path), read_newest(path, r.OrderIntended)):
        assert newest is not None
        assert newest.record == order("C", 2)


def test_the_session_of_an_order_is_found_wherever_in_its_row_it_stands(path: Path) -> None:
    asked = [*(f"{name}.2026-03-17.1" for name in "ABC"), "A.2026-03-17.2", "D.2026-03-17.1"]
    assert read_intents(path, asked) == dict.fromkeys(asked[:-1], "s")


@pytest.mark.parametrize(
    "change",
    [
        "replace(body, 'B.2026-03-17.1', 'B.2026-03-17.3')",
        "json_remove(body, '$[1]')",
        "json(json_array(body -> '$[1]', body -> '$[0]', body -> '$[2]'))",
        "body -> '$[0]'",
    ],
    ids=["one altered", "one missing", "two in each other's place", "only one left"],
)
def test_a_row_of_several_that_was_changed_is_not_traded_on(path: Path, change: str) -> None:
    changed(path, f"UPDATE records SET body = {change} WHERE seq = 3")
    journal = Journal(path, ACCOUNT, "c")
    with pytest.raises(JournalDamaged, match="record 3 does not follow record 2"):
        list(journal.replay())
    journal.close()
    with pytest.raises(JournalDamaged, match="record 3 does not follow record 2"):
        read_session(path, "s")


def as_of_old(path: Path, records: Sequence[r.Record]) -> None:
    """A journal as programs wrote it in which each record had a row of its own."""
    Journal(path, ACCOUNT, "c").close()
    changed(path, "UPDATE info SET value = '1' WHERE key = 'schema'")
    digest = GENESIS
    with closing(sqlite3.connect(path)) as connection, connection:
        for seq, record in enumerate(records, 1):
            parts = "c", "s", *encode(record)
            digest = chained(digest, seq, *parts)
            row = seq, *parts, digest
            connection.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)", row)


def test_an_old_journal_is_read_and_gone_on_with_and_old_programs_refuse_it_from_then_on(
    tmp_path: Path,
) -> None:
    path = tmp_path / ACCOUNT / "journal.db"
    as_of_old(path, [opened("s"), *MINUTE])
    assert len(read_session(path, "s")) == 5, "reading alone changes nothing"
    journal = Journal(path, ACCOUNT, "c")
    assert [entry.record for entry in journal.replay()] == [opened("s"), *MINUTE]
    journal.append("s", [moved("1"), order("A", 2), order("B", 2)])
    journal.close()
    again = [entry.record for entry in read_session(path, "s")]
    assert again == [opened("s"), *MINUTE, moved("1"), order("A", 2), order("B", 2)]
    assert rows(path)[-1] == (7, "OrderIntended")
    assert read_intents(path, ["C.2026-03-17.1", "B.2026-03-17.2"]) == {
        "C.2026-03-17.1": "s",
        "B.2026-03-17.2": "s",
    }
    with closing(sqlite3.connect(path)) as connection:
        schema = connection.execute("SELECT value FROM info WHERE key = 'schema'").fetchone()
    assert schema == ("2",), "which a program that knows 1 alone leaves untouched"
