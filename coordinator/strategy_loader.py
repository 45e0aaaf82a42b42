"""Loads and validates a user's strategy in its own process, and describes it as JSON.

A session that trades runs no user code: another process reads the current file and describes the
strategy, and a StandIn with that description takes its place in the session's configuration.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

from coordinator.config.problems import rule_for, window_problem
from coordinator.config.text import path_to, read_document
from coordinator.core.together import starts_together
from coordinator.errors import OperatorError, Problem
from coordinator.shell.isolation import Scout
from coordinator.strategies.base import Strategy
from coordinator.strategies.folder import forget_imports
from coordinator.strategies.reading import Step
from coordinator.strategies.registry import BUILT_IN_ORIGIN, StrategyTypes, registered_types

_NEEDED = ("name", "strategy_type", "strategy_params")
"""The keys of an entry that its strategy is made from."""


class StandIn(Strategy):
    """Stands for a strategy that another process loads; `request` is what to ask it for."""

    request: ClassVar[str]
    description: ClassVar[Mapping[str, Any]]
    ticker_count: ClassVar[int | None] = None

    @property
    def longest_window(self) -> int:
        """The strategy's own."""
        return int(self.description["longest_window"])

    @property
    def history_bars(self) -> int:
        """The strategy's own."""
        return int(self.description["history_bars"])

    @property
    def parameters(self) -> dict[str, Any]:
        """The strategy's own, defaults included."""
        return dict(self.description["parameters"])

    def start(self) -> Step:
        """The strategy does not run in this process.

        Raises:
            OperatorError: always.
        """
        raise OperatorError(f"{self.strategy_type} runs in a process of its own, and not here")


def load(request: str) -> tuple[Strategy | None, dict[str, Any]]:
    """Make the requested strategy from its current file; runs in the strategy's own process.

    Also returns the answer for the session: the strategy's description, or
    {"problems": [[path, message]]}.
    """
    forget_imports()
    wanted: Any = read_document(request, "what is wanted")
    index, folder = wanted["index"], wanted["folder"]
    try:
        types = registered_types(None if folder is None else Path(folder))
    except OperatorError as error:
        return None, _problems([Problem(path_to(("strategies", index)), str(error))])
    rule, problems = rule_for(index, wanted["entry"], types)
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


def rule_by_scout(
    scout: Scout, index: int, entry: Mapping[str, Any], types: StrategyTypes
) -> tuple[Strategy | None, list[Problem]]:
    """Like `rule_for`, but strategies that are not built in are loaded in the scout's process.

    Raises:
        OperatorError: the strategy hangs, or ends that process.
    """
    kind = entry.get("strategy_type")
    if not isinstance(kind, str) or kind not in types or types.origin(kind) == BUILT_IN_ORIGIN:
        return rule_for(index, entry, types)
    needed = {key: entry[key] for key in _NEEDED if key in entry}
    folder = None if types.folder is None else str(types.folder.absolute())
    request = _as_json({"index": index, "entry": needed, "folder": folder})
    answer = scout.ask(request, f"{types.origin(kind)}: strategy type {kind!r}")
    if "problems" in answer:
        return None, [Problem(path, message) for path, message in answer["problems"]]
    return _stand_in(request, answer), []


def _stand_in(request: str, description: Mapping[str, Any]) -> StandIn:
    class ForOne(StandIn):
        """Each stand-in has its own class, because a strategy's type is a class attribute."""

    ForOne.strategy_type, ForOne.source_digest = description["strategy_type"], description["code"]
    ForOne.ticker_count = description["ticker_count"]
    ForOne.request, ForOne.description = request, description
    return ForOne()


def _problems(found: list[Problem]) -> dict[str, Any]:
    return {"problems": [[one.path, one.message] for one in found]}


def _as_json(value: object) -> str:
    """A document as JSON, with exact decimals."""
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
