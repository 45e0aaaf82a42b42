"""Which strategies failed today and have been edited since: the one stop that an edit lifts.

What a strategy was is read from its opening in the session's record: a restart knows no more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.lane import FAULT, StrategySpec


def mended(books: Books, specs: Sequence[StrategySpec]) -> list[str]:
    """Who of these failed today, and is not what failed any more: its code or its rule is another.

    A stop for any other reason stands, whatever is edited.
    """
    session = books.session
    ran = {one.strategy: one for one in session.openings} if session else {}
    failed = [spec for spec in specs if spec.name in ran and _has_failed(books, spec.name)]
    return [spec.name for spec in failed if not _is_rule_of(ran[spec.name], spec)]


def _has_failed(books: Books, name: str) -> bool:
    return name in books.days and books.days[name].stopped.startswith(FAULT)


def _is_rule_of(opening: r.Opening, spec: StrategySpec) -> bool:
    """Whether a strategy is what its book's opening describes; where that knows no code, any is."""
    kind, code = spec.strategy_type, opening.code or spec.code
    same = opening.strategy_type == kind and code == spec.code
    return same and _plainly(opening.params) == _plainly(spec.params)


def _plainly(params: Mapping[str, object]) -> str:
    """The same for parameters as they are configured and as a journal gives them back."""
    return json.dumps(params, sort_keys=True, default=str)
