"""Start and memory beside nautilus_trader's: `python -m benchmarks.peers.alone [--rounds R]`.

A process of ours and one of nautilus's by turns. Start is what a process takes in CPU seconds from
Python's start to the decisions of its first minute, interpreter and imports included; memory is the
most that a process has had after a session's 390 minutes of 1,000 strategies on 100 tickers. Ours
begins with history for its strategies and commits each minute to a journal on disk, fills are not
played; nautilus's Rust engine has no history, and fills its orders. Each runs once beforehand, not
counted, so that Python has compiled the modules of both. Told are medians, and the median of the
rounds' ratios. `--save` writes each case, to be committed, as it ends.
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
"""What is measured of so many strategies, tickers and minutes."""
GOALS = {"cpu_s": 0.5, "mib": 1 / 3}
"""How much of nautilus's ours may be."""


def main() -> None:
    """Run, print, compare."""
    asked = argparse.ArgumentParser(prog="python -m benchmarks.peers.alone", description=__doc__)
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--save", action="store_true", help="write the result to be committed")
    given = asked.parse_args()
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
            for _ in range(given.rounds)
        ]
        one = {side: statistics.median(row[side] for row in rows) for side in sides}
        one["ratio"] = statistics.median(row["ours"] / row["nautilus"] for row in rows)
        print(
            f"{name:>26}: ours {one['ours']:.2f}, nautilus {one['nautilus']:.2f} {what},"
            f" ratio {one['ratio']:.2f} (goal: {GOALS[what]:.2f})",
            flush=True,
        )
        if given.save:
            found = {"unit": what, "goal": GOALS[what], **one}
            results.save(name, found, rounds=given.rounds)


def ran(python: Path, module: str, *case: int) -> dict[str, float]:
    """What one process says of itself."""
    command = [str(python), "-W", "ignore", "-m", module, *map(str, case)]
    done = subprocess.run(
        command, cwd=ROOT, env=ENVIRONMENT, check=True, capture_output=True, text=True
    )
    said: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return said


if __name__ == "__main__":
    main()
