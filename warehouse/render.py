"""Query results as text, JSON or CSV: amounts plain and exact, NULL visible, times in UTC."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count

from warehouse.queries import QueryResult

_ROUNDED: frozenset[int | str] = frozenset({-1, -2, -3, -4})
"""Exponents of decimals that a query has rounded; the warehouse's own have 18 places."""


def plain(value: object) -> str:
    """One value as text: no trailing zeros, no exponent, NULL for None."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "true" if value else "false"
        case Decimal():
            return _digits(value)
        case datetime():
            if value.tzinfo is not None:
                value = value.astimezone(UTC)
            return value.isoformat(sep=" ").replace("+00:00", "Z")
        case list() | tuple() | Mapping():
            return _json(value)
        case _:
            return str(value)


def render_table(result: QueryResult) -> str:
    """The result as an aligned text table; numbers to the right, and the row count below."""
    columns = [_column(values) for values in zip(*result.rows, strict=True)]
    cells = list(map(list, zip(*columns, strict=True)))
    total = f"({len(cells)} row{'' if len(cells) == 1 else 's'})"
    if not result.columns:
        return total
    widths = [
        max([_width(name), *(_width(row[i]) for row in cells)])
        for i, name in enumerate(result.columns)
    ]
    right = [_is_numeric([row[i] for row in result.rows]) for i in range(len(widths))]
    lines = [_line(list(result.columns), widths, right), "  ".join("-" * w for w in widths)]
    lines += [_line(row, widths, right) for row in cells]
    return "\n".join([*lines, total])


def render_json(result: QueryResult) -> str:
    """The result as a JSON array of objects; amounts are exact numbers, NULL is null.

    If columns share a name, as after a join, the second is `name_1`, and so on.
    """
    names = _unique(result.columns)
    rows = [_json(dict(zip(names, row, strict=True))) for row in result.rows]
    return "[" + ",\n ".join(rows) + "]"


def render_csv(result: QueryResult) -> str:
    """The result as CSV with a header; NULL is NULL, and the text "NULL" is quoted."""
    lines = [result.columns, *result.rows]
    return "\n".join(",".join(_csv(value) for value in line) for line in lines)


def _unique(names: Sequence[str]) -> list[str]:
    found: dict[str, None] = {}
    for name in names:
        others = (f"{name}_{number}" for number in count(1))
        own = name if name not in found else next(o for o in others if o not in {*found, *names})
        found[own] = None
    return list(found)


def _column(values: Sequence[object]) -> list[str]:
    """A column's texts; decimals that a query has rounded keep their places: 196.80."""
    places = {value.as_tuple().exponent for value in values if isinstance(value, Decimal)}
    if len(places) == 1 and places <= _ROUNDED:
        return [f"{v:f}" if isinstance(v, Decimal) else plain(v) for v in values]
    return [plain(value).replace("\n", " ") for value in values]


def _digits(value: Decimal) -> str:
    if not value.is_finite():
        return str(value)
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _line(cells: list[str], widths: list[int], right: list[bool]) -> str:
    padded = []
    for cell, width, to_right in zip(cells, widths, right, strict=True):
        space = " " * (width - _width(cell))
        padded.append(space + cell if to_right else cell + space)
    return "  ".join(padded).rstrip()


def _is_numeric(values: list[object]) -> bool:
    given = [value for value in values if value is not None]
    return bool(given) and all(
        isinstance(value, int | float | Decimal) and not isinstance(value, bool) for value in given
    )


def _json(value: object) -> str:
    """JSON by hand, because the standard encoder has no exact decimals."""
    match value:
        case Decimal() if value.is_finite():
            return _digits(value)
        case float() if not math.isfinite(value):
            return json.dumps(str(value))
        case None | bool() | int() | float() | str():
            return json.dumps(value, ensure_ascii=False)
        case datetime():
            return json.dumps(plain(value).replace(" ", "T"))
        case date():
            return json.dumps(value.isoformat())
        case Mapping():
            items = (
                f"{json.dumps(str(k), ensure_ascii=False)}: {_json(v)}" for k, v in value.items()
            )
            return "{" + ", ".join(items) + "}"
        case list() | tuple():
            return "[" + ", ".join(_json(item) for item in value) + "]"
        case _:
            return json.dumps(str(value), ensure_ascii=False)


def _csv(value: object) -> str:
    text = plain(value)
    if value is None:
        return text
    if text in ("", "NULL") or any(sign in text for sign in ',"\n\r'):
        return '"' + text.replace('"', '""') + '"'
    return text
