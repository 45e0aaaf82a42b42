"""A bar made of columns is to a rule what a bar of the tape is, whatever it looks at and when."""

from __future__ import annotations

import copy
import pickle
from dataclasses import fields, replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.backtest.lazy_bars import BarObjects
from coordinator.backtest.tape import as_ours
from coordinator.core.values import Bar, wire_bar
from simulator.columns import Columns
from simulator.recorded import RecordedFeed

DAY = date(2026, 3, 16)
FIELDS = [field.name for field in fields(Bar)]


@pytest.fixture
def feed(tmp_path: Path) -> RecordedFeed:
    rows = [
        {
            "symbol": "SPY",
            "timestamp": pd.Timestamp(f"{DAY} 13:{30 + n}", tz="UTC"),
            **{"open": 10.01 + n, "high": 10.5 + n, "low": 9.9999 + n, "close": 10.25 + n},
            **{"volume": volume, "trade_count": count, "vwap": vwap},
        }
        for n, (volume, count, vwap) in enumerate(
            [(100.0, 3.0, 10.12345), (0.5, float("nan"), 10.1), (7.0, 0.0, float("nan"))]
        )
    ]
    pd.DataFrame(rows).to_parquet(tmp_path / "bars.parquet")
    return RecordedFeed(tmp_path / "bars.parquet")


def test_every_field_is_the_tapes_to_the_last_digit(feed: RecordedFeed) -> None:
    tape = [as_ours(bar) for bar in feed.day("SPY", DAY).bars]
    made = BarObjects(feed.columns("SPY")).bars(0, 3)
    for name in FIELDS:
        assert [repr(getattr(bar, name)) for bar in made] == [
            repr(getattr(bar, name)) for bar in tape
        ]


def test_it_is_equal_printed_hashed_copied_changed_and_pickled_as_any_bar(
    feed: RecordedFeed,
) -> None:
    tape = [as_ours(bar) for bar in feed.day("SPY", DAY).bars]
    for number, theirs in enumerate(tape):
        fresh = [BarObjects(feed.columns("SPY")).bars(0, 3)[number] for _ in range(6)]
        assert fresh[0] == theirs
        assert theirs == fresh[0]
        assert (hash(fresh[1]), repr(fresh[2])) == (hash(theirs), repr(theirs))
        assert copy.copy(fresh[3]) == theirs
        assert pickle.loads(pickle.dumps(fresh[4])) == theirs  # noqa: S301
        changed = replace(fresh[5], close=Decimal(1))
        assert changed == replace(theirs, close=Decimal(1))
        assert changed != theirs
        with pytest.raises(AttributeError):
            setattr(fresh[0], "close", Decimal(2))  # noqa: B010


def test_sessions_that_follow_each_other_are_given_the_same_bars(feed: RecordedFeed) -> None:
    objects = BarObjects(feed.columns("SPY"))
    first, second = objects.bars(0, 2), objects.bars(1, 3)
    assert second[0] is first[1]
    assert [bar.start for bar in objects.bars(0, 3)] == [bar.start for bar in (first[0], *second)]


def test_a_bar_that_was_kept_is_whole_when_its_session_is_forgotten(feed: RecordedFeed) -> None:
    tape = [as_ours(bar) for bar in feed.day("SPY", DAY).bars]
    objects = BarObjects(feed.columns("SPY"))
    kept = objects.bars(0, 2)
    objects.bars(2, 3)
    assert kept == tape[:2]
    assert kept[1].floats == tape[1].floats


def test_what_no_bar_has_is_told_as_of_any_bar(feed: RecordedFeed) -> None:
    [made] = BarObjects(feed.columns("SPY")).bars(0, 1)
    [tape, *_] = [as_ours(bar) for bar in feed.day("SPY", DAY).bars]
    told = []
    for bar in (made, tape):
        with pytest.raises(AttributeError) as raised:
            getattr(bar, "price")  # noqa: B009
        told.append(str(raised.value))
    assert told[0] == told[1] == "'Bar' object has no attribute 'price'"


STEPS = st.integers(1, 10**6) | st.integers(1, 2**63 - 1)


@given(st.lists(st.tuples(STEPS, STEPS, STEPS, STEPS), min_size=1), st.integers(0, 9))
def test_floats_are_the_nearest_to_the_decimals(
    prices: list[tuple[int, int, int, int]], decimals: int
) -> None:
    count = len(prices)
    volume = np.arange(count) + 0.1
    unknown = np.full(count, np.nan)
    whole = [np.array(column) for column in zip(*prices, strict=True)]
    columns = Columns("SPY", decimals, np.arange(count), *whole, volume, unknown, unknown)
    for bar in BarObjects(columns).bars(0, count):
        numbers = (bar.open, bar.high, bar.low, bar.close, bar.volume)
        assert list(map(repr, bar.floats)) == [repr(float(number)) for number in numbers]
        plain = Bar(bar.symbol, bar.start, *numbers)
        assert plain.floats == bar.floats
        assert replace(bar, close=Decimal(2)).floats == plain.floats._replace(close=2.0)
        assert wire_bar("SPY", bar.start, (*bar.floats, None, None)).floats == bar.floats
