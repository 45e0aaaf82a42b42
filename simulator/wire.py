"""Frames of Alpaca's websockets: control messages, bars, trade updates, and their encodings.

Rule: this file knows the protocol and nothing of simulation, so that it can face clients in front
of a live connection too. Every market-data message is an array; `t` is a msgpack timestamp in
binary frames and RFC 3339 text in JSON ones.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgpack

from simulator.values import Bar

ERRORS = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    405: "symbol limit exceeded",
    406: "connection limit exceeded",
    407: "slow client",
    408: "v2 not enabled",
    409: "insufficient subscription",
    410: "invalid channel for feed",
    500: "internal error",
}
STOCK_CHANNELS = (
    "trades",
    "quotes",
    "bars",
    "updatedBars",
    "dailyBars",
    "statuses",
    "lulds",
    "corrections",
    "cancelErrors",
)
CRYPTO_CHANNELS = ("trades", "quotes", "orderbooks", "bars", "updatedBars", "dailyBars")
FOLLOW_TRADES = ("corrections", "cancelErrors")
"""Channels that come with trades, and are not asked for."""

Message = dict[str, Any]


class FrameError(ValueError):
    """A frame from the client that is no message (error 400)."""


@dataclass(frozen=True)
class Codec:
    """How one connection's frames are written: msgpack in binary frames, or JSON in text ones."""

    is_msgpack: bool

    @staticmethod
    def for_content_type(content_type: str) -> "Codec":
        """The codec that a request's Content-Type header asks for; JSON unless msgpack."""
        return Codec("msgpack" in content_type.lower())

    def encode(self, messages: Sequence[Message]) -> bytes | str:
        """One frame holding the messages."""
        if self.is_msgpack:
            return bytes(msgpack.packb(messages, datetime=True))
        return json.dumps(messages, default=_json_time, separators=(",", ":"))


def decode(frame: bytes | str) -> Message:
    """The message in a client's frame (binary: msgpack or JSON; text: JSON).

    Raises FrameError when it is no object with an action.
    """
    try:
        if isinstance(frame, bytes) and frame[:1] != b"{":
            message = msgpack.unpackb(frame)
        else:
            message = json.loads(frame)
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
        raise FrameError(str(error)) from error
    if not isinstance(message, dict) or not isinstance(message.get("action"), str):
        raise FrameError("not an object with an action")
    return message


def success(text: str) -> Message:
    """A control message: 'connected' or 'authenticated'."""
    return {"T": "success", "msg": text}


def error(code: int) -> Message:
    """A control message for one of `ERRORS`."""
    return {"T": "error", "code": code, "msg": ERRORS[code]}


def subscription(channels: Mapping[str, Iterable[str]], names: Sequence[str]) -> Message:
    """The acknowledgement that lists everything subscribed, channel by channel."""
    listed: Message = {"T": "subscription"}
    for name in names:
        source = "trades" if name in FOLLOW_TRADES else name
        listed[name] = sorted(channels.get(source, ()))
    return listed


def bar_message(bar: Bar, kind: str = "b") -> Message:
    """A bar as streamed. kind: b minute, u updated, d daily. `t` stays a datetime for the codec."""
    return {"T": kind, "S": bar.symbol, **_bar_numbers(bar), "t": bar.start}


def bar_row(bar: Bar) -> Message:
    """A bar as the data REST API lists it, `t` in RFC 3339."""
    return {"t": rfc3339(bar.start), **_bar_numbers(bar)}


def _bar_numbers(bar: Bar) -> Message:
    return {
        "o": float(bar.open),
        "h": float(bar.high),
        "l": float(bar.low),
        "c": float(bar.close),
        "v": number(bar.volume),
        "n": bar.trade_count,
        "vw": None if bar.vwap is None else float(bar.vwap),
    }


def number(amount: Decimal) -> int | float:
    """A JSON number: an integer where the amount is one."""
    return int(amount) if amount == amount.to_integral_value() else float(amount)


def rfc3339(moment: datetime) -> str:
    """UTC text with Z, without a fraction when there is none."""
    text = moment.astimezone(UTC).isoformat()
    return text.removesuffix("+00:00") + "Z"


def _json_time(value: object) -> str:
    if isinstance(value, datetime):
        return rfc3339(value)
    raise TypeError(f"{type(value).__name__} has no place in a frame")


def authorization(status: str, action: str, note: str | None = None) -> Message:
    """The order stream's answer to an authentication."""
    data: Message = {"action": action, "status": status}
    if note is not None:
        data["message"] = note
    return {"stream": "authorization", "data": data}


def listening(streams: Sequence[str]) -> Message:
    """The order stream's answer to `listen`."""
    return {"stream": "listening", "data": {"streams": list(streams)}}


def order_frame(message: Message) -> bytes:
    """The order stream sends JSON in binary frames."""
    return json.dumps(message, separators=(",", ":")).encode()
