"""Frames of the streams with something broken in them, as bytes of the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgpack

from coordinator.shell.plain import PlainBars

MOMENT = msgpack.Timestamp(1_773_754_200)
TICKERS = ("SPY", "QQQ", "IWM")
Frame = str | bytes


def bar(symbol: str, **changes: Any) -> dict[str, Any]:
    """A good bar of the market stream, as msgpack has it."""
    good = {"T": "b", "S": symbol, "o": 1.5, "h": 2, "l": 1, "c": 1.75, "v": 10, "t": MOMENT}
    return good | {"n": 3, "vw": 1.6} | changes


def packed(record: Any) -> bytes:
    return bytes(msgpack.packb(record))


def frame_of(*records: bytes) -> bytes:
    """At most 15 packed records in one array."""
    return bytes([0x90 + len(records)]) + b"".join(records)


def raws(brought: Sequence[Mapping[str, Any]] | PlainBars) -> list[Mapping[str, Any]]:
    """The bars of a frame as they came over the wire, whoever has read them."""
    if not isinstance(brought, PlainBars):
        return list(brought)
    return [
        {"T": "b", "S": one.symbol, "t": msgpack.Timestamp.from_datetime(one.start)}
        | dict(zip(("o", "h", "l", "c", "v", "n", "vw"), one.numbers, strict=True))
        for one in brought
    ]


def member(key: bytes, value: bytes) -> bytes:
    """A bar of SPY with one member more, written by hand."""
    good = bar("SPY")
    return bytes([0x80 + len(good) + 1]) + packed(good)[1:] + key + value


def in_place_of(key: str, value: bytes) -> bytes:
    """A bar of SPY with a value that no packer would write."""
    good = bar("SPY")
    parts = [packed(name) + (value if name == key else packed(good[name])) for name in good]
    return bytes([0x80 + len(good)]) + b"".join(parts)


BROKEN_RECORDS: dict[str, bytes] = {
    # no object, or not one that says what it is
    "nothing": packed(None),
    "a number": packed(7),
    "a text": packed("b"),
    "bytes": packed(b"b"),
    "a list": packed([bar("SPY")]),
    "an empty object": packed({}),
    "no type": packed({"S": "SPY"}),
    "a type that is nothing": packed(bar("SPY", T=None)),
    "a type that is a number": packed(bar("SPY", T=1)),
    "a type that is a list": packed(bar("SPY", T=["b"])),
    "a type that is an object": packed(bar("SPY", T={"b": 1})),
    # a bar of no ticker
    "no ticker": packed({k: v for k, v in bar("SPY").items() if k != "S"}),
    "a ticker that is nothing": packed(bar("SPY", S=None)),
    "a ticker that is a number": packed(bar("SPY", S=5)),
    "a ticker that is a list": packed(bar("SPY", S=["SPY"])),
    "a ticker that is an object": packed(bar("SPY", S={"SPY": 1})),
    "a ticker in bytes": packed(bar("SPY", S=b"SPY")),
    "a correction of no ticker": packed(bar("SPY", T="u", S=[])),
    # what msgpack itself does not read
    "a key that is a list": member(b"\x91\x01", b"\x01"),
    "a key that is an object": member(b"\x80", b"\x01"),
    "a time of three bytes": in_place_of("t", b"\xc7\x03\xff\x00\x00\x00"),
    "a time of too many nanoseconds": in_place_of("t", b"\xd7\xff" + b"\xff" * 8),
    "a code that msgpack never uses": in_place_of("c", b"\xc1"),
    "lists in lists": in_place_of("c", b"\x91" * 3000 + b"\xc0"),
    "objects in objects": in_place_of("c", b"\x81\xa1k" * 3000 + b"\xc0"),
    "objects as keys of objects": b"\x81" * 3000 + b"\xc0" * 3001,
}
"""Each is dropped as a record of a market stream's frame, and its neighbours are heard."""

TOLERATED_RECORDS: dict[str, bytes] = {
    "a type that is new": packed({"T": "zz", "S": "SPY"}),
    "a trade": packed({"T": "t", "S": "SPY", "p": 1}),
    "a bar of a ticker that nobody asked for": packed(bar("TSLA")),
    "a key that is a number": packed({1: 2, "T": "zz"}),
}
"""Nothing of ours, and no reason to count anything."""

KINDS: dict[str, bytes] = {
    "nothing": b"\xc0",
    "true": b"\xc3",
    "bytes": b"\xc4\x02ab",
    "many bytes": b"\xc5\x00\x02ab",
    "very many bytes": b"\xc6\x00\x00\x00\x02ab",
    "an extension": b"\xc7\x03\x05abc",
    "a large extension": b"\xc8\x00\x03\x05abc",
    "a very large extension": b"\xc9\x00\x00\x00\x03\x05abc",
    "a text": b"\xd9\x02ab",
    "a long text": b"\xda\x00\x02ab",
    "a very long text": b"\xdb\x00\x00\x00\x02ab",
    "a list": b"\xdc\x00\x02\x01\x02",
    "a long list": b"\xdd\x00\x00\x00\x02\x01\x02",
    "an object": b"\xde\x00\x01\xa1k\x01",
    "a large object": b"\xdf\x00\x00\x00\x01\xa1k\x01",
    **{
        f"{size} bytes after {code:#x}": bytes([code]) + b"\x01" * size
        for sizes in ({0xCA: 4, 0xCB: 8}, {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8},
                      {0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8},
                      {0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17})
        for code, size in sizes.items()
    },
}  # fmt: skip
"""A value of each kind that msgpack has."""

BROKEN_FRAMES: dict[str, Frame] = {
    "nothing at all": b"",
    "text": "garbage",
    "a good frame, as text": '[{"T":"b","S":"SPY"}]',
    "JSON": b'[{"T":"b","S":"SPY","c":1}]',
    "an array that says it has 2**32 members": b"\xdd\xff\xff\xff\xff",
    "a map that says it has 2**32 members": b"\xdf\xff\xff\xff\xff",
    "a text that says it has 2**32 bytes": b"\xdb\xff\xff\xff\xff",
    "a head of an array and no more": b"\xdc",
    "half a head of an array": b"\xdc\x00",
    "a code that msgpack never uses": b"\xc1",
}
"""Nothing can be had of these market frames; all of it is dropped."""

BROKEN_UPDATES: dict[str, Frame] = {
    "nothing at all": b"",
    "text": "garbage",
    "bytes that are no text": b"\xff\xfe\xfa",
    "a message cut short": b'{"stream":"trade_updates","data":{"event":"fi',
    "a message and something behind it": b'{"stream":"trade_updates"} x',
    "HTML": "<html><body>502 Bad Gateway</body></html>",
    "nothing": b"null",
    "a number": b"12",
    "a text in quotes": b'"trade_updates"',
    "a list of numbers": b"[1]",
    "an empty object": b"{}",
    "a stream that is a list": b'{"stream":["trade_updates"]}',
    "a stream that is an object": b'{"stream":{"trade_updates":1}}',
    "a number too long to read": b'{"stream":' + b"1" * 5000 + b"}",
    "lists in lists": b"[" * 50_000 + b"]" * 50_000,
    "objects in objects": b'{"T":' * 20_000 + b"1" + b"}" * 20_000,
    "msgpack": packed([bar("SPY")]),
    "no data": b'{"stream":"trade_updates"}',
    "data that is nothing": b'{"stream":"trade_updates","data":null}',
    "data that is a list": b'{"stream":"trade_updates","data":[]}',
    "data that is a text": b'{"stream":"trade_updates","data":"fill"}',
    "no order": b'{"stream":"trade_updates","data":{"event":"fill"}}',
    "an order that is a list": b'{"stream":"trade_updates","data":{"event":"fill","order":[]}}',
}
"""Each is dropped, and may have been a fill."""
