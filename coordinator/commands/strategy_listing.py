"""Describes strategy types for users: what each does, and its parameters' types and ranges.

All of it comes from the classes: their docstrings, fields and the fields' descriptions.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError

from coordinator.config.schema import parameters_schema
from coordinator.config.text import unknown
from coordinator.core.together import starts_together
from coordinator.errors import OperatorError
from coordinator.strategies.base import Strategy, plain_value
from coordinator.strategies.registry import StrategyTypes, registered_types

_LOWEST = (("minimum", ">="), ("exclusiveMinimum", ">"))
_HIGHEST = (("maximum", "<="), ("exclusiveMaximum", "<"))


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: `kind` and `range` in words, `default` as JSON; `required` ones have none."""

    name: str
    kind: str
    required: bool
    default: Any
    range: str
    description: str


@dataclass(frozen=True, slots=True)
class StrategyDescription:
    """One strategy type; `origin` is 'built-in', a `file:line`, a class or an entry point.

    `text` is its docstring and `summary` the first paragraph on one line; `order` says which
    parameters must be below which, `together` whether it reads its tickers together.
    """

    strategy_type: str
    origin: str
    summary: str
    text: str
    parameters: tuple[Parameter, ...]
    order: tuple[str, ...]
    together: bool = False

    def as_document(self) -> dict[str, Any]:
        """The same as JSON values, without the whole docstring."""
        document = asdict(self)
        del document["text"]
        return document


@dataclass(frozen=True, slots=True)
class Listing:
    """The strategy types that can be used, and sentences about those that cannot."""

    types: tuple[StrategyDescription, ...]
    faults: tuple[str, ...]


def list_strategies(folder: Path | None, name: str | None) -> Listing:
    """Every strategy type, including those of the folder, or only the one of this name.

    Raises:
        OperatorError: there is no type of this name, or the folder cannot be used.
    """
    types = registered_types(folder)
    if name is not None and name not in types:
        message = unknown("strategy type", name, types.own_first) + types.advice
        raise OperatorError("\n  ".join((message, *types.faults)))
    found, faults = [], list(types.faults) if name is None else []
    for one in types if name is None else [name]:
        try:
            found.append(_described(types, one))
        except OperatorError as error:
            faults.append(str(error))
    return Listing(tuple(found), tuple(faults))


def _described(types: StrategyTypes, name: str) -> StrategyDescription:
    kind = types[name]
    text = inspect.cleandoc(kind.__doc__ or "")
    return StrategyDescription(
        strategy_type=name,
        origin=types.origin(name),
        summary=" ".join(text.partition("\n\n")[0].split()),
        text=text,
        parameters=tuple(_parameters(kind)),
        order=tuple(f"{low} < {high}" for low, high in kind.ascending),
        together=starts_together(kind),
    )


def _parameters(kind: type[Strategy]) -> Iterator[Parameter]:
    try:
        shapes = parameters_schema(kind)
    except (PydanticInvalidForJsonSchema, PydanticUserError):
        shapes = {}  # JSON cannot express a type: show its Python annotation instead
    for name, field in kind.model_fields.items():
        shape = shapes.get(name, {})
        required = field.is_required()
        yield Parameter(
            name,
            _kind(shape) or inspect.formatannotation(field.annotation),
            required,
            None if required else plain_value(field.get_default(call_default_factory=True)),
            _range(shape),
            field.description or "",
        )


def _kind(shape: Mapping[str, Any]) -> str:
    if "enum" in shape:
        return "one of " + ", ".join(map(str, shape["enum"]))
    match shape.get("type"):
        case "array":
            return f"list of {_kind(shape.get('items', {})) or 'values'}"
        case str(word):
            return {"boolean": "true or false", "string": "text"}.get(word, word)
    return ""


def _range(shape: Mapping[str, Any]) -> str:
    if "minimum" in shape and "maximum" in shape:
        return f"{shape['minimum']} to {shape['maximum']}"
    bounds = [f"{sign} {shape[key]}" for key, sign in (*_LOWEST, *_HIGHEST) if key in shape]
    return ", ".join(bounds)
