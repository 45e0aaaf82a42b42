"""A user's own strategy judged and made in a process of its own, and told about as JSON.

A session that trades runs no code of a user's: it has a process read the file as it stands now, and
what that finds stands in the session's configuration as a StandIn.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from coordinator.config import CoordinatorConfig, default_config, read_config
from coordinator.config_problems import rule_for, window_problem
from coordinator.config_text import path_to, read_document
from coordinator.core.together import starts_together
from coordinator.errors import OperatorError, Problem
from coordinator.shell.isolation import Scout, Walls
from coordinator.shell.stand_in import standing_in
from coordinator.strategies.base import Strategy
from coordinator.strategies.folder import forget_imports
from coordinator.strategies.registry import IN_THE_HOUSE, StrategyTypes, registered_types

_ASKED = ("name", "strategy_type", "strategy_params")
"""What of an entry it takes to make its strategy."""
_UNKNOWN: Mapping[str, Any] = {
    "parameters": {},
    "longest_window": 1,
    "history_bars": 1,
    "ticker_count": None,
    "code": "",
}
"""In the place of what is told of a strategy that nobody makes."""


def load(wanted: str) -> tuple[Strategy | None, dict[str, Any]]:
    """Make the strategy that is wanted from its file as it stands now, in a process for it.

    With it comes what the session is told: {"problems": [[path, message]]}, or what it is.
    """
    forget_imports()
    asked: Any = read_document(wanted, "what is wanted")
    index, folder = asked["index"], asked["folder"]
    try:
        types = registered_types(None if folder is None else Path(folder))
    except OperatorError as error:
        return None, _problems([Problem(path_to(("strategies", index)), str(error))])
    rule, problems = rule_for(index, asked["entry"], types)
    problems += window_problem(index, rule)
    if rule is None or problems:
        return None, _problems(problems)
    return rule, {
        "strategy_type": rule.strategy_type,
        "parameters": rule.parameters,
        "longest_window": rule.longest_window,
        "history_bars": rule.history_bars,
        "ticker_count": getattr(rule, "ticker_count", None),
        "together": starts_together(rule),
        "code": rule.source_digest,
    }


def begin_with(file: Path | None, strategies: Path | None, walls: Walls) -> CoordinatorConfig:
    """The configuration that a session begins with: a file's, as `read_apart`, or the built-in.

    Raises:
        OperatorError: as `read_apart`; or there are strategies for no file.
    """
    if file is not None:
        return read_apart(file, strategies, walls)[0]
    if strategies is not None:
        raise OperatorError(
            f"--strategies {strategies} offers strategies, and the built-in configuration names"
            " none of them: add --config FILE."
        )
    return default_config()


def read_apart(file: Path, strategies: Path | None, walls: Walls) -> tuple[CoordinatorConfig, str]:
    """As `read_config`, but no code of a user's own strategies runs in this process.

    Raises:
        OperatorError: it cannot be read, or something in it is wrong; all of it is named.
    """
    scout = walls.scout()
    try:
        return read_config(file, strategies, judge=partial(_judge, scout))
    finally:
        scout.end()


def read_unmade(file: Path, strategies: Path | None = None) -> CoordinatorConfig:
    """A configuration for who wants names, tickers and amounts alone.

    No code of a user's own strategies runs anywhere: what they are like stays unknown.

    Raises:
        ConfigError: as `read_config`, for what is wrong outside of them.
    """
    return read_config(file, strategies, judge=_leave_unmade)[0]


def _judge(
    scout: Scout, index: int, entry: Mapping[str, Any], types: StrategyTypes
) -> tuple[Strategy | None, list[Problem]]:
    """As `rule_for`, but a strategy that is not built in is loaded in the scout's process alone.

    Raises:
        OperatorError: it hangs, or ends that process.
    """
    kind = _users(entry, types)
    if not kind:
        return rule_for(index, entry, types)
    asked = {key: entry[key] for key in _ASKED if key in entry}
    folder = None if types.folder is None else str(types.folder.absolute())
    wanted = _as_json({"index": index, "entry": asked, "folder": folder})
    told = scout.ask(wanted, f"{types.origin(kind)}: strategy type {kind!r}")
    if "problems" in told:
        return None, [Problem(path, message) for path, message in told["problems"]]
    return standing_in(wanted, told), []


def _leave_unmade(
    index: int, entry: Mapping[str, Any], types: StrategyTypes
) -> tuple[Strategy | None, list[Problem]]:
    kind = _users(entry, types)
    return (
        (standing_in("", {**_UNKNOWN, "strategy_type": kind}), [])
        if kind
        else (rule_for(index, entry, types))
    )


def _users(entry: Mapping[str, Any], types: StrategyTypes) -> str:
    """The strategy type of an entry if somebody offers it, and it is not ours; else nothing."""
    kind = entry.get("strategy_type")
    if not isinstance(kind, str) or kind not in types or types.origin(kind) == IN_THE_HOUSE:
        return ""
    return kind


def _problems(found: list[Problem]) -> dict[str, Any]:
    return {"problems": [[one.path, one.message] for one in found]}


def _as_json(value: object) -> str:
    """A document as JSON, its decimals as they are written."""
    match value:
        case Decimal():
            return str(value)
        case Mapping():
            pairs = (f"{json.dumps(str(key))}:{_as_json(one)}" for key, one in value.items())
            return f"{{{','.join(pairs)}}}"
        case list() | tuple():
            return f"[{','.join(map(_as_json, value))}]"
        case _:
            return json.dumps(value)
