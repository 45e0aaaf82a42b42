"""A frame of plain bars is read at once, and says what it would say to the parser of all frames."""

from __future__ import annotations

import struct
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.shell.plain import plain_bars
from tests.corpus.frames import (
    BROKEN_FRAMES,
    BROKEN_RECORDS,
    MOMENT,
    TICKERS,
    TOLERATED_RECORDS,
    bar,
    frame_of,
    in_place_of,
    member,
    packed,
)
from tests.corpus.plain import WANTED, is_judged_alike, read_whole

MINUTE = MOMENT.seconds
GOOD = [packed(bar(ticker)) for ticker in TICKERS]

PLAIN: dict[str, dict[str, Any]] = {
    "as it mostly is": {},
    "whole dollars": {"o": 2, "h": 3, "l": 1, "c": 2, "vw": 2},
    "a price with many digits": {"c": 0.1 + 0.2},
    "a tiny price": {"l": 1e-8},
    "a huge price": {"h": 1e17},
    "no volume": {"v": 0},
    "a volume of parts of coins": {"v": 0.000123},
    "no trades": {"n": 0},
    "as many trades as can be counted": {"n": 2**63 - 1},
    "another minute": {"t": msgpack.Timestamp(MINUTE - 60)},
    "a minute of 2100": {"t": msgpack.Timestamp(4_102_444_800)},
}
ODD: dict[str, dict[str, Any]] = {
    "a field that is new": {"x": 1},
    "a price in words": {"c": "1.75"},
    "no number": {"c": float("nan")},
    "endless": {"h": float("inf")},
    "endless below": {"l": float("-inf")},
    "zero": {"l": 0},
    "zero in parts": {"l": 0.0},
    "negative": {"o": -1.5},
    "smaller than any price": {"o": 1e-30},
    "larger than any price": {"o": 1e19},
    "larger than any price, whole": {"o": 10**18},
    "true": {"c": True},
    "nothing": {"c": None},
    "no volume in parts": {"v": 0.0},
    "a negative volume": {"v": -1},
    "a volume that is hardly any": {"v": 1e-300},
    "an average of nothing": {"vw": 0},
    "no average": {"vw": None},
    "a count in parts": {"n": 3.0},
    "a negative count": {"n": -1},
    "a count beyond all": {"n": 2**63},
    "half past a minute": {"t": msgpack.Timestamp(MINUTE + 30)},
    "a nanosecond past a minute": {"t": msgpack.Timestamp(MINUTE, 1)},
    "a nanosecond before a minute": {"t": msgpack.Timestamp(MINUTE - 1, 999_999_999)},
    "the last microsecond of a minute": {"t": msgpack.Timestamp(MINUTE - 1, 999_999_499)},
    "a time before all times": {"t": msgpack.Timestamp(0)},
    "a time in text": {"t": "2026-03-17T13:30:00Z"},
    "a time in seconds": {"t": MINUTE},
    "another extension than a time": {"t": msgpack.ExtType(5, MINUTE.to_bytes(4))},
    "a correction": {"T": "u"},
    "another type": {"T": "d"},
    "a ticker that nobody asked for": {"S": "TSLA"},
}


@pytest.mark.parametrize("what", PLAIN)
def test_plain_bars_are_read_at_once_and_say_the_same(what: str) -> None:
    frame = packed([bar(ticker, **PLAIN[what]) for ticker in TICKERS])
    assert is_judged_alike(frame)


@pytest.mark.parametrize("place", range(len(TICKERS) + 1))
@pytest.mark.parametrize("what", ODD)
def test_one_that_is_odd_leaves_its_frame_to_the_whole_parser(what: str, place: int) -> None:
    odd = packed(bar("SPY") | ODD[what])
    frame = frame_of(*GOOD[:place], odd, *GOOD[place:])
    assert plain_bars(frame, WANTED) is None
    assert {found.symbol for found in read_whole(frame)[0]} >= set(TICKERS)


@pytest.mark.parametrize("what", [*BROKEN_RECORDS, *TOLERATED_RECORDS])
def test_a_broken_record_leaves_its_frame_to_the_whole_parser(what: str) -> None:
    record = (BROKEN_RECORDS | TOLERATED_RECORDS)[what]
    assert plain_bars(frame_of(*GOOD, record), WANTED) is None


@pytest.mark.parametrize("what", BROKEN_FRAMES)
def test_a_frame_that_is_none_is_left_to_the_whole_parser(what: str) -> None:
    assert plain_bars(BROKEN_FRAMES[what], WANTED) is None


@pytest.mark.parametrize("missing", bar("SPY"))
def test_a_bar_that_lacks_anything_is_not_plain(missing: str) -> None:
    less = {key: value for key, value in bar("SPY").items() if key != missing}
    assert plain_bars(frame_of(*GOOD, packed(less)), WANTED) is None


def test_a_frame_that_breaks_off_or_goes_on_is_not_plain() -> None:
    whole = frame_of(*GOOD)
    assert is_judged_alike(whole)
    assert not any(is_judged_alike(whole[:length]) for length in range(len(whole)))
    assert not is_judged_alike(whole + b"\xc0")


def test_no_bar_at_all_is_not_plain() -> None:
    assert plain_bars(packed([]), WANTED) is None


def test_a_bar_outside_of_an_array_is_not_plain() -> None:
    assert plain_bars(GOOD[0], WANTED) is None


def test_two_minutes_in_one_frame_are_left_to_the_whole_parser() -> None:
    frame = packed([bar("SPY"), bar("SPY", t=msgpack.Timestamp(MINUTE + 60))])
    assert plain_bars(frame, WANTED) is None
    assert len(read_whole(frame)[0]) == 2


def test_a_ticker_twice_in_one_minute_stands_twice_in_its_order() -> None:
    frame = packed([bar("SPY", c=1.25), bar("QQQ"), bar("SPY", c=1.5)])
    plain = plain_bars(frame, WANTED)
    assert plain is not None
    assert [str(one.close) for one in plain if one.symbol == "SPY"] == ["1.25", "1.5"]
    assert is_judged_alike(frame)


@pytest.mark.parametrize(
    ("key", "first", "last", "is_plain"),
    [
        ("c", 1.25, 1.5, True),
        ("c", 1.5, -1.0, False),
        ("c", "words", 1.5, False),
        ("T", "u", "b", False),
        ("T", "b", "u", False),
        ("S", "SPY", "QQQ", True),
    ],
)
def test_of_a_key_that_stands_twice_the_last_counts(
    key: str, first: Any, last: Any, is_plain: bool
) -> None:
    record = member(packed(key), packed(last)).replace(
        packed(key) + packed(bar("SPY")[key]), packed(key) + packed(first), 1
    )
    frame = frame_of(record, *GOOD)
    assert is_judged_alike(frame) is is_plain
    if is_plain:
        assert read_whole(frame)[0][0] != read_whole(frame_of(GOOD[0]))[0][0]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("c", b"\xca" + struct.pack("!f", 1.1)),
        ("c", b"\xd3" + (5).to_bytes(8)),
        ("c", b"\xcf" + (5).to_bytes(8)),
        ("n", b"\xd0\x05"),
        ("S", b"\xd9\x03SPY"),
        ("S", b"\xdb\x00\x00\x00\x03SPY"),
        ("T", b"\xd9\x01b"),
        ("t", b"\xc7\x04\xff" + MINUTE.to_bytes(4)),
    ],
)
def test_a_value_may_be_packed_wider_than_it_must(key: str, value: bytes) -> None:
    assert is_judged_alike(frame_of(in_place_of(key, value), *GOOD))


@pytest.mark.parametrize(
    "stamp",
    [
        b"\xd7\xff" + MINUTE.to_bytes(8),
        b"\xc7\x0c\xff" + bytes(4) + MINUTE.to_bytes(8),
    ],
    ids=["in 8 bytes", "in 12 bytes"],
)
def test_a_time_of_more_bytes_is_left_to_the_whole_parser(stamp: bytes) -> None:
    frame = frame_of(in_place_of("t", stamp), *GOOD)
    assert plain_bars(frame, WANTED) is None
    assert len(read_whole(frame)[0]) == 1 + len(GOOD)


numbers = st.one_of(
    st.floats(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(1e-30, 1e19),
    st.integers(0, 2**63),
    st.sampled_from([1e-29, 1e18, 10**18, 10**18 - 1, 0, 0.0, -0.0, 5e-324]),
)
moments = st.one_of(
    st.builds(msgpack.Timestamp, st.integers(0, 2**32), st.integers(0, 999_999_999)),
    st.builds(lambda n: msgpack.Timestamp(60 * n), st.integers(0, 2**34 // 60)),
    st.just(MOMENT),
)
prices = st.floats(0.01, 1000) | st.integers(1, 1000)
records = st.fixed_dictionaries(
    {
        "T": st.just("b"),
        "S": st.sampled_from(TICKERS),
        **dict.fromkeys(("o", "h", "l", "c", "vw"), prices),
        "v": st.integers(0, 10**6) | st.floats(0.001, 10**6),
        "n": st.integers(0, 1000),
        "t": st.just(MOMENT),
    }
)


@given(st.lists(records, min_size=1, max_size=8))
def test_whatever_plain_bars_say_they_say_to_both(some: list[dict[str, Any]]) -> None:
    assert is_judged_alike(packed(some))


@given(st.lists(records, max_size=3), st.sampled_from([*"ohlcvn", "vw"]), numbers)
def test_any_number_anywhere_is_judged_alike(
    some: list[dict[str, Any]], key: str, number: float
) -> None:
    is_judged_alike(packed([*some, bar("SPY", **{key: number})]))


@given(moments, moments)
def test_any_times_are_judged_alike(one: Any, other: Any) -> None:
    is_judged_alike(packed([bar("SPY", t=one), bar("QQQ", t=other)]))
    is_judged_alike(packed([bar("SPY", t=one), bar("QQQ", t=one)]))


@given(st.lists(records, min_size=1, max_size=3), st.data())
def test_any_byte_may_be_another(some: list[dict[str, Any]], data: st.DataObject) -> None:
    frame = packed(some)
    at = data.draw(st.integers(0, len(frame) - 1))
    other = data.draw(st.integers(0, 255))
    is_judged_alike(frame[:at] + bytes([other]) + frame[at + 1 :])


@given(st.permutations(list(bar("SPY"))))
def test_the_order_of_the_keys_says_nothing(keys: list[str]) -> None:
    good = bar("SPY")
    assert is_judged_alike(packed([{key: good[key] for key in keys}]))
