"""One broken record costs itself: its neighbours in the frame are heard, and so is what follows."""

from __future__ import annotations

from typing import Any

import pytest

from coordinator.shell import wire
from coordinator.shell.fields import Malformed, parse_number
from coordinator.shell.frames import addressed, read_json, read_msgpack
from tests.coordinator.messages import FILL
from tests.corpus.frames import (
    BROKEN_FRAMES,
    BROKEN_RECORDS,
    BROKEN_UPDATES,
    KINDS,
    TICKERS,
    TOLERATED_RECORDS,
    Frame,
    bar,
    frame_of,
    in_place_of,
    packed,
)

GOOD = [packed(bar(ticker)) for ticker in TICKERS]


def heard(records: Any) -> tuple[list[dict[str, Any]], int]:
    """The records that say what they are, and the count of the others."""
    good, dropped = [], 0
    for record in records:
        try:
            good.append(addressed(record))
        except Malformed:
            dropped += 1
    return good, dropped


@pytest.mark.parametrize("place", range(len(GOOD) + 1))
@pytest.mark.parametrize("what", BROKEN_RECORDS)
def test_a_broken_record_is_dropped_wherever_it_stands_and_its_neighbours_are_heard(
    what: str, place: int
) -> None:
    records = [*GOOD[:place], BROKEN_RECORDS[what], *GOOD[place:]]
    good, dropped = heard(read_msgpack(frame_of(*records)))
    assert ([record["S"] for record in good], dropped) == (list(TICKERS), 1)
    assert all(wire.parse_bar(record).symbol in TICKERS for record in good)


def test_all_broken_records_in_one_frame_are_each_dropped_once() -> None:
    pairs = [part for broken in BROKEN_RECORDS.values() for part in (broken, GOOD[0])]
    frame = b"\xdc" + len(pairs).to_bytes(2) + b"".join(pairs)
    good, dropped = heard(read_msgpack(frame))
    assert (len(good), dropped) == (len(BROKEN_RECORDS), len(BROKEN_RECORDS))


@pytest.mark.parametrize("what", KINDS)
def test_the_neighbours_of_a_broken_record_are_heard_whatever_is_in_them(what: str) -> None:
    broken = BROKEN_RECORDS["a key that is a list"]
    good, dropped = heard(read_msgpack(frame_of(broken, in_place_of("c", KINDS[what]), GOOD[0])))
    assert ([record["T"] for record in good], dropped) == (["b", "b"], 1)


@pytest.mark.parametrize("what", TOLERATED_RECORDS)
def test_what_is_new_is_no_garbage(what: str) -> None:
    good, dropped = heard(read_msgpack(frame_of(GOOD[0], TOLERATED_RECORDS[what], GOOD[1])))
    assert (len(good), dropped) == (3, 0)


@pytest.mark.parametrize("what", BROKEN_FRAMES)
def test_a_frame_that_is_none_is_dropped(what: str) -> None:
    assert heard(read_msgpack(BROKEN_FRAMES[what])) == ([], 1)


def test_a_frame_that_breaks_off_gives_what_was_whole_at_every_byte() -> None:
    whole = frame_of(*GOOD)
    ends = [1 + sum(map(len, GOOD[: n + 1])) for n in range(len(GOOD))]
    for length in range(1, len(whole)):
        good, dropped = heard(read_msgpack(whole[:length]))
        assert (len(good), dropped) == (sum(end <= length for end in ends), 1)


@pytest.mark.parametrize(
    "frame",
    [
        b"\x94" + b"".join(GOOD),  # one too few
        b"\x92" + b"".join(GOOD),  # one too many
        b"\xdd\x00\x00\x00\x09" + b"".join(GOOD),
        frame_of(*GOOD) + b"\xc1",
    ],
)
def test_an_array_that_counts_wrongly_loses_no_record(frame: bytes) -> None:
    good, _ = heard(read_msgpack(frame))
    assert [record["S"] for record in good] == list(TICKERS)


def test_a_bar_alone_is_a_frame_of_one() -> None:
    assert heard(read_msgpack(GOOD[0])) == ([bar("SPY")], 0)


def test_a_broken_text_makes_no_ticker_and_costs_no_neighbour() -> None:
    broken = GOOD[0].replace(b"SPY", b"S\xffY")
    good, dropped = heard(read_msgpack(frame_of(broken, GOOD[1])))
    assert (len(good), dropped) == (2, 0)
    with pytest.raises(Malformed, match="no ticker"):
        wire.parse_bar(good[0])


@pytest.mark.parametrize("what", BROKEN_UPDATES)
def test_a_frame_of_orders_that_cannot_be_read_is_refused_once(what: str) -> None:
    refused = 0
    for record in read_json(BROKEN_UPDATES[what]):
        try:
            wire.parse_trade_update(addressed(record))
        except Malformed:
            refused += 1
    assert refused == 1


@pytest.mark.parametrize(
    ("number", "kept"),
    [("190.10", "190.10"), ("0.12345678901234567890", "0.12345678901234567890"), ("5", "5")],
)
def test_a_number_without_quotes_keeps_every_digit(number: str, kept: str) -> None:
    text = '{"stream":"trade_updates","data":{"event":"fill","price":NUMBER}}'
    (record,) = read_json(text.replace("NUMBER", number))
    assert str(parse_number(record["data"]["price"], "price")) == kept


def test_reports_in_a_list_are_each_taken() -> None:
    frame: Frame = str([FILL, FILL]).replace("'", '"').replace("None", "null")
    assert len(heard(read_json(frame))[0]) == 2
