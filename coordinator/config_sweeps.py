"""One entry of a configuration as many strategies: one for each combination of swept values.

Each value is judged by itself, at its place. Combinations that the strategy refuses, such as a
short window above a long one, are left out and counted.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from coordinator.config_models import RiskConfig, SharedSettings
from coordinator.config_problems import (
    Place,
    kind_for,
    made,
    sentence,
    too_few_or_many,
    window_problem,
)
from coordinator.config_sweep_block import Sweep, count_of, repeated, values_of, variant_names
from coordinator.config_text import path_to, unknown
from coordinator.core.values import NAME_PATTERN
from coordinator.errors import Problem
from coordinator.strategies.base import Strategy, plain_value
from coordinator.strategies.registry import StrategyTypes

MOST_VARIANTS = 20_000
"""Combinations of a whole configuration."""
SETTINGS = ("tickers", "initial_cash", "min_warmup_bars")
LIMITS = {f"risk_config.{name}": name for name in RiskConfig.model_fields}
_BLOCK: TypeAdapter[Any] = TypeAdapter(Sweep)


@dataclass(frozen=True, slots=True)
class Variant:
    """One strategy of a sweep. `settings` and `limits` take the place of its entry's."""

    name: str
    swept: Mapping[str, Any]
    rule: Strategy
    settings: Mapping[str, Any]
    limits: Mapping[str, Any]


@dataclass(slots=True)
class Expanded:
    """What became of one entry; `left_out` combinations were refused by the strategy itself."""

    variants: list[Variant] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    left_out: int = 0
    combinations: int = 0


def with_grid(document: object, grid: Mapping[str, object]) -> tuple[object, list[Problem]]:
    """A document with these sweeps, by the names of strategies, in place of its own.

    What is swept takes the place of the one value that the document has of it.
    """
    entries = document.get("strategies") if isinstance(document, Mapping) else None
    if not isinstance(document, Mapping) or not isinstance(entries, list | tuple):
        return document, []  # the document's own model says so
    names = [entry.get("name") for entry in entries if isinstance(entry, Mapping)]
    problems = [
        Problem(path_to(("sweep", name)), unknown("strategy", name, map(str, names)))
        for name in grid
        if name not in names
    ]
    swept = [
        _swept(entry, grid[entry["name"]])
        if isinstance(entry, Mapping) and entry.get("name") in grid
        else entry
        for entry in entries
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
    """The entries with a sweep, expanded; none has more variants than are left of all."""
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
    """What is wrong in sweeps, and variants whose names are too long or those of others."""
    found = [problem for sweep in sweeps.values() for problem in sweep.problems]
    written = dict(entries)
    names = {entry.get("name"): index for index, entry in entries if index not in sweeps}
    for index, sweep in sweeps.items():
        place: Place = ("strategies", index, "name")
        for variant in sweep.variants:
            found += window_problem(index, variant.rule)
            found += _too_few_or_many(index, written[index], variant)
            if not NAME_PATTERN.fullmatch(variant.name):
                message = f"is too long for a sweep: its variant would be {variant.name!r}"
                found.append(Problem(path_to(place), f"{message}; shorten it"))
                break
            if names.setdefault(variant.name, index) != index:
                other = path_to(("strategies", names[variant.name]))
                message = f"its variant {variant.name!r} is already in {other}; rename one"
                found.append(Problem(path_to(place), message))
    return found


def _too_few_or_many(index: int, entry: Mapping[str, Any], variant: Variant) -> list[Problem]:
    """What is wrong with the number of a variant's tickers, at the list that it has them from."""
    if getattr(variant.rule, "ticker_count", None) is None:
        return []
    tickers = variant.settings.get("tickers")
    if tickers is None:
        place: Place = ("strategies", index, "tickers")
        return too_few_or_many(variant.rule, entry.get("tickers"), place)
    listed = [list(_setting("tickers", one)) for one in entry["sweep"]["tickers"]]
    place = ("strategies", index, "sweep", "tickers", listed.index(list(tickers)))
    return too_few_or_many(variant.rule, tickers, place)


def expand(index: int, entry: Mapping[str, Any], types: StrategyTypes, room: int) -> Expanded:
    """The variants of an entry with a sweep, at most `room`.

    What the entry's own model complains about is left to it.
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
    for key, some in values.items():
        found.problems += _wrong_with(key, some, entry, kind, values, (*place, key), block)
    if not found.problems:
        _combine(found, entry, kind, values, place)
    return found


def _block(entry: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        block: dict[str, Any] = _BLOCK.validate_python(entry["sweep"])
    except ValidationError:
        return None
    return block


def _wrong_with(
    key: str,
    values: list[Any],
    entry: Mapping[str, Any],
    kind: type[Strategy],
    swept: Mapping[str, list[Any]],
    place: Place,
    block: Mapping[str, Any],
) -> Iterator[Problem]:
    if key not in kind.model_fields and key not in SETTINGS and key not in LIMITS:
        known = [*kind.model_fields, *SETTINGS, *LIMITS]
        yield Problem(path_to(place), unknown("parameter to sweep", key, known))
        return
    part, name = _home(key, kind)
    beside = entry if part is None else entry.get(part, {})
    if isinstance(beside, Mapping) and name in beside:
        other = path_to((*place[:2], *([part] if part else []), name))
        yield Problem(path_to(place), f"is swept, and {other} is a value of it too; drop one")
    listed = isinstance(block[key], tuple)
    for at in repeated(values):
        yield Problem(path_to((*place, at)), "is given twice; keep one")
    for at, value in enumerate(values):
        complaints = _complaints(key, value, entry, kind, swept)
        yield from (Problem(path_to((*place, at) if listed else place), c) for c in complaints)
        if complaints and not listed:
            return  # the other values of the range are wrong in the same way


def _home(key: str, kind: type[Strategy]) -> tuple[str | None, str]:
    """In which part of the entry a swept key would stand, and by what name."""
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
    """What is wrong with one value, whatever stands beside it."""
    part, name = _home(key, kind)
    model: type[BaseModel] = SharedSettings
    given: dict[str, Any] = {"name": "x", "tickers": ("SPY",), name: _setting(name, value)}
    if part == "strategy_params":
        others = {k: some[0] for k, some in swept.items() if k in kind.model_fields}
        model, given = kind, {**entry.get("strategy_params", {}), **others, name: value}
    elif part == "risk_config":
        model, given = RiskConfig, {name: value}
    try:
        model.model_validate(given)
    except ValidationError as error:
        return [
            sentence({**detail, "loc": ("strategies", *detail["loc"])})
            for detail in error.errors(include_url=False)
            if detail["loc"][:1] == (name,)
            and detail["type"] != "not_ascending"
            and not (detail["type"] == "too_short" and detail["input"])
        ]
    except Exception:  # a user's own validator may raise anything; the combinations tell it
        return []
    if name == "tickers" and repeated(_setting(name, value)):
        return ["has a ticker twice; keep one"]
    return []


def _setting(name: str, value: Any) -> Any:
    """One ticker may stand without its list."""
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
        rule, wrong = made(kind, {**entry.get("strategy_params", {}), **params}, place)
        if rule is None:
            refused += wrong[:1]
            found.left_out += 1
        else:
            kept.append((swept, rule))
    if not kept:
        reason = f": {refused[0]}" if refused else ""
        found.problems.append(Problem(path_to(place), f"has no combination that is valid{reason}"))
    _name(found, entry, kind, kept)


def _name(
    found: Expanded,
    entry: Mapping[str, Any],
    kind: type[Strategy],
    kept: list[tuple[dict[str, Any], Strategy]],
) -> None:
    stem = entry.get("name")
    if not isinstance(stem, str) or not NAME_PATTERN.fullmatch(stem):
        return  # the entry's own model says so
    for name, (swept, rule) in zip(
        variant_names(stem, [swept for swept, _ in kept]), kept, strict=True
    ):
        plain = {key: plain_value(value) for key, value in swept.items()}
        own = {k: v for k, v in swept.items() if k not in kind.model_fields}
        settings = {k: _setting(k, v) for k, v in own.items() if k in SETTINGS}
        limits = {LIMITS[k]: v for k, v in own.items() if k in LIMITS}
        found.variants.append(Variant(name, plain, rule, settings, limits))
