"""Decides whether a run counts: its fills must equal the reference's one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from benchmarks.peers.reference import Fill, expected
from benchmarks.peers.work import CASH, Work


def reference(work: Work, lots: int) -> list[Fill]:
    """All fills of a work in order, with `lots` lots in a share."""
    return [
        fill
        for number, rule in enumerate(work.case.rules())
        for fill in expected(rule, work.bars[work.case.ticker_of(number)], CASH, lots, number)
    ]


def difference(found: Sequence[Fill], wanted: Sequence[Fill]) -> str | None:
    """The difference of found and wanted fills as a sentence; None if there is none."""
    missing, strange = Counter(wanted) - Counter(found), Counter(found) - Counter(wanted)
    if not missing and not strange:
        return None
    number, bar = min(fill[:2] for fill in (*missing, *strange))
    was, is_ = _at(missing, number, bar), _at(strange, number, bar)
    return (
        f"{missing.total()} of {len(wanted)} fills are missing and {strange.total()} are not the"
        f" reference's; first: strategy {number} at bar {bar} {is_} instead of {was}"
    )


def _at(fills: Iterable[Fill], number: int, bar: int) -> str:
    found = [f"{fill.lots:+} for {fill.worth}" for fill in fills if fill[:2] == (number, bar)]
    return found[0] if found else "nothing"
