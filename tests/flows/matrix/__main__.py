"""`python -m tests.flows.matrix [WORD ...]`: plays all rows, or those that name a word."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.flows.matrix.play import play
from tests.flows.matrix.rows import ROWS


def main(words: Sequence[str]) -> int:
    """Prints a line of a Markdown table for each row; 1 if any row went wrong."""
    wrong = 0
    for row in ROWS:
        if words and not any(word in row.name for word in words):
            continue
        folder = Path(tempfile.mkdtemp(prefix="matrix-"))
        try:
            seen = play(row, folder)
        except Exception as error:
            print(f"| {row.name} | {type(error).__name__}: {error} | {folder} |", flush=True)
            wrong += 1
            continue
        print(seen.line(), *([folder] if seen.wrong else []), flush=True)
        wrong += bool(seen.wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
