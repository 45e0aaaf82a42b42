"""`python -m tests.proof.bugs.hunt SEEDS`, inside a copy with a bug: the first seed that sees it.

Prints {"seed": N or null, "violation": "..."}.
"""

from __future__ import annotations

import json
import sys
from itertools import count, islice

from tests.proof.simulate import run_seed


def main() -> None:
    """Play seeds until one is violated."""
    for seed in islice(count(1), int(sys.argv[1])):
        verdict = run_seed(seed)
        if verdict.violations:
            print(json.dumps({"seed": seed, "violation": verdict.violations[0]}))
            return
    print(json.dumps({"seed": None, "violation": ""}))


if __name__ == "__main__":
    main()
