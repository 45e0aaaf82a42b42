"""`python -m tests.proof.bugs [--only NN] [--seeds 1000] [--jobs 2]`: does the proof have teeth?"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
COPIED = ("coordinator", "tests")
LOOSE = "-C1"
"""One line around a change must be as it was: patches outlive changes nearby."""
OTHERWISE = re.compile(r"raised ((?:Name|Attribute|Import|Type)Error.*)")
"""What a patch comes to that speaks of something that is not there any more: another bug."""


@dataclass(frozen=True)
class Bug:
    """One patch: its number and name, and what a trader would lose by it."""

    file: Path

    @property
    def name(self) -> str:
        """'01-sent-before-written'."""
        return self.file.stem

    @property
    def costs(self) -> str:
        """The first line of the patch."""
        return self.file.read_text().partition("\n")[0]


@dataclass(frozen=True)
class Hunt:
    """How the hunt for one bug ended: at which seed and with which violation, if at all."""

    bug: Bug
    took_s: float
    seed: int | None = None
    violation: str = ""
    broken: str = ""
    """Why there was no hunt: the patch does not apply, or plants something that cannot run."""

    def __str__(self) -> str:
        took = f"{self.took_s:7.1f} s  {self.bug.name}"
        if self.broken:
            return f"BROKEN {took}: {self.broken}"
        if self.seed is None:
            return f"ALIVE  {took}: {self.bug.costs}"
        return f"caught {took}: at seed {self.seed}: {self.violation.splitlines()[0][:110]}"


def bugs(only: str = "") -> list[Bug]:
    """Every patch, or those whose name begins so."""
    return [Bug(file) for file in sorted(HERE.glob("*.patch")) if file.name.startswith(only)]


def check(bug: Bug, tree: Path) -> str:
    """Why a patch does not apply to a tree, or which name it uses is unknown there; else empty."""
    with tempfile.TemporaryDirectory(prefix="bug-") as folder:
        changed = re.findall(r"^\+\+\+ b/(\S+)", bug.file.read_text(), re.MULTILINE)
        for name in filter(lambda name: (tree / name).exists(), changed):
            (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(tree / name, Path(folder) / name)
        refused = _git_apply(bug, Path(folder))
        return refused or _unknown_names(Path(folder))


def _unknown_names(tree: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--isolated", "--quiet", "--select=F821", "."],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def hunt(bug: Bug, seeds: int) -> Hunt:
    """Plant a bug in a copy of the tree, and play seeds until one catches it."""
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bug-") as folder:
        tree = Path(folder)
        for name in COPIED:
            ignored = shutil.ignore_patterns("__pycache__", ".*")
            shutil.copytree(ROOT / name, tree / name, ignore=ignored)
        refused = _git_apply(bug, tree)
        if refused:
            return Hunt(bug, 0.0, broken=refused)
        try:
            return _played(bug, tree, seeds, began_s)
        except subprocess.CalledProcessError as error:
            why = error.stderr.strip().rpartition("\n")[2]
            return Hunt(bug, time.monotonic() - began_s, broken=why)


def _played(bug: Bug, tree: Path, seeds: int, began_s: float) -> Hunt:
    """The first seed that sees the bug; one that is violated without it as well proves nothing."""
    seed = 0
    while seed < seeds:
        found = _first_violated(tree, seed + 1, seeds)
        if found["seed"] is None:
            break
        seed = found["seed"]
        if _first_violated(ROOT, seed, seed)["seed"] is None:
            if cannot := OTHERWISE.search(found["violation"]):
                return Hunt(bug, time.monotonic() - began_s, broken=cannot[1])
            return Hunt(bug, time.monotonic() - began_s, seed, found["violation"])
    return Hunt(bug, time.monotonic() - began_s)


def _first_violated(tree: Path, first: int, last: int) -> dict[str, Any]:
    """Raises CalledProcessError if nothing could be played at all."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.proof.bugs.hunt", str(first), str(last)],
        cwd=tree,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def hunt_all(chosen: Sequence[Bug], seeds: int, jobs: int) -> Iterator[Hunt]:
    """The hunts, in the order of the patches."""
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(lambda bug: hunt(bug, seeds), chosen)


def _git_apply(bug: Bug, tree: Path) -> str:
    """What git says against applying a patch; outside of any repository it takes the path as is."""
    known = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tree.parent)}
    done = subprocess.run(
        ["git", "apply", "--quiet", LOOSE, str(bug.file)],
        cwd=tree,
        env=known,
        capture_output=True,
        text=True,
        check=False,
    )
    return (done.stderr.strip() or "git apply failed") if done.returncode else ""


def main(arguments: Sequence[str]) -> int:
    """The command; 1 if a bug survived, or a patch is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.bugs", description=__doc__)
    parser.add_argument("--only", default="", help="those whose name begins so")
    parser.add_argument("--seeds", type=int, default=1000, help="play so many at most")
    parser.add_argument("--jobs", type=int, default=2, help="bugs side by side")
    given = parser.parse_args(arguments)
    at_large = total = 0
    for ended in hunt_all(bugs(given.only), given.seeds, given.jobs):
        print(ended, flush=True)
        total += 1
        at_large += ended.seed is None
    print(f"{total} bugs, {total - at_large} caught within {given.seeds} seeds")
    return 1 if at_large or not total else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
