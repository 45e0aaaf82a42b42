"""Messages that Alpaca really sent, with each of their keys spoiled in turn."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from coordinator.shell import wire
from coordinator.shell.fields import Malformed
from tests.coordinator.test_wire_golden import GOLDEN, bodies, found, lines
from tests.corpus.test_corpus import texts
from tests.corpus.values import DEEP

pytestmark = [
    pytest.mark.recorded,
    pytest.mark.skipif(not GOLDEN.is_dir(), reason="the recorded messages are not here"),
]
NAN = float("nan")
GONE = object()
SPOILS: dict[str, Any] = {
    "gone": GONE,
    "nothing": None,
    "empty": "",
    "a word": "spoiled",
    "no number": NAN,
    "endless": float("-inf"),
    "negative": -5,
    "true": True,
    "a list": ["spoiled"],
    "an object": {"spoiled": 1},
    "lists in lists": DEEP,
}


@dataclass(frozen=True)
class Recorded:
    """Recorded messages of a kind. Keys: `needed` to be understood at all, `read` if they are
    there, and of these the `numbers`, which are never taken for something else."""

    parse: Callable[[Any], Any]
    messages: Callable[[], list[Any]]
    needed: set[str]
    read: set[str] = field(default_factory=set)
    numbers: set[str] = field(default_factory=set)


def updates() -> list[Any]:
    raw = [line["msg"] for line in lines("trade_updates_crypto_2026-09-18.jsonl")]
    stock = json.loads((GOLDEN / "trade_updates_equity_fill_2024-11-19.json").read_text())
    return [one for one in raw if one.get("stream") == "trade_updates"] + [stock]


def bars() -> list[Any]:
    messages = [line["msg"] for line in lines("data_stream_documented.jsonl")]
    parts = [part for one in messages if isinstance(one, list) for part in one]
    return [part for part in parts if part.get("T") in ("b", "u")]


def bars_of_rest() -> list[Any]:
    raw = [one for body in bodies() for one in found(body, "t", "o", "h", "l", "c", "v")]
    return [one for one in raw if one["t"].endswith(":00Z")]


ORDER_KEYS = {"id", "client_order_id", "symbol", "side"}
ORDER_READS = {
    *("asset_class", "status", "replaces", "replaced_by"),
    *("submitted_at", "updated_at", "created_at"),
}
ORDER_NUMBERS = {"qty", "filled_qty", "filled_avg_price"}
KINDS = {
    "trade updates": Recorded(
        wire.parse_trade_update,
        updates,
        {"data", "data.order", *(f"data.order.{key}" for key in ORDER_KEYS)},
        {"data.event", "data.event_id", "data.execution_id", "data.timestamp"}
        | {f"data.order.{key}" for key in ORDER_READS},
        {"data.qty", "data.price", *(f"data.order.{key}" for key in ORDER_NUMBERS)},
    ),
    "bars": Recorded(
        wire.parse_bar, bars, {"S", "t", "o", "h", "l", "c", "v"}, {"n"}, {"vw", *"ohlcv"}
    ),
    "bars of REST": Recorded(
        lambda raw: wire.parse_bar(raw, "SPY"),
        bars_of_rest,
        {"t", "o", "h", "l", "c", "v"},
        {"n"},
        {"vw", *"ohlcv"},
    ),
    "orders": Recorded(
        wire.parse_order,
        lambda: [one for b in bodies() for one in found(b, "client_order_id", "side", "status")],
        ORDER_KEYS,
        ORDER_READS,
        ORDER_NUMBERS,
    ),
    "positions": Recorded(
        wire.parse_position,
        lambda: [one for b in bodies() for one in found(b, "avg_entry_price", "qty", "side")],
        {"symbol", "qty", "avg_entry_price"},
        {"asset_class", "side"},
        {"qty", "avg_entry_price"},
    ),
}


def paths(raw: Any, stem: str = "") -> Iterator[str]:
    """The dotted path of each key of an object and of the objects within it."""
    for key, value in raw.items():
        yield f"{stem}{key}"
        if isinstance(value, dict):
            yield from paths(value, f"{stem}{key}.")


def spoiled(raw: Any, path: str, value: Any) -> Any:
    """The same message with another value at a path."""
    key, _, rest = path.partition(".")
    if rest:
        return raw | {key: spoiled(raw[key], rest, value)}
    if value is GONE:
        return {name: one for name, one in raw.items() if name != key}
    return raw | {key: value}


@pytest.mark.parametrize("kind", KINDS)
def test_a_recorded_message_with_a_spoiled_key_is_refused_or_says_what_it_said(kind: str) -> None:
    known, tried = KINDS[kind], 0
    for raw in known.messages():
        value = known.parse(raw)
        for path in paths(raw):
            for how, spoil in SPOILS.items():
                told = (kind, path, how)
                tried += 1
                try:
                    read = known.parse(spoiled(raw, path, spoil))
                except Malformed:
                    assert path in known.needed | known.read | known.numbers, told
                    continue
                if path not in known.needed | known.read | known.numbers:
                    assert read == value, told
                gone = spoil is GONE or spoil is None or spoil == ""
                assert path not in known.needed or how in ("a word", "negative"), told
                booked = path in known.numbers and not _is_unused(raw, path)
                assert not booked or gone or how == "negative", told
                assert all(text.isprintable() for text in texts(read)), told
                assert all(number.is_finite() for number in numbers(read)), told
    assert tried > 100


def _is_unused(raw: Any, path: str) -> bool:
    """Whether a number tells of an execution in a message that tells of none."""
    in_data = path in ("data.qty", "data.price")
    return in_data and raw["data"]["event"] not in wire.EXECUTIONS


def numbers(value: Any) -> Iterator[Decimal]:
    """Every decimal of a value, one level deep and in its execution."""
    for name in getattr(value, "__dataclass_fields__", {}):
        part = getattr(value, name)
        if isinstance(part, Decimal):
            yield part
        yield from numbers(part)
