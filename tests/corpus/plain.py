"""Whoever reads a frame, it says the same: plain frames against the parser of all the others."""

from __future__ import annotations

from typing import Any

from coordinator.core.values import Bar
from coordinator.shell import wire
from coordinator.shell.fields import Malformed
from coordinator.shell.frames import read_msgpack
from coordinator.shell.plain import plain_bars
from tests.corpus.frames import TICKERS, Frame

WANTED = dict.fromkeys(TICKERS, "somebody")


def read_whole(frame: Frame) -> tuple[list[Bar], int]:
    """The wanted bars of a frame as the parser of all frames has them, and the count of the rest.

    The rest is what is dropped or not wanted, and corrections.
    """
    good: list[Any] = []
    rest: list[Any] = []
    for record in read_msgpack(frame):
        wanted = isinstance(record, dict) and record.get("T") == "b"
        symbol = record.get("S") if wanted else None
        is_bar = isinstance(symbol, str) and symbol in WANTED
        (good if is_bar else rest).append(record)

    def refuse(error: Malformed) -> None:
        rest.append(error)

    return wire.parse_bars(good, refuse), len(rest)


def is_judged_alike(frame: Frame) -> bool:
    """Check that a frame that counts as plain says the same to both; returns whether it counts.

    The same is each ticker and minute, each number to the last digit, and nothing dropped.
    """
    plain = plain_bars(frame, WANTED)
    if plain is None:
        return False
    bars, rest = read_whole(frame)
    assert (list(plain), rest) == (bars, 0), frame
    assert [written(bar) for bar in plain] == [written(bar) for bar in bars], frame
    assert {bar.start for bar in bars} == {plain.start}, frame
    return True


def written(bar: Bar) -> list[str]:
    """Each part of a bar with every digit that it is written with."""
    return [str(getattr(bar, name)) for name in Bar.__dataclass_fields__]
