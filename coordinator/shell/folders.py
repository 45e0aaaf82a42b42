"""State folders that only this user may read."""

from __future__ import annotations

import hashlib
from pathlib import Path

JOURNAL = "journal.db"
"""The journal's name in its account's folder."""


def private_folder(path: Path) -> Path:
    """Make a folder and every missing one above it, each of mode 700; returns it."""
    if not path.is_dir():
        private_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
    return path


def file_name(text: str) -> str:
    """A name of 16 hex digits for a text that may be too long, or have signs that no file may."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
