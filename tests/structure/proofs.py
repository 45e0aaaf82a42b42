"""Node ids of tests, as tables of demands name them: is each a test that pytest would collect?

Rule: read, never run. A table that names a test which was renamed, or an id of a parameter that
nobody wrote, is wrong at once and not when somebody next looks for the proof.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

from tests.structure.house import FUNCTIONS, ROOT


def complaint(proof: str) -> str:
    """Why a node id such as `tests/x/test_y.py::test_z[an id]` is no test; empty if it is one."""
    path, *names = proof.split("::")
    if not (ROOT / path).is_file() or not Path(path).name.startswith("test_"):
        return f"{path} is no file of tests"
    name, bracket, ids = names.pop().partition("[") if names else ("", "", "")
    found = _tests(path).get("::".join((*names, name)))
    if found is None:
        return f"{path} has no test of the name {'::'.join((*names, name))!r}"
    if bracket and not (ids.endswith("]") and _says(path, ids[:-1])):
        return f"nothing in {path} gives a parameter the id {ids[:-1]!r}"
    return ""


def files_of(proofs: frozenset[str]) -> set[str]:
    """The files that these node ids name."""
    return {proof.partition("::")[0] for proof in proofs}


@functools.cache
def _tests(path: str) -> dict[str, ast.AST]:
    """The tests of a file by name, those of a class as `Class::test`."""
    return dict(_collected(_tree(path).body))


def _collected(body: list[ast.stmt]) -> Iterator[tuple[str, ast.AST]]:
    for node in body:
        if isinstance(node, FUNCTIONS) and node.name.startswith("test_"):
            yield node.name, node
        elif isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            yield from ((f"{node.name}::{name}", found) for name, found in _collected(node.body))


@functools.cache
def _says(path: str, text: str) -> bool:
    """Whether a file writes this text or number somewhere, or a file below it has this name."""
    if any(ROOT.joinpath(path).parent.rglob(f"{text}.*")):
        return True
    constants = (node.value for node in ast.walk(_tree(path)) if isinstance(node, ast.Constant))
    return text in map(str, constants)


@functools.cache
def _tree(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))
