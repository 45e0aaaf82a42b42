"""Removes the lease files of runs against embedded simulators, once these have ended.

The port and account of such a simulator are never used again, so its leases and counts of requests
are worth nothing after it. Those of a killed run are removed by the next simulated start. Files of
any other broker stay: its account lives on, and a lease whose file is gone could be held twice.
"""

from __future__ import annotations

import math
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from coordinator.settings import SIMULATED
from coordinator.shell.lease import is_held, leases_folder, name_of_account, name_of_key

STARTING_S = 60.0
"""Local seconds for which the files of a starting run are left alone, held or not."""
_ACCOUNT = re.compile(r"account-127_0_0_1_(\d+)-(SIM\d{4,})\D.*")


def forget_run(host: str, account: str, folder: Path | None = None) -> None:
    """Remove the files of an ended run on this account of the embedded simulator at `host`."""
    leases = leases_folder(folder)
    for path in _files_of(leases, host, account):
        path.unlink(missing_ok=True)


def forget_killed_runs(folder: Path | None = None) -> None:
    """Remove the files of simulated runs that were killed."""
    leases = leases_folder(folder)
    found = {(m[1], m[2]) for path in leases.glob("account-*") if (m := _ACCOUNT.match(path.name))}
    for port, account in found:
        host = f"127.0.0.1:{port}"
        files = _files_of(leases, host, account)
        if not _are_fresh(files, _now_s(leases)) and not any(map(is_held, _locks(files))):
            forget_run(host, account, leases)


def _files_of(leases: Path, host: str, account: str) -> list[Path]:
    names = name_of_account(account, host), name_of_key(host, SIMULATED)
    return [path for name in names for path in leases.glob(f"{name}[.-]*")]


def _are_fresh(files: Iterable[Path], now_s: float) -> bool:
    newest_s = -math.inf
    for path in files:
        with suppress(FileNotFoundError):
            newest_s = max(newest_s, path.stat().st_mtime)
    return now_s - newest_s < STARTING_S


def _now_s(folder: Path) -> float:
    """The time by the clock that stamps the files of this folder."""
    with tempfile.TemporaryFile(dir=folder) as file:
        return os.fstat(file.fileno()).st_mtime


def _locks(files: Iterable[Path]) -> Iterator[Path]:
    return (path for path in files if path.suffix == ".lock")
