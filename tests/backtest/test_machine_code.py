"""Cached machine code is used again only while all that was compiled into it is the same."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from coordinator.backtest.compiled.machine_code import SHARED
from tests.cli.conftest import ROOT

COMPILE = """
import numpy as np
from coordinator.backtest.compiled.spans import decimals_of
decimals_of(np.array([100, 250]), 2)
print(sum(decimals_of.stats.cache_hits.values()))
"""


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of our packages whose caches are its own."""
    without_caches = shutil.ignore_patterns("__pycache__")
    for package in ("coordinator", "simulator"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=without_caches)
    return tmp_path


def hits(folder: Path) -> int:
    """How often a process found what it needs compiled already."""
    words = [sys.executable, "-c", COMPILE]
    return int(subprocess.run(words, cwd=folder, check=True, capture_output=True).stdout)


@pytest.mark.thorough
@pytest.mark.parametrize("shared", [Path(file).relative_to(ROOT) for file in SHARED], ids=str)
def test_machine_code_is_compiled_again_once_a_file_that_it_takes_numbers_from_has_changed(
    copied: Path, shared: Path
) -> None:
    assert (hits(copied), hits(copied)) == (0, 1)
    file = copied / shared
    file.write_text(file.read_text() + "\nMORE = 1\n")
    assert (hits(copied), hits(copied)) == (0, 1)
