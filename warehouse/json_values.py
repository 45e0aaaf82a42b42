"""Values as JSON: parameters for storage, and refused rows for the quarantine."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import date, datetime


def row_as_json(row: object) -> str:
    r"""A refused row as JSON; values that JSON lacks are written as text, a surrogate as \ud800."""
    text = json.dumps(_plain(row), ensure_ascii=False)
    return re.sub("[\ud800-\udfff]", lambda one: rf"\\u{ord(one[0]):x}", text)


def _plain(value: object) -> object:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case datetime() | date():
            return value.isoformat()
        case _:
            return str(value)


def json_text(value: object) -> object:
    """JSON text of a mapping or list; any other value stays, and must be JSON text itself."""
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(_plain(value), ensure_ascii=False, sort_keys=True)
    return value


def is_json(text: str) -> bool:
    """Whether the text is JSON that DuckDB takes, which knows no lone surrogates."""
    try:
        json.dumps(json.loads(text), ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return False
    return True
