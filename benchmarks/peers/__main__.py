"""Other engines beside ours, on the same work: `python -m benchmarks.peers [--rounds R]`.

Each engine runs each case in its own process, R rounds of all of them in turn; slow engines skip
two rounds of three. A run counts only if its fills equal the reference's, strategy by strategy and
bar by bar. The results are medians: CPU nanoseconds per strategy and bar, of playing alone
(everything in memory and compiled) and of the whole process up to its end; and the ratio of playing
to ours, round by round. `--save` writes each case, to be committed, as it ends.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.committed import Committed
from benchmarks.peers.environments import Missing, python_of
from benchmarks.peers.judging import difference, reference
from benchmarks.peers.reference import Fill
from benchmarks.peers.work import Case, Work

ROOT = Path(__file__).parents[2]
CASES = ("26,10,3900", "1000,100,390")
LONGEST_S = 1800
OURS, OWN = "ours", "ours, a user's rules"


@dataclass(frozen=True, slots=True)
class Engine:
    """How an engine is run: in `environment`, or in ours if that is None."""

    module: str
    environment: str | None = None
    option: str | None = None
    slow: bool = False


ENGINES = {
    OURS: Engine("benchmarks.peers.ours"),
    OWN: Engine("benchmarks.peers.ours", option="--own"),
    "vectorbt": Engine("benchmarks.peers.engines.vectorbt", "vectorbt"),
    "nautilus": Engine("benchmarks.peers.engines.nautilus", "nautilus"),
    "nautilus, purging": Engine("benchmarks.peers.engines.nautilus", "nautilus", "--purge"),
    "backtesting": Engine("benchmarks.peers.engines.backtesting", "backtesting"),
    "backtrader": Engine("benchmarks.peers.engines.backtrader", "backtrader", slow=True),
    "zipline": Engine("benchmarks.peers.engines.zipline", "zipline", slow=True),
}
Runs = dict[str, list[dict[str, Any] | None]]
"""By engine, a report for each round; None for a skipped one."""


def main() -> None:
    """Run, print, compare."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--case", nargs="*", default=list(CASES), help="N,S,B")
    parser.add_argument("--only", nargs="*", help="engines to run beside ours")
    parser.add_argument("--save", action="store_true", help="write the result to be committed")
    options = parser.parse_args()
    pythons, absent = environments(options.only)
    results = Committed("peers")
    with tempfile.TemporaryDirectory() as folder:
        for case in map(Case.of, options.case):
            work = Work.make(case, Path(folder))
            found = figures(work, rounds(work, pythons, options.rounds))
            print("\n".join(table_of(case, found, results.figures(case.name))), flush=True)
            if options.save:
                results.save(case.name, found, rounds=options.rounds, absent=absent)
    for name, why in absent.items():
        print(f"{name} was not run: {why}")


def environments(only: Sequence[str] | None) -> tuple[dict[str, Path], dict[str, str]]:
    """The interpreters of the engines to run, and the reasons why others cannot run here."""
    pythons, absent = {}, {}
    for name, engine in ENGINES.items():
        if engine.environment is None:
            pythons[name] = Path(sys.executable)
        elif only is None or engine.environment in only:
            try:
                pythons[name] = python_of(engine.environment)
            except Missing as error:
                absent[name] = str(error)
    return pythons, absent


def rounds(work: Work, pythons: dict[str, Path], count: int) -> Runs:
    """The reports of all engines, one round after another."""
    runs: Runs = defaultdict(list)
    for number in range(count):
        for name, python in pythons.items():
            skips = ENGINES[name].slow and number % 3
            runs[name].append(None if skips else run(name, python, work))
    return runs


def run(name: str, python: Path, work: Work) -> dict[str, Any]:
    """One engine's report on one run; it has only `failed` if the run failed."""
    engine = ENGINES[name]
    command = [str(python), "-W", "ignore", "-m", engine.module, str(work.path)]
    command += [engine.option] if engine.option else []
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=LONGEST_S, check=False
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"took longer than {LONGEST_S} s"}
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["no word"])[-1]}
    report: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return report


def figures(work: Work, runs: Runs) -> dict[str, Any]:
    """By engine, the medians over the rounds, and whether its runs count."""
    wanted: dict[int, list[Fill]] = {}
    found = {}
    for name, reports in runs.items():
        ran = [one for one in reports if one is not None]
        why = next((one["failed"] for one in ran if "failed" in one), None)
        if why is None:
            for one in ran:
                fills, lots = [Fill(*fill) for fill in one.pop("fills")], one["lots"]
                wanted.setdefault(lots, reference(work, lots))
                why = why or difference(fills, wanted[lots])
                one["orders"] = len(fills) / work.case.units
        found[name] = {"counts": why is None, "why": why, **medians(work.case, ran)}
        found[name]["times_ours"] = times(reports, runs[OURS])
        found[name]["times_own"] = times(reports, runs[OWN])
    return found


def medians(case: Case, reports: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Nanoseconds per strategy-bar, peak MiB, and orders per strategy-bar."""
    if any("failed" in one for one in reports):
        return {}
    ns = {
        f"{name}_ns": statistics.median(one[f"{name}_s"] for one in reports) / case.units * 1e9
        for name in ("playing", "first", "whole")
    }
    peak = max(one["peak_mib"] for one in reports)
    return {
        "engine": reports[0]["engine"],
        **ns,
        "peak_mib": peak,
        "orders": reports[0]["orders"],
        "rounds": len(reports),
    }


def times(
    reports: Sequence[dict[str, Any] | None], ours: Sequence[dict[str, Any] | None]
) -> float | None:
    """The median ratio of an engine's playing time to ours, over the rounds that it ran in."""
    ratios = [
        one["playing_s"] / base["playing_s"]
        for one, base in zip(reports, ours, strict=True)
        if one and base and "playing_s" in one and "playing_s" in base
    ]
    return statistics.median(ratios) if ratios else None


def table_of(case: Case, found: dict[str, Any], before: dict[str, Any]) -> Iterator[str]:
    """The lines of a case's table; `before` are its committed figures."""
    orders = next((one["orders"] for one in found.values() if one["counts"]), 0.0)
    yield f"{case.name}: {orders:.4f} orders per strategy-bar; CPU ns per strategy-bar"
    yield f"{'':>22}{'playing':>12}{'whole':>12}{'MiB':>7}{'x ours':>9}{'x own':>9}  fills"
    for name, one in found.items():
        if "playing_ns" not in one:
            yield f"{name:>22}  does not count: {one['why']}"
            continue
        fills = "as the reference" if one["counts"] else f"does not count: {one['why']}"
        last = before.get(name, {}).get("times_ours")
        yield (
            f"{name:>22}{one['playing_ns']:>12,.0f}{one['whole_ns']:>12,.0f}{one['peak_mib']:>7.0f}"
            f"{one['times_ours'] or 0:>9.2f}{one['times_own'] or 0:>9.2f}  {fills}"
            + (f"; last {last:.2f} x ours" if last else "")
        )


if __name__ == "__main__":
    main()
