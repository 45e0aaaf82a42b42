"""Frames of the broker's websockets, taken apart record by record.

A record that is broken is given up alone: its neighbours are heard, and the connection lives. The
SDK would lose the rest of the frame, and the whole of one with a broken text or time in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgpack

from coordinator.shell.fields import Malformed
from coordinator.shell.garbage import shown
from coordinator.shell.plain import PlainBars, plain_bars

BAR, CORRECTION = BARS = ("b", "u")
"""Alpaca's types of a minute's bar, and of one that late trades have changed."""

_UNREADABLE = (ValueError, TypeError, OverflowError, RecursionError)
_FOLLOWED_BY = {0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4,
                0xD3: 8, 0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17}  # fmt: skip
"""msgpack's values of a fixed size: bytes after the first."""
_SIZED = {0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0), 0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1),
          0xD9: (1, 0), 0xDA: (2, 0), 0xDB: (4, 0)}  # fmt: skip
"""Texts, bytes and extensions: bytes of their length, and bytes beside what it counts."""
_COUNTED = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}
"""Arrays and maps: bytes of their length, and values for each that it counts."""
_ARRAYS = (0xDC, 0xDD)

Frame = str | bytes
Reader = Callable[[Frame], Iterable[Any]]


def read_msgpack(frame: Frame) -> Iterable[Any]:
    """The records of a market stream's frame, with a Malformed in the place of each broken one."""
    if isinstance(frame, str):
        return [Malformed(f"a frame of text, not of msgpack: {shown(frame)}")]
    try:
        return _records(_unpack(frame))
    except _UNREADABLE:
        return _pieces(frame)


def read_json(frame: Frame) -> Iterable[Any]:
    """The records of a frame of `trade_updates`, or a Malformed. Fractions keep every digit."""
    try:
        return _records(json.loads(frame, parse_float=str))
    except _UNREADABLE:
        return [Malformed(f"a frame that is not JSON: {shown(frame)}")]


def addressed(record: Any) -> dict[str, Any]:
    """A record that says what it is, and of what ticker if it is a bar.

    Raises:
        Malformed: it does not.
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


class Consumer:
    """Mixed into an SDK stream: its frames are read here, by `read`, and not by the SDK.

    `garbled` is told of each record that was dropped.
    """

    read: Reader
    _ws: Any
    _stop_stream_queue: Any
    _data_received: bool

    def garbled(self, what: str) -> None:
        """A record, or a frame of which nothing is known, was dropped."""
        raise NotImplementedError

    async def _consume(self) -> bool:
        """Hand out all that comes, until a stop is asked for.

        Whoever asks for it closes the connection as well, which ends the waiting for a frame; of
        one that is dead its pings tell. So no frame is waited for with a timer of its own.
        """
        while self._stop_stream_queue.empty():
            await self._hear_frame(await self._ws.recv())
        self._stop_stream_queue.get_nowait()
        await self.close()  # type: ignore[attr-defined]
        return False

    async def _hear_frame(self, frame: Frame) -> None:
        """Hand out what a frame brought."""
        await self._hear_all(self.read(frame))

    async def _hear_all(self, records: Iterable[Any]) -> None:
        """Hand out the records of one frame."""
        for record in records:
            await self._hear(record)

    async def _hear(self, record: Any) -> None:
        """Hand out one record. Whatever that raises, the next one is heard."""
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
    """Of a market stream: the bars that stand together in a frame are handed out together.

    `on_bars` takes them; all are bars, or all corrections, of a symbol that has a handler. They are
    raw, but for a frame that has plain bars only.
    """

    on_bars: Callable[[Sequence[dict[str, Any]] | PlainBars], None]
    _handlers: dict[str, dict[str, Any]]

    async def _hear_frame(self, frame: Frame) -> None:
        bars = plain_bars(frame, self._handlers["bars"])
        if bars is None:
            await super()._hear_frame(frame)
        else:
            self._hand_out(bars)

    async def _hear_all(self, records: Iterable[Any]) -> None:
        wanted = {BAR: self._handlers["bars"], CORRECTION: self._handlers["updatedBars"]}
        kind = ""
        together: list[dict[str, Any]] = []
        for record in records:
            try:
                is_bar = record["S"] in wanted[record["T"]]
            except (KeyError, TypeError):
                is_bar = False
            if together and not (is_bar and record["T"] == kind):
                self._hand_out(together)
                together = []
            if is_bar:
                kind = record["T"]
                together.append(record)
            else:
                await self._hear(record)
        if together:
            self._hand_out(together)

    def _hand_out(self, bars: list[dict[str, Any]] | PlainBars) -> None:
        """Whatever that raises, the next ones are heard."""
        self._data_received = True
        try:
            self.on_bars(bars)
        except Exception as error:
            self.garbled(f"{type(error).__name__} ({shown(str(error))}) over {len(bars)} bars")


def _records(value: Any) -> list[Any]:
    """A list's members; anything else stands for itself."""
    return value if isinstance(value, list) else [value]


def _unpack(data: bytes) -> Any:
    return msgpack.unpackb(data, strict_map_key=False, unicode_errors="replace")


def _pieces(frame: bytes) -> Iterator[Any]:
    """Each record of a frame that cannot be read as a whole, up to where it breaks off."""
    try:
        at, missing = _head(frame)
        while at < len(frame):
            end = _end(frame, at)
            try:
                yield _unpack(frame[at:end])
            except _UNREADABLE as error:
                yield Malformed(f"{error or type(error).__name__} in {shown(frame[at:end])}")
            at, missing = end, missing - 1
        if missing > 0:
            raise IndexError(at)
    except IndexError:
        yield Malformed(f"a frame that is none, or breaks off: {shown(frame)}")


def _head(frame: bytes) -> tuple[int, int]:
    """Where the first record begins, behind an array's head or at once, and how many there are.

    Raises:
        IndexError: it begins with neither an array nor an object.
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


def _end(frame: bytes, at: int) -> int:
    """Where the msgpack value that begins at `at` ends, however deep it is.

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
