"""Our session in a process that is measured: `python -m benchmarks.peers.ours_alone N S MINUTES`.

Prints CPU seconds since Python's start, at the last minute's commit, and the most MiB, as JSON.
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path

from benchmarks.offline import decided


def main() -> None:
    """Run it and report."""
    decided(*map(int, sys.argv[1:4]))
    cpu_s = time.process_time()
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert found, "Linux tells it"
    sys.stdout.write("\n" + json.dumps({"cpu_s": cpu_s, "mib": int(found[1]) / 1024}) + "\n")


if __name__ == "__main__":
    main()
