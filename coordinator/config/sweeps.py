"""Expands an entry with a sweep into one strategy for each combination of swept values.

Each value is validated by itself and reported at its place. Combinations that the strategy refuses,
such as a short window above the long one, are left out and counted.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from coordinator.config.models import RiskConfig, SharedSettings
from coordinator.config.problems import (
    Place,
    kind_for,
    sentence,
    validated,
    window_problem,
    wrong_ticker_count,
)
from coordinator.config.sweep_block import Sweep, count_of, repeated, values_of, variant_names
from coordinator.config.text import path_to, unknown
from coordinator.core.values import NAME_PATTERN
from coordinator.errors import Problem
from coordinator.strategies.base import Strategy, plain_value
from coordinator.strategies.hidden_keys import hidden_keys
from coordinator.strategies.registry import StrategyTypes

MOST_VARIANTS = 20_000
"""The most combinations that a configuration may have."""
SETTINGS = ("tickers", "initial_cash", "min_warmup_bars")
LIMITS = {f"risk_config.{name}": name for name in RiskConfig.model_fields}
_BLOCK: TypeAdapter[Any] = TypeAdapter(Sweep)


@dataclass(frozen=True, slots=True)
class Variant:
    """One strategy of a sweep; its `settings` and `limits` override those of the entry."""

    name: str
    swept: Mapping[str, Any]
    rule: Strategy
    settings: Mapping[str, Any]
    limits: Mapping[str, Any]


@dataclass(slots=True)
class Expanded:
    """The variants of one entry; the strategy refused `left_out` of its combinations."""

    variants: list[Variant] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    left_out: int = 0
    combinations: int = 0


def with_grid(document: object, grid: Mapping[str, object]) -> tuple[object, list[Problem]]:
    """The document with these sweeps, by strategy name, in place of its own.

    A sweep also replaces the document's single value of what it sweeps.
    """
    entries = document.get("strategies") if isinstance(document, Mapping) else None
    if not isinstance(document, Mapping) or not isinstance(entries, list | tuple):
        return document, []  # the document's model reports this
    names = [str(one.get("name")) if isinstance(one, Mapping) else None for one in entries]
    problems = [
        Problem(path_to(("sweep", name)), unknown("strategy", name, filter(None, names)))
        for name in grid
        if name not in names
    ]
    swept = [
        _swept(entry, grid[name]) if name is not None and name in grid else entry
        for name, entry in zip(names, entries, strict=True)
    ]
    return {**document, "strategies": swept}, problems


def _swept(entry: Mapping[str, Any], block: object) -> dict[str, Any]:
    keys = set(block) if isinstance(block, Mapping) else set()
    kept = {key: value for key, value in entry.items() if key not in keys & set(SETTINGS)}
    for part, prefix in (("strategy_params", ""), ("risk_config", "risk_config.")):
        if isinstance(kept.get(part), Mapping):
            kept[part] = {k: v for k, v in kept[part].items() if f"{prefix}{k}" not in keys}
    return {**kept, "sweep": block}


def sweeps_of(
    entries: Iterable[tuple[int, Mapping[str, Any]]],
    given: Mapping[int, Strategy | None],
    types: StrategyTypes,
) -> dict[int, Expanded]:
    """The entries with a sweep, expanded; all together stay within MOST_VARIANTS."""
    sweeps: dict[int, Expanded] = {}
    room = MOST_VARIANTS
    for index, entry in entries:
        if "sweep" not in entry or entry["sweep"] is None:
            continue
        if index in given:
            place = path_to(("strategies", index, "sweep"))
            message = "stands beside a strategy object; name its strategy_type instead"
            sweeps[index] = Expanded(problems=[Problem(place, message)])
            continue
        sweeps[index] = expand(index, entry, types, room)
        room -= min(room, sweeps[index].combinations)
    return sweeps


def wrong_sweeps(
    entries: Iterable[tuple[int, Mapping[str, Any]]], sweeps: Mapping[int, Expanded]
) -> list[Problem]:
    """Problems in sweeps, and variants whose names are too long or already taken."""
    found = [problem for sweep in sweeps.values() for problem in sweep.problems]
    written = dict(entries)
    names = {str(entry.get("name")): index for index, entry in entries if index not in sweeps}
    for index, sweep in sweeps.items():
        place: Place = ("strategies", index, "name")
        for variant in sweep.variants:
            found += window_problem(index, variant.rule)
            found += _wrong_ticker_count(index, written[index], variant)
            if not NAME_PATTERN.fullmatch(variant.name):
                message = f"is too long for a sweep: its variant would be {variant.name!r}"
                found.append(Problem(path_to(place), f"{message}; shorten it"))
                break
            if names.setdefault(variant.name, index) != index:
                other = path_to(("strategies", names[variant.name]))
                message = f"its variant {variant.name!r} is already in {other}; rename one"
                found.append(Problem(path_to(place), message))
    return found


def _wrong_ticker_count(index: int, entry: Mapping[str, Any], variant: Variant) -> list[Problem]:
    """A problem if a variant has the wrong number of tickers, at the list that they come from."""
    if getattr(variant.rule, "ticker_count", None) is None:
        return []
    tickers = variant.settings.get("tickers")
    if tickers is None:
        place: Place = ("strategies", index, "tickers")
        return wrong_ticker_count(variant.rule, entry.get("tickers"), place)
    listed = [list(_setting("tickers", one)) for one in entry["sweep"]["tickers"]]
    place = ("strategies", index, "sweep", "tickers", listed.index(list(tickers)))
    return wrong_ticker_count(variant.rule, tickers, place)


def expand(index: int, entry: Mapping[str, Any], types: StrategyTypes, room: int) -> Expanded:
    """The variants of an entry with a sweep, at most `room`.

    Problems that the entry's model reports are left to it.
    """
    kind, problems = kind_for(index, entry, types)
    params = entry.get("strategy_params", {})
    block = _block(entry)
    if kind is None or block is None or not isinstance(params, Mapping):
        return Expanded(problems=problems)
    place: Place = ("strategies", index, "sweep")
    found = Expanded(problems=problems, combinations=prod(map(count_of, block.values())))
    if found.combinations > room:
        message = (
            f"makes {found.combinations:,} combinations, and a configuration has at most"
            f" {MOST_VARIANTS:,}; widen a step or take values out"
        )
        found.problems.append(Problem(path_to(place), message))
        return found
    values = {key: values_of(some) for key, some in block.items()}
    for key, some in block.items():
        is_list = isinstance(some, tuple)
        found.problems += _problems_of(key, entry, kind, values, (*place, key), is_list=is_list)
    if not found.problems:
        _combine(found, entry, kind, values, place)
    return found


def _block(entry: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        block: dict[str, Any] = _BLOCK.validate_python(entry["sweep"])
    except ValidationError:
        return None
    return block


def _problems_of(
    key: str,
    entry: Mapping[str, Any],
    kind: type[Strategy],
    swept: Mapping[str, list[Any]],
    place: Place,
    *,
    is_list: bool,
) -> Iterator[Problem]:
    """Problems of one swept key: it is unknown, has a single value too, or has bad values."""
    if key not in kind.model_fields and key not in SETTINGS and key not in LIMITS:
        known = [*kind.model_fields, *SETTINGS, *LIMITS]
        yield Problem(path_to(place), unknown("parameter to sweep", key, known))
        return
    part, name = _home(key, kind)
    beside = entry if part is None else entry.get(part, {})
    if isinstance(beside, Mapping) and name in beside:
        other = path_to((*place[:2], *([part] if part else []), name))
        yield Problem(path_to(place), f"is swept, and {other} is a value of it too; drop one")
    for at in repeated(swept[key]):
        yield Problem(path_to((*place, at)), "is given twice; keep one")
    for at, value in enumerate(swept[key]):
        complaints = _complaints(key, value, entry, kind, swept)
        yield from (Problem(path_to((*place, at) if is_list else place), c) for c in complaints)
        if complaints and not is_list:
            return  # the other values of the range are wrong in the same way


def _home(key: str, kind: type[Strategy]) -> tuple[str | None, str]:
    """The part of the entry that a swept key belongs to (None: the entry), and its name there."""
    if key in kind.model_fields:
        return "strategy_params", key
    return ("risk_config", LIMITS[key]) if key in LIMITS else (None, key)


def _complaints(
    key: str,
    value: Any,
    entry: Mapping[str, Any],
    kind: type[Strategy],
    swept: Mapping[str, list[Any]],
) -> list[str]:
    """What is wrong with one swept value, apart from comparisons with other parameters."""
    part, name = _home(key, kind)
    model: type[BaseModel] = SharedSettings
    given: dict[str, Any] = {"name": "x", "tickers": ("SPY",), name: _setting(name, value)}
    if part == "strategy_params":
        others = {k: some[0] for k, some in swept.items() if k in kind.model_fields}
        model, given = kind, {**entry.get("strategy_params", {}), **others, name: value}
    elif part == "risk_config":
        model, given = RiskConfig, {name: value}
    try:
        with hidden_keys():
            model.model_validate(given)
    except ValidationError as error:
        return [
            sentence({**detail, "loc": ("strategies", *detail["loc"])})
            for detail in error.errors(include_url=False)
            if detail["loc"][:1] == (name,)
            and detail["type"] != "not_ascending"
            and not (detail["type"] == "too_short" and detail["input"])
        ]
    except Exception:  # a user's validator may raise anything; validating combinations reports it
        return []
    if name == "tickers" and repeated(_setting(name, value)):
        return ["has a ticker twice; keep one"]
    return []


def _setting(name: str, value: Any) -> Any:
    """The value of a setting; a single ticker may be given without a list."""
    return [value] if name == "tickers" and isinstance(value, str) else value


def _combine(
    found: Expanded,
    entry: Mapping[str, Any],
    kind: type[Strategy],
    values: Mapping[str, list[Any]],
    place: Place,
) -> None:
    kept: list[tuple[dict[str, Any], Strategy]] = []
    refused: list[Problem] = []
    for combination in itertools.product(*values.values()):
        swept = dict(zip(values, combination, strict=True))
        params = {k: v for k, v in swept.items() if k in kind.model_fields}
        rule, wrong = validated(kind, {**entry.get("strategy_params", {}), **params}, place)
        if rule is None:
            refused += wrong[:1]
            found.left_out += 1
        else:
            kept.append((swept, rule))
    if not kept:
        reason = f": {refused[0]}" if refused else ""
        found.problems.append(Problem(path_to(place), f"has no combination that is valid{reason}"))
    _add_variants(found, entry, kind, kept)


def _add_variants(
    found: Expanded,
    entry: Mapping[str, Any],
    kind: type[Strategy],
    kept: list[tuple[dict[str, Any], Strategy]],
) -> None:
    stem = entry.get("name")
    if not isinstance(stem, str) or not NAME_PATTERN.fullmatch(stem):
        return  # the entry's model reports this
    for name, (swept, rule) in zip(
        variant_names(stem, [swept for swept, _ in kept]), kept, strict=True
    ):
        plain = {key: plain_value(value) for key, value in swept.items()}
        own = {k: v for k, v in swept.items() if k not in kind.model_fields}
        settings = {k: _setting(k, v) for k, v in own.items() if k in SETTINGS}
        limits = {LIMITS[k]: v for k, v in own.items() if k in LIMITS}
        found.variants.append(Variant(name, plain, rule, settings, limits))
