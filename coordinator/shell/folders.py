"""State folders that only this user may read."""

from __future__ import annotations

from pathlib import Path

JOURNAL = "journal.db"
"""The journal's name in its account's folder."""


def private_folder(path: Path) -> Path:
    """Make a folder and every missing one above it, each of mode 700; returns it."""
    if not path.is_dir():
        private_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
    return path
