"""`python -m tests.proof.bugs.hunt FIRST LAST`: the first of these seeds that violates anything.

Run inside a copy with a bug. Prints {"seed": N or null, "violation": "..."}.
"""

from __future__ import annotations

import json
import sys

from tests.proof.simulate import run_seed


def main() -> None:
    """Play seeds until one is violated."""
    first, last = map(int, sys.argv[1:])
    for seed in range(first, last + 1):
        verdict = run_seed(seed)
        if verdict.violations:
            print(json.dumps({"seed": seed, "violation": verdict.violations[0]}))
            return
    print(json.dumps({"seed": None, "violation": ""}))


if __name__ == "__main__":
    main()
