"""Start and memory beside nautilus_trader's: `python -m benchmarks.peers.alone [--rounds R]`.

A process of ours and one of nautilus's run alternately. Start is the CPU seconds from Python's
start to the decisions of the first minute, including interpreter and imports; memory is the peak
after a session of 390 minutes with 1,000 strategies on 100 tickers. Ours starts with history for
its strategies and commits each minute to a journal on disk, without fills; nautilus's Rust engine
has no history, and fills its orders. Each runs once beforehand, so that Python has compiled the
modules of both. The results are medians, and the median of the rounds' ratios. `--save` writes each
case, to be committed, as it ends.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.alone import ENVIRONMENT
from benchmarks.committed import Committed
from benchmarks.peers.environments import python_of

ROOT = Path(__file__).parents[2]
CASES = {
    "start, 1 strategy": ("cpu_s", 1, 1, 1),
    "start, 26 strategies": ("cpu_s", 26, 10, 1),
    "memory, 1,000 strategies": ("mib", 1_000, 100, 390),
}
"""The measured figure, and the numbers of strategies, tickers and minutes."""
GOALS = {"cpu_s": 0.5, "mib": 1 / 3}
"""The highest ratio of ours to nautilus's."""


def main() -> None:
    """Run, print, compare."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.alone", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--save", action="store_true", help="write the result to be committed")
    options = parser.parse_args()
    sides = {
        "ours": (Path(sys.executable), "benchmarks.peers.ours_alone"),
        "nautilus": (python_of("nautilus"), "benchmarks.peers.engines.nautilus_alone"),
    }
    results = Committed("alone")
    for name, (what, *case) in CASES.items():
        for how in sides.values():
            ran(*how, *case)
        rows = [
            {side: ran(*how, *case)[what] for side, how in sides.items()}
            for _ in range(options.rounds)
        ]
        one = {side: statistics.median(row[side] for row in rows) for side in sides}
        one["ratio"] = statistics.median(row["ours"] / row["nautilus"] for row in rows)
        print(
            f"{name:>26}: ours {one['ours']:.2f}, nautilus {one['nautilus']:.2f} {what},"
            f" ratio {one['ratio']:.2f} (goal: {GOALS[what]:.2f})",
            flush=True,
        )
        if options.save:
            found = {"unit": what, "goal": GOALS[what], **one}
            results.save(name, found, rounds=options.rounds)


def ran(python: Path, module: str, *case: int) -> dict[str, float]:
    """The figures that one process reports."""
    command = [str(python), "-W", "ignore", "-m", module, *map(str, case)]
    done = subprocess.run(
        command, cwd=ROOT, env=ENVIRONMENT, check=True, capture_output=True, text=True
    )
    figures: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


if __name__ == "__main__":
    main()
