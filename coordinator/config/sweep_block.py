"""The `sweep` block of a strategy: lists and ranges of values, and names for the variants.

Ranges are exact: three steps of 0.1 are 0.3, and integers stay integers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from coordinator.core.values import NAME_PATTERN, exactly
from coordinator.strategies.base import Exact

FORMS = ("list", "range")
"""The tags that pydantic inserts into the place of an error, after the swept key."""
NUMBERED = "{stem}-{number:0{width}}"


class SweepRange(BaseModel):
    """Evenly spaced values; `to` is included if a step falls on it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    first: Annotated[Exact, Field(alias="from", description="the first value")]
    to: Annotated[Exact, Field(description="no value is above it")]
    step: Annotated[Exact, Field(gt=0, description="difference of one value and the next")]

    @model_validator(mode="after")
    def _runs_upwards(self) -> SweepRange:
        if self.first > self.to:
            raise PydanticCustomError("range_upwards", "has its from above its to; swap them")
        return self

    @property
    def count(self) -> int:
        """The number of values."""
        return int((Fraction(self.to) - Fraction(self.first)) // Fraction(self.step)) + 1

    @exactly
    def values(self) -> list[Any]:
        """The values: integers if all three numbers were written as integers."""
        found = [self.first + number * self.step for number in range(self.count)]
        whole = all(_is_whole(number) for number in (self.first, self.to, self.step))
        return [int(value) for value in found] if whole else found


def _form(value: object) -> str:
    return "range" if isinstance(value, Mapping | SweepRange) else "list"


SweepValues = Annotated[
    Annotated[tuple[Any, ...], Field(strict=False, min_length=1), Tag("list")]
    | Annotated[SweepRange, Tag("range")],
    Discriminator(_form),
]
Sweep = Annotated[dict[str, SweepValues], Field(min_length=1)]
"""The values to try, by parameter or setting."""


def count_of(values: SweepValues) -> int:
    """The number of values, without making them."""
    return values.count if isinstance(values, SweepRange) else len(values)


def values_of(values: SweepValues) -> list[Any]:
    """The values, in order."""
    return values.values() if isinstance(values, SweepRange) else list(values)


def repeated(values: Iterable[object]) -> list[int]:
    """Indices of values that occur earlier in the list: 0.5 and 0.50 are the same value."""
    seen: set[object] = set()
    found = []
    for place, value in enumerate(values):
        key = _key(value)
        if key in seen:
            found.append(place)
        seen.add(key)
    return found


def variant_names(stem: str, swept: Sequence[Mapping[str, object]]) -> list[str]:
    """A name for each combination; the same block gives the same names.

    A name has the swept values behind the initials of their keys (`MA-sw5-lw60`). If such names
    are too long or not unique, variants are numbered; a long stem can still make them too long.
    """
    short = _initials(list(swept[0])) if swept else {}
    names = [
        "-".join([stem, *(f"{short[key]}{_word(value)}" for key, value in one.items())])
        for one in swept
    ]
    if len(set(names)) == len(names) and all(map(NAME_PATTERN.fullmatch, names)):
        return names
    width = len(str(len(names)))
    return [NUMBERED.format(stem=stem, number=n, width=width) for n in range(1, len(names) + 1)]


def _is_whole(number: Decimal) -> bool:
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= 0


def _key(value: object) -> object:
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    if is_number and (number := Decimal(str(value))).is_finite():
        return number
    return json.dumps(value, default=str)


def _initials(keys: Sequence[str]) -> dict[str, str]:
    """`sw` for `short_window`; the whole name if initials are equal, and nothing for tickers."""
    last = {key: key.rpartition(".")[2] for key in keys}
    short = {key: "".join(part[:1] for part in name.split("_")) for key, name in last.items()}
    taken = list(short.values())
    return {
        key: "" if key == "tickers" else short[key] if taken.count(short[key]) == 1 else last[key]
        for key in keys
    }


def _word(value: object) -> str:
    """A value as part of a name: without dots and slashes, and with m for a minus."""
    match value:
        case None:
            text = "none"
        case bool():
            text = str(value).lower()
        case int() | float() | Decimal():
            text = f"{Decimal(str(value)):f}".replace("-", "m").replace(".", "_")
        case list() | tuple():
            text = "_".join(map(_word, value))
        case _:
            text = str(value).replace("/", "").replace(".", "")
    return text
