"""Processes that read while another one loads: whole sessions or a clear "again", and both end."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests.warehouse.builder import Day, Source
from warehouse import Store
from warehouse.queries import query

LOADS = """
import pickle, sys
from warehouse import Store, load_session

with open(sys.argv[2], "rb") as file:
    rounds = pickle.load(file)
for sources in rounds:
    with Store.open(sys.argv[1], on_wait=lambda _: None) as store:
        for source in sources:
            assert load_session(store, source).quarantined == 0
    print("loaded", flush=True)
    sys.stdin.readline()
"""
"""As the end of day does, several times: opens the file, loads some sessions, lets it go.

The next time comes when it is told so.
"""

READS = """
import json, os, sys
from warehouse import WarehouseLocked
from warehouse.queries import query

location, sql, stop = sys.argv[1:]
while not os.path.exists(stop):
    try:
        answer = query(location, sql, deadline_s=0.02, on_wait=lambda _: None)
        print(json.dumps(dict(zip(answer.columns, answer.rows[0]))), flush=True)
    except WarehouseLocked as error:
        print(json.dumps({"busy": str(error)}), flush=True)
"""

CONSISTENT = """
    SELECT (SELECT count(*) FROM sessions)::INT AS sessions,
           (SELECT count(*) FROM loads)::INT AS loads,
           (SELECT count(*) FROM fills)::INT AS fills,
           (SELECT coalesce(sum((row_counts->>'fills')::INT), 0) FROM loads)::INT AS counted_fills,
           (SELECT coalesce(sum((row_counts->>'equity')::INT), 0) FROM loads)::INT AS counted,
           (SELECT count(*) FROM equity)::INT AS equity,
           (SELECT count(*) FROM v_equity)::INT AS curve,
           (SELECT count(*) FROM v_slippage)::INT AS slippages,
           (SELECT count(*) FROM orders AS o
            WHERE filled_qty <> (SELECT coalesce(sum(qty), 0) FROM fills AS f
                                 WHERE f.client_order_id = o.client_order_id
                                   AND f.session_id = o.session_id))::INT AS wrong_orders,
           (SELECT count(*) FROM pnl_daily
            WHERE net_pnl <> end_equity - start_equity - transfers
               OR net_pnl <> realized_pnl + unrealized_change - fees)::INT AS wrong_days,
           (SELECT count(*) FROM v_pnl_history)::INT AS days,
           (SELECT list(n ORDER BY session_id) FROM (
                SELECT session_id, count(*)::INT AS n FROM fills GROUP BY 1)) AS fills_of_each
"""


def days(number: int) -> list[tuple[Source, Source]]:
    """Sessions that follow each other, each as first loaded and as restated by two late fills."""
    day, found = Day("s0"), []
    for n in range(number):
        if n:
            day = day.next_day(f"s{n}")
        for _ in range(3):
            day.buy("Alpha", "SPY", "10", "450.25")
            day.sell("Alpha", "SPY", "10", "451.75")
        first = deepcopy(day.source("first"))
        day.buy("Alpha", "SPY", "2", "449")
        day.sell("Alpha", "SPY", "2", "449")  # so that the next day begins with the same
        found.append((first, deepcopy(day.source("second"))))
    return found


def run(script: str, *arguments: Any, **how: Any) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", script, *map(str, arguments)], text=True, **how)


def check(answer: dict[str, Any]) -> None:
    """Whole sessions only, each as first loaded or as restated."""
    assert answer["sessions"] == answer["loads"]
    assert answer["days"] == 3 * answer["sessions"]
    assert answer["fills"] == answer["counted_fills"] == answer["slippages"]
    assert answer["equity"] == answer["counted"] == answer["curve"]
    assert (answer["wrong_orders"], answer["wrong_days"]) == (0, 0)
    assert set(answer["fills_of_each"] or ()) <= {6, 8}
    assert len(answer["fills_of_each"] or ()) == answer["sessions"]


@pytest.mark.thorough
def test_who_reads_all_the_while_sees_whole_sessions_or_is_told_to_ask_again(
    location: Path, tmp_path: Path
) -> None:
    made = days(12)
    rounds = [[first for first, _ in made[at : at + 2]] for at in range(0, 12, 2)]
    rounds += [[second for _, second in made[at : at + 3]] for at in range(0, 12, 3)]
    task, stop = tmp_path / "task.pickle", tmp_path / "stop"
    task.write_bytes(pickle.dumps(rounds))
    Store.open(location).close()
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    answers: list[dict[str, Any]] = []
    with (
        run(READS, location, CONSISTENT, stop, **pipes) as reader,
        run(LOADS, location, task, **pipes) as loader,
    ):
        assert reader.stdout
        assert loader.stdout
        assert loader.stdin
        for number in range(len(rounds)):
            assert loader.stdout.readline() == "loaded\n"
            there = 6 * sum(map(len, rounds[: min(number + 1, 6)]))
            there += 2 * sum(map(len, rounds[6 : number + 1]))
            while not answers or answers[-1].get("fills") != there:
                answers.append(json.loads(reader.stdout.readline()))
            loader.stdin.write("\n")
            loader.stdin.flush()
        stop.touch()
        reader.communicate(timeout=60)
    assert (loader.returncode, reader.returncode) == (0, 0)
    for answer in answers:
        if "busy" in answer:
            assert "ask again" in answer["busy"]
        else:
            check(answer)
    assert [row[0] for row in query(location, "SELECT restatements FROM loads").rows] == [1] * 12


RELAY = """
import os, sys, time
from warehouse import Store

location, stop = sys.argv[1:]
while not os.path.exists(stop):
    with Store.open_read_only(location, on_wait=lambda _: None) as store:
        print("reads", flush=True)
        time.sleep(0.5)  # as long as a long question takes
"""


@pytest.mark.slow
def test_readers_that_come_and_go_without_pause_do_not_keep_a_load_out(
    location: Path, tmp_path: Path
) -> None:
    Store.open(location).close()
    stop = tmp_path / "stop"
    readers = [run(RELAY, location, stop, stdout=subprocess.PIPE) for _ in range(5)]
    try:
        for reader in readers:
            assert reader.stdout is not None
            assert reader.stdout.readline() == "reads\n"
        with Store.open(location, deadline_s=30, on_wait=lambda _: None) as store:
            assert store.connection.execute("SELECT count(*) FROM loads").fetchall() == [(0,)]
    finally:
        stop.touch()
        for reader in readers:
            reader.communicate(timeout=60)
    assert [reader.returncode for reader in readers] == [0] * 5
