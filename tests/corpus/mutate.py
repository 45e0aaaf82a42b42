"""Random changes to messages: of their structure, and of their bytes. The same seed, the same."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import msgpack

DEEP: Any = "deep"
for _ in range(300):
    DEEP = [DEEP]
JUNK: list[Any] = [
    *(None, True, False, 0, 1, -1, 5, 2**63 - 1, -(2**63), 2**64 - 1, 0.0, -0.0, 0.1, 1e-320),
    *(1e308, float("nan"), float("inf"), float("-inf"), "", " ", "0", "-0", "1", "1e400", "NaN"),
    *("-Infinity", "1_000", "١", "null", "b", "u", "t", "error", "subscription", "success", "SPY"),
    *("listening", "trade_updates", "fill", "partial_fill", "trade_bust", "trade_correct", "new"),
    *("buy", "sell", "filled", "canceled", "2026-03-17T14:30:00Z", "9999-12-31T23:59:59-14:00"),
    *("0001-01-01T00:00:00+14:00", "a\nb", "\x00", "\u202e", "x" * 300, "x" * 5000),
    *([], {}, [[]], [{}], {"a": {}}, ["SPY"], {"SPY": 1}, DEEP),
]
"""What is put in the place of something else."""
PACKED_ONLY: list[Any] = [
    b"",
    b"SPY",
    msgpack.Timestamp(0),
    msgpack.Timestamp(2**60, 999_999_999),
    msgpack.Timestamp(-(2**60)),
    msgpack.ExtType(5, b"\x00"),
    msgpack.ExtType(127, b"x" * 40),
]
"""Junk that JSON cannot say."""


def changed(value: Any, random: Random, junk: list[Any]) -> Any:
    """The same with one to three things changed somewhere in it."""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        value = _once(value, random, junk)
    return value


def _once(value: Any, random: Random, junk: list[Any]) -> Any:
    """Change a value itself, or something within it."""
    if isinstance(value, dict) and value and random.random() < 0.95:
        key = random.choice(list(value))
        if isinstance(value[key], dict | list) and random.random() < 0.7:
            return value | {key: _once(value[key], random, junk)}
        return _member(value, key, random, junk)
    if isinstance(value, list) and value and random.random() < 0.9:
        at = random.randrange(len(value))
        return [*value[:at], _once(value[at], random, junk), *value[at + 1 :]]
    return random.choice(junk)


def _member(value: dict[Any, Any], key: Any, random: Random, junk: list[Any]) -> dict[Any, Any]:
    """An object with one member changed."""
    rest = {name: one for name, one in value.items() if name is not key}
    match random.randrange(9):
        case 0:
            return rest
        case 1:
            return rest | {f"{key}{random.choice('_x ')}": value[key]}
        case 2:
            return value | {key: value[random.choice(list(value))]}
        case 3:
            return value | {random.choice(("new", "", "T", "S", "x y")): random.choice(junk)}
        case 4:
            return value | {key: [value[key]]}
        case 5:
            return value | {key: {"value": value[key]}}
        case 6:
            return value | {key: _near(value[key], random)}
        case _:
            return value | {key: random.choice(junk)}


def _near(value: Any, random: Random) -> Any:
    """Something like it: another sign, size or type."""
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, int | float):
        texts = (f"{value}", f" {value}", f"{value}x", f"{value}e5")
        return random.choice((-value, value * 10, value / 1000, *texts))
    if isinstance(value, str) and value:
        at = random.randrange(len(value))
        more = chr(random.choice((0, 9, 32, 48, 57, 127, 233, 0x660, 0x2028, 0x1F600)))
        inside = value[:at] + more + value[at + 1 :]
        return random.choice((value[:at], value[at:], inside, value * 3))
    return [value, value]


def _flip(data: bytes, at: int, random: Random) -> bytes:
    return data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]


def _put(data: bytes, at: int, random: Random) -> bytes:
    return data[:at] + bytes([random.randrange(256)]) + data[at + 1 :]


def _drop(data: bytes, at: int, random: Random) -> bytes:
    return data[:at] + data[at + random.randint(1, 8) :]


def _add(data: bytes, at: int, random: Random) -> bytes:
    return data[:at] + random.randbytes(random.randint(1, 8)) + data[at:]


def _again(data: bytes, at: int, random: Random) -> bytes:
    return data[:at] + data[at : at + random.randint(1, 32)] * 2 + data[at:]


def _cut(data: bytes, at: int, _: Random) -> bytes:
    return data[:at]


def _head(data: bytes, at: int, random: Random) -> bytes:
    """The head of something large, or of what is no msgpack."""
    large = (b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xc1")
    return data[:at] + random.choice(large) + data[at + 1 :]


BYTEWISE: tuple[Callable[[bytes, int, Random], bytes], ...] = (
    _flip,
    _put,
    _drop,
    _add,
    _again,
    _cut,
    _head,
)


def scrambled(data: bytes, random: Random) -> bytes:
    """The same with one to four places of it changed."""
    for _ in range(random.randint(1, 4)):
        if data:
            data = random.choice(BYTEWISE)(data, random.randrange(len(data)), random)
    return data
