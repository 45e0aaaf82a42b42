"""A million random mutations: `python -m tests.proof.mutations --mutations 1000000 --seed 1`.

Runs the tests of tests/corpus/test_mutations.py in that size.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from tests.structure.house import ROOT


def main() -> int:
    """Answers pytest's exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.mutations", description=__doc__)
    parser.add_argument("--mutations", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    sizes = {"MUTATIONS": str(asked.mutations), "MUTATION_SEED": str(asked.seed)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "tests/corpus/test_mutations.py"],
        cwd=ROOT,
        env=os.environ | sizes,
        check=False,
    )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
