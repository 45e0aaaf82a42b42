"""Finds the strategies that failed today and were edited since: an edit lifts no other stop.

What a strategy was is read from its opening in the session's record, which is all that a restart
has.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.lane import FAULT, StrategySpec


def mended(books: Books, specs: Sequence[StrategySpec]) -> list[str]:
    """The names of the strategies that failed today, and whose code or rule has changed since.

    A stop for any other reason stays, whatever is edited.
    """
    session = books.session
    ran = {one.strategy: one for one in session.openings} if session else {}
    failed = [spec for spec in specs if spec.name in ran and _has_failed(books, spec.name)]
    return [spec.name for spec in failed if not _is_rule_of(ran[spec.name], spec)]


def _has_failed(books: Books, name: str) -> bool:
    return name in books.days and books.days[name].stopped.startswith(FAULT)


def _is_rule_of(opening: r.Opening, spec: StrategySpec) -> bool:
    """Whether a strategy is what an opening describes; one without a digest fits any code."""
    kind, code = spec.strategy_type, opening.code or spec.code
    same = opening.strategy_type == kind and code == spec.code
    return same and _as_text(opening.params) == _as_text(spec.params)


def _as_text(params: Mapping[str, object]) -> str:
    """A text that is the same for parameters as configured and as read from a journal."""
    return json.dumps(params, sort_keys=True, default=str)
