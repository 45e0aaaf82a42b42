"""State folders that only this user may read."""

from __future__ import annotations

import hashlib
from pathlib import Path

from coordinator.errors import StorageError
from coordinator.shell.account import ACCOUNT_NUMBER

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


def account_journals(home: Path) -> list[Path]:
    """The journals of all accounts under a state folder, by account number.

    A journal that this user may not even look for is among them: opening it says so.

    Raises:
        StorageError: the state folder is there, and cannot be listed.
    """
    try:
        folders = sorted(home.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise StorageError(
            f"{home} cannot be listed ({error.strerror}), so nothing is known of the accounts in"
            " it; look at who may read it, and at the disk."
        ) from error
    return [folder / JOURNAL for folder in folders if _may_be(folder / JOURNAL)]


def _may_be(journal: Path) -> bool:
    """Whether an account has this journal, as far as this user may know."""
    try:
        journal.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return ACCOUNT_NUMBER.fullmatch(journal.parent.name) is not None
    return True
