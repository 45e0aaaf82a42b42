"""Our session in a process that is measured: `python -m benchmarks.peers.ours_alone N S MINUTES`.

Says CPU seconds since Python's start, at the last minute's commit, and the most MiB.
"""

from __future__ import annotations

import sys
import time

from benchmarks.offline import decided
from benchmarks.peers.engines.process import peak_mib, say


def main() -> None:
    """Run it and report."""
    decided(*map(int, sys.argv[1:4]))
    say({"cpu_s": time.process_time(), "mib": peak_mib()})


if __name__ == "__main__":
    main()
