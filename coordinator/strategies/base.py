"""A strategy: validated parameters, and a step that turns a bar into a signal.

A strategy is a value: strategies with equal type and parameters are equal, so that equal ones on
the same ticker share one computation. Its state lives in the step alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import zip_longest
from types import UnionType
from typing import Annotated, Any, ClassVar, Self, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from coordinator.core.lane import HISTORY_WINDOWS
from coordinator.errors import OperatorError
from coordinator.strategies.reading import Step as Step
from coordinator.strategies.reading import step_of

Values = Mapping[str, Decimal | float | int | str | None]
"""The values behind a signal, by name, for people; None if there are too few bars."""

LARGEST_WINDOW = 100_000
LARGEST_HISTORY = HISTORY_WINDOWS * LARGEST_WINDOW
LARGEST_NUMBER = Decimal(10) ** 15
MOST_PLACES = 30


def exact_number(value: object) -> Decimal:
    """The decimal that a number's text stands for: 0.1 is exactly one tenth.

    Takes int, float and Decimal, as long as they are finite and below 1e15 with at most 30
    decimal places.

    Raises:
        PydanticCustomError: for anything else, booleans and numbers in quotes included.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise PydanticCustomError("exact_number", "should be a number")
    if not Decimal(value).is_finite():
        raise PydanticCustomError("exact_number", "should be a finite number")
    number = value if isinstance(value, Decimal) else Decimal(str(value))
    if abs(number) >= LARGEST_NUMBER:
        raise PydanticCustomError("exact_number", "should be smaller than 1e15")
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -MOST_PLACES:
        raise PydanticCustomError("exact_number", "should have at most 30 decimal places")
    return number


Exact = Annotated[Decimal, BeforeValidator(exact_number)]
"""A number parameter as an exact decimal."""


def whole_where_meant(wanted: object, value: Any) -> Any:
    """The integer 20 of 20.0 where `wanted`, an annotation, is one; else the value itself.

    JSON and its Schema know one kind of number, in which both are the same. Of a list or an object,
    this is what its items become.
    """
    wanted = _plain_hint(wanted)
    if type(value) in (list, tuple):
        each = zip_longest(_hints_of_items(wanted, len(value)), value)
        return type(value)(whole_where_meant(hint, item) for hint, item in each)
    if type(value) is dict and get_origin(wanted) in (dict, Mapping):
        return {key: whole_where_meant(get_args(wanted)[1], one) for key, one in value.items()}
    if wanted is not int or not isinstance(value, float | Decimal):
        return value
    number = Decimal(value)
    is_whole = number.is_finite() and abs(number) < LARGEST_NUMBER and number == int(number)
    return int(number) if is_whole else value


def _plain_hint(wanted: object) -> object:
    """An annotation without its metadata, and without the None that may stand for it."""
    if get_origin(wanted) is Annotated:
        return _plain_hint(get_args(wanted)[0])
    if get_origin(wanted) in (Union, UnionType):
        others = [hint for hint in get_args(wanted) if hint is not type(None)]
        return _plain_hint(others[0]) if len(others) == 1 else wanted
    return wanted


def _hints_of_items(wanted: object, count: int) -> Sequence[object]:
    """The annotations of a list's items, None where there is none."""
    hints = get_args(wanted) or (None,)
    is_one_by_one = get_origin(wanted) is tuple and Ellipsis not in hints
    return hints[:count] if is_one_by_one else [hints[0]] * count


IN_BARS = "bars"
"""Marks a parameter that is a number of bars to look back."""

Window = Annotated[int, Field(ge=1, le=LARGEST_WINDOW), IN_BARS]
"""A number of bars to look back."""


class Strategy(BaseModel):
    """A trading rule for one ticker at a time; its fields are its parameters.

    Your own strategy is a subclass in a file, with a `strategy_type`, its parameters as annotated
    fields, and one of these methods, each of which returns +1, -1 or 0:

    - `signal(self, bars)`: from the latest bars of one ticker, oldest first;
    - `generate_signal(self, frame)`: the same from a pandas frame of them;
    - `step(self, bar)`: bar by bar; its state is in private attributes, fresh for each ticker
      (`_seen: int = PrivateAttr(0)`);
    - `start(self)`: returns a function of a bar, with its own state.

    Raises:
        pydantic.ValidationError: unknown or invalid parameters.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True
    )

    strategy_type: ClassVar[str]
    """The name of this strategy type in a configuration."""

    source_digest: ClassVar[str] = ""
    """SHA-256 of its file and of the files beside it that this one imports, if it comes from a
    folder of strategies."""

    ascending: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Pairs of fields of which the first must be less than the second."""

    @property
    def longest_window(self) -> int:
        """The longest look-back of its indicators, in bars.

        By default the largest of the parameters of type Window.

        Raises:
            OperatorError: there is no such parameter.
        """
        fields = type(self).model_fields
        windows: list[int] = [
            getattr(self, name) for name in fields if IN_BARS in fields[name].metadata
        ]
        if not windows:
            raise OperatorError(
                f"{type(self).__qualname__} has no parameter that is a Window; add one, or"
                " def longest_window(self) as a property"
            )
        return max(windows)

    @property
    def history_bars(self) -> int:
        """Bars of each ticker that it is fed before a session: by default 10 x `longest_window`.

        A strategy that remembers less, or more, overrides this.
        """
        return HISTORY_WINDOWS * self.longest_window

    def start(self) -> Step:
        """A fresh step for the bars of one ticker.

        Raises:
            OperatorError: the class has none of the methods that read bars, or several.
        """
        return step_of(type(self)(**self._values()), self.longest_window)

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters as JSON values, defaults included; numbers are int or float."""
        return {name: plain_value(value) for name, value in self.model_dump().items()}

    def __eq__(self, other: object) -> bool:
        """Equal type and parameters; private state does not count."""
        return type(self) is type(other) and self._values() == other._values()

    def _values(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in type(self).model_fields}

    @field_validator("*", mode="before")
    @classmethod
    def _as_meant(cls, value: object, info: Any) -> object:
        wanted = cls.model_fields[info.field_name].annotation
        meant = whole_where_meant(wanted, value)
        is_tuple = isinstance(meant, list) and get_origin(wanted) is tuple
        return tuple(meant) if is_tuple else meant

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        wrong = [
            InitErrorDetails(
                type=PydanticCustomError(
                    "not_ascending",
                    "{low} ({low_value}) should be less than {high} ({high_value})",
                    {
                        "low": low,
                        "high": high,
                        "low_value": str(getattr(self, low)),
                        "high_value": str(getattr(self, high)),
                    },
                ),
                loc=(low if low in self.model_fields_set else high,),
                input=getattr(self, low),
            )
            for low, high in self.ascending
            if not getattr(self, low) < getattr(self, high)
        ]
        if wrong:
            raise ValidationError.from_exception_data(type(self).__name__, wrong)
        return self


_PLAIN = (bool, int, float, str)


def plain_value(value: object) -> Any:
    """A parameter or setting as a JSON value: whole decimals as int, others as float.

    A decimal that no float represents exactly becomes a string, so that nothing is lost.
    """
    if value is None or type(value) in _PLAIN:
        return value
    if isinstance(value, Decimal):
        whole = value.to_integral_value()
        if value == whole:
            return int(whole)
        return float(value) if Decimal(str(float(value))) == value else str(value)
    if isinstance(value, list | tuple):
        return [plain_value(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain_value(item) for key, item in value.items()}
    return json.loads(json.dumps(value, default=str))
