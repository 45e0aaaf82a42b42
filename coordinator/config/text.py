"""Reads a configuration's text into a document, and words paths and errors for users.

Numbers stay exact (0.1 is one tenth), and a key given twice is remembered rather than silently
overwritten.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from coordinator.core.naming import listed, nearest
from coordinator.errors import ConfigError, Problem

ROOT = "$"
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
LARGEST_FILE = 1 << 26
"""Bytes of a document, which may also be a pipe or a device without an end."""
_LONGEST_SHOWN = 60
_PYTHONS = {"True": "true", "False": "false", "None": "null"}


def read_file(path: Path) -> bytes:
    """The bytes of a document's file.

    Raises:
        OSError: it cannot be read, or has more than LARGEST_FILE bytes.
    """
    with path.open("rb") as file:
        text = file.read(LARGEST_FILE + 1)
    if len(text) > LARGEST_FILE:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return text


class Repeating(dict[str, Any]):
    """A JSON object that repeats the keys in `repeated`; the last value of each counts."""

    repeated: tuple[str, ...] = ()


def read_document(text: str | bytes, source: str) -> object:
    """The JSON document in `text`, with fractions as decimals.

    Raises:
        ConfigError: naming `source`, if it is not UTF-8, empty, or not JSON.
    """
    decoded = _decoded(text, source) if isinstance(text, bytes) else text
    if not decoded.strip():
        raise _unreadable(source, 'is empty; a configuration starts with {"strategies": [...]}')
    try:
        return json.loads(decoded, parse_float=Decimal, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        repair = _repair(decoded, error.pos)
        raise _unreadable(source, f"is not JSON: {error.msg} ({where}); {repair}") from None
    except RecursionError:
        raise _unreadable(source, "is nested too deeply for a configuration") from None
    except ValueError:
        # Python refuses to read an integer of more than 4,300 digits.
        raise _unreadable(source, "holds a number with thousands of digits") from None


def _repair(text: str, at: int) -> str:
    """What to do about the place where a text ceases to be JSON."""
    before, after = text[:at].rstrip(), text[at:].lstrip()
    if after[:1] == "," and after[1:].lstrip()[:1] in ("}", "]"):
        before, after = before + ",", after[1:].lstrip()  # newer Pythons stop at the comma
    if before.endswith(",") and after[:1] in ("}", "]"):
        return f"remove the comma before the {after[0]}"
    if after[:1] == "'":
        return "write \" in place of '"
    if after[:2] in ("//", "/*") or after[:1] == "#":
        return "remove the comment, which JSON has none of"
    for word, meant in _PYTHONS.items():
        if after.startswith(word):
            return f"write {meant} in place of {word}"
    return "correct it there"


def _decoded(text: bytes, source: str) -> str:
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise _unreadable(
            source, f"is not UTF-8: byte 0x{text[error.start]:02x} on line {line}; save it as UTF-8"
        ) from None


def _unreadable(source: str, message: str) -> ConfigError:
    return ConfigError(source, [Problem(ROOT, message)])


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    marked = Repeating(made)
    keys = [key for key, _ in pairs]
    marked.repeated = tuple(key for key in made if keys.count(key) > 1)
    return marked


def path_to(place: Iterable[str | int]) -> str:
    """A place in a document as users write it: `strategies[2].risk_config.stop_loss_pct`."""
    path = ""
    for step in place:
        if isinstance(step, int):
            path += f"[{step}]"
        elif _PLAIN_KEY.fullmatch(step):
            path += f".{step}" if path else step
        else:
            path += f"[{json.dumps(step)}]"
    return path or ROOT


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """The problems without repetitions, sorted by path, with `[10]` after `[9]`."""

    def key(problem: Problem) -> list[tuple[bool, int, str]]:
        steps = re.findall(r"\d+|[^\d\[\].]+", problem.path)
        return [
            (not step.isdecimal(), int(step) if step.isdecimal() else 0, step) for step in steps
        ]

    return sorted(dict.fromkeys(problems), key=key)


def repeated_keys(document: object) -> list[Problem]:
    """Every key that occurs more than once in its object."""
    return [
        Problem(path_to((*place, key)), "given more than once; keep one")
        for place, value in _everything(document)
        if isinstance(value, Repeating)
        for key in value.repeated
    ]


def not_finite(document: object) -> list[Problem]:
    """Every number that is NaN or infinite."""
    return [
        Problem(path_to(place), f"should be a finite number, got {shown(value)}")
        for place, value in _everything(document)
        if isinstance(value, float | Decimal) and not Decimal(value).is_finite()
    ]


def _everything(document: object) -> Iterator[tuple[tuple[str | int, ...], object]]:
    waiting: list[tuple[tuple[str | int, ...], object]] = [((), document)]
    while waiting:
        place, value = waiting.pop()
        yield place, value
        if isinstance(value, Mapping):
            waiting.extend(((*place, str(key)), item) for key, item in value.items())
        elif isinstance(value, list | tuple):
            waiting.extend(((*place, index), item) for index, item in enumerate(value))


def shown(value: object) -> str:
    """A value as the user wrote it, shortened if it is long."""
    match value:
        case None | bool():
            return json.dumps(value)
        case Mapping():
            return "an object"
        case list() | tuple():
            return "a list"
        case int() | float() | Decimal():
            text = str(value) if not isinstance(value, int) or abs(value) < 10**30 else "a huge one"
        case _:
            text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "..."


def unknown(kind: str, word: str, known: Iterable[str], *, hint: str | None = None) -> str:
    """A sentence about an unknown word: the nearest known word (or a hint), and what is known."""
    names = list(known)
    close = nearest(word, names)
    meant = hint or (f"did you mean {close!r}?" if close else None)
    middle = f"; {meant}" if meant else ""
    return f"unknown {kind} {shown(word)}{middle} (known: {listed(names)})"
