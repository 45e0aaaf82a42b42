"""Every record as text and back, to the last digit."""

from __future__ import annotations

import pickle
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from itertools import pairwise
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.core import codec
from coordinator.core import records as r
from coordinator.core.codec import decode, decode_all, encode, encode_all
from coordinator.core.orders import OrderStatus
from coordinator.core.texts import WRITERS
from coordinator.core.values import Bar, Denial, Reason, Side, wire_bar

D = Decimal
KINDS = get_args(r.Record)
zones = st.sampled_from([UTC, timezone(timedelta(hours=-5))])
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=zones)  # noqa: DTZ001
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
plain = st.one_of(
    texts,
    st.booleans(),
    st.integers(-9, 9),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
)


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of a field's type."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return st.one_of(*(st.none() if arg is type(None) else values(arg) for arg in args))
    if origin is tuple:
        return st.lists(values(args[0]), max_size=3).map(tuple)
    if origin is Mapping:
        return st.dictionaries(texts, values(args[1]), max_size=3)
    if hint is Decimal:
        return st.decimals(allow_nan=False, allow_infinity=False, places=18)
    if hint is datetime:
        return moments
    if hint is date:
        return st.dates()
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(hint)
    if isinstance(hint, type) and is_dataclass(hint):
        return whole(hint)
    return {str: texts, bool: st.booleans(), int: st.integers(), object: plain}[hint]


def whole(kind: type) -> st.SearchStrategy[Any]:
    hints = get_type_hints(kind)
    return st.builds(kind, **{f.name: values(hints[f.name]) for f in fields(kind)})


@pytest.mark.thorough
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(deadline=None, max_examples=50)
@given(st.data())
def test_every_kind_of_record_comes_back_equal_and_as_the_same_text(
    kind: type, data: st.DataObject
) -> None:
    record = data.draw(whole(kind))
    name, text = encode(record)
    back = decode(name, text)
    assert back == record
    assert encode(back) == (name, text)


@pytest.mark.thorough
@pytest.mark.parametrize("kind", WRITERS, ids=lambda kind: kind.__name__)
@settings(deadline=None, max_examples=200)
@given(st.data())
def test_a_text_that_is_written_out_is_the_one_of_the_walk_over_all_fields(
    kind: type, data: st.DataObject
) -> None:
    record = data.draw(whole(kind))
    assert encode(record) == (kind.__name__, codec._text(codec._plain(record)))


@pytest.mark.thorough
@pytest.mark.parametrize("kind", WRITERS, ids=lambda kind: kind.__name__)
@given(st.data(), st.one_of(plain, st.none(), st.lists(texts, max_size=2)))
@settings(deadline=None, max_examples=100)
def test_a_text_with_a_value_of_another_type_is_the_one_of_the_walk_over_all_fields(
    kind: type, data: st.DataObject, value: object
) -> None:
    hints = get_type_hints(kind)
    names = [f.name for f in fields(kind) if hints[f.name] in (str, Decimal, datetime)]
    record = replace(data.draw(whole(kind)), **{data.draw(st.sampled_from(names)): value})
    assert encode(record)[1] == codec._text(codec._plain(record))


@pytest.mark.parametrize("denial", Denial)
def test_a_denial_is_written_as_its_word_and_a_replayed_one_is_the_same(denial: Denial) -> None:
    at = datetime(2026, 3, 16, tzinfo=UTC)
    for record in (
        r.EntryDenied(at, "A.1", "A", "SPY", D(1), D(1), denial),
        r.OrderMoved(at, "A.1", OrderStatus.DENIED, reason=denial),
        r.EntriesStopped(at, "A", denial),
    ):
        written = encode(record)
        assert written == encode(replace(record, reason=denial.value))
        assert decode(*written) == record


minutes = st.lists(
    st.one_of(whole(r.OrderIntended), whole(r.EntryDenied), whole(r.FillBooked), whole(r.DayRolled))
)


@settings(deadline=None, max_examples=50)
@given(minutes)
def test_records_that_share_a_text_come_back_one_by_one_in_their_order(
    records: list[r.Record],
) -> None:
    rows = list(encode_all(records))
    assert [one for kind, text, _ in rows for one in decode_all(kind, text)] == records
    for (kind, _, _), (following, _, _) in pairwise(rows):
        assert kind != following or kind == "FillBooked", "what follows one another shares a text"
    for kind, text, first in rows:
        if kind == "FillBooked" or len(decode_all(kind, text)) == 1:
            assert (kind, text) == encode(first), "one alone is written as ever"


def test_the_orders_of_a_minute_share_a_text_whoever_they_are_of() -> None:
    at = datetime(2026, 3, 17, 14, tzinfo=UTC)
    orders = [
        r.OrderIntended(
            at, f"{name}.1", name, "SPY", Side.BUY, D(1), D(5), Reason.SIGNAL, released=True
        )
        for name in ("A", "B")
    ]
    seen = r.BarsSeen(at, r.Origin.LIVE, ())
    texts_of_both = ",".join(encode(order)[1] for order in orders)
    assert list(encode_all([seen, *orders])) == [
        (*encode(seen), seen),
        ("OrderIntended", f"[{texts_of_both}]", orders[0]),
    ]


prices = st.one_of(st.floats(1e-9, 1e15), st.integers(1, 10**15))
raw_bars = st.builds(
    wire_bar,
    st.sampled_from(["SPY", "BTC/USD"]),
    moments,
    st.tuples(prices, prices, prices, prices, prices, st.none() | st.integers(0, 99), prices),
)


@settings(deadline=None)
@given(at=moments, bars=st.lists(raw_bars, max_size=4).map(tuple))
def test_a_bar_that_kept_the_wires_numbers_is_the_bar_of_its_decimals(
    at: datetime, bars: tuple[Bar, ...]
) -> None:
    record = r.BarsSeen(at, r.Origin.LIVE, bars)
    kind, text = encode(record)
    back = decode(kind, text)
    assert isinstance(back, r.BarsSeen)
    assert encode(back) == (kind, text)
    written = r.BarsSeen(at, r.Origin.LIVE, tuple(replace(bar) for bar in bars))
    from_decimals = decode(*encode(written))
    assert back == record == written == from_decimals
    assert repr(back).replace("WireBar", "Bar") == repr(from_decimals), (
        "to the last digit, zeros and exponents included"
    )
    assert pickle.loads(pickle.dumps(record)) == record == pickle.loads(pickle.dumps(written))  # noqa: S301


def test_decimals_keep_their_zeros_and_times_their_zone() -> None:
    at = datetime(2026, 3, 17, 9, 30, tzinfo=timezone(timedelta(hours=-4)))
    kind, text = encode(r.Transferred(at, "A", "B", D("1.500"), "gift"))
    assert '"1.500"' in text
    assert '"2026-03-17T09:30:00-04:00"' in text
    back = decode(kind, text)
    assert isinstance(back, r.Transferred)
    assert str(back.amount) == "1.500"


def test_a_field_that_older_text_lacks_takes_its_default() -> None:
    record = decode(
        "OrderMoved",
        '{"at":"2026-03-17T14:00:00+00:00","client_order_id":"A.2026-03-17.1","status":"new"}',
    )
    assert isinstance(record, r.OrderMoved)
    assert (record.filled_qty, record.filled_avg_price, record.reason) == (D(0), None, "")


def test_a_field_that_newer_text_has_beside_ours_is_passed_over() -> None:
    text = '{"at":"2026-03-17T14:00:00+00:00","session_id":"s","because":"it can"}'
    assert decode("SessionResumed", text) == r.SessionResumed(
        datetime(2026, 3, 17, 14, tzinfo=UTC), "s"
    )


@pytest.mark.parametrize(
    ("kind", "text", "error"),
    [
        ("Nonsense", "{}", KeyError),
        ("SessionResumed", "{}", ValueError),
        ("SessionResumed", '{"at":"yesterday","session_id":"s"}', ValueError),
        ("SessionResumed", "not json", ValueError),
        ("OrderReleased", '{"at":5,"client_order_id":"x"}', TypeError),
        ("BarsSeen", '{"at":"2026-03-17T14:00:00+00:00","origin":"dream","bars":[]}', ValueError),
    ],
)
def test_text_that_is_no_record_is_refused(kind: str, text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        decode(kind, text)


def test_what_is_no_value_of_ours_is_not_written() -> None:
    at = datetime(2026, 3, 17, tzinfo=UTC)
    with pytest.raises(TypeError, match="a record cannot hold set"):
        encode(r.SessionResumed(at, {"s"}))  # type: ignore[arg-type]
    endless = r.SessionResumed(at, float("nan"))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="JSON"):
        encode(endless)


def test_a_bar_is_a_short_list() -> None:
    at = datetime(2026, 3, 17, 14, tzinfo=UTC)
    bar = Bar("SPY", at, D("1"), D("2"), D("0.5"), D("1.50"), D(7), 3, None)
    _, text = encode(r.BarsSeen(at, r.Origin.LIVE, (bar,)))
    assert '[["SPY","2026-03-17T14:00:00+00:00","1","2","0.5","1.50","7",3,null]]' in text
