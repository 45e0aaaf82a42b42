"""Makes a Strategy class of a plain class with `generate_signal(frame)` in a strategies folder.

Its parameters are those of its `__init__`, with their names, annotations and defaults. Each ticker
gets its own object, so that tickers share no state.
"""

from __future__ import annotations

import inspect
from typing import Any, ClassVar, get_type_hints

from pydantic import create_model

from coordinator.errors import OperatorError
from coordinator.strategies.base import Strategy
from coordinator.strategies.frame import window_of
from coordinator.strategies.reading import Step, readers_of, step_of, what_it_should_have

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class _PlainStrategy(Strategy):
    made_of: ClassVar[type]

    @property
    def longest_window(self) -> int:
        return window_of(self._made())

    def start(self) -> Step:
        return step_of(self._made(), self.longest_window)

    def _made(self) -> Any:
        return self.made_of(**self._values())


def as_strategy(kind: type, where: str) -> type[Strategy]:
    """A Strategy class whose fields are the parameters of the class's `__init__`.

    `where` is the class's `file:line`, for error messages.

    Raises:
        OperatorError: the class cannot read bars, or a parameter cannot be given by name.
    """
    if len(readers_of(kind)) != 1:
        raise OperatorError(f"{where}: class {kind.__name__} {what_it_should_have(kind)}")
    fields: dict[str, Any] = {}
    hints = _hints(kind)
    for parameter in _parameters(kind):
        if parameter.kind not in _NAMED:
            raise OperatorError(
                f"{where}: class {kind.__name__} takes {parameter}; give each parameter a name"
            )
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (hints.get(parameter.name, Any), default)
    try:
        made = create_model(
            kind.__name__, __base__=_PlainStrategy, __module__=kind.__module__, **fields
        )
    except Exception as error:  # pydantic refuses names and annotations in many ways
        raise OperatorError(f"{where}: class {kind.__name__}: {error}") from error
    made.__doc__ = kind.__doc__
    made.made_of = kind
    made.strategy_type = kind.strategy_type  # type: ignore[attr-defined]
    return made


def _parameters(kind: type) -> list[inspect.Parameter]:
    if kind.__init__ is object.__init__:  # type: ignore[misc]
        return []
    return list(inspect.signature(kind).parameters.values())


def _hints(kind: type) -> dict[str, Any]:
    try:
        return get_type_hints(kind.__init__)  # type: ignore[misc]
    except (NameError, TypeError):  # annotations that cannot be resolved are not checked
        return {}
