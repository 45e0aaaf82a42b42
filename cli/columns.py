"""Which columns of `multi-trader top` a terminal has room for, and how wide each is."""

from __future__ import annotations

from collections.abc import Mapping

NAME, EQUITY, DAY, HELD = "Strategy", "Equity", "Day P&L", "Positions"
ORDERS, ENTRIES, LOSS, STATE = "Ord", "Entries", "Loss", "State"
FIGURES: Mapping[str, int] = {EQUITY: 10, DAY: 9, ORDERS: 3, ENTRIES: 7, LOSS: 4}
"""Columns of figures, which are whole or not there, and their widths."""
COLUMNS = (NAME, EQUITY, DAY, HELD, ORDERS, ENTRIES, LOSS, STATE)
_LEAST: Mapping[str, int] = {NAME: 16, HELD: 9, STATE: 16}
"""Columns of texts, and the characters below which one says too little."""
_GIVEN_UP = (ORDERS, HELD, LOSS, ENTRIES, STATE, DAY)
_COMFORT = 24
"""Characters of positions that come before a longer reason in the state's column."""


def fitted(longest: Mapping[str, int], width: int) -> dict[str, int]:
    """By its heading the width of each column that is shown, from left to right.

    `longest` has the longest text of each column of texts, 0 where all are empty. Where the
    terminal is too narrow for what a column needs, the least important ones are left out; a
    strategy's name and its equity always stand.
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
    """Characters of a row, one between two columns."""
    return sum(widths[name] for name in shown) + len(shown) - 1
