"""From the wire to orders: `python -m benchmarks.wire [--frames F] [--case N,S ...] [--save]`.

Real msgpack frames go over a loopback websocket, by turns to a session of ours (receive, decode,
decide, one commit to a journal on disk, orders handed over) and to alpaca-py's raw stream (receive,
decode, call the handler). A frame has a minute's bars of S tickers, of N strategies each has one.
The ratio is ours to alpaca-py's plus, where there are intents, one raw fdatasync. Beside it stand a
whole market's minute (8,000 tickers, frames of 100), the journal's commit, memory, and the time
from a process's begin to its first decision. Each case is compared with the last one committed
(`results/wire.json`) as it ends; `--save` writes it. Answers to orders come between the frames.
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
    """Microseconds of a frame, by the wall and of CPU, and how often and how much was ordered.

    `ratio` is of the wall's medians, with the fdatasync where there are intents; of the frames with
    and without them apart, too. `cpu_ratio` has no fdatasync: a busy machine does not move it.
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
        """What alpaca-py takes to hear of it, and the disk if something is ordered."""
        return self.alpaca.wall_s + (self.fdatasync_s if self.intents else 0.0)


def main(arguments: Sequence[str] | None = None, results: Committed | None = None) -> None:
    """Run, print, compare."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--frames", type=int, default=200)
    asked.add_argument("--rounds", type=int, default=5, help="market minutes, and processes")
    asked.add_argument("--case", nargs="*", default=list(CASES), help="N,S")
    asked.add_argument("--only-frames", action="store_true", help="no market, memory or start")
    asked.add_argument("--save", action="store_true", help="write the result to be committed")
    given = asked.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    results = results or Committed("wire")
    found: dict[str, dict[str, float]] = {}
    for name, how, one in measured(given):
        found[name] = one
        print(told(name, one, results.figures(name)), flush=True)
        if given.save:
            results.save(name, one, **how)
    print(json.dumps(found))


def measured(given: argparse.Namespace) -> Iterator[tuple[str, dict[str, int], dict[str, float]]]:
    """Each case's name, how much of it was run, and figures, as it ends."""
    frame_count, round_count = {"frames": given.frames}, {"rounds": given.rounds}
    for case in given.case:
        strategies, tickers = map(int, case.split(","))
        cost = asyncio.run(frames(strategies, tickers, given.frames))
        yield case, frame_count, asdict(cost)
    if not given.only_frames:
        yield "market minute", round_count, asyncio.run(market(given.rounds))
        yield "memory", round_count, memory_mib(given.rounds)
        yield "start", round_count, start_s(given.rounds)


async def frames(strategies: int, tickers: int, count: int) -> Cost:
    """A minute's frame to each in turn, so many times, and a raw fdatasync after each pair."""
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
    """Medians of both sides over these frames; 0 if there are none."""
    if not rows:
        return 0.0
    ours, floor = (row.ours.wall_s for row in rows), (row.floor_s for row in rows)
    return statistics.median(ours) / statistics.median(floor)


def _p99(values: Sequence[float]) -> float:
    return sorted(values)[len(values) * 99 // 100]


async def market(rounds: int) -> dict[str, float]:
    """A whole market's minute, in frames of 100: milliseconds until all of it is decided on."""
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


def told(name: str, one: dict[str, float], before: dict[str, float]) -> str:
    """A line of figures, and how the ratio was before."""
    change = f" (last: {before['ratio']:.2f})" if "ratio" in before else ""
    return f"{name:>14}: " + ", ".join(f"{key} {value:,.2f}" for key, value in one.items()) + change


if __name__ == "__main__":
    main()
