"""The documents, taken apart: fenced blocks, command lines, and the files that blocks stand for.

A block that is a file a reader saves has the file's name on a line of its own before it. Blocks of
the language `text` show something and promise nothing.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = tuple(
    sorted([ROOT / "README.md", ROOT / "ARCHITECTURE.md", *(ROOT / "docs").glob("*.md")])
)
_FENCE = re.compile(
    r"(?:^`(?P<file>[\w./]+)`:\n\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
SHELL = ("bash", "console", "")


@dataclass(frozen=True)
class Block:
    """One fenced block; `file` is what the reader saves it as, if he does."""

    document: str
    kind: str
    text: str
    file: str = ""


@dataclass(frozen=True)
class Line:
    """One command of a shell block, as words."""

    document: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.document}: {shlex.join(self.words)}"


def name_of(document: Path) -> str:
    """Its path below the root."""
    return document.relative_to(ROOT).as_posix()


def blocks(*kinds: str) -> list[Block]:
    """All blocks of these languages, in order."""
    return [
        Block(name_of(path), found["kind"], found["text"], found["file"] or "")
        for path in DOCUMENTS
        for found in _FENCE.finditer(path.read_text(encoding="utf-8"))
        if found["kind"] in kinds
    ]


def save_files(document: str, folder: Path) -> None:
    """What a reader of the document has saved when he has read it."""
    for block in blocks("json", "python"):
        if block.file and block.document == document:
            path = folder / block.file
            path.parent.mkdir(mode=0o700, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
            path.chmod(0o600)


def lines() -> list[Line]:
    """All commands of all shell blocks; several on a line count one by one."""
    found = []
    for block in blocks(*SHELL):
        for line in block.text.replace("\\\n", " ").splitlines():
            for part in line.split("&&"):
                words = shlex.split(part, comments=True)
                if words and (block.kind or words[0] in ("multi-trader", "prefect", "make")):
                    found.append(Line(block.document, tuple(words)))
    return found


def inline(pattern: str) -> list[tuple[str, str]]:
    """(document, match) of a pattern with one group, outside of blocks."""
    found = []
    for path in DOCUMENTS:
        prose = _FENCE.sub("", path.read_text(encoding="utf-8"))
        found += [(name_of(path), match) for match in re.findall(pattern, prose)]
    return found
