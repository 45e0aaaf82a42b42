"""The JSON Schema of the configuration format, generated from the models themselves.

Editors use it for completion and help. `multi-trader validate` checks more: a schema cannot say
that strategy names are unique or that one window is shorter than another.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from coordinator.config.models import ConfigDocument
from coordinator.core.values import UNASSIGNED
from coordinator.strategies.base import Strategy, plain_value
from coordinator.strategies.registry import BUILT_IN

SCHEMA_PATH = Path(__file__).parents[2] / "configs" / "multi_trader.schema.json"

_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}

_SWEEPS_TICKERS = {"required": ["tickers"]}
"""A sweep over tickers, whose entry needs no tickers of its own."""

_ALL_OPTIONAL = ("#/$defs/RiskConfig", "#/$defs/ControlsConfig")
"""Objects all of whose keys are optional."""


class _Schema(GenerateJsonSchema):
    """Writes decimals as plain numbers, and optional keys without null."""

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        return {"type": "number"}

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def encode_default(self, dft: Any) -> Any:
        return float(dft) if isinstance(dft, Decimal) else super().encode_default(dft)


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a configuration file, with each built-in type's parameters."""
    made = ConfigDocument.model_json_schema(schema_generator=_Schema)
    entry = made["$defs"]["StrategyDocument"]
    entry["properties"]["name"]["not"] = {"const": UNASSIGNED}
    entry["required"].remove("tickers")
    entry["anyOf"] = [
        {"required": ["tickers"]},
        {"required": ["sweep"], "properties": {"sweep": _SWEEPS_TICKERS}},
    ]
    entry["allOf"] = []
    for kind in BUILT_IN:
        parameters = _parameters(kind)
        name = parameters["title"]
        made["$defs"][name] = parameters
        entry["allOf"].append(
            {
                "if": {"properties": {"strategy_type": {"const": kind.strategy_type}}},
                "then": {"properties": {"strategy_params": {"$ref": f"#/$defs/{name}"}}},
            }
        )
    _polish(made)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def parameters_schema(kind: type[Strategy]) -> dict[str, Any]:
    """The JSON Schema of each parameter of a strategy type, by name.

    Raises:
        pydantic.errors.PydanticInvalidForJsonSchema: JSON cannot express a parameter.
    """
    made = _parameters(kind)
    _polish(made)
    properties: dict[str, Any] = made.get("properties", {})
    return properties


def _parameters(kind: type[Strategy]) -> dict[str, Any]:
    return kind.model_json_schema(schema_generator=_Schema)


def schema_text() -> str:
    """The text of the schema's file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def write_schema() -> Path:
    """Write the schema to its file, SCHEMA_PATH, and return that.

    Raises:
        OSError: if the file cannot be written.
    """
    SCHEMA_PATH.write_text(schema_text(), encoding="utf-8")
    return SCHEMA_PATH


def _polish(value: Any) -> None:
    """Rename bounds as in JSON Schema, and drop null defaults, which the format refuses."""
    if isinstance(value, list):
        for item in value:
            _polish(item)
    if not isinstance(value, dict):
        return
    if value.get("type") in ("number", ["number", "null"]):
        value.pop("decimal_places", None)
        for ours, theirs in _BOUNDS.items():
            if ours in value:
                value[theirs] = plain_value(value.pop(ours))
    if value.get("default", "") is None:
        del value["default"]
    if value.get("$ref") in _ALL_OPTIONAL:
        value["default"] = {}
    if isinstance(value.get("description"), str):
        value["description"] = value["description"].partition("\n\nRaises:")[0]
    for item in value.values():
        _polish(item)
