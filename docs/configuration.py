"""Writes docs/configuration.md from the configuration's models: `python -m docs.configuration`.

The models define each key once; this page, the JSON Schema for editors and `multi-trader validate`
all use them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from coordinator.config.schema import schema
from coordinator.strategies.registry import BUILT_IN

PAGE = Path(__file__).with_name("configuration.md")
Schema = Mapping[str, Any]

_HEAD = """\
# The configuration

<!-- Made by `python -m docs.configuration` from coordinator/config/models.py. Edit it there. -->

One JSON file names the strategies, their capital and their limits. Nothing else is needed:

```json
{
  "strategies": [
    {"name": "SPY_Adaptive", "strategy_type": "adaptive", "tickers": ["SPY"]}
  ]
}
```

`multi-trader validate --config FILE` reports all that is wrong in a file at once, each problem with
its place. An unknown key is refused, and the nearest known one is named. NaN and Infinity are
refused. `configs/` has files to begin with, and `configs/multi_trader.schema.json`, a JSON Schema
with which an editor completes and explains keys.

Numbers are exact decimals: `0.1` is exactly one tenth. A fraction such as `0.02` is 2 %.
"""
_PARTS = (
    ("The file", None, "Keys at the root."),
    ("strategies", "StrategyDocument", "Each entry is one strategy with its own book."),
    (
        "sweep",
        "SweepRange",
        "For backtests (docs/sweeps.md). Each key names what is swept, and its value is a list such"
        ' as `[5, 10, 20]` or a range such as `{"from": 5, "to": 50, "step": 5}`:',
    ),
    ("risk_config", "RiskConfig", "The limits of one strategy; a key left out means no limit."),
    ("controls", "ControlsConfig", "Limits on the entries of all strategies together."),
)
_BOUNDS = (
    ("exclusiveMinimum", "above {}"),
    ("minimum", "at least {}"),
    ("exclusiveMaximum", "below {}"),
    ("maximum", "at most {}"),
)
_KINDS = {
    "number": "number",
    "integer": "whole number",
    "string": "text",
    "boolean": "true or false",
    "null": "null",
}


def page() -> str:
    """The page's text."""
    whole = schema()
    parts = [_HEAD]
    for title, name, said in _PARTS:
        model = whole if name is None else whole["$defs"][name]
        parts.append(f"## {title}\n\n{said}\n\n{_table(model, whole['$defs'])}")
    parts.append(
        "## strategy_params\n\nThe parameters of the built-in types; `multi-trader strategies` also"
        " lists those of your own types.\n"
    )
    for kind in BUILT_IN:
        model = whole["$defs"][kind.model_json_schema()["title"]]
        said = " ".join(str(model["description"]).partition("\n\n")[0].split())
        table = _table(model, whole["$defs"]) if model["properties"] else "It has none.\n"
        parts.append(f"### {kind.strategy_type}\n\n{said}\n\n{table}")
    return "\n".join(parts)


def _table(model: Schema, known: Schema) -> str:
    """A model's keys, the required ones first."""
    required = model.get("required", [])
    names = sorted(model["properties"], key=lambda name: name not in required)
    rows = [_row(name, model["properties"][name], known, name in required) for name in names]
    return "\n".join(["| key | value | default | meaning |", "|---|---|---|---|", *rows, ""])


def _row(name: str, value: Schema, known: Schema, required: bool) -> str:
    default = "required" if required else "-"
    if "default" in value:
        default = f"`{json.dumps(value['default'])}`"
    cells = (f"`{name}`", _kind(value, known), default, str(value.get("description", "see below")))
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _kind(value: Schema, known: Schema) -> str:
    """What a value may be, in words."""
    if "$ref" in value:
        target = known[value["$ref"].rpartition("/")[2]]
        words = " or ".join(f"`{json.dumps(word)}`" for word in target.get("enum", ()))
        return words or "object, see below"
    of = value.get("type", "")
    if of == "array":
        return "list, not empty" if value.get("minItems") else "list"
    if of == "object":
        return "object"
    first, *others = [_KINDS.get(one, str(one)) for one in (of if isinstance(of, list) else [of])]
    return " or ".join([f"{first} {', '.join(_limits(value))}".strip(), *others])


def _limits(value: Schema) -> Iterator[str]:
    for bound, words in _BOUNDS:
        if bound in value:
            yield words.format(f"{value[bound]}")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
