"""The time that sessions take to load and views to answer:
`python -m benchmarks.warehouse [--save]`.

Rows are made by benchmarks/warehouse_rows.py, outside the measured time. A second process, in turn
with the first, loads each session bare: the same rows through Arrow into the same tables, one
COMMIT a session, without checks and derived tables. Both times include closing the file. Each view
is queried cold, on a new connection, and then again. Goals are in wall seconds where a user waits
(with fewer sessions, in proportion), and in CPU seconds where two things are compared; a missed
goal is reported here and in the JSON, and fails nothing. The result is compared with the last one
committed (`results/warehouse.json`); `--save` writes it.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

import warehouse.frames as frames_module
import warehouse.judging as judging_module
from benchmarks.committed import Committed
from benchmarks.warehouse_rows import Made, Maker
from warehouse import LoadStatus, Store, load_session
from warehouse.queries import ask
from warehouse.schemas import TABLES

Scale = tuple[int, int, int]
"""A session's strategies, executions of each, and tickers."""
WHOLE_FILLS, WHOLE_LOAD_S = 2_500_000, 180.0
VIEW_S, MEMORY_MIB, TIMES_BARE = 1.0, 2048.0, 2.0
"""Goals: 2.5 million executions in three minutes, a view in a second, 2 GiB, twice a bare load."""

VALIDATION = [
    (frames_module, "_judge"),
    *((judging_module, name) for name in ("duplicates", "foreign_rows", "agree", "contradictions")),
]
"""The functions that count as validation: models of rows, and checks of rows against others."""
QUESTIONS = {
    "v_pnl_history": "SELECT strategy, sum(net_pnl), max(cumulative_net_pnl) FROM v_pnl_history "
    "GROUP BY ALL",
    "v_performance": "SELECT * FROM v_performance",
    "v_round_trips": "SELECT strategy, count(*), sum(net_pnl), avg(return_pct) FROM v_round_trips "
    "GROUP BY ALL",
    "v_slippage": "SELECT strategy, avg(slippage_bps), sum(slippage_cost) FROM v_slippage "
    "GROUP BY ALL",
    "v_equity": "SELECT strategy, max(drawdown), max(peak) FROM v_equity GROUP BY ALL",
    "v_exposure": "SELECT strategy, avg(average_exposure), max(highest_exposure) FROM v_exposure "
    "GROUP BY ALL",
    "v_slippage, one day": "SELECT * FROM v_slippage WHERE session_date = "
    "(SELECT max(session_date) FROM sessions)",
    "v_equity, one day": "SELECT * FROM v_equity WHERE session_date = "
    "(SELECT max(session_date) FROM sessions)",
    "v_round_trips, one day": "SELECT * FROM v_round_trips WHERE session_date = "
    "(SELECT max(session_date) FROM sessions)",
}


@dataclass
class Clock:
    """The wall and CPU seconds of a part."""

    wall_s: float = 0.0
    cpu_s: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Adds the time of the body."""
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        yield
        self.wall_s += time.perf_counter() - wall_s
        self.cpu_s += time.process_time() - cpu_s

    def __str__(self) -> str:
        return f"{self.wall_s:8.2f} s wall, {self.cpu_s:8.2f} s processor"


def timed(clock: Clock, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with its time added to a clock."""

    def inside(*args: Any) -> Any:
        with clock.running():
            return function(*args)

    return inside


@dataclass
class Loads:
    """The times of the loads, of the validation in them, and of the same sessions loaded bare."""

    whole: Clock = field(default_factory=Clock)
    judging: Clock = field(default_factory=Clock)
    bare: Clock = field(default_factory=Clock)
    fills: int = 0


def load_bare(connection: duckdb.DuckDBPyConnection, made: Made) -> None:
    """Load the same rows through Arrow into the same tables, in one transaction without checks."""
    connection.execute("BEGIN")
    for name, table in TABLES.items():
        rows = made.tables[name]
        if name == "strategies":
            rows = [row | {"params": json.dumps(row["params"])} for row in rows]
        connection.register("bare", pa.Table.from_pylist(rows, schema=table.arrow_schema))
        connection.table("bare").insert_into(name)
    connection.execute("COMMIT")


def load_bare_on_request(pipe: Connection, location: Path, scale: Scale) -> None:
    """The second process: loads the sessions whose numbers it receives; None ends it."""
    maker, clock, bare = Maker(*scale), Clock(), Store.open(location)
    while (number := pipe.recv()) is not None:
        made = maker.session(number)
        with clock.running():
            load_bare(bare.connection, made)
        pipe.send(clock)
    with clock.running():
        bare.close()
    pipe.send(clock)


@contextmanager
def bare_loads(location: Path, scale: Scale) -> Iterator[Connection]:
    """A second process, with its own memory, that loads sessions bare on request."""
    ours, its = get_context("spawn").Pipe()
    process = get_context("spawn").Process(
        target=load_bare_on_request, args=(its, location, scale), daemon=True
    )
    process.start()
    yield ours
    process.join()


def load_all(store: Store, bare: Connection, maker: Maker, sessions: int) -> Loads:
    """Loads into `store` and closes it; in turn, the second process loads each session bare."""
    loads = Loads()
    before = [(module, name, getattr(module, name)) for module, name in VALIDATION]
    for module, name, function in before:
        setattr(module, name, timed(loads.judging, function))
    try:
        for number in range(sessions):
            made = maker.session(number)
            with loads.whole.running():
                result = load_session(store, made)
            assert result.status is LoadStatus.LOADED, result.message
            loads.fills += result.rows["fills"]
            bare.send(number)
            bare.recv()
    finally:
        for module, name, function in before:
            setattr(module, name, function)
    with loads.whole.running():  # closing moves the rest of the log into the file
        store.close()
    bare.send(None)
    loads.bare = bare.recv()
    return loads


@dataclass
class Answer:
    """The times of a query on a new connection, and of its repetition there."""

    cold: Clock = field(default_factory=Clock)
    warm: Clock = field(default_factory=Clock)


def ask_all(location: Path) -> dict[str, Answer]:
    """Each query's times, without opening the file."""
    found = {}
    for name, sql in QUESTIONS.items():
        answer = found[name] = Answer()
        with Store.open_read_only(location) as store:
            for clock in (answer.cold, answer.warm):
                with clock.running():
                    ask(store, sql)
    return found


def figures(loads: Loads, answers: dict[str, Answer], peak_mib: float) -> dict[str, Any]:
    """The measured figures, for JSON."""
    return {
        "fills": loads.fills,
        "load_wall_s": loads.whole.wall_s,
        "load_cpu_s": loads.whole.cpu_s,
        "validation_cpu_s": loads.judging.cpu_s,
        "bare_cpu_s": loads.bare.cpu_s,
        "times_bare": loads.whole.cpu_s / max(loads.bare.cpu_s, 1e-9),
        "answers_cpu_s": {name: answer.warm.cpu_s for name, answer in answers.items()},
        "answers_cold_wall_s": {name: answer.cold.wall_s for name, answer in answers.items()},
        "answers_warm_wall_s": {name: answer.warm.wall_s for name, answer in answers.items()},
        "peak_mib": peak_mib,
    }


def goals(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Each goal with the measured value, the bound, and whether it is missed."""
    rest = found["load_cpu_s"] - found["validation_cpu_s"]
    slowest = max(found["answers_cold_wall_s"].values())
    bounds = {
        "load, wall s": (found["load_wall_s"], WHOLE_LOAD_S * found["fills"] / WHOLE_FILLS),
        "slowest view cold, wall s": (slowest, VIEW_S),
        "memory, MiB": (found["peak_mib"], MEMORY_MIB),
        "validation / the rest of the load": (found["validation_cpu_s"] / rest, 1.0),
        "load / bare Arrow load": (found["times_bare"], TIMES_BARE),
    }
    return {
        name: {"is": round(value, 3), "at_most": round(bound, 3), "missed": value > bound}
        for name, (value, bound) in bounds.items()
    }


def tell(found: dict[str, Any], before: dict[str, Any]) -> None:
    """Prints the figures beside the committed ones, and the goals."""
    shown = {name: value for name, value in found.items() if isinstance(value, int | float)}
    for name, value in shown.items():
        last = f" (the last: {before[name]:,.2f})" if name in before else ""
        print(f"{name:36}{value:14,.2f}{last}")
    for name in QUESTIONS:
        cold, warm = (found[f"answers_{when}_wall_s"][name] for when in ("cold", "warm"))
        print(f"{name:36}{cold:10.3f} s cold, {warm:.3f} s warm")
    for name, goal in found["goals"].items():
        said = "GOAL MISSED" if goal["missed"] else "met"
        print(f"{name:36}{goal['is']:14,.2f} of {goal['at_most']:,.2f}: {said}")


def main(arguments: list[str]) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.warehouse", description=__doc__)
    parser.add_argument("--sessions", type=int, default=250)
    parser.add_argument("--strategies", type=int, default=50)
    parser.add_argument("--fills", type=int, default=200, help="executions a strategy and session")
    parser.add_argument("--tickers", type=int, default=10, help="with a bar a minute each")
    parser.add_argument("--save", action="store_true", help="write the result to be committed")
    options = parser.parse_args(arguments)
    sizes = strategies, fills, tickers = options.strategies, options.fills, options.tickers
    scale = f"{options.sessions} x {strategies} x {fills}, {tickers} tickers"
    with tempfile.TemporaryDirectory() as folder:
        location = Path(folder) / "warehouse.duckdb"
        with bare_loads(Path(folder) / "bare.duckdb", sizes) as bare:
            loads = load_all(Store.open(location), bare, Maker(*sizes), options.sessions)
        answers = ask_all(location)
        file_mib = location.stat().st_size / 2**20
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = figures(loads, answers, peak_mib) | {"file_mib": file_mib}
    found["goals"] = goals(found)
    results = Committed("warehouse")
    tell(found, results.figures(scale))
    print(json.dumps(found))
    if options.save:
        results.save(scale, found)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
