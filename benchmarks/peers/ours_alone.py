"""Our session in a measured process: `python -m benchmarks.peers.ours_alone N S MINUTES`.

Reports the CPU seconds from Python's start to the last minute's commit, and the peak MiB.
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
