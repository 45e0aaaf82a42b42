"""The committed results, one file a benchmark: each case's figures with the machine.

A case is written as soon as it ends, with its own machine beside its figures. So an interrupted run
keeps what it has measured, and a run of a few cases leaves the others unchanged.
"""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "results"


class Committed:
    """A benchmark's file; a run compares itself with the file's content at its start."""

    def __init__(self, benchmark: str, folder: Path = FOLDER) -> None:
        self._path = folder / f"{benchmark}.json"
        self._before = self._read()

    def figures(self, case: str) -> dict[str, Any]:
        """A case's last saved figures; empty if it was never saved."""
        found: dict[str, Any] = self._before.get(case, {}).get("figures", {})
        return found

    def save(self, case: str, figures: dict[str, Any], **how: object) -> None:
        """Replace a case's result; `how` describes its run, such as the number of rounds."""
        cases = self._read() | {case: {"machine": machine(), **how, "figures": figures}}
        whole = self._path.with_suffix(".new")
        whole.write_text(json.dumps(cases, indent=1) + "\n")
        whole.replace(self._path)

    def _read(self) -> dict[str, Any]:
        if not self._path.exists():
            return {}
        cases: dict[str, Any] = json.loads(self._path.read_text())
        return cases


def machine() -> dict[str, object]:
    """The hardware, its load and the Python version, without names that identify the machine."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
    }
