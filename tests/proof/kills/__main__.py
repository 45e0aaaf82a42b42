"""`python -m tests.proof.kills [--kills N] [--seed S] [--jobs J]`: kills in sessions of fifteen."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.proof.kills.play import Report, Session

A_SESSION = 15
"""Kills of one session."""


def play(seed: int, kills: int) -> Report:
    """One session; its state is kept only where something was violated."""
    folder = Path(tempfile.mkdtemp(prefix=f"kills-{seed}-"))
    report = Session(seed, kills, folder).run()
    if not report.findings.sentences:
        shutil.rmtree(folder)
    return report


def play_all(first_seed: int, kills: int, jobs: int) -> Iterator[Report]:
    """Sessions of consecutive seeds until there were so many kills."""
    done, seed = 0, first_seed
    with ThreadPoolExecutor(jobs) as pool:
        while done < kills:
            left = kills - done
            shares = [min(A_SESSION, left - n * A_SESSION) for n in range(jobs)]
            shares = [share for share in shares if share > 0]
            seeds = range(seed, seed + len(shares))
            seed += len(shares)
            for report in pool.map(play, seeds, shares):
                done += report.counts["kills"]
                yield report


def tell(reports: Iterator[Report]) -> int:
    """Print what was violated, and the totals; returns how many violations there were."""
    began_s, counts, found, lost, doubled = time.perf_counter(), Counter[str](), 0, 0, 0
    for report in reports:
        findings = report.findings
        counts += report.counts
        found += len(findings.sentences)
        lost, doubled = lost + findings.lost, doubled + findings.doubled
        if findings.sentences:
            print(f"seed {report.seed}: {len(findings.sentences)} violation(s)")
            print("\n".join(f"  {sentence}" for sentence in findings.sentences[:8]))
            print(f"  state and logs: {report.folder}")
            print(
                f"  again with: python -m tests.proof.kills --seed {report.seed}"
                f" --kills {report.counts['kills']} --jobs 1",
                flush=True,
            )
    for kind, count in sorted(counts.items()):
        print(f"{count:8,}  {kind}")
    took_s = time.perf_counter() - began_s
    each_s = took_s / max(counts["kills"], 1)
    print(f"{took_s:,.0f} s, {each_s:.1f} s a kill: {lost} lost, {doubled} doubled,"
          f" {found} violations")  # fmt: skip
    return found


def main(arguments: Sequence[str]) -> int:
    """The command; 1 if anything was violated."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="how many, at least")
    parser.add_argument("--seed", type=int, default=1, help="of the first session")
    parser.add_argument("--jobs", type=int, default=2, help="sessions side by side")
    given = parser.parse_args(arguments)
    return 1 if tell(play_all(given.seed, given.kills, given.jobs)) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
