"""A user's own strategy judged and made in a process of its own, and told about as JSON.

A session that trades runs no code of a user's: it has a process read the file as it stands now, and
what that finds stands in the session's configuration as a StandIn.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

from coordinator.config_problems import rule_for, window_problem
from coordinator.config_text import path_to, read_document
from coordinator.core.together import starts_together
from coordinator.errors import OperatorError, Problem
from coordinator.shell.isolation import Scout
from coordinator.strategies.base import Strategy
from coordinator.strategies.folder import forget_imports
from coordinator.strategies.reading import Step
from coordinator.strategies.registry import IN_THE_HOUSE, StrategyTypes, registered_types

_ASKED = ("name", "strategy_type", "strategy_params")
"""What of an entry it takes to make its strategy."""


class StandIn(Strategy):
    """What is known of a strategy whose code is loaded elsewhere; `wanted` is how to load it."""

    wanted: ClassVar[str]
    told: ClassVar[Mapping[str, Any]]
    ticker_count: ClassVar[int | None] = None

    @property
    def longest_window(self) -> int:
        """What the strategy itself says."""
        return int(self.told["longest_window"])

    @property
    def history_bars(self) -> int:
        """What the strategy itself says."""
        return int(self.told["history_bars"])

    @property
    def parameters(self) -> dict[str, Any]:
        """The strategy's, defaults included."""
        return dict(self.told["parameters"])

    def start(self) -> Step:
        """Never here.

        Raises:
            OperatorError: always.
        """
        raise OperatorError(f"{self.strategy_type} runs in a process of its own, and not here")


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


def judge(
    scout: Scout, index: int, entry: Mapping[str, Any], types: StrategyTypes
) -> tuple[Strategy | None, list[Problem]]:
    """As `rule_for`, but a strategy that is not built in is loaded in the scout's process alone.

    Raises:
        OperatorError: it hangs, or ends that process.
    """
    kind = entry.get("strategy_type")
    if not isinstance(kind, str) or kind not in types or types.origin(kind) == IN_THE_HOUSE:
        return rule_for(index, entry, types)
    asked = {key: entry[key] for key in _ASKED if key in entry}
    folder = None if types.folder is None else str(types.folder.absolute())
    wanted = _as_json({"index": index, "entry": asked, "folder": folder})
    told = scout.ask(wanted, f"{types.origin(kind)}: strategy type {kind!r}")
    if "problems" in told:
        return None, [Problem(path, message) for path, message in told["problems"]]
    return _standing_in(wanted, told), []


def _standing_in(wanted: str, told: Mapping[str, Any]) -> StandIn:
    class ForOne(StandIn):
        """Each of them is a type, as what it stands for is."""

    ForOne.strategy_type, ForOne.source_digest = told["strategy_type"], told["code"]
    ForOne.ticker_count, ForOne.wanted, ForOne.told = told["ticker_count"], wanted, told
    return ForOne()


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
