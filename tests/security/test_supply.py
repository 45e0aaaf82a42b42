"""What is installed is what was locked, byte for byte (row 8), and it starts (row 9).

`pip-audit` asks the network; what it would say of Prefect is held here as a version.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FIRST_WITHOUT_CVE_2026_3514 = Version("3.6.22")
DIGEST = re.compile(r"--hash=sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Locked:
    """One requirement of the lock."""

    requirement: Requirement
    hashes: tuple[str, ...]

    @property
    def version(self) -> Version:
        """The one version that it allows."""
        [only] = self.requirement.specifier
        assert only.operator == "=="
        return Version(only.version)

    @property
    def is_for_here(self) -> bool:
        """Whether it is meant for this Python and this system."""
        return self.requirement.marker is None or self.requirement.marker.evaluate()

    @property
    def name(self) -> str:
        """Its name as every index spells it."""
        return canonicalize_name(self.requirement.name)


def locked() -> Iterator[Locked]:
    lines = [line for line in LOCK.splitlines() if line and not line.lstrip().startswith("#")]
    for entry in "\n".join(lines).replace("\\\n", " ").splitlines():
        text, *hashes = re.split(r"\s+(?=--hash)", entry.strip())
        yield Locked(Requirement(text), tuple(hashes))


ALL = list(locked())
HERE = {one.name: one for one in ALL if one.is_for_here}
WANTED = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]


def test_every_requirement_is_one_version_with_the_hash_of_each_file() -> None:
    assert len(ALL) > 100
    for one in ALL:
        assert one.requirement.url is None, one.name
        assert one.version
        assert one.hashes, one.name
        assert all(DIGEST.fullmatch(digest) for digest in one.hashes), one.name


def test_the_lock_names_no_index_and_no_address() -> None:
    assert not re.findall(r"(?m)^\s*(?:-i|-f|-e|--(?!hash=)\S+)", LOCK)
    assert "://" not in LOCK
    assert "@" not in LOCK


@pytest.mark.parametrize("wanted", WANTED)
def test_what_the_project_asks_for_is_locked_as_asked(wanted: str) -> None:
    asked = Requirement(wanted)
    assert asked.specifier.contains(HERE[canonicalize_name(asked.name)].version)


def test_prefect_is_one_without_the_known_hole() -> None:
    assert HERE["prefect"].version >= FIRST_WITHOUT_CVE_2026_3514


def test_what_runs_here_is_what_is_locked() -> None:
    different = {}
    for name, one in HERE.items():
        try:
            here = version(name)
        except PackageNotFoundError:
            here = "missing"
        if here != str(one.version):
            different[name] = (here, str(one.version))
    assert different == {}


def test_the_makefile_installs_by_hash_and_resolves_nothing() -> None:
    installs = re.findall(r"-m pip install [^\n&|]*", (ROOT / "Makefile").read_text())
    assert len(installs) == 2
    assert all("--no-deps" in one for one in installs)
    assert [("--require-hashes" in one, "--editable ." in one) for one in installs] == [
        (True, False),
        (False, True),
    ]


@pytest.mark.slow
def test_prefects_server_can_be_imported_from_what_is_locked() -> None:
    code = "import prefect.server.api.server"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
