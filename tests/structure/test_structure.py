"""The house of DESIGN section 3, held by its own source: arrows, purity, sizes, names, docstrings.

There is no list of exceptions: a rule that does not fit is a rule to change.
"""

from __future__ import annotations

import ast
import re

import pytest

from tests.structure.house import (
    FUNCTIONS,
    PACKAGES,
    Source,
    definitions,
    dotted,
    imports,
    is_within,
    public_definitions,
    sources,
)

FUNCTION_LINES, FILE_LINES, PUBLIC_METHODS, TASK_LINES = 60, 350, 15, 15

# Who may import whom; within one's own row is always allowed. Longest match decides.
ARROWS: dict[str, tuple[str, ...]] = {
    "coordinator.errors": (),
    "coordinator.core": ("coordinator.errors",),
    "coordinator.strategies": ("coordinator.core", "coordinator.errors"),
    "coordinator.config": ("coordinator.core", "coordinator.errors", "coordinator.strategies"),
    "coordinator.shell": (
        *("coordinator.core", "coordinator.errors", "coordinator.settings"),
        "coordinator.strategies.folder",  # which tells where in a user's file an error arose
    ),
    "coordinator.commands": (
        *("coordinator.core", "coordinator.errors", "coordinator.settings", "coordinator.config"),
        *("coordinator.shell", "coordinator.strategies"),
    ),
    "coordinator": (),
    "coordinator.bootstrap": ("coordinator", "simulator"),
    "coordinator.embedded": ("coordinator", "simulator"),
    "coordinator.backtest": ("coordinator", "simulator"),
    "coordinator.shadow": ("coordinator", "simulator"),
    "coordinator.testing": ("coordinator", "simulator"),
    "simulator": (),
    "warehouse": (),
    "tasks": (
        *("warehouse", "coordinator.bootstrap", "coordinator.backtest", "coordinator.errors"),
    ),
    "flows": ("tasks", "warehouse", "coordinator"),
    "cli": ("warehouse", "coordinator", "simulator"),
}
# Who may import a library, and nobody else.
OWNERS = {
    "prefect": ("flows", "tasks"),
    "alpaca": ("coordinator.shell",),
    "duckdb": ("warehouse",),
    "typer": ("cli",),
}
IMPURE_MODULES = re.compile(
    "alpaca|aiohttp|asyncio|concurrent|duckdb|httpx|io|logging|multiprocessing|os|pathlib|pandas|"
    "random|requests|secrets|select|shutil|signal|socket|sqlite3|ssl|subprocess|sys|tempfile|"
    "threading|time|urllib|uuid|websockets"
)
IMPURE_CALLS = {"open", "print", "input", "exec", "eval"}
WALL_CLOCK = {"datetime.now", "datetime.utcnow", "date.today", "datetime.today", "time.time"}
WALL_CLOCK |= {"datetime.datetime.now", "datetime.date.today", "time.time_ns"}
IMPURE_CALLS |= WALL_CLOCK
BANNED_NAME = re.compile(r"Manager|Helper|Utils?$|^Base[A-Z]|^process_|^trades?$|Trade$")


def _row(module: str) -> str:
    return max((row for row in ARROWS if is_within(module, row)), key=len)


def _show(offences: list[str]) -> str:
    return "\n" + "\n".join(offences)


def test_the_house_is_looked_at_whole() -> None:
    assert {source.module.partition(".")[0] for source in sources()} == set(PACKAGES)


def test_imports_run_one_way() -> None:
    offences = []
    for source in sources():
        row = _row(source.module)
        for module, node in imports(source):
            if module.partition(".")[0] not in PACKAGES:
                continue
            if not any(is_within(module, allowed) for allowed in (row, *ARROWS[row])):
                offences.append(f"{source.at(node)}: {source.module} imports {module}")
    assert not offences, _show(offences)


def test_the_shell_is_wired_by_the_coordinator_alone() -> None:
    told = {"coordinator.shell.lease", "coordinator.shell.lease.LeaseHeld"}  # an error to answer
    offences = [
        f"{source.at(node)}: {source.module} imports {module}"
        for source in sources("flows", "tasks", "cli")
        for module, node in imports(source)
        if is_within(module, "coordinator.shell") and module not in told
    ]
    assert not offences, _show(offences)


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_is_imported_by_its_owner_alone(library: str) -> None:
    offences = [
        f"{source.at(node)}: {source.module} imports {module}"
        for source in sources()
        for module, node in imports(source)
        if is_within(module, library)
        and not any(is_within(source.module, owner) for owner in OWNERS[library])
    ]
    assert not offences, _show(offences)


def test_the_core_touches_no_clock_no_file_no_socket_and_no_chance() -> None:
    offences = []
    for source in sources("coordinator/core"):
        for module, node in imports(source):
            if IMPURE_MODULES.fullmatch(module.partition(".")[0]):
                offences.append(f"{source.at(node)}: imports {module}")
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call) and dotted(node.func) in IMPURE_CALLS:
                offences.append(f"{source.at(node)}: calls {dotted(node.func)}()")
            if isinstance(node, (ast.AsyncFunctionDef, ast.Await)):
                offences.append(f"{source.at(node)}: waits")
    assert not offences, _show(offences)


def test_a_session_knows_the_time_from_the_broker_and_measures_it_by_the_monotonic_clock() -> None:
    offences = [
        f"{source.at(node)}: {dotted(node.func)}() steps when somebody sets this machine's clock"
        for source in sources("coordinator/core", "coordinator/shell", "coordinator/strategies")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and dotted(node.func) in WALL_CLOCK
    ]
    assert not offences, _show(offences)


def _lines(node: ast.AST) -> int:
    return int(getattr(node, "end_lineno", 0)) - int(getattr(node, "lineno", 0)) + 1


def test_functions_files_and_classes_stay_small() -> None:
    offences = []
    for source in sources():
        length = len(source.text.splitlines())
        if length > FILE_LINES:
            offences.append(f"{source.path.name}: {length} lines, at most {FILE_LINES}")
        for node in definitions(source):
            if isinstance(node, FUNCTIONS) and _lines(node) > FUNCTION_LINES:
                offences.append(f"{source.at(node)}: {node.name} has {_lines(node)} lines")
            if isinstance(node, ast.ClassDef):
                methods = [m.name for m in node.body if isinstance(m, FUNCTIONS)]
                public = [name for name in methods if not name.startswith("_")]
                if len(public) > PUBLIC_METHODS:
                    offences.append(f"{source.at(node)}: {node.name} has {len(public)} methods")
    assert not offences, _show(offences)


def _is_task(node: ast.AST) -> bool:
    marks = getattr(node, "decorator_list", [])
    return any(
        dotted(mark.func if isinstance(mark, ast.Call) else mark) == "task" for mark in marks
    )


def test_a_task_is_one_short_call() -> None:
    tasks = [
        (source, node)
        for source in sources("tasks")
        for node in definitions(source)
        if isinstance(node, FUNCTIONS) and _is_task(node)
    ]
    assert tasks
    offences = [
        f"{source.at(node)}: {node.name}" for source, node in tasks if _lines(node) > TASK_LINES
    ]
    assert not offences, _show(offences)


def test_names_say_what_a_thing_is() -> None:
    offences = [
        f"{source.at(node)}: {node.name}"
        for source in sources()
        for node in definitions(source)
        if BANNED_NAME.search(node.name)
    ]
    offences += [
        f"{source.at(node)}: {target.id}"
        for source in sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and BANNED_NAME.search(target.id)
    ]
    assert not offences, _show(offences)


def _undocumented(source: Source) -> list[str]:
    offences = [] if ast.get_docstring(source.tree) else [f"{source.module}: the module"]
    return offences + [
        f"{source.at(node)}: {node.name}"
        for node in public_definitions(source.tree)
        if not ast.get_docstring(node) and not _is_overload(node)
    ]


def _is_overload(node: ast.AST) -> bool:
    marks = getattr(node, "decorator_list", [])
    return any(dotted(mark) in {"overload", "typing.overload"} for mark in marks)


def test_everything_public_has_a_docstring() -> None:
    offences = [offence for source in sources() for offence in _undocumented(source)]
    assert not offences, _show(offences)
