"""A folder of a user's strategies: the types that its files offer, and the class behind a name.

The types are read from the files' source text. A file is imported only when its type is looked up,
with the files beside it that it imports. Only `*.py` files directly in the folder count, without
tests (`test_*.py`), `conftest.py` and names with a leading underscore. Nobody else may be able to
write to the folder or its files, because their code runs as the user.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
import stat
import sys
import traceback
from collections.abc import Sequence
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

from coordinator.errors import OperatorError
from coordinator.strategies.base import IN_BARS, Strategy
from coordinator.strategies.plain import as_strategy
from coordinator.strategies.reading import READERS, readers_of, what_it_should_have
from coordinator.strategies.together import (
    JOINT_READERS,
    MultiTickerStrategy,
    what_a_joint_one_should_have,
)

_NOT_OFFERED = re.compile(r"_.*|test_.*|.*_test|conftest")
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_BASES = frozenset({Strategy.__name__, MultiTickerStrategy.__name__})
_PREFIX = "strategies_dir."
"""A prefix of the module names, so that a file shadows no other module."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A strategy type that a file offers; `where` is the `file:line` of its class."""

    strategy_type: str
    path: Path
    class_name: str
    where: str


class StrategyFolder:
    """The strategies of one folder, found by parsing its files.

    `faults` are sentences about files and classes that offer nothing because of a mistake; other
    files are not affected.

    Raises:
        OperatorError: the folder does not exist, or others can write to it or to a file in it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files = {file.stem: file for file in _python_files(path)}
        self.offers: list[Offer] = []
        self.faults: list[str] = []
        for name, file in self._files.items():
            if not _NOT_OFFERED.fullmatch(name):
                self._read(file)

    def load(self, offer: Offer) -> type[Strategy]:
        """Import the class of an offer.

        Raises:
            OperatorError: the file cannot be imported or its class not used; names file and line.
        """
        digest = _digest(offer.path, self._files)
        module = _imported(offer.path, self._files)
        kind = getattr(module, offer.class_name, None)
        if not isinstance(kind, type):
            raise OperatorError(f"{offer.where}: class {offer.class_name} is gone after the import")
        if not issubclass(kind, Strategy):
            kind = as_strategy(kind, offer.where)
        if wrong := _lacking(kind):
            raise OperatorError(f"{offer.where}: class {offer.class_name} {wrong}")
        if _digest(offer.path, self._files) != digest:
            raise OperatorError(f"{offer.where}: was changed while it was imported; ask again")
        kind.source_digest = digest
        return kind

    def _read(self, file: Path) -> None:
        try:
            tree = ast.parse(file.read_bytes(), filename=str(file))
        except SyntaxError as error:
            self.faults.append(f"{file}:{error.lineno or 1}: is not Python: {error.msg}; repair it")
            return
        except (ValueError, RecursionError) as error:
            self.faults.append(f"{file}:1: is not Python: {error}; repair it")
            return
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and _is_strategy(node):
                self._offer(file, node)

    def _offer(self, file: Path, node: ast.ClassDef) -> None:
        where, name = f"{file}:{node.lineno}", _strategy_type(node)
        if name is None:
            self.faults.append(
                f"{where}: class {node.name} has no name that a configuration could say; "
                f'add: strategy_type = "{_snake(node.name)}"'
            )
        else:
            self.offers.append(Offer(name, file, node.name, where))


def _python_files(folder: Path) -> list[Path]:
    """The folder's `*.py` files, sorted, once the folder and each file have been checked."""
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "there is no such folder"
        raise OperatorError(
            f"{folder}: {what}; name the folder that holds your strategies' files, or make one"
            " with: multi-trader new-strategy NAME"
        )
    _refuse_writable_by_others(folder)
    files = sorted(file for file in folder.glob("*.py") if file.is_file() or file.is_symlink())
    for file in files:
        if file.is_symlink():
            raise OperatorError(f"{file}: is a link that leads out of the folder; copy the file")
        _refuse_writable_by_others(file)
    return files


def _refuse_writable_by_others(path: Path) -> None:
    try:
        status = path.stat()
    except FileNotFoundError:
        raise OperatorError(f"{path}: went away while the folder was read; ask again") from None
    if status.st_uid not in (os.getuid(), 0):
        raise OperatorError(
            f"{path}: belongs to another user, who could change what runs here; make it yours"
        )
    if status.st_mode & _OTHERS_MAY_WRITE:
        raise OperatorError(
            f"{path}: other users can write to it, and what stands in it runs with your keys; "
            f"run: chmod go-w '{path}'"
        )


def _lacking(kind: type[Strategy]) -> str:
    """What a class lacks to be a strategy, as words that follow its name; '' if nothing."""
    if issubclass(kind, MultiTickerStrategy):
        own = kind.start_together is not MultiTickerStrategy.start_together
        if not own and len(readers_of(kind, JOINT_READERS)) != 1:
            return what_a_joint_one_should_have(kind)
    elif kind.start is Strategy.start and len(readers_of(kind)) != 1:
        return what_it_should_have(kind)
    has_own_window = kind.longest_window is not Strategy.longest_window
    if has_own_window or any(IN_BARS in field.metadata for field in kind.model_fields.values()):
        return ""
    return (
        "does not say how far it looks back; give it a parameter of type Window, or a property"
        " longest_window"
    )


def _is_strategy(node: ast.ClassDef) -> bool:
    """Whether a class has a `strategy_type`, a strategy base class or `generate_signal`."""
    if node.name.startswith("_"):
        return False
    bases = [ast.unparse(base).rpartition(".")[2] for base in node.bases]
    methods = {one.name for one in node.body if isinstance(one, ast.FunctionDef)}
    named = any(target == "strategy_type" for target, _ in _assigned(node))
    return named or bool(_BASES.intersection(bases)) or READERS[-1] in methods


def _strategy_type(node: ast.ClassDef) -> str | None:
    for target, value in _assigned(node):
        if target == "strategy_type" and isinstance(value, ast.Constant):
            return value.value if isinstance(value.value, str) and value.value else None
    return None


def _assigned(node: ast.ClassDef) -> list[tuple[str, ast.expr | None]]:
    found: list[tuple[str, ast.expr | None]] = []
    for one in node.body:
        match one:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found.append((name, value))
            case ast.AnnAssign(target=ast.Name(id=name), value=value):
                found.append((name, value))
    return found


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().removesuffix("_strategy")


class _Uncached(SourceFileLoader):
    """Compiles the file's source each time; bytecode files are neither read nor written."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


class _Siblings(MetaPathFinder):
    """Finds the files beside a strategy as modules, after all installed ones."""

    def __init__(self) -> None:
        self.files: dict[str, Path] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        file = self.files.get(fullname)
        return None if file is None else _spec(fullname, file)


_siblings = _Siblings()


def _imported(file: Path, beside: dict[str, Path]) -> ModuleType:
    """The file as a module, imported once per content."""
    if _siblings not in sys.meta_path:
        sys.meta_path.append(_siblings)
    _siblings.files |= beside
    text = file.read_bytes()
    name = f"{_PREFIX}{file.stem}_{hashlib.sha256(bytes(file) + text).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = _spec(name, file)
    module = module_from_spec(spec)
    sys.modules[name] = module
    assert spec.loader is not None, "a spec made here has its loader"
    try:
        # It may go to its own folder, but ours has the state; and print, but not into --json.
        with chdir("."), redirect_stdout(sys.stderr):
            spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, KeyboardInterrupt):
            raise
        words = str(error).partition("\n")[0]
        what = f"{type(error).__name__} when it was imported: {words}"
        raise OperatorError(f"{place_of(error) or f'{file}:1'}: {what}; repair it") from error
    return module


def forget_imports() -> None:
    """Forget all modules from strategies folders, so that a new import reads the files again."""
    for name, module in list(sys.modules.items()):
        if isinstance(getattr(module, "__loader__", None), _Uncached):
            del sys.modules[name]


def _digest(file: Path, beside: dict[str, Path]) -> str:
    """SHA-256 of the file and of the files beside it that it imports, directly or not."""
    texts: dict[str, bytes] = {}
    to_read = [file]
    while to_read:
        one = to_read.pop()
        texts[one.stem] = one.read_bytes()
        names = _imports(texts[one.stem]) & beside.keys() - texts.keys()
        to_read += [beside[name] for name in names]
    digest = hashlib.sha256(texts.pop(file.stem))
    for name in sorted(texts):
        digest.update(f"\0{name}\0".encode() + texts[name])
    return digest.hexdigest()


def _imports(text: bytes) -> set[str]:
    """The top-level names of the modules that a source text imports."""
    found: set[str] = set()
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):  # importing the file reports it
        return found
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found |= {alias.name.partition(".")[0] for alias in names}
            case ast.ImportFrom(module=str(module), level=0):
                found.add(module.partition(".")[0])
    return found


def _spec(name: str, file: Path) -> ModuleSpec:
    spec = spec_from_file_location(name, file, loader=_Uncached(name, str(file)))
    assert spec is not None, "a file with a loader has a spec"
    return spec


def place_of(error: BaseException) -> str:
    """`file:line` of an error's innermost frame in a strategies folder; '' if there is none."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno or 1}"
    lines = [
        f"{frame.f_code.co_filename}:{line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if isinstance(frame.f_globals.get("__loader__"), _Uncached)
    ]
    return lines[-1] if lines else ""
