"""The environment of each engine: made on demand from its pinned requirements, and kept.

They are under the user's cache folder (`XDG_CACHE_HOME`, or `~/.cache`), named by a hash of their
requirements, so that other requirements make another environment.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
NEEDS = {"nautilus": (3, 12)}
"""The Python version of engines that do not run on ours."""


class Missing(Exception):
    """An engine cannot be installed here; the message says why."""


def python_of(name: str) -> Path:
    """The interpreter of the engine's environment, which is made if there is none.

    Raises:
        Missing: there is no matching Python, or a package cannot be installed.
    """
    requirements = HERE / f"{name}.txt"
    wanted = NEEDS.get(name, sys.version_info[:2])
    identity = requirements.read_bytes() + repr(wanted).encode()
    folder = _cache() / f"{name}-{hashlib.sha256(identity).hexdigest()[:12]}"
    python, stamp = folder / "bin" / "python", folder / "installed"
    if not stamp.exists():
        shutil.rmtree(folder, ignore_errors=True)
        sys.stderr.write(f"making the environment of {name}\n")
        _run(name, _base(wanted), "-m", "venv", folder)
        _run(name, python, "-m", "pip", "install", "--quiet", "--no-deps", "-r", requirements)
        stamp.touch()
    return python


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "multi-trader" / "peers"


def _run(name: str, *command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = [line for line in done.stderr.splitlines() if line.strip()][-1:]
        raise Missing(f"{name} cannot be installed: {' '.join(last)}")


def _base(wanted: tuple[int, int]) -> Path:
    """A Python of this version, on the path or of pyenv."""
    for found in _candidates(wanted):
        ask = [str(found), "-c", "import sys; print(*sys.version_info[:2])"]
        done = subprocess.run(ask, capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.split() == [str(part) for part in wanted]:
            return found
    raise Missing(f"there is no Python {wanted[0]}.{wanted[1]} here")


def _candidates(wanted: tuple[int, int]) -> Iterator[Path]:
    name = f"python{wanted[0]}.{wanted[1]}"
    own = Path(sys.base_prefix) / "bin" / name
    if own.exists():
        yield own
    if on_path := shutil.which(name):
        yield Path(on_path)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{wanted[0]}.{wanted[1]}*/bin/{name}"))
