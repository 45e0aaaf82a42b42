"""The source runs no text as code or as SQL, and writes no object down but as JSON (row 10).

ruff's own rules (S) hold for the whole product by `make lint`; here is what they do not see, what
they were told to overlook, and what Prefect would pickle.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.server.places import Places, client_environment
from tests.structure.house import FUNCTIONS, ROOT, Source, dotted, imports, sources

RUNS_TEXT = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "runpy.run_path"}
UNSAFE_YAML = re.compile(r"yaml\.(?:unsafe_|full_)?load(?:_all)?")
PICKLED = re.compile(r"(?:\w+\.)*(?:read_pickle|to_pickle|joblib\.\w+|shelve\.open)|np\.load")
ASKS = {"execute", "executemany", "executescript", "sql", "query"}
"""Methods that take SQL; whatever is formatted must not get there."""
SQL = re.compile(
    r"\b(?:SELECT\b.+\bFROM\b|INSERT\s+INTO|DELETE\s+FROM|UPDATE\s+\w+\s+SET|DROP\s+\w|ALTER\s+TABLE"
    r"|CREATE\s+(?:OR\s+REPLACE\s+)?(?:TEMP\s+)?(?:TABLE|VIEW)|ATTACH\s+'|COPY\s+\w|PRAGMA\s+\w)",
    re.DOTALL,
)
BLANK = re.compile(r"\{\w*\}|%s|%\(\w+\)s")
"""Where a template is to be filled in."""
OVERLOOKED = {
    ("flows/server/children.py", "S603"): 2,  # our own interpreter with our own words
    ("flows/server/demo.py", "S603"): 1,
    ("flows/server/up.py", "S603"): 2,
    ("warehouse/copies.py", "S603"): 1,
}


def _is_formatted(node: ast.AST) -> bool:
    """Whether a text is put together: an f-string with values in it, +, % or .format()."""
    match node:
        case ast.JoinedStr(values=parts):
            return any(isinstance(part, ast.FormattedValue) for part in parts)
        case ast.BinOp(op=ast.Add() | ast.Mod()):
            return True
        case ast.Call(func=ast.Attribute(attr="format" | "join" | "replace")):
            return True
        case _:
            return False


def _words(node: ast.AST) -> str:
    """The fixed words of a text that is put together."""
    constants = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
    return " ".join(value for value in constants if isinstance(value, str))


def _is_template(text: object) -> bool:
    return isinstance(text, str) and bool(SQL.search(text) and BLANK.search(text))


def dangers(source: Source) -> Iterator[str]:
    """What the file does that none of ours may do."""
    for module, node in imports(source):
        if module.partition(".")[0] in {"pickle", "marshal", "shelve", "dill", "cloudpickle"}:
            yield f"{source.at(node)}: imports {module}"
    for node in ast.walk(source.tree):
        if _is_formatted(node) and SQL.search(_words(node)):
            yield f"{source.at(node)}: formats SQL"
        if isinstance(node, ast.Constant) and _is_template(node.value):
            yield f"{source.at(node)}: has SQL to be filled in"
        if isinstance(node, ast.Call):
            yield from (f"{source.at(node)}: {what}" for what in _dangers_of_call(node))


def _dangers_of_call(call: ast.Call) -> Iterator[str]:
    name = dotted(call.func)
    if name in RUNS_TEXT or UNSAFE_YAML.fullmatch(name) or PICKLED.fullmatch(name):
        yield f"calls {name}()"
    if any(word.arg == "shell" for word in call.keywords):
        yield f"calls {name}() by a shell"
    asks = isinstance(call.func, ast.Attribute) and call.func.attr in ASKS
    if asks and call.args and _is_formatted(call.args[0]):
        yield f"calls {name}() with formatted SQL"


def test_no_file_of_ours_runs_text_unpickles_or_formats_sql() -> None:
    assert [danger for source in sources() for danger in dangers(source)] == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from marshal import loads",
        "eval(x)",
        "exec(x)",
        "__import__(x)",
        "compile(x, '', 'exec')",
        "os.system(x)",
        "yaml.load(x)",
        "yaml.unsafe_load(x)",
        "yaml.full_load_all(x)",
        "pd.read_pickle(x)",
        "frame.to_pickle(x)",
        "subprocess.run(x, shell=True)",
        "c.execute(f'SELECT * FROM {x}')",
        "c.execute('DELETE FROM ' + x)",
        "c.execute('x %s' % x)",
        "c.sql('{}'.format(x))",
        "text = f'SELECT a FROM t WHERE b = {x!r}'",
        "text = 'INSERT INTO {} VALUES (1)'.format(x)",
        "text = 'DROP TABLE ' + x",
        "TEMPLATE = 'SELECT a FROM t WHERE b = {x}'; y = TEMPLATE.format(x=1)",
    ],
)
def test_each_of_them_would_be_seen(line: str) -> None:
    assert list(dangers(Source(ROOT / "x.py", "x", line, ast.parse(line))))


def test_what_ruff_was_told_to_overlook_is_exactly_this() -> None:
    found: Counter[tuple[str, str]] = Counter()
    for source in sources():
        for rule in re.findall(r"# noqa:[^#\n]*?\b(S\d{3})\b", source.text):
            found[str(source.path.relative_to(ROOT)), rule] += 1
    assert dict(found) == OVERLOOKED
    assert not [s.path for s in sources() if re.search(r"# noqa(?!:)|# ruff: noqa", s.text)]
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert "S" in lint["select"]
    assert [rule for rule in lint["ignore"] if rule.startswith("S")] == ["S101"]
    assert all(place.startswith(("tests/", "benchmarks/")) for place in lint["per-file-ignores"])


def _marks(name: str) -> Iterator[tuple[str, dict[str, object]]]:
    """Each function that Prefect runs as a `name`, with the decorator's fixed arguments."""
    for source in sources("flows", "tasks"):
        for node in ast.walk(source.tree):
            for mark in getattr(node, "decorator_list", []) if isinstance(node, FUNCTIONS) else []:
                if isinstance(mark, ast.Call) and dotted(mark.func) == name:
                    given = {
                        word.arg or "**": getattr(word.value, "value", dotted(word.value))
                        for word in mark.keywords
                    }
                    yield source.at(node), given
                else:
                    assert dotted(mark) != name, f"{source.at(node)}: {name} without arguments"


@pytest.mark.parametrize(("name", "least"), [("flow", 3), ("task", 6)])
def test_prefect_keeps_no_result_of_ours(name: str, least: int) -> None:
    marked = list(_marks(name))
    assert len(marked) >= least
    assert [place for place, given in marked if given.get("persist_result") is not False] == []


def test_no_task_has_its_arguments_hashed_or_cached() -> None:
    policies = {place: given.get("cache_policy") for place, given in _marks("task")}
    assert set(policies.values()) == {"NO_CACHE"}


def test_what_prefect_might_keep_anyway_would_be_json(tmp_path: Path) -> None:
    environment = client_environment(Places.under(tmp_path), 4200, {})
    assert environment["PREFECT_RESULTS_DEFAULT_SERIALIZER"] == "json"
