"""Bodies of REST over real HTTP: what is no answer is none; what is broken costs only itself."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from coordinator.core.messages import SubmitOrder
from coordinator.core.values import Side
from coordinator.errors import BrokerError, BrokerRejected, BrokerUnavailable
from coordinator.shell.broker import MOST_PAGES, Broker
from coordinator.shell.fields import Malformed
from tests.coordinator.messages import ACTIVITY, BAR, ORDER, without
from tests.corpus.answers import Answers, answering
from tests.corpus.kinds import FEE

START = datetime(2021, 2, 22, 19, 0, tzinfo=UTC)
END = START + timedelta(hours=1)
REST_BAR = without(BAR, "S", "T")
Ask = Callable[[Broker], Any]

SINGLE: dict[str, tuple[Ask, Any]] = {
    "account": (Broker.account, {"account_number": "PA1", "cash": "5.5"}),
    "clock": (Broker.clock, {"timestamp": "2026-03-17T10:31:00-04:00"}),
    "asset": (lambda broker: broker.asset("SPY"), {"symbol": "SPY", "fractionable": True}),
    "order": (lambda broker: broker.order("A.2026-03-17.1"), ORDER),
    "order by the broker's id": (lambda broker: broker.order_at("7b08df51"), ORDER),
    "a new order": (
        lambda broker: broker.submit(
            SubmitOrder("A.2026-03-17.1", "AAPL", Side.BUY, Decimal(2), "day")
        ),
        ORDER,
    ),
    "bars": (lambda broker: broker.bars(["SPY"], START, END), {"bars": {"SPY": [REST_BAR]}}),
}
"""Answers that are one object."""
LISTS: dict[str, tuple[Ask, Any]] = {
    "orders": (lambda broker: list(broker.orders_after(START)), ORDER),
    "open orders": (Broker.open_orders, ORDER),
    "fills": (lambda broker: broker.fills(START), ACTIVITY),
    "executions": (lambda broker: broker.executions("b5abe576", START), ACTIVITY),
    "activities": (lambda broker: broker.activities(START.date()), FEE),
}
"""Answers that are a list, of which what is broken is left out."""
WHOLE: dict[str, tuple[Ask, Any]] = {
    "positions": (Broker.positions, {"symbol": "AAPL", "qty": "2", "avg_entry_price": "1.5"}),
    "days": (
        lambda broker: broker.calendar(date(2026, 3, 17), date(2026, 3, 17)),
        {"date": "2026-03-17", "open": "09:30", "close": "16:00"},
    ),
}
"""Lists that count as a whole: with one position missing, no sum is right."""
ASKS = SINGLE | {name: (ask, [good]) for name, (ask, good) in (LISTS | WHOLE).items()}

NO_JSON: dict[str, bytes] = {
    "nothing": b"",
    "null": b"null",
    "a page of HTML": b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>",
    "a word": b"ok",
    "single quotes": b"{'id': 1}",
    "two answers": b"{}{}",
    "an answer and something behind it": b"[] x",
    "bytes that are no text": b"\xff\xfe\xfa\x00",
    "msgpack": b"\x82\xa1a\x01\xa1b\x02",
    "a comment": b'{"a": 1 // one\n}',
    "a NUL": b'{"a": \x00}',
    "lists in lists": b"[" * 100_000 + b"]" * 100_000,
    "objects in objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "a number too long to read": b'{"a": ' + b"1" * 5000 + b"}",
}
BROKEN_ROWS: dict[str, Any] = {
    "nothing": None,
    "a number": 5,
    "no number": float("nan"),
    "a text": "id",
    "a list": [ORDER],
    "an empty object": {},
    "an object of something else": {"message": "internal error", "code": 50010000},
}


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Broker, Answers]]:
    """One broker for all tests, as no answer leaves a trace."""
    with answering() as (broker, answers):
        yield broker, answers


@pytest.fixture(autouse=True)
def _no_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)


@pytest.mark.parametrize("what", ASKS)
def test_a_good_answer_is_read(what: str, both: tuple[Broker, Answers]) -> None:
    broker, answers = both
    ask, good = ASKS[what]
    answers.always(good)
    assert ask(broker)


@pytest.mark.parametrize("what", ASKS)
def test_what_is_not_json_proves_nothing(what: str, both: tuple[Broker, Answers]) -> None:
    broker, answers = both
    ask, good = ASKS[what]
    cut = json.dumps(good).encode()
    bodies = NO_JSON | {f"cut at {n}": cut[:n] for n in range(1, len(cut), 7)}
    for name, body in bodies.items():
        answers.always(body)
        with pytest.raises(BrokerUnavailable):
            raise AssertionError(f"{name} was read as {ask(broker)!r}")


@pytest.mark.parametrize("status", [400, 404, 405, 407, 410, 422])
@pytest.mark.parametrize("what", ASKS)
def test_a_page_of_something_on_the_way_to_the_broker_refuses_nothing(
    what: str, status: int, both: tuple[Broker, Answers]
) -> None:
    broker, answers = both
    ask, _ = ASKS[what]
    answers.always(b"default backend - 404", status)
    with pytest.raises(BrokerUnavailable, match=f"HTTP {status}"):
        raise AssertionError(f"it was taken for the broker's: {ask(broker)!r}")


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ("<html>\r\n<head><title>503 Bad\r\n</title></head><body>Bad</body></html>", " (503 Bad)"),
        ("<html><body><h1>Bad</h1></body></html>", ""),
        (" <!DOCTYPE html><title></title>", ""),
    ],
)
@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_of_a_gateways_page_a_line_of_the_log_has_the_title(
    status: int, page: str, told: str, both: tuple[Broker, Answers]
) -> None:
    broker, answers = both
    answers.always(page.encode(), status)
    with pytest.raises(BrokerError) as refusal:
        broker.account()
    said = str(refusal.value)
    assert f"a page instead of JSON{told}" in said
    assert "<" not in said


@pytest.mark.parametrize("what", ASKS)
def test_an_answer_of_the_wrong_shape_is_refused(what: str, both: tuple[Broker, Answers]) -> None:
    broker, answers = both
    ask, good = ASKS[what]
    single = what in SINGLE
    shapes: list[Any] = ["text", 5, 0.5, True, float("nan"), {"message": "internal error"}]
    shapes += [[], [good], [5]] if single else [{}, {"0": good}]
    for shape in shapes:
        if what == "bars" and isinstance(shape, dict):
            continue  # an answer without bars says that there are none
        if what == "asset" and isinstance(shape, dict):
            continue  # whole shares are a safe answer to silence
        answers.always(shape)
        with pytest.raises(Malformed):
            raise AssertionError(f"{shape!r} was read as {ask(broker)!r}")


@pytest.mark.parametrize("what", LISTS)
def test_a_broken_row_is_left_out_and_counted_and_its_neighbours_are_read(
    what: str, both: tuple[Broker, Answers]
) -> None:
    broker, answers = both
    ask, good = LISTS[what]
    answers.always([good])
    (read,) = ask(broker)
    before = broker.malformed
    answers.always([part for row in BROKEN_ROWS.values() for part in (row, good)])
    assert ask(broker) == [read] * len(BROKEN_ROWS)
    assert broker.malformed - before == len(BROKEN_ROWS)


@pytest.mark.parametrize("row", BROKEN_ROWS)
@pytest.mark.parametrize("what", WHOLE)
def test_a_list_that_counts_as_a_whole_is_refused_for_one_broken_row(
    what: str, row: str, both: tuple[Broker, Answers]
) -> None:
    broker, answers = both
    ask, good = WHOLE[what]
    answers.always([good, BROKEN_ROWS[row]])
    with pytest.raises(Malformed):
        ask(broker)


def test_broken_bars_are_left_out_and_their_neighbours_are_read(
    both: tuple[Broker, Answers],
) -> None:
    broker, answers = both
    before = broker.malformed
    broken = [*BROKEN_ROWS.values(), REST_BAR | {"c": 0}, REST_BAR | {"t": "noon"}]
    rows = [part for row in broken for part in (row, REST_BAR)]
    answers.always({"bars": {"SPY": rows, "TSLA": [REST_BAR], "": None}, "next_page_token": None})
    found = broker.bars(["SPY", "QQQ"], START, END)
    assert (len(found["SPY"]), found["QQQ"], set(found)) == (len(broken), [], {"SPY", "QQQ"})
    assert broker.malformed - before == len(broken)


@pytest.mark.parametrize(
    "answer",
    [
        {"bars": [REST_BAR]},
        {"bars": "none"},
        {"bars": 5},
        {"bars": {"SPY": REST_BAR}},
        {"bars": {"SPY": "none"}},
        {"bars": {"SPY": None}},
        {"bars": {}, "next_page_token": 5},
        {"bars": {}, "next_page_token": ["a"]},
        {"bars": {}, "next_page_token": True},
    ],
)
def test_bars_of_the_wrong_shape_are_refused(answer: Any, both: tuple[Broker, Answers]) -> None:
    broker, answers = both
    answers.always(answer)
    with pytest.raises(Malformed):
        broker.bars(["SPY"], START, END)


def test_one_broken_page_is_one_line_of_the_log(
    both: tuple[Broker, Answers], caplog: pytest.LogCaptureFixture
) -> None:
    broker, answers = both
    caplog.set_level(logging.INFO, "coordinator")
    answers.always([{"id": "x" * 100_000}] * 99)
    assert broker.fills(START) == []
    (line,) = caplog.messages
    assert line.startswith("99 of 99 activities not understood: ")
    assert len(line) < 500


def full_pages(rows: int, tokens: Iterator[str]) -> Any:
    """Pages that are full for ever, each with the next token as its last id."""

    def answer(query: Any) -> tuple[int, bytes]:
        token = next(tokens)
        page = [ACTIVITY | {"id": f"{token}.{n}", "order_id": "b5abe576"} for n in range(rows)]
        return 200, json.dumps(page).encode()

    return answer


def forever(*texts: str) -> Iterator[str]:
    number = 0
    while True:
        yield texts[number % len(texts)] if texts else str(number)
        number += 1


@pytest.mark.parametrize("tokens", [("a",), ("a", "b", "c")], ids=["the same", "in a circle"])
@pytest.mark.parametrize("what", ["fills", "executions"])
def test_pages_that_lead_in_a_circle_end(
    what: str, tokens: tuple[str, ...], both: tuple[Broker, Answers]
) -> None:
    broker, answers = both
    answers.call(full_pages(100, forever(*tokens)))
    with pytest.raises(Malformed, match="pages do not end"):
        LISTS[what][0](broker)
    assert len(answers.queries) == len(tokens) + 1


def test_activities_of_which_the_last_has_no_id_lead_nowhere(both: tuple[Broker, Answers]) -> None:
    broker, answers = both
    for last in (None, 5, [], {}, {"id": None}, {"id": 5}, {"id": ["a"]}):
        answers.always([FEE] * 99 + [last])
        with pytest.raises(Malformed):
            broker.activities(START.date())


@pytest.mark.parametrize("what", ["fills", "executions", "bars"])
def test_pages_with_ever_new_tokens_end_as_well(
    what: str, both: tuple[Broker, Answers], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coordinator.shell.broker.MOST_PAGES", 9)
    broker, answers = both
    fresh = forever()
    if what == "bars":
        answers.call(lambda query: (200, json.dumps({"next_page_token": next(fresh)}).encode()))
    else:
        answers.call(full_pages(100, fresh))
    with pytest.raises(Malformed, match="pages do not end"):
        (SINGLE | LISTS)[what][0](broker)
    assert len(answers.queries) == 9
    assert MOST_PAGES == 500


@pytest.mark.parametrize("token", ["a", "QUFQTHwyMDIx"])
def test_bars_whose_token_comes_again_end(token: str, both: tuple[Broker, Answers]) -> None:
    broker, answers = both
    answers.always({"bars": {"SPY": [REST_BAR]}, "next_page_token": token})
    with pytest.raises(Malformed, match="pages do not end"):
        broker.bars(["SPY"], START, END)
    assert len(answers.queries) == 2


@pytest.mark.parametrize("what", ["orders", "open orders"])
@pytest.mark.parametrize("row", [ORDER, ORDER | {"side": None}, None], ids=["whole", "odd", "none"])
def test_orders_of_one_moment_that_fill_every_page_end(
    what: str, row: Any, both: tuple[Broker, Answers]
) -> None:
    broker, answers = both
    answers.always([row] * 500)
    with pytest.raises(Malformed, match="pages do not end"):
        LISTS[what][0](broker)
    assert len(answers.queries) <= 2


def test_empty_pages_between_full_ones_are_passed(both: tuple[Broker, Answers]) -> None:
    broker, answers = both
    pages = {
        None: {"bars": {}, "next_page_token": "a"},
        "a": {"bars": None, "next_page_token": "b"},
        "b": {"bars": {"SPY": [REST_BAR]}, "next_page_token": ""},
    }
    answers.call(
        lambda query: (200, json.dumps(pages[query.get("page_token", [None])[0]]).encode())
    )
    assert len(broker.bars(["SPY"], START, END)["SPY"]) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 418, 422, 429, 500, 502, 503, 504])
@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"null", b"[]", b"5", b'"text"', b"<html>x</html>", b"{", b"\xff\xfe", b"\x00"),
        b'{"message": null, "code": null}',
        b'{"message": ["a"], "code": "b"}',
        b'{"message": {"a": 1}, "code": [1]}',
        b'{"message": "two\\nlines\\u0000", "code": 1e999}',
        b'{"message": "' + b"x" * 100_000 + b'", "code": 40010001}',
        b"[" * 100_000,
    ],
    ids=range(15),
)
def test_a_refusal_is_told_shortly_whatever_its_body_is(
    status: int, body: bytes, both: tuple[Broker, Answers]
) -> None:
    broker, answers = both
    answers.always(body, status)
    with pytest.raises(BrokerError) as caught:
        broker.account()
    is_the_brokers = status in (401, 403) or body.startswith(b'{"')
    proves = is_the_brokers and status < 500 and status != 429
    assert isinstance(caught.value, BrokerRejected if proves else BrokerUnavailable)
    told = str(caught.value)
    assert len(told) < 700
    assert told.isprintable()
