"""The warehouse's file: private, waited for, migrated with a copy beside it, never guessed at."""

from __future__ import annotations

import fcntl
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from tests.warehouse.builder import Day
from tests.warehouse.test_load import CONTENT, content
from warehouse import (
    Store,
    WarehouseError,
    WarehouseLocked,
    WarehouseMissing,
    WarehouseNewer,
    WarehouseOlder,
    WarehouseUnreadable,
    load_session,
)
from warehouse.export import export
from warehouse.migrate import all_migrations, all_views, migrate, version_of
from warehouse.queries import query
from warehouse.turns import Turn

HOLD = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "read")
print("held", flush=True)
sys.stdin.readline()
"""


class Holder:
    """Another process that holds the file until it is told to let go."""

    def __init__(self, location: Path, how: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(location), how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "held\n"

    def let_go(self) -> None:
        self.process.communicate("\n", timeout=20)


def mode(path: Path) -> str:
    return oct(path.stat().st_mode & 0o777)


@pytest.mark.thorough
def test_a_new_warehouse_is_private_with_its_folder_and_its_log(location: Path, day: Day) -> None:
    before = os.umask(0o022)
    try:
        with Store.open(location) as store:
            load_session(store, day.source())
            found = {path.name: mode(path) for path in location.parent.iterdir()}
    finally:
        os.umask(before)
    assert mode(location.parent) == "0o700"
    assert set(found.values()) == {"0o600"}, found
    assert "warehouse.duckdb" in found


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    Store.open(tmp_path / "warehouse.duckdb").close()
    assert mode(tmp_path) == "0o755"


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("holds", "opens"),
    [("write", Store.open), ("read", Store.open), ("write", Store.open_read_only)],
)
def test_who_finds_it_in_use_says_so_waits_and_gets_it(
    location: Path, holds: str, opens: Callable[..., Store]
) -> None:
    Store.open(location).close()
    holder = Holder(location, holds)
    said: list[str] = []

    def on_wait(message: str) -> None:
        said.append(message)
        threading.Thread(target=holder.let_go).start()

    with opens(location, deadline_s=30, on_wait=on_wait) as store:
        assert version_of(store.connection) == len(all_migrations())
    assert len(said) == 1
    assert f"process {holder.process.pid}" in said[0]
    assert "waiting for up to 30 s" in said[0]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("holds", "opens", "words"),
    [
        ("write", Store.open, r"journal keeps every session.*end-of-day"),
        ("read", Store.open, r"journal keeps every session.*end-of-day"),
        ("write", Store.open_read_only, r"closed, and everything in it stays whole: ask again"),
    ],
)
def test_who_waits_in_vain_is_told_that_nothing_is_lost(
    location: Path, holds: str, opens: Callable[..., Store], words: str
) -> None:
    Store.open(location).close()
    holder = Holder(location, holds)
    began = time.monotonic()
    with pytest.raises(WarehouseLocked, match=words):
        opens(location, deadline_s=0.2, on_wait=lambda _: None)
    assert time.monotonic() - began >= 0.2
    holder.let_go()


@pytest.mark.thorough
def test_two_readers_do_not_wait_for_each_other(location: Path) -> None:
    Store.open(location).close()
    holder = Holder(location, "read")
    assert query(location, "SELECT 1", deadline_s=0).rows == ((1,),)
    holder.let_go()


def test_reading_while_the_same_process_writes_is_waited_for_too(location: Path) -> None:
    with Store.open(location), pytest.raises(WarehouseLocked, match="this process itself"):
        query(location, "SELECT 1", deadline_s=0.1, on_wait=lambda _: None)


def test_who_waits_to_read_does_not_keep_a_loader_from_its_turn(location: Path) -> None:
    turns = []

    def on_wait(_: str) -> None:
        with Turn(location.parent, to_write=True) as loader:
            turns.append(loader.came())

    with Store.open(location), pytest.raises(WarehouseLocked):
        Store.open_read_only(location, deadline_s=0.1, on_wait=on_wait)
    assert turns == [True]


def test_no_warehouse_yet_is_said_plainly(location: Path) -> None:
    with pytest.raises(WarehouseMissing, match="Run a session"):
        query(location, "SELECT 1")
    assert not location.parent.exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("warehouse.duckdb", b"x"),
        ("warehouse.duckdb", b"no database at all" * 1000),
        ("config.json", b'{"strategies": []}'),
    ],
)
@pytest.mark.parametrize("opens", [Store.open, Store.open_read_only])
def test_a_file_that_is_no_warehouse_is_refused_and_left_alone(
    tmp_path: Path, name: str, content: bytes, opens: Callable[..., Store]
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    file.chmod(0o644)
    advice = r"move it aside\. .* `multi-trader end-of-day`, or the backtest\."
    with pytest.raises(WarehouseUnreadable, match=advice) as refused:
        opens(file)
    assert "Nothing is lost" not in str(refused.value)  # a backtest has no journal
    assert ("it is a file of data, and no DuckDB database" in str(refused.value)) is (
        name == "config.json"
    )
    assert file.read_bytes() == content
    assert file.stat().st_mode & 0o777 == 0o644


def test_an_empty_file_is_no_warehouse_yet(tmp_path: Path) -> None:
    file = tmp_path / "warehouse.duckdb"
    file.touch()
    with pytest.raises(WarehouseMissing):
        Store.open_read_only(file)
    Store.open(file).close()
    assert query(file, "SELECT count(*) FROM sessions").rows == ((0,),)
    assert [path.name for path in tmp_path.iterdir()] == ["warehouse.duckdb"]


@pytest.mark.thorough
def test_two_that_make_it_at_once_make_one_and_neither_loses_what_the_other_loaded(
    tmp_path: Path, day: Day
) -> None:
    file, made = tmp_path / "warehouse.duckdb", tmp_path / "others" / "warehouse.duckdb"
    with Store.open(made) as store:
        load_session(store, day.source())
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)  # as the other process while it makes the file
    opening = threading.Thread(target=lambda: Store.open(file).close())
    opening.start()
    opening.join(0.5)
    made.replace(file)
    os.close(folder)
    opening.join(20)
    assert not opening.is_alive()
    assert query(file, "SELECT count(*) FROM sessions").rows == ((1,),)


@pytest.mark.thorough
@pytest.mark.parametrize("part", [0.05, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("damage", ["cut", "overwritten"])
def test_a_damaged_warehouse_is_refused_with_a_sentence_and_never_half_read(
    location: Path, day: Day, part: float, damage: str
) -> None:
    with Store.open(location) as store:
        load_session(store, day.source("m1"))
        wanted = content(store)
    whole = location.read_bytes()
    at = int(len(whole) * part)
    after = b"" if damage == "cut" else b"\xff" * 4096 + whole[at + 4096 :]
    location.write_bytes(whole[:at] + after)
    try:
        with Store.open(location) as store:
            assert load_session(store, day.source("m2")).status == "loaded"
        found = {name: query(location, f"FROM {name}").rows for name in CONTENT}
    except WarehouseError as error:
        assert any(word in str(error) for word in ("end-of-day", "cannot be answered"))  # noqa: PT017
    else:  # nothing that counts was hit
        assert {name: sorted(map(repr, rows)) for name, rows in found.items()} == wanted


def test_a_place_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder_of_nobody = Path("/proc/self")  # even root makes no file in it
    for place in (tmp_path / "file" / "state", folder_of_nobody):
        with pytest.raises(WarehouseUnreadable, match="MULTI_TRADER_WAREHOUSE") as refused:
            Store.open(place / "warehouse.duckdb")
        assert "Errno" not in str(refused.value)


@pytest.mark.parametrize("opens", [Store.open, Store.open_read_only])
def test_a_newer_schema_is_refused_and_left_alone(
    location: Path, opens: Callable[..., Store]
) -> None:
    with Store.open(location) as store:
        store.connection.execute("INSERT INTO schema_versions VALUES (99, '0099_later.sql', now())")
    before = location.read_bytes()
    with pytest.raises(WarehouseNewer, match="schema 99, this program knows up to"):
        opens(location)
    assert location.read_bytes() == before


@pytest.mark.thorough
def test_an_older_schema_is_migrated_after_a_copy_is_put_beside_it(
    location: Path, day: Day
) -> None:
    location.parent.mkdir()
    old = duckdb.connect(str(location))
    migrate(old, upto=1)
    old.execute(
        "INSERT INTO sessions VALUES ('s0', 'house', 'PA1', 'paper', DATE '2026-03-16', now(), "
        "NULL, 'open', 'c0ffee')"
    )
    old.close()
    with Store.open(location) as store:
        assert version_of(store.connection) == len(all_migrations())
        assert store.connection.table("sessions").fetchall()[0][0] == "s0"
        assert load_session(store, day.source()).status == "loaded"
    copy = location.with_name("warehouse.duckdb.schema1")
    assert mode(copy) == "0o600"
    kept = duckdb.connect(str(copy), read_only=True)
    assert version_of(kept) == 1
    assert [row[0] for row in kept.table("sessions").fetchall()] == ["s0"]
    Store.open(location).close()
    assert sorted(path.name for path in location.parent.iterdir()) == [
        "warehouse.duckdb",
        "warehouse.duckdb.schema1",
    ]


@pytest.mark.thorough
def test_the_copy_of_an_older_schema_holds_what_a_crash_left_in_the_log(location: Path) -> None:
    location.parent.mkdir()
    with duckdb.connect(str(location)) as old:
        old.execute("PRAGMA disable_checkpoint_on_shutdown")
        migrate(old, upto=1)
        old.execute("INSERT INTO loads VALUES ('s0', 'm', 'loaded', 'h', '{}', 0, now())")
    assert location.with_name("warehouse.duckdb.wal").exists()
    Store.open(location).close()
    with duckdb.connect(str(location.with_name("warehouse.duckdb.schema1"))) as copy:
        assert [row[0] for row in copy.table("loads").fetchall()] == ["s0"]


def test_a_warehouse_is_made_anew_where_one_was_moved_away_without_the_log_of_its_crash(
    location: Path, day: Day
) -> None:
    log = location.with_name("warehouse.duckdb.wal")
    with Store.open(location) as store:
        store.connection.execute("PRAGMA disable_checkpoint_on_shutdown")
        load_session(store, day.source())
    left = log.read_bytes()
    location.rename(location.with_name("damaged"))
    for _ in range(2):
        with Store.open(location) as store:
            assert load_session(store, day.source()).status in ("loaded", "unchanged")
    assert log.with_name("warehouse.duckdb.wal.old").read_bytes() == left
    assert query(location, "SELECT count(*) FROM sessions").rows == ((1,),)


def of_an_older_program(location: Path) -> None:
    location.parent.mkdir(exist_ok=True)
    with duckdb.connect(str(location)) as old:
        migrate(old, upto=1)


def exported(location: Path) -> object:
    return export(location, location.parent / "export")


@pytest.mark.parametrize("read", [Store.open_read_only, exported, lambda at: query(at, "SELECT 1")])
def test_reading_an_older_schema_says_what_migrates_it_and_changes_nothing(
    location: Path, read: Callable[[Path], object]
) -> None:
    of_an_older_program(location)
    before = location.read_bytes()
    newest = len(all_migrations())
    with pytest.raises(
        WarehouseOlder, match=f"schema 1, older than the program, which reads {newest}"
    ):
        read(location)
    with pytest.raises(WarehouseOlder, match="`multi-trader end-of-day` migrates it"):
        read(location)
    assert location.read_bytes() == before
    assert [path.name for path in location.parent.iterdir()] == [location.name]


@pytest.mark.thorough
def test_what_is_no_copy_of_it_is_neither_taken_for_one_nor_written_over(location: Path) -> None:
    of_an_older_program(location)
    first, second = (location.with_name(f"{location.name}.schema1{end}") for end in ("", ".2"))
    first.write_text("somebody's notes")
    with duckdb.connect(str(second)) as other:
        migrate(other, upto=1)
        other.execute("INSERT INTO loads VALUES ('s0', 'm', 'loaded', 'h', '{}', 0, now())")
    before = second.read_bytes()
    Store.open(location).close()
    assert first.read_text() == "somebody's notes"
    assert second.read_bytes() == before
    with duckdb.connect(str(location.with_name(f"{location.name}.schema1.3"))) as copy:
        assert version_of(copy) == 1
        assert copy.table("loads").fetchall() == []
    assert not list(location.parent.glob("*.partial"))


@pytest.mark.thorough
def test_a_migration_that_is_tried_again_does_not_fill_the_disk_with_copies(
    location: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from warehouse import migrate as module

    of_an_older_program(location)
    bad = module.Migration(2, "bad.sql", "SELECT x")
    monkeypatch.setattr(module, "all_migrations", lambda: (all_migrations()[0], bad))
    for _ in range(3):
        with pytest.raises(WarehouseUnreadable):
            Store.open(location)
    assert sorted(path.name for path in location.parent.iterdir()) == [
        "warehouse.duckdb",
        "warehouse.duckdb.schema1",
    ]


def test_an_older_schema_that_the_disk_has_no_room_to_copy_is_left_as_it_is(
    location: Path,
) -> None:
    of_an_older_program(location)
    before = location.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))
    try:
        with pytest.raises(WarehouseUnreadable, match=r"left untouched: .* the disk is full; then"):
            Store.open(location)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in location.parent.iterdir()] == [location.name]
    assert location.read_bytes() == before


def test_an_older_schema_gets_what_is_kept_of_the_sessions_that_it_holds(
    store: Store, day: Day
) -> None:
    load_session(store, day.source())
    loaded = content(store)
    for table in ("equity_curve", "exposures", "slippages"):
        assert loaded[table]
        store.connection.execute("DROP TABLE " + table)
    for migration in all_migrations():
        if migration.name in ("0003_kept.sql", "0007_slippage_of_busts.sql"):
            store.connection.execute(migration.sql)
    assert content(store) == loaded


def test_an_older_schema_has_its_sessions_with_splits_loaded_again_and_no_others(
    store: Store, day: Day
) -> None:
    plain, split = day.source(), day.next_day("s2")
    split.split("Alpha", "SPY", 2)
    sources = [plain, split.source()]
    for source in sources:
        assert load_session(store, source).status == "loaded"
    (again,) = (m for m in all_migrations() if m.name == "0008_splits_after_a_session.sql")
    store.connection.execute(again.sql)
    assert [load_session(store, s).status for s in sources] == ["unchanged", "loaded"]


def test_an_older_schema_has_its_sessions_that_capital_left_loaded_again_and_no_others(
    location: Path,
) -> None:
    def fund(day: Day) -> None:
        day.activity("UNASSIGNED", "transfer", "-100")
        day.rows["activities"][-1] |= {"allocated_by": "funding"}

    day = Day()
    fund(day)
    day.buy("Alpha", "SPY", "10", "100")
    sources, day = [day.source()], day.next_day("s2")
    day.transfer("Alpha", "SPY", "-10")
    sources, day = [*sources, day.source()], day.next_day("s3")
    fund(day)
    sources.append(day.source())
    (again,) = (m for m in all_migrations() if m.name == "0009_when_activities_were_booked.sql")
    with Store.open(location) as store:
        for source in sources:
            load_session(store, source)
        store.connection.execute("ALTER TABLE activities DROP COLUMN booked_at")
        store.connection.execute(  # a lot that had left and stayed
            "INSERT INTO open_lots BY NAME FROM open_lots SELECT * REPLACE ('s2' AS session_id)"
        )
        store.connection.execute(  # a strategy that had joined within the session
            "UPDATE pnl_daily SET max_drawdown = 0.01"
            " WHERE (session_id, strategy) = ('s3', 'UNASSIGNED')"
        )
        store.connection.execute(again.sql)
        found = [load_session(store, source).status for source in sources]
        assert found == ["unchanged", "loaded", "loaded"]
        assert store.rows("SELECT session_id FROM open_lots", []) == [{"session_id": "s1"}]


def test_an_older_schema_has_its_sessions_loaded_again_whose_lots_were_wrong_and_no_others(
    store: Store, day: Day
) -> None:
    sources, day = [day.source()], day.next_day("s2")  # with a bust
    day.buy("Alpha", "SPY", "3", "451.25")
    sources, day = [*sources, day.source()], day.next_day("s3")
    day.transfer("Alpha", "SPY", "-1")
    sources.append(day.source())
    for source in sources:
        load_session(store, source)
    lots = store.rows("FROM open_lots ORDER BY ALL", [])
    (again,) = (m for m in all_migrations() if m.name == "0010_cost_of_lots.sql")
    store.connection.execute("ALTER TABLE open_lots DROP COLUMN cost")
    store.connection.execute(again.sql)
    assert store.rows("FROM open_lots ORDER BY ALL", []) == lots
    assert [load_session(store, s).status for s in sources] == ["loaded", "unchanged", "loaded"]


def test_an_older_schema_has_its_sessions_loaded_again_in_which_a_human_sold_and_no_others(
    store: Store,
) -> None:
    day = Day()
    day.sell("UNASSIGNED", "SPY", "4", "100")
    day.buy("UNASSIGNED", "SPY", "4", "90")
    sources, day = [day.source()], day.next_day("s2")
    day.buy("UNASSIGNED", "SPY", "2", "90")
    day.buy("Alpha", "SPY", "2", "90")
    day.sell("Alpha", "SPY", "2", "91")
    sources.append(day.source())
    for source in sources:
        load_session(store, source)
    (again,) = (m for m in all_migrations() if m.name == "0011_short_within_a_session.sql")
    store.connection.execute(again.sql)
    assert [load_session(store, source).status for source in sources] == ["loaded", "unchanged"]


def test_an_older_schema_has_its_sessions_loaded_again_between_which_a_strategy_moved_and_no_others(
    store: Store,
) -> None:
    day = Day()
    sources, day = [day.source()], day.next_day("s2")
    day.buy("Alpha", "SPY", "2", "90")
    sources, day = [*sources, day.source()], day.moved_to("s1b")
    sources, day = [*sources, day.source()], day.next_day("s3")
    sources.append(day.source())
    for source in sources:
        load_session(store, source)
    loaded = content(store)
    (again,) = (m for m in all_migrations() if m.name == "0012_joined.sql")
    store.connection.execute("DROP TABLE joined")
    store.connection.execute(again.sql)
    assert content(store) == loaded
    found = [load_session(store, source).status for source in sources]
    assert found == ["unchanged", "loaded", "loaded", "unchanged"]


def test_an_older_schema_has_its_sessions_loaded_again_whose_equity_went_on_after_their_end(
    store: Store,
) -> None:
    day = Day()
    day.buy("Alpha", "SPY", "2", "90")
    sources, day = [day.source()], day.next_day("s2")
    day.sell("Alpha", "SPY", "2", "91")
    sources.append(day.source())
    for source in sources:
        load_session(store, source)
    store.connection.execute("UPDATE sessions SET closed_at = opened_at WHERE session_id = 's2'")
    (again,) = (m for m in all_migrations() if m.name == "0013_equity_after_the_end.sql")
    store.connection.execute(again.sql)
    assert [load_session(store, source).status for source in sources] == ["unchanged", "loaded"]


def test_a_migration_that_fails_leaves_the_file_as_it_was(
    location: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from warehouse import migrate as module

    Store.open(location).close()
    bad = module.Migration(len(all_migrations()) + 1, "bad.sql", "CREATE TABLE t (a INT); SELECT x")
    monkeypatch.setattr(module, "all_migrations", lambda: (*all_migrations(), bad))
    with pytest.raises(WarehouseUnreadable):
        Store.open(location)
    monkeypatch.undo()
    with Store.open(location) as store:
        assert version_of(store.connection) == len(all_migrations())
        assert ("t",) not in store.connection.execute("SHOW TABLES").fetchall()


@pytest.mark.thorough
def test_views_are_renewed_when_the_program_changed_them(
    location: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from warehouse import migrate as module

    Store.open(location).close()
    changed = (*all_views(), "CREATE OR REPLACE VIEW v_equity AS SELECT 42 AS answer")
    monkeypatch.setattr(module, "all_views", lambda: changed)
    Store.open(location).close()
    assert query(location, "SELECT * FROM v_equity").rows == ((42,),)
    monkeypatch.undo()
    Store.open(location).close()
    assert query(location, "SELECT count(drawdown) FROM v_equity").rows == ((0,),)


def test_a_slow_answer_is_not_mixed_with_a_progress_bar(location: Path) -> None:
    Store.open(location).close()
    shown = query(location, "SELECT current_setting('enable_progress_bar')").rows
    assert shown == ((False,),)
