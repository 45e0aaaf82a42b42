"""A kill at any point of a load leaves the old state or the new one, never something between."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.warehouse.builder import Day
from tests.warehouse.test_load import content
from warehouse import Store, load_session

KILLED_LOADS = """
import os, pickle, signal, sys, threading
from warehouse import Store, load_session
from tests.warehouse.builder import Source


class Deadly:
    # A connection whose process dies at the given statement, or so soon after the COMMIT began.
    def __init__(self, connection, at, after_s):
        self.connection, self.left, self.after_s = connection, at, after_s

    def __getattr__(self, name):
        return getattr(self.connection, name)

    def execute(self, sql, *parameters):
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1
        if sql == "COMMIT" and self.after_s is not None:
            threading.Timer(self.after_s, os.kill, [os.getpid(), signal.SIGKILL]).start()
        return self.connection.execute(sql, *parameters)


with open(sys.argv[1], "rb") as file:
    tables, points = pickle.load(file)
for location, at, after_s in points:
    child = os.fork()
    if child == 0:
        store = Store.open(location)
        store.connection = Deadly(store.connection, at, after_s)
        load_session(store, Source("s1", "m2", tables))
        os._exit(0)  # without closing the file
    os.waitpid(child, 0)
"""


Death = tuple[int, float | None]
FEW: list[Death] = [(at, None) for at in (20, 35, 45, 54)] + [(999, 0.001)]
ALL: list[Death] = [(999, i / 4000) for i in range(40)]
"""At COMMIT, and so soon after; every statement of the load comes on top."""


class Counting:
    """A connection that counts its statements."""

    def __init__(self, connection: Any) -> None:
        self.connection, self.statements = connection, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    def execute(self, sql: str, *parameters: Any) -> Any:
        self.statements += 1
        return self.connection.execute(sql, *parameters)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "deaths", [FEW, pytest.param(ALL, marks=[pytest.mark.slow, pytest.mark.timeout(900)])]
)
def test_a_kill_at_any_point_leaves_the_old_state_or_the_new_one(
    tmp_path: Path, location: Path, day: Day, deaths: list[Death]
) -> None:
    with Store.open(location) as store:
        load_session(store, day.source("m1"))
        old = content(store)
    day.buy("Alpha", "SPY", "2", "449")
    source = day.source("m2")
    with Store.open(":memory:") as store:
        load_session(store, day.source("m2"))
        new = content(store)
        counting = Counting(store.connection)
        load_session(Store(counting, ":memory:"), day.source("m3"))  # type: ignore[arg-type]
    source.mark = "m2"
    assert counting.statements > max(at for at, _ in FEW if at < 999)
    if deaths is ALL:
        deaths = [*((at, None) for at in range(counting.statements + 1)), *ALL]
    points = [(str(tmp_path / f"{n}.duckdb"), *death) for n, death in enumerate(deaths)]
    for copy, *_ in points:
        shutil.copyfile(location, copy)
    task = tmp_path / "task.pickle"
    task.write_bytes(pickle.dumps((source.tables, points)))
    subprocess.run([sys.executable, "-c", KILLED_LOADS, str(task)], check=True)

    found = []
    for copy, at, _ in points:
        with Store.open_read_only(copy) as store:
            state = content(store)
        assert state in (old, new), f"died at statement {at}"
        found.append("old" if state == old else "new")
        if at % 20 == 5:  # and the next load repairs it
            with Store.open(copy) as store:
                load_session(store, source)
                assert content(store) == new
    assert found[0] == "old"
    assert old != new
