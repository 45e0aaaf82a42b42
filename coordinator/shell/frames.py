"""Frames of the broker's websockets, taken apart record by record.

Rule: a broken record costs only itself; the others of its frame are handled, and the connection
stays. The SDK would lose the rest of the frame, or all of it if a text or time in it is broken.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgpack

from coordinator.shell.fields import Malformed
from coordinator.shell.garbage import shown
from coordinator.shell.plain import PlainBars, plain_bars

BAR, CORRECTION = BARS = ("b", "u")
"""Alpaca's types of a minute bar, and of a bar corrected after late trades."""

_UNREADABLE = (ValueError, TypeError, OverflowError, RecursionError)
_FOLLOWED_BY = {0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4,
                0xD3: 8, 0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17}  # fmt: skip
"""msgpack's values of fixed size: bytes after the first."""
_SIZED = {0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0), 0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1),
          0xD9: (1, 0), 0xDA: (2, 0), 0xDB: (4, 0)}  # fmt: skip
"""Strings, bytes and extensions: bytes of the length field, and bytes that it does not count."""
_COUNTED = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}
"""Arrays and maps: bytes of the length field, and values per element."""
_ARRAYS = (0xDC, 0xDD)

Frame = str | bytes
Reader = Callable[[Frame], Iterable[Any]]


def read_msgpack(frame: Frame) -> Iterable[Any]:
    """The records of a market stream's frame, with a Malformed in place of each broken one."""
    if isinstance(frame, str):
        return [Malformed(f"a frame of text, not of msgpack: {shown(frame)}")]
    try:
        return _records(_unpack(frame))
    except _UNREADABLE:
        return _salvaged(frame)


def read_json(frame: Frame) -> Iterable[Any]:
    """The records of a `trade_updates` frame, or a Malformed. Fractions stay text: all digits."""
    try:
        return _records(json.loads(frame, parse_float=str))
    except _UNREADABLE:
        return [Malformed(f"a frame that is not JSON: {shown(frame)}")]


def addressed(record: Any) -> dict[str, Any]:
    """A record that can be dispatched: it has a type, and if it is a bar, a ticker.

    Raises:
        Malformed: it has not.
    """
    if isinstance(record, Malformed):
        raise record
    if not isinstance(record, dict):
        raise Malformed(f"a record that is no object: {shown(record)}")
    kind = record.get("T", record.get("stream"))
    if not isinstance(kind, str):
        raise Malformed(f"a record that does not say what it is: {shown(record)}")
    if kind in BARS and not isinstance(record.get("S"), str):
        raise Malformed(f"a bar of no ticker: {shown(record)}")
    return record


class Consumer(ABC):
    """Mixed into an SDK stream: `read` takes its frames apart instead of the SDK."""

    read: Reader
    _ws: Any
    _stop_stream_queue: Any
    _data_received: bool

    @abstractmethod
    def garbled(self, what: str) -> None:
        """Called for each record that was dropped, or each unreadable frame."""

    async def _consume(self) -> bool:
        """Handle all frames until a stop is requested.

        A frame is awaited without a time-out: a stop closes the connection as well, and a dead one
        is found by its pings.
        """
        while self._stop_stream_queue.empty():
            await self._take_frame(await self._ws.recv())
        self._stop_stream_queue.get_nowait()
        await self.close()  # type: ignore[attr-defined]
        return False

    async def _take_frame(self, frame: Frame) -> None:
        await self._take_records(self.read(frame))

    async def _take_records(self, records: Iterable[Any]) -> None:
        """Dispatch the records of one frame."""
        for record in records:
            await self._take_record(record)

    async def _take_record(self, record: Any) -> None:
        """Dispatch one record. An exception drops this record only."""
        try:
            message = addressed(record)
            await self._dispatch(message)  # type: ignore[attr-defined]
        except Malformed as error:
            self.garbled(str(error))
        except Exception as error:
            self.garbled(f"{type(error).__name__} ({shown(str(error))}) over {shown(record)}")
        else:
            self._data_received |= "S" in message or "data" in message


class BarConsumer(Consumer):
    """A market stream's consumer, which passes on consecutive bars of a frame together.

    `on_bars` gets bars only, or corrections only, of symbols that have a handler: raw ones, or
    PlainBars if the frame has nothing else.
    """

    on_bars: Callable[[Sequence[dict[str, Any]] | PlainBars], None]
    _handlers: dict[str, dict[str, Any]]

    async def _take_frame(self, frame: Frame) -> None:
        bars = plain_bars(frame, self._handlers["bars"])
        if bars is None:
            await super()._take_frame(frame)
        else:
            self._take_bars(bars)

    async def _take_records(self, records: Iterable[Any]) -> None:
        wanted = {BAR: self._handlers["bars"], CORRECTION: self._handlers["updatedBars"]}
        kind = ""
        together: list[dict[str, Any]] = []
        for record in records:
            try:
                is_bar = record["S"] in wanted[record["T"]]
            except (KeyError, TypeError):
                is_bar = False
            if together and not (is_bar and record["T"] == kind):
                self._take_bars(together)
                together = []
            if is_bar:
                kind = record["T"]
                together.append(record)
            else:
                await self._take_record(record)
        if together:
            self._take_bars(together)

    def _take_bars(self, bars: list[dict[str, Any]] | PlainBars) -> None:
        """Pass bars on. An exception drops these bars only."""
        self._data_received = True
        try:
            self.on_bars(bars)
        except Exception as error:
            self.garbled(f"{type(error).__name__} ({shown(str(error))}) over {len(bars)} bars")


def is_unread(error: ValueError) -> bool:
    """Whether a login failed because its answer was neither JSON nor msgpack."""
    words = ("Unpack failed", " exceeds max_")
    return type(error) is not ValueError or any(part in str(error) for part in words)


def _records(value: Any) -> list[Any]:
    """The members of a list; any other value is one record."""
    return value if isinstance(value, list) else [value]


def _unpack(data: bytes) -> Any:
    return msgpack.unpackb(data, strict_map_key=False, unicode_errors="replace")


def _salvaged(frame: bytes) -> Iterator[Any]:
    """The records of a frame that cannot be read as a whole, up to where it breaks off."""
    try:
        at, missing = _first_record(frame)
        while at < len(frame):
            end = _end_of_value(frame, at)
            try:
                yield _unpack(frame[at:end])
            except _UNREADABLE as error:
                yield Malformed(f"{error or type(error).__name__} in {shown(frame[at:end])}")
            at, missing = end, missing - 1
        if missing > 0:
            raise IndexError(at)
    except IndexError:
        yield Malformed(f"a frame that is none, or breaks off: {shown(frame)}")


def _first_record(frame: bytes) -> tuple[int, int]:
    """The offset of the first record, and how many there are; one that is in no array is alone.

    Raises:
        IndexError: the frame is neither an array nor an object.
    """
    code = frame[0]
    if 0x90 <= code <= 0x9F:
        return 1, code & 0x0F
    if code in _ARRAYS:
        width, _ = _COUNTED[code]
        return 1 + width, _number(frame, 1, width)
    if 0x80 <= code <= 0x8F or code in _COUNTED:
        return 0, 1
    raise IndexError(0)


def _end_of_value(frame: bytes, at: int) -> int:
    """The end offset of the msgpack value that begins at `at`; it may be nested.

    Raises:
        IndexError: the frame ends before it.
    """
    awaited = 1
    while awaited:
        code, at, awaited = frame[at], at + 1, awaited - 1
        if code in _SIZED:
            width, beside = _SIZED[code]
            at += width + beside + _number(frame, at, width)
        elif code in _COUNTED:
            width, each = _COUNTED[code]
            awaited += each * _number(frame, at, width)
            at += width
        elif 0xA0 <= code <= 0xBF:
            at += code & 0x1F
        elif 0x80 <= code <= 0x9F:
            awaited += (code & 0x0F) * (1 if code & 0x10 else 2)
        else:
            at += _FOLLOWED_BY.get(code, 0)
    if at > len(frame):
        raise IndexError(at)
    return at


def _number(frame: bytes, at: int, width: int) -> int:
    if at + width > len(frame):
        raise IndexError(at)
    return int.from_bytes(frame[at : at + width])
