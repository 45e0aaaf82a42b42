"""Names in sentences: the one that was meant by a misspelt one, and lists that stay readable."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_ALIKE = 0.6
"""Least similarity of two words: 2 x the letters in common / the letters of both."""
_MOST_LISTED = 12


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most similar to `word`, ignoring case; None if none is.

    A misspelling is similar, and so is a part alone: `hold` to `buy_and_hold`.
    """
    by_lower = {name.lower(): name for name in known}
    meant = word.lower()
    close = difflib.get_close_matches(meant, by_lower, n=1, cutoff=_ALIKE)
    if not close and meant:
        parts = set(meant.split("_"))
        close = [name for name in by_lower if parts <= set(name.split("_"))]
    return by_lower[close[0]] if close else None


def listed(names: Iterable[str]) -> str:
    """'A, B, C', of very many only the first and how many more there are; 'none' of none."""
    known = list(names)
    more = len(known) - _MOST_LISTED
    if more > 1:
        return f"{', '.join(known[:_MOST_LISTED])}, and {more} more"
    return ", ".join(known) or "none"
