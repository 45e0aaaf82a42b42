"""How long sessions take to load and views to answer: `python -m benchmarks.warehouse`.

Each session has so many strategies that trade one ticker each, in and out, so many executions a
strategy, with an equity row a minute. Rows are handed over as the journal's side gives them: plain
dictionaries of decimals. Making them is not counted. Wall and processor seconds are printed, since
a shared machine tells the first untruly.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

import warehouse.frames as frames_module
import warehouse.load as load_module
from warehouse import LoadStatus, Store, load_session
from warehouse.queries import ask
from warehouse.schemas import TABLES

MINUTES = 390
EVERY = 10
"""Each so many sessions one is loaded bare, too."""
CASH = Decimal(1_000_000)
Row = dict[str, Any]

VALIDATION = [
    (frames_module, "_judge"),
    *((load_module, name) for name in ("duplicates", "strangers", "contradictions")),
]
"""The models of single rows, and the checks of rows against others; making frames is loading."""
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
    """Wall and processor seconds that a part took."""

    wall_s: float = 0.0
    cpu_s: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Counts the body."""
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        yield
        self.wall_s += time.perf_counter() - wall_s
        self.cpu_s += time.process_time() - cpu_s

    def add(self, other: Clock) -> None:
        """Counts what another clock counted."""
        self.wall_s += other.wall_s
        self.cpu_s += other.cpu_s

    def __str__(self) -> str:
        return f"{self.wall_s:8.2f} s wall, {self.cpu_s:8.2f} s processor"


@dataclass
class Made:
    """A session's rows that are there already."""

    session_id: str
    tables: dict[str, list[Row]]
    mark: str = "1"

    def rows(self) -> dict[str, list[Row]]:
        """The rows."""
        return self.tables


@dataclass
class Maker:
    """Makes sessions that follow each other, each as many rows as the one before."""

    strategies: int
    fills: int
    gained: Decimal = field(default=Decimal(0))

    def session(self, number: int) -> Made:
        """The session of that number; all positions are closed at its end."""
        day = date(2025, 1, 1) + timedelta(days=number)
        self.id, self.day = f"{day}.bench.PA1", day
        self.opened_at = datetime(day.year, day.month, day.day, 14, 30, tzinfo=UTC)
        self.tables: dict[str, list[Row]] = {name: [] for name in TABLES}
        self.tables["sessions"] = [self._session()]
        for index in range(self.strategies):
            self._strategy(f"S{index:02d}", f"T{index:02d}"[:3] + "X")
        self._book("UNASSIGNED", Decimal(0), [], 0)
        self.gained += self.gain
        return Made(self.id, self.tables)

    @property
    def gain(self) -> Decimal:
        """What each strategy gains in a session: a cent a share and round trip."""
        return Decimal("0.10") * (self.fills // 2)

    def _session(self) -> Row:
        row: Row = {"session_id": self.id, "coordinator": "bench", "account": "PA1"}
        row |= {"mode": "simulated", "session_date": self.day, "opened_at": self.opened_at}
        row |= {"closed_at": self.opened_at + timedelta(hours=7), "status": "closed"}
        return row | {"config_hash": "c"}

    def _strategy(self, name: str, symbol: str) -> None:
        moves: list[tuple[datetime, Decimal, Decimal]] = []
        cash, held = CASH + self.gained, Decimal(0)
        step = timedelta(seconds=MINUTES * 60 / (self.fills + 1))
        for number in range(self.fills // 2 * 2):
            at = self.opened_at + (number + 1) * step
            side = "sell" if number % 2 else "buy"
            price = Decimal("100.01") if number % 2 else Decimal("100.00")
            self._execution(name, symbol, number, side, price, at)
            cash += (10 if number % 2 else -10) * price
            held = Decimal(0) if number % 2 else Decimal(1000)
            moves.append((at, cash, held))
        self._book(name, self.gain, moves, len(moves))

    def _execution(
        self, name: str, symbol: str, number: int, side: str, price: Decimal, at: datetime
    ) -> None:
        order = f"{name}.{self.day}.{number}"
        same: Row = {"session_id": self.id, "client_order_id": order, "strategy": name}
        same |= {"symbol": symbol, "side": side, "qty": Decimal(10)}
        self.tables["orders"].append(
            same
            | {"broker_order_id": f"b{order}", "filled_qty": Decimal(10), "status": "filled"}
            | {"filled_avg_price": price, "reason": "signal", "decision_price": Decimal(100)}
            | {"decided_at": at, "submitted_at": at, "closed_at": at}
        )
        self.tables["fills"].append(
            same
            | {"execution_id": f"e{order}", "session_date": self.day, "price": price}
            | {"fee": Decimal(0), "filled_at": at}
        )

    def _book(
        self, name: str, gain: Decimal, moves: list[tuple[datetime, Decimal, Decimal]], fills: int
    ) -> None:
        start = CASH + (self.gained if fills else Decimal(0))
        self.tables["strategies"].append(
            {"session_id": self.id, "strategy": name, "strategy_type": "momentum", "params": {}}
            | {"tickers": ["SPY"], "initial_cash": CASH}
        )
        self.tables["pnl_daily"].append(
            {"session_date": self.day, "session_id": self.id, "strategy": name}
            | {"start_equity": start, "end_equity": start + gain, "transfers": Decimal(0)}
            | {"realized_pnl": gain, "unrealized_change": Decimal(0), "fees": Decimal(0)}
            | {"net_pnl": gain, "return_pct": float(gain / start), "fills": fills}
            | {"max_drawdown": 0.0}
        )
        cash, value, left = start, Decimal(0), list(reversed(moves))
        for minute in range(MINUTES + 1):
            at = self.opened_at + timedelta(minutes=minute)
            while left and (left[-1][0] <= at or minute == MINUTES):
                _, cash, value = left.pop()
            if minute in (0, MINUTES) or moves:
                self.tables["equity"].append(
                    {"session_id": self.id, "strategy": name, "ts": at, "cash": cash}
                    | {"market_value": value, "equity": cash + value}
                )


def timed(clock: Clock, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, its time counted."""

    def inside(*args: Any) -> Any:
        with clock.running():
            return function(*args)

    return inside


@dataclass
class Loads:
    """What the loads took: all, the validation in them, and every so many beside a bare load."""

    whole: Clock = field(default_factory=Clock)
    judging: Clock = field(default_factory=Clock)
    compared: Clock = field(default_factory=Clock)
    bare: Clock = field(default_factory=Clock)
    fills: int = 0


def load_bare(connection: duckdb.DuckDBPyConnection, made: Made) -> None:
    """The same rows through Arrow into the same tables, in one transaction, nothing checked."""
    connection.execute("BEGIN")
    for name, table in TABLES.items():
        rows = made.tables[name]
        if name == "strategies":
            rows = [row | {"params": json.dumps(row["params"])} for row in rows]
        connection.register("bare", pa.Table.from_pylist(rows, schema=table.arrow_schema))
        connection.table("bare").insert_into(name)
    connection.execute("COMMIT")


def load_all(store: Store, bare: Store, maker: Maker, sessions: int) -> Loads:
    """Loads into `store`; every tenth session, from the second on, into `bare` too."""
    loads = Loads()
    before = [(module, name, getattr(module, name)) for module, name in VALIDATION]
    for module, name, function in before:
        setattr(module, name, timed(loads.judging, function))
    try:
        for number in range(sessions):
            made, once = maker.session(number), Clock()
            with once.running():
                result = load_session(store, made)
            assert result.status is LoadStatus.LOADED, result.message
            loads.whole.add(once)
            loads.fills += result.rows["fills"]
            if number % EVERY == 1:
                loads.compared.add(once)
                with loads.bare.running():
                    load_bare(bare.connection, made)
    finally:
        for module, name, function in before:
            setattr(module, name, function)
    return loads


def ask_all(store: Store) -> dict[str, Clock]:
    """Each question's time, the second of two."""
    found = {}
    for name, sql in QUESTIONS.items():
        ask(store, sql)
        found[name] = Clock()
        with found[name].running():
            ask(store, sql)
    return found


def print_loads(loads: Loads) -> None:
    """What the loads took, and how that compares."""
    rest = loads.whole.cpu_s - loads.judging.cpu_s
    share, ratio = loads.judging.cpu_s / rest, loads.compared.cpu_s / max(loads.bare.cpu_s, 1e-9)
    print(f"load        {loads.whole}")
    print(f"validation  {loads.judging}: {share:.2f} of what the rest of the load takes")
    print(f"bare Arrow  {loads.bare}, for every tenth session")
    print(f"in full     {loads.compared}, for the same ones: {ratio:.2f} times as much")


def main(arguments: list[str]) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.warehouse", description=__doc__)
    parser.add_argument("--sessions", type=int, default=250)
    parser.add_argument("--strategies", type=int, default=50)
    parser.add_argument("--fills", type=int, default=200, help="executions a strategy and session")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        location = Path(folder) / "warehouse.duckdb"
        maker = Maker(given.strategies, given.fills)
        store = Store.open(location)
        with Store.open(Path(folder) / "bare.duckdb") as bare:
            loads = load_all(store, bare, maker, given.sessions)
        with loads.whole.running():  # what is still in the log goes into the file
            store.close()
        print(f"{given.sessions} sessions, {loads.fills:,} executions, {os.cpu_count()} processors")
        print_loads(loads)
        print(f"file        {location.stat().st_size / 2**20:,.0f} MiB")
        with Store.open_read_only(location) as store:
            answers = ask_all(store)
            for name, clock in answers.items():
                print(f"{name:24}{clock}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"memory      {peak:,.0f} MiB at most, the makers of rows included")
    print(json.dumps(figures(loads, answers) | {"peak_mib": peak}))
    return 0


def figures(loads: Loads, answers: dict[str, Clock]) -> dict[str, Any]:
    """What was measured, as JSON has it; processor seconds."""
    return {
        "fills": loads.fills,
        "load_cpu_s": loads.whole.cpu_s,
        "validation_cpu_s": loads.judging.cpu_s,
        "times_bare": loads.compared.cpu_s / max(loads.bare.cpu_s, 1e-9),
        "answers_cpu_s": {name: clock.cpu_s for name, clock in answers.items()},
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
