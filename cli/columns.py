"""Chooses the columns of `multi-trader top` and their widths for a terminal."""

from __future__ import annotations

from collections.abc import Mapping

NAME, EQUITY, DAY, HELD = "Strategy", "Equity", "Day P&L", "Positions"
ORDERS, ENTRIES, LOSS, STATE = "Ord", "Entries", "Loss", "State"
FIGURES: Mapping[str, int] = {EQUITY: 10, DAY: 9, ORDERS: 3, ENTRIES: 7, LOSS: 4}
"""Columns of figures, which are never truncated, and their widths."""
COLUMNS = (NAME, EQUITY, DAY, HELD, ORDERS, ENTRIES, LOSS, STATE)
_LEAST: Mapping[str, int] = {NAME: 16, HELD: 9, STATE: 16}
"""Columns of text, and the least useful width of each."""
_GIVEN_UP = (ORDERS, HELD, LOSS, ENTRIES, STATE, DAY)
"""Columns that a narrow terminal leaves out, in this order."""
_COMFORT = 24
"""Characters that the positions get before the state column grows."""


def fitted(longest: Mapping[str, int], width: int) -> dict[str, int]:
    """The columns that are shown, from left to right, and their widths by heading.

    `longest` has the length of the longest text in each column of text. A narrow terminal leaves
    out the least important columns, but never the strategy's name and its equity.
    """
    needs = {name: max(longest[name], len(name)) for name in _LEAST}
    least = {name: min(needs[name], _LEAST[name]) for name in _LEAST} | dict(FIGURES)
    shown = list(COLUMNS)
    for name in (*([] if longest[STATE] else [STATE]), *_GIVEN_UP):
        if _total(shown, least) <= width:
            break
        if name in shown:
            shown.remove(name)
    widths = {name: least[name] for name in shown}
    for name, most in ((NAME, needs[NAME]), (HELD, _COMFORT), (STATE, needs[STATE]), (HELD, 999)):
        if name in widths:
            spare = width - _total(shown, widths)
            widths[name] = max(min(widths[name] + spare, needs[name], most), min(4, width))
    return widths


def _total(shown: list[str], widths: Mapping[str, int]) -> int:
    """Characters of a row, with one between columns."""
    return sum(widths[name] for name in shown) + len(shown) - 1
