"""Figures that need their own process: memory, and the time from its start to a decision."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

MEMORY = 1_000, 100
START = 26, 10
ENVIRONMENT = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
"""Python keeps bytecode, as by default: else our sources would be compiled at each start, while an
installed package's are not."""

_NOTHING = "import sys, resource\n"
_RSS = """
with open('/proc/self/statm') as file:
    print(int(file.read().split()[1]) * resource.getpagesize() / 2**20)
"""
_SESSION = """
from benchmarks.offline import decided
decided({0}, {1}, minutes={2})
"""


def memory_mib(rounds: int) -> dict[str, float]:
    """Resident MiB of a session of 1,000 strategies on 100 tickers, beyond a bare interpreter."""
    session = _NOTHING + _SESSION.format(*MEMORY, 30) + _RSS
    imported = _NOTHING + "import benchmarks.offline\n" + _RSS
    bare = statistics.median(float(_output(_NOTHING + _RSS)) for _ in range(rounds))
    idle = statistics.median(float(_output(imported)) for _ in range(rounds))
    whole = statistics.median(float(_output(session)) for _ in range(rounds))
    return {"mib": whole - bare, "imports_mib": idle - bare, "interpreter_mib": bare}


def start_s(rounds: int) -> dict[str, float]:
    """CPU and wall seconds from a process's start to the end of its first decision."""
    clocks = "import time; print(time.process_time(), time.time())"
    begun = "import os, time\n"
    whole = [_times(begun + _SESSION.format(*START, 1) + clocks) for _ in range(rounds)]
    bare = [_times(begun + clocks) for _ in range(rounds)]
    (cpu, wall), (bare_cpu, bare_wall) = _medians(whole), _medians(bare)
    own = {"interpreter_cpu_s": bare_cpu, "interpreter_wall_s": bare_wall}
    return {"cpu_s": cpu, "wall_s": wall} | own


def _medians(rows: list[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(row[0] for row in rows), statistics.median(row[1] for row in rows)


def _times(program: str) -> tuple[float, float]:
    import time

    begun = time.time()
    cpu, at = map(float, _output(program).split())
    return cpu, at - begun


def _output(program: str) -> str:
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True, text=True)
    return done.stdout
