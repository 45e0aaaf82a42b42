"""The problems of a configuration document, as sentences with paths.

The models validate single values; this module words their errors for users and finds what they
cannot see: names and tickers given twice, unknown strategy types, bad parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from coordinator.config.models import ConfigDocument, ControlsConfig, RiskConfig, StrategyDocument
from coordinator.config.sweep_block import FORMS, SweepRange
from coordinator.config.text import path_to, shown, unknown
from coordinator.core.values import SYMBOL_PATTERN, UNASSIGNED
from coordinator.errors import OperatorError, Problem
from coordinator.strategies.base import LARGEST_HISTORY, LARGEST_WINDOW, Strategy
from coordinator.strategies.folder import place_of
from coordinator.strategies.hidden_keys import hidden_keys
from coordinator.strategies.registry import BUILT_IN, StrategyTypes

Place = tuple[str | int, ...]
Known = Mapping[str, Collection[str]]
"""The allowed keys by part of the document: "" is the root, "strategies" an entry, and so on."""

RuleMaker = Callable[
    [int, Mapping[str, Any], StrategyTypes], tuple["Strategy | None", list[Problem]]
]
"""Makes the strategy object that an entry names, or finds its problems, as `rule_for` does."""

KNOWN: Known = {
    "": tuple(one.alias or name for name, one in ConfigDocument.model_fields.items()),
    "strategies": tuple(StrategyDocument.model_fields),
    "risk_config": tuple(RiskConfig.model_fields),
    "controls": tuple(ControlsConfig.model_fields),
    "range": tuple(one.alias or name for name, one in SweepRange.model_fields.items()),
}
KNOWN_TO_PROGRAMS = {**KNOWN, "strategies": ("strategy", *KNOWN["strategies"])}
"""The same in a Python program, whose entries may hold a strategy object."""
_PARTS = {
    "": "the document itself",
    "strategies": "a strategy",
    "risk_config": "risk_config",
    "controls": "controls",
    "range": "a range of a sweep",
}

STRATEGIES_DIR = "strategies_dir"
MAY_BE_NULL = "price_collar"
"""The one key whose default is a limit, so that having none must be written as null."""

_WORDING = {
    "missing": "required, but missing",
    "int_type": "should be an integer",
    "bool_type": "should be true or false",
    "string_type": "should be a text in quotes",
    "tuple_type": "should be a list",
    "list_type": "should be a list",
    "dict_type": "should be an object",
    "model_type": "should be an object",
    "too_short": "should hold at least one",
    "string_too_short": "should not be empty",
}
_WITHOUT_VALUE = {"missing", "too_short", "string_too_short", "not_ascending", "range_upwards"}
_SWEPT = 'should be a list of values, or a range {"from": 5, "to": 50, "step": 5}'
_PATTERNS = {
    "": "should have no control characters and no / or \\",
    "name": "should be 1 to 48 letters, digits, _ or -, and begin with a letter or digit",
    "tickers": 'should be a ticker such as "SPY" or "BTC/USD"',
}


def problems_of(error: ValidationError, known: Known = KNOWN, under: Place = ()) -> list[Problem]:
    """A model's errors as problems, with `under` before each place."""
    found = []
    for detail in error.errors(include_url=False):
        if detail["type"] == "too_short" and detail["input"]:
            continue  # pydantic counts only the valid items, and reports the others anyway
        place = (*under, *_as_written(detail["loc"]))
        found.append(Problem(path_to(place), sentence(detail, known)))
    return found


def _as_written(place: Place) -> Place:
    """A place in the document: without the form of a sweep's values, which pydantic adds to it."""
    if place[2:3] == ("sweep",) and place[4:5] and place[4] in FORMS:
        return (*place[:4], *place[5:])
    return place


def sentence(detail: ErrorDetails, known: Known = KNOWN) -> str:
    """A model's error as a sentence for users."""
    kind, names = detail["type"], [step for step in detail["loc"] if isinstance(step, str)]
    if kind == "extra_forbidden":
        return _unknown_key(names, known)
    if kind == "string_pattern_mismatch":
        message = _PATTERNS.get(names[-1] if len(names) > 1 else "", detail["msg"])
    else:
        message = _WORDING.get(kind) or detail["msg"].removeprefix("Input ")
        message = message.removeprefix("Value error, ")
    if kind == "tuple_type" and detail["loc"][2:3] == ("sweep",):
        message = _SWEPT
    if kind in _WITHOUT_VALUE:
        return message
    return f"{message}, got {shown(detail['input'])}{_meant(detail['input'], names)}"


def _meant(value: object, names: list[str]) -> str:
    """The ticker that was meant: another vendor writes spy, BRK-B and BTC-USD."""
    if names[-1:] != ["tickers"] or not isinstance(value, str):
        return ""
    head, dash, tail = value.strip().upper().partition("-")
    better = head + ("." if len(tail) == 1 else "/" if dash else "") + tail
    fits = better != value and SYMBOL_PATTERN.fullmatch(better)
    return f"; did you mean {better!r}?" if fits else ""


def _unknown_key(names: list[str], known: Known) -> str:
    key, part = names[-1], names[-2] if len(names) > 1 else ""
    hint = None
    for other, keys in known.items():
        if other != part and key in keys:
            hint = f"it belongs in {_PARTS[other]}"
    return unknown("key", key, known.get(part, ()), hint=hint)


def rule_for(
    index: int, entry: Mapping[str, Any], types: StrategyTypes
) -> tuple[Strategy | None, list[Problem]]:
    """The strategy object that an entry names, or None with its problems.

    Problems that the entry's model reports (no type, parameters that are no object) are left to it.
    """
    kind, problems = kind_for(index, entry, types)
    params = entry.get("strategy_params", {})
    if kind is None or not isinstance(params, Mapping):
        return None, problems
    return validated(kind, dict(params), ("strategies", index, "strategy_params"))


def kind_for(
    index: int, entry: Mapping[str, Any], types: StrategyTypes
) -> tuple[type[Strategy] | None, list[Problem]]:
    """The strategy type that an entry names, or None with its problems."""
    place: Place = ("strategies", index)
    name = entry.get("strategy_type")
    if not isinstance(name, str):
        return None, []
    if name not in types and not types.is_whole:
        return None, []  # it may be one of the types that could not be read
    if name not in types:
        message = unknown("strategy type", name, types.own_first) + types.advice
        broken = [Problem(STRATEGIES_DIR, fault) for fault in types.faults]
        return None, [Problem(path_to((*place, "strategy_type")), message), *broken]
    try:
        return types[name], []
    except OperatorError as error:
        return None, [Problem(path_to((*place, "strategy_type")), str(error))]


def validated(
    kind: type[Strategy], params: dict[str, Any], place: Place
) -> tuple[Strategy | None, list[Problem]]:
    """The strategy of a type with these parameters, or None with all their problems."""
    with _without_keys(kind):
        return _validated(kind, params, place)


def _without_keys(kind: type[Strategy]) -> AbstractContextManager[None]:
    """A context in which a user's class finds no keys in the environment."""
    return nullcontext() if kind in BUILT_IN else hidden_keys()


def _validated(
    kind: type[Strategy], params: dict[str, Any], place: Place
) -> tuple[Strategy | None, list[Problem]]:
    known = {"": tuple(kind.model_fields)}
    try:
        return kind.model_validate(params), []
    except ValidationError as error:
        found = problems_of(error, known, place)
        bad = {str(detail["loc"][0]) for detail in error.errors() if detail["loc"]}
    except Exception as error:  # a user's validator may raise anything
        return None, [Problem(path_to(place), f"{kind.strategy_type} {_raised(error)}")]
    # Fields are compared with each other only once each is valid. Validate again without the
    # invalid ones, and keep the comparisons that do not involve them.
    try:
        kind.model_validate({key: value for key, value in params.items() if key not in bad})
    except ValidationError as error:
        for detail in error.errors():
            pair = {detail.get("ctx", {}).get("low"), detail.get("ctx", {}).get("high")}
            if detail["type"] == "not_ascending" and not pair & bad:
                found.append(Problem(path_to((*place, *detail["loc"])), detail["msg"]))
    except Exception:  # the defaults in place of the invalid parameters may be the reason
        return None, found
    return None, found


def _raised(error: Exception) -> str:
    """What a user's code raised, and its file and line if it is from a strategies folder."""
    at = f" at {place}" if (place := place_of(error)) else ""
    return f"raised {type(error).__name__}: {error}{at}; repair it"


def window_problem(index: int, rule: Strategy | None) -> list[Problem]:
    """Problems of a strategy's `longest_window` and `history_bars`."""
    if rule is None:
        return []
    kind = rule.strategy_type
    try:
        with _without_keys(type(rule)):
            wrong = _no_count(f"longest_window of {kind}", rule.longest_window, 1, LARGEST_WINDOW)
            if not wrong:
                least, most = rule.longest_window, LARGEST_HISTORY
                wrong = _no_count(f"history_bars of {kind}", rule.history_bars, least, most)
    except Exception as error:  # a user's property may raise anything
        wrong = f"{kind} {_raised(error)}"
    return [Problem(path_to(("strategies", index, "strategy_type")), wrong)] if wrong else []


def _no_count(name: str, bars: object, least: int, most: int) -> str:
    """Why this is not a number of bars from `least` to `most`; empty if it is."""
    if isinstance(bars, int) and not isinstance(bars, bool) and least <= bars <= most:
        return ""
    return f"{name} is {shown(bars)}; it should be {least} to {most} bars"


def wrong_ticker_count(rule: Strategy | None, tickers: object, place: Place) -> list[Problem]:
    """A problem if a strategy reads a fixed number of tickers together and has another number."""
    wanted = getattr(rule, "ticker_count", None)
    if wanted is None or rule is None or not isinstance(tickers, list | tuple):
        return []
    if len(tickers) == wanted:
        return []
    has = f"{rule.strategy_type} looks at {wanted} together, got {len(tickers)}"
    more = "add" if len(tickers) < wanted else "take out"
    return [Problem(path_to(place), f"{has}; {more} {abs(wanted - len(tickers))}")]


def conflicts(document: Mapping[str, Any]) -> list[Problem]:
    """Strategy names and tickers given twice, and the reserved name UNASSIGNED."""
    found: list[Problem] = []
    names: dict[str, int] = {}
    for index, entry in entries_of(document):
        name, tickers = entry.get("name"), entry.get("tickers")
        place: Place = ("strategies", index)
        if name == UNASSIGNED:
            message = f"{UNASSIGNED} is the book of what no strategy owns; choose another name"
            found.append(Problem(path_to((*place, "name")), message))
        if isinstance(name, str) and names.setdefault(name, index) != index:
            first = path_to(("strategies", names[name]))
            message = f"{shown(name)} is already the name of {first}; give each its own"
            found.append(Problem(path_to((*place, "name")), message))
        if isinstance(tickers, list | tuple):
            found += [
                Problem(path_to((*place, "tickers", at)), f"{shown(ticker)} is given twice")
                for at, ticker in enumerate(tickers)
                if isinstance(ticker, str) and ticker in tickers[:at]
            ]
    return found


def nulls(document: Mapping[str, Any]) -> list[Problem]:
    """Optional keys that are null: they must be left out instead."""
    message = "should have a value, got null; leave the key out to go without"
    found = [
        Problem(path_to((key,)), message)
        for key in ("name", STRATEGIES_DIR, "$schema")
        if document.get(key, "") is None
    ]
    parts: list[tuple[Place, object, type[BaseModel]]]
    parts = [(("controls",), document.get("controls"), ControlsConfig)]
    for index, entry in entries_of(document):
        if entry.get("sweep", "") is None:
            found.append(Problem(path_to(("strategies", index, "sweep")), message))
        risk: Place = ("strategies", index, "risk_config")
        parts.append((risk, entry.get("risk_config"), RiskConfig))
    for place, part, model in parts:
        if isinstance(part, Mapping):
            optional = [key for key in model.model_fields if key != MAY_BE_NULL]
            found += [
                Problem(path_to((*place, key)), message)
                for key in optional
                if part.get(key, "") is None
            ]
    return found


def entries_of(document: Mapping[str, Any]) -> list[tuple[int, Mapping[str, Any]]]:
    """The entries of `strategies` that are objects, with their indices."""
    entries = document.get("strategies")
    if not isinstance(entries, list | tuple):
        return []
    return [(index, entry) for index, entry in enumerate(entries) if isinstance(entry, Mapping)]
