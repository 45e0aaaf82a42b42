"""The cost of keeping the books true, and how soon faults are found: `python -m benchmarks.truth`.

Prints the time of an intent's commit (p50, p99 of each round), of a recovery of 10,000 records with
100 open intents against the socket simulator, and, in virtual time, the seconds of broker time
until a lost fill or a trade by hand is booked, and until a mute stream is detected.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.detection import lags, mutes
from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.orders import OrderStatus
from coordinator.core.risk import Asset
from coordinator.core.values import MINUTE, ZERO, Bar, Reason, Side
from coordinator.settings import simulator_settings
from coordinator.shell import startup
from coordinator.shell.agreement import Settling, agree
from coordinator.shell.alpaca_rest import AlpacaRest
from coordinator.shell.broker import Broker
from coordinator.shell.journal import Journal
from simulator.server import Simulator, SimulatorOptions

NOW = datetime(2026, 3, 17, 15, tzinfo=UTC)
ACCOUNT = "PA3SIM000001"
RECORDS, OPEN = 10_000, 100
D = Decimal


def main() -> None:
    """Measure everything, print a line for each figure and, at the end, all of it as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.truth", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=20, help="virtual sessions of each fault")
    options = parser.parse_args()
    figures: dict[str, Any] = {
        "intent_commit_ms": [_commits() for _ in range(options.rounds)],
        "recovery_s": [_recovery() for _ in range(options.rounds)],
        "lost_fill_found_s": lags({"update lost": 1.0}, options.seeds),
        "hand_trade_found_s": lags({"update lost": 1.0, "hand order": 0.3}, options.seeds),
        "mute_stream_found_s": mutes(options.seeds),
    }
    p50s, p99s = zip(*figures["intent_commit_ms"], strict=True)
    _tell("intent commit, p50 of a round", p50s, "ms")
    _tell("intent commit, p99 of a round", p99s, "ms", bound=5)
    _tell(f"recovery of {RECORDS} records, {OPEN} open intents", figures["recovery_s"], "s", 10)
    _tell("lost fill booked after, broker time", figures["lost_fill_found_s"], "s", 60)
    _tell("trade by hand booked after, broker time", figures["hand_trade_found_s"], "s", 60)
    _tell("mute stream known after, broker time", figures["mute_stream_found_s"], "s", 90)
    print(json.dumps(figures))


def _tell(what: str, figures: Sequence[float], unit: str, bound: float | None = None) -> None:
    if not figures:
        print(f"{what:52} never happened; ask for more --seeds")
        return
    least, middle, most = min(figures), statistics.median(figures), max(figures)
    goal = "" if bound is None else f"   (goal: under {bound} {unit})"
    print(
        f"{what:52} median {middle:8.3f} {unit}  min {least:8.3f}  max {most:8.3f}"
        f"  n {len(figures)}{goal}"
    )


def _intent(number: int, at: datetime) -> r.OrderIntended:
    return r.OrderIntended(
        at,
        f"A.2026-03-17.{number}",
        "A",
        "SPY",
        Side.BUY,
        D("0.01"),
        D(500),
        Reason.SIGNAL,
        released=True,
    )


def _commits(count: int = 2_000) -> tuple[float, float]:
    """(p50, p99) milliseconds of one intent's durable commit, on this disk."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        journal = Journal(Path(folder) / "journal.db", ACCOUNT, "bench")
        taken_ms = []
        for number in range(count):
            record = _intent(number + 1, NOW)
            begun_s = time.perf_counter()
            journal.append("s", [record])
            taken_ms.append(1000 * (time.perf_counter() - begun_s))
        journal.close()
    taken_ms.sort()
    return taken_ms[count // 2], taken_ms[count * 99 // 100]


def _recovery() -> float:
    """Seconds from an open journal to books that agree with the broker, orders settled."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder, _venue() as broker:
        path = Path(folder) / "journal.db"
        _crashed(path, broker)
        begun_s = time.perf_counter()
        journal = Journal(path, ACCOUNT, "bench")
        books, _ = startup.replay(journal, "bench")
        settling = Settling(books, journal, broker, time.sleep)
        agree(settling, {"SPY": Asset.stock("SPY", fractionable=True)}, broker.clock())
        taken_s = time.perf_counter() - begun_s
        assert not books.orders.open(), "every intent was settled"
        journal.close()
    return taken_s


@contextmanager
def _venue() -> Iterator[Broker]:
    with Simulator(SimulatorOptions(date=date(2026, 3, 17), start=NOW)) as simulator:
        settings = simulator_settings(simulator.url, Path("x"))
        yield Broker(AlpacaRest(settings), feed="iex")


def _opening(name: str, kind: str, cash: Decimal, tickers: tuple[str, ...] = ()) -> r.Opening:
    """A book that holds cash; it counts as configured if it has tickers."""
    configured = cash if tickers else ZERO
    return r.Opening(
        strategy=name,
        strategy_type=kind,
        params={},
        tickers=tickers,
        initial_cash=configured,
        configured_cash=configured,
        transferred=ZERO,
        baseline_transferred=ZERO,
        cash=cash,
        holdings=(),
        start_equity=cash,
    )


def _crashed(path: Path, broker: Broker) -> None:
    """Write a journal of RECORDS records whose process died with OPEN intents open.

    Half of these reached the broker and filled; the other half were never sent.
    """
    account, now = broker.account(), broker.clock()
    journal = Journal(path, account.number, "bench")
    begun = now - timedelta(minutes=30)
    books = (
        _opening("A", "rsi", D(50_000), ("SPY",)),
        _opening("UNASSIGNED", "unassigned", account.cash - D(50_000)),
    )
    head: list[r.Record] = [
        r.AccountAdopted(begun, account.number, account.cash, ()),
        r.Transferred(begun, "UNASSIGNED", "A", D(50_000), "funding"),
        r.SessionOpened(
            at=begun,
            session_id="s",
            coordinator="bench",
            account=account.number,
            mode="paper",
            feed="iex",
            session_date=date(2026, 3, 17),
            config_hash="x",
            openings=books,
            marks={},
        ),
    ]
    journal.append("s", head)
    price = D(500)
    for number in range(1, (RECORDS - OPEN - len(head)) // 3 + 1):
        order = _intent(number, begun)
        start = begun + number * MINUTE / 600
        bar = Bar("SPY", start, price, price, price, price, D(1))
        ended = r.OrderMoved(begun, order.client_order_id, OrderStatus.DENIED, reason="bench")
        journal.append("s", [r.BarsSeen(begun, r.Origin.LIVE, (bar,)), order, ended])
    for number in range(RECORDS, RECORDS + OPEN):
        order = _intent(number, now - 2 * MINUTE)
        journal.append("s", [order])
        if number % 2:
            broker.submit(m.SubmitOrder(order.client_order_id, "SPY", Side.BUY, order.qty, "day"))
    journal.close()


if __name__ == "__main__":
    main()
