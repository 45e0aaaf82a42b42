"""The whole proof: `python -m tests.proof --seeds 10000 --kills 50 --runs 1000 --fills 1000000`.

Each part is a command of its own that can be run alone and exits non-zero on the first violation;
here they follow one another, but for the kills, which mostly wait and run beside the others. A
table at the end says what each was and how long it took.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """One proof: what it shows, and the module that runs it with these arguments."""

    shows: str
    module: str
    arguments: tuple[str, ...]
    waits: bool = False
    """Whether it waits more than it works: it runs beside the others, and speaks at its end."""

    def run(self) -> tuple[bool, float]:
        """Whether it held, and the seconds it took. Its own output goes where ours goes."""
        command = [sys.executable, "-m", f"tests.proof.{self.module}", *self.arguments]
        head = f"\n=== {self.shows}\n$ {' '.join(['python', *command[1:]])}\n"
        if not self.waits:
            print(head, end="", flush=True)
        begun_s, out = time.monotonic(), subprocess.PIPE if self.waits else None
        done = subprocess.run(command, check=False, text=True, stdout=out)
        if self.waits:
            print(head, done.stdout, sep="", end="", flush=True)
        return done.returncode == 0, time.monotonic() - begun_s


def parts(asked: argparse.Namespace) -> list[Part]:
    """The proofs, the quickest to fail first."""
    found = [
        Part(
            f"{asked.seeds} seeds of the simulation",
            "simulate",
            ("--seeds", f"1..{asked.seeds}", "--jobs", "2"),
        ),
        Part(
            "edits of a running configuration, in peace and among faults",
            "reloads",
            ("--seeds", f"1..{max(asked.seeds // 100, 10)}"),
        ),
        Part(
            "days of trading with nights between",
            "days",
            ("--seeds", f"1..{max(asked.seeds // 200, 5)}"),
        ),
        Part(
            "a crash at every boundary, and in recovery"
            if asked.every == 1
            else f"a crash at each {asked.every}th boundary, and in recovery",
            "crashes",
            ("--jobs", "2", "--every", str(asked.every)),
        ),
        Part(f"{asked.runs} state machines", "machines", ("--runs", str(asked.runs))),
        Part(
            f"{asked.fills} fills, doubled and reordered",
            "million",
            ("--fills", str(asked.fills)),
        ),
        Part(
            f"{asked.mutations} mutations of frames, reports and answers",
            "mutations",
            ("--mutations", str(asked.mutations)),
        ),
        Part(f"{asked.kills} real kills", "kills", ("--kills", str(asked.kills)), waits=True),
    ]
    if asked.bugs:
        found.append(Part("every planted bug is caught", "bugs", ("--seeds", str(asked.bugs))))
    return found


def main() -> int:
    """Run every part, also after one that failed; answers the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof", description=__doc__)
    for name, size in (
        ("seeds", 10_000),
        ("every", 1),
        ("kills", 50),
        ("runs", 1_000),
        ("fills", 1_000_000),
        ("mutations", 1_000_000),
        ("bugs", 1_000),
    ):
        parser.add_argument(f"--{name}", type=int, default=size)
    asked = parts(parser.parse_args())
    with ThreadPoolExecutor() as pool:
        beside = [(part, pool.submit(part.run)) for part in asked if part.waits]
        results = [(part, *part.run()) for part in asked if not part.waits]
        results += [(part, *running.result()) for part, running in beside]
    print("\n=== proof")
    for part, held, seconds in results:
        print(f"{'held  ' if held else 'BROKEN'} {seconds:8.1f} s  {part.shows}")
    passed = sum(held for _, held, _ in results)
    print(f"{passed} passed, {len(results) - passed} failed")
    return 0 if passed == len(results) else 1


if __name__ == "__main__":
    sys.exit(main())
