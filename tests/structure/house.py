"""The source files of the house, parsed once, and small questions about their trees."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("cli", "coordinator", "flows", "simulator", "tasks", "warehouse")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Source:
    """One file: its dotted module name, its text and its tree."""

    path: Path
    module: str
    text: str
    tree: ast.Module

    def at(self, node: ast.AST) -> str:
        """Where a node stands, as `path:line`."""
        return f"{self.path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


@functools.cache
def sources(*folders: str) -> tuple[Source, ...]:
    """Every Python file below the folders; the packages of the product by default."""
    files = [file for one in folders or PACKAGES for file in sorted((ROOT / one).rglob("*.py"))]
    return tuple(_read(file) for file in files)


def _read(path: Path) -> Source:
    parts = path.relative_to(ROOT).with_suffix("").parts
    module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    text = path.read_text(encoding="utf-8")
    return Source(path, module, text, ast.parse(text))


def imports(source: Source) -> Iterator[tuple[str, ast.AST]]:
    """Each module that a file imports, wherever in it, with the node that does."""
    for node in ast.walk(source.tree):
        match node:
            case ast.Import(names=names):
                yield from ((alias.name, node) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                stem = _package(source, level) if level else ""
                whole = ".".join(part for part in (stem, module) if part)
                yield whole, node
                yield from ((f"{whole}.{alias.name}", node) for alias in names)


def _package(source: Source, level: int) -> str:
    parts = source.module.split(".")
    is_package = source.path.name == "__init__.py"
    return ".".join(parts[: len(parts) - level + (1 if is_package else 0)])


def is_within(module: str, package: str) -> bool:
    """Whether a dotted name is the package or lies in it."""
    return module == package or module.startswith(f"{package}.")


def dotted(node: ast.AST) -> str:
    """`a.b.c` for names and attributes, '' for anything else."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            stem = dotted(value)
            return f"{stem}.{name}" if stem else name
        case _:
            return ""


def definitions(source: Source) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Every function, method and class of a file, nested ones too."""
    for node in ast.walk(source.tree):
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            yield node


def public_definitions(
    node: ast.Module | ast.ClassDef,
) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Public functions and classes, and the public methods of public classes."""
    for child in node.body:
        if isinstance(child, (*FUNCTIONS, ast.ClassDef)) and not child.name.startswith("_"):
            yield child
            if isinstance(child, ast.ClassDef):
                yield from public_definitions(child)
