"""From the wire to orders: `python -m benchmarks.wire [--frames F] [--case N,S ...] [--save]`.

Real msgpack frames go over a loopback websocket, alternately to a session of ours (receive, decode,
decide, one commit to a journal on disk, orders handed over) and to alpaca-py's raw stream (receive,
decode, call the handler). A frame has a minute's bars of S tickers; each of N strategies has one
ticker. The ratio is our time to alpaca-py's plus, if there are intents, one raw fdatasync. Further
figures are a whole market's minute (8,000 tickers, frames of 100), the journal's commit, memory,
and the time from a process's start to its first decision. Each case is compared with the last one
committed (`results/wire.json`) as it ends; `--save` writes it. Answers to orders arrive between
frames.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.alone import memory_mib, start_s
from benchmarks.committed import Committed
from benchmarks.session import frames_of
from benchmarks.wire_stage import Ours, Server, Theirs, Took

CASES = ("26,10", "26,100", "1000,10", "1000,100", "10000,10", "10000,100")
MARKET = 26, 8_000


@dataclass(frozen=True, slots=True)
class Cost:
    """Wall and CPU microseconds of a frame, and the frequency and number of orders.

    `ratio` is of the medians of wall time, including the fdatasync if there are intents; the other
    two are for frames with and without intents. `cpu_ratio` is without fdatasync, and independent
    of the machine's load.
    """

    ours_p50: float
    ours_p99: float
    alpaca_p50: float
    alpaca_p99: float
    fdatasync_p50: float
    ours_cpu: float
    alpaca_cpu: float
    ratio: float
    ratio_with_intents: float
    ratio_without: float
    cpu_ratio: float
    frames_with_intents: float
    intents_a_frame: float


@dataclass(frozen=True, slots=True)
class Row:
    """One frame, in seconds."""

    ours: Took
    alpaca: Took
    fdatasync_s: float
    intents: int

    @property
    def floor_s(self) -> float:
        """alpaca-py's time to receive it, plus the disk's if something is ordered."""
        return self.alpaca.wall_s + (self.fdatasync_s if self.intents else 0.0)


def main(arguments: Sequence[str] | None = None, results: Committed | None = None) -> None:
    """Run, print, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5, help="market minutes, and processes")
    parser.add_argument("--case", nargs="*", default=list(CASES), help="N,S")
    parser.add_argument("--only-frames", action="store_true", help="no market, memory or start")
    parser.add_argument("--save", action="store_true", help="write the result to be committed")
    options = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    results = results or Committed("wire")
    found: dict[str, dict[str, float]] = {}
    for name, how, one in measured(options):
        found[name] = one
        print(line_of(name, one, results.figures(name)), flush=True)
        if options.save:
            results.save(name, one, **how)
    print(json.dumps(found))


def measured(options: argparse.Namespace) -> Iterator[tuple[str, dict[str, int], dict[str, float]]]:
    """Each case's name, its number of frames or rounds, and its figures, as it ends."""
    frame_count, round_count = {"frames": options.frames}, {"rounds": options.rounds}
    for case in options.case:
        strategies, tickers = map(int, case.split(","))
        cost = asyncio.run(frames(strategies, tickers, options.frames))
        yield case, frame_count, asdict(cost)
    if not options.only_frames:
        yield "market minute", round_count, asyncio.run(market(options.rounds))
        yield "memory", round_count, memory_mib(options.rounds)
        yield "start", round_count, start_s(options.rounds)


async def frames(strategies: int, tickers: int, count: int) -> Cost:
    """Send `count` minutes' frames to each in turn, with a raw fdatasync after each pair."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        async with Server() as server:
            ours = await Ours.begin(server, strategies, tickers, Path(folder))
            theirs = await Theirs.begin(server, ours.tickers)
            rows = []
            with (Path(folder) / "raw").open("wb") as raw:
                for frame in frames_of(ours.tickers, count):
                    gc.collect(0)
                    alpaca = await theirs.take([frame])
                    mine = await ours.take([frame])
                    rows.append(Row(mine, alpaca, _fdatasync(raw), ours.intents))
            await theirs.end()
            await ours.end()
    return _cost(rows[count // 10 :])


def _fdatasync(raw: Any) -> float:
    raw.write(os.urandom(4096))
    raw.flush()
    begun = time.perf_counter()
    os.fdatasync(raw.fileno())
    return time.perf_counter() - begun


def _cost(rows: Sequence[Row]) -> Cost:
    ours, alpaca = [row.ours.wall_s for row in rows], [row.alpaca.wall_s for row in rows]
    ours_cpu = statistics.median(row.ours.cpu_s for row in rows)
    alpaca_cpu = statistics.median(row.alpaca.cpu_s for row in rows)
    return Cost(
        ours_p50=1e6 * statistics.median(ours),
        ours_p99=1e6 * _p99(ours),
        alpaca_p50=1e6 * statistics.median(alpaca),
        alpaca_p99=1e6 * _p99(alpaca),
        fdatasync_p50=1e6 * statistics.median(row.fdatasync_s for row in rows),
        ours_cpu=1e6 * ours_cpu,
        alpaca_cpu=1e6 * alpaca_cpu,
        ratio=_ratio(rows),
        ratio_with_intents=_ratio([row for row in rows if row.intents]),
        ratio_without=_ratio([row for row in rows if not row.intents]),
        cpu_ratio=ours_cpu / alpaca_cpu,
        frames_with_intents=sum(bool(row.intents) for row in rows) / len(rows),
        intents_a_frame=sum(row.intents for row in rows) / len(rows),
    )


def _ratio(rows: Sequence[Row]) -> float:
    """The ratio of both sides' medians over these frames; 0 if there are none."""
    if not rows:
        return 0.0
    ours, floor = (row.ours.wall_s for row in rows), (row.floor_s for row in rows)
    return statistics.median(ours) / statistics.median(floor)


def _p99(values: Sequence[float]) -> float:
    return sorted(values)[len(values) * 99 // 100]


async def market(rounds: int) -> dict[str, float]:
    """Milliseconds until a whole market's minute, in frames of 100, is decided on."""
    strategies, count = MARKET
    rows = []
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        async with Server() as server:
            ours = await Ours.begin(server, strategies, count, Path(folder))
            theirs = await Theirs.begin(server, ours.tickers)
            for minute in frames_of(ours.tickers, rounds + 1):
                pieces = minute.pieces(100)
                gc.collect(0)
                alpaca = await theirs.take(pieces)
                rows.append((await ours.take(pieces), alpaca))
                assert ours.decided == count, f"{count - ours.decided} bars were lost"
            await theirs.end()
            await ours.end()
    wall, raw = (statistics.median(row[side].wall_s for row in rows[1:]) for side in (0, 1))
    cpu, raw_cpu = (statistics.median(row[side].cpu_s for row in rows[1:]) for side in (0, 1))
    found = {"ours_ms": wall, "alpaca_ms": raw, "ours_cpu_ms": cpu, "alpaca_cpu_ms": raw_cpu}
    ratios = {"ratio": wall / raw, "cpu_ratio": cpu / raw_cpu}
    return {name: 1000 * one_s for name, one_s in found.items()} | ratios


def line_of(name: str, one: dict[str, float], before: dict[str, float]) -> str:
    """A line of figures, with the committed ratio."""
    change = f" (last: {before['ratio']:.2f})" if "ratio" in before else ""
    return f"{name:>14}: " + ", ".join(f"{key} {value:,.2f}" for key, value in one.items()) + change


if __name__ == "__main__":
    main()
