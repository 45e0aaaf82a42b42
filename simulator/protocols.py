"""What a client may send on a websocket, and the answers to it, without any socket.

Rule: a frame in, messages out. `MarketProtocol` is one connection of a market-data endpoint,
`OrderProtocol` one of `trade_updates`; connection limits are asked of a `Slots` they share.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from simulator.assets import is_crypto, is_symbol
from simulator.wire import (
    CRYPTO_CHANNELS,
    FOLLOW_TRADES,
    STOCK_CHANNELS,
    Codec,
    FrameError,
    Message,
    authorization,
    decode,
    error,
    listening,
    order_frame,
    subscription,
    success,
)

log = logging.getLogger("simulator")

_NEVER_SENT = ("trades", "quotes", "orderbooks", "lulds")
_OLD_FORM = (
    "this authentication format is being deprecated. Please use the format: "
    '{"action": "auth", "key": "x", "secret": "x"}'
)


@dataclass(frozen=True)
class Endpoint:
    """One market-data endpoint: its path, and whether it carries pairs or stocks."""

    path: str
    is_crypto: bool

    @property
    def channels(self) -> Sequence[str]:
        """The channels listed in its acknowledgements."""
        return CRYPTO_CHANNELS if self.is_crypto else STOCK_CHANNELS


MARKET_ENDPOINTS = (
    Endpoint("/v2/iex", is_crypto=False),
    Endpoint("/v2/sip", is_crypto=False),
    Endpoint("/v1beta3/crypto/us", is_crypto=True),
)
ORDER_PATH = "/stream"
KEY_HEADER, SECRET_HEADER = "apca-api-key-id", "apca-api-secret-key"


@dataclass
class Access:
    """Who may come in.

    credentials: the one key and secret; None: any that are not empty. symbol_limit: (channel,
    symbol) pairs on a stock endpoint. refused: paths that the plan does not include (error 409).
    full: market-data paths that begin so answer 406, whoever comes.
    """

    credentials: tuple[str, str] | None = None
    symbol_limit: int | None = None
    refused: frozenset[str] = frozenset()
    full: str | None = None

    def admits(self, key: object, secret: object) -> bool:
        """Whether the pair is right."""
        if not (isinstance(key, str) and isinstance(secret, str) and key and secret):
            return False
        return self.credentials is None or self.credentials == (key, secret)


@dataclass
class Slots:
    """Connections by (path, key), each with its limit; also how many there ever were at once."""

    taken: Counter[tuple[str, str]] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)

    def take(self, path: str, key: str, limit: int | None) -> bool:
        """Take a slot; False if the key has all of its slots in use."""
        if limit is not None and self.taken[path, key] >= limit:
            return False
        self.taken[path, key] += 1
        self.most[path] = max(self.most[path], self.now(path))
        return True

    def give_back(self, path: str, key: str) -> None:
        """A connection ended."""
        self.taken[path, key] -= 1

    def now(self, path: str) -> int:
        """Authenticated connections of that path."""
        return sum(count for (held, _), count in self.taken.items() if held == path)


@dataclass
class Reply:
    """Messages to send in this order, one frame each, and whether to close then."""

    messages: list[Message] = field(default_factory=list)
    close: bool = False


class MarketProtocol:
    """One market-data connection. subscribed: channel -> symbols ('*' for all)."""

    def __init__(self, endpoint: Endpoint, access: Access, slots: Slots, codec: Codec) -> None:
        self.endpoint = endpoint
        self.codec = codec
        self.key: str | None = None
        self.subscribed: dict[str, set[str]] = {}
        self._access = access
        self._slots = slots

    def encode(self, message: Message) -> bytes | str:
        """The frame of one message."""
        return self.codec.encode([message])

    def greet(self, headers: Mapping[str, str]) -> Reply:
        """What a new connection is told; it may have brought credentials in its request."""
        reply, key = Reply([success("connected")]), headers.get(KEY_HEADER)
        if key is not None:
            answer = self._authenticate(key, headers.get(SECRET_HEADER))
            reply = Reply([*reply.messages, *answer.messages], answer.close)
        return reply

    def time_out(self) -> Reply:
        """What a client is told that has not authenticated in time."""
        return Reply([error(404)], close=True)

    def receive(self, frame: bytes | str) -> Reply:
        """Answer one frame of the client."""
        try:
            message = decode(frame)
        except FrameError:
            return Reply([error(400)])
        action = message["action"]
        if action == "auth":
            return self._authenticate(message.get("key"), message.get("secret"))
        if self.key is None:
            return Reply([error(401)])
        if action in ("subscribe", "unsubscribe"):
            return self._change(message, adding=action == "subscribe")
        return Reply([error(400)])

    def leave(self) -> None:
        """The connection ended."""
        if self.key is not None:
            self._slots.give_back(self.endpoint.path, self.key)
            self.key = None
        self.subscribed = {}

    def wants(self, channel: str, symbols: Sequence[str]) -> set[str]:
        """The subscribed symbols of a channel, with '*' replaced by `symbols`."""
        held = self.subscribed.get(channel, set())
        if "*" not in held:
            return held
        return {name for name in symbols if is_crypto(name) == self.endpoint.is_crypto} | (
            held - {"*"}
        )

    def _authenticate(self, key: object, secret: object) -> Reply:
        if self.key is not None:
            return Reply([error(403)])
        if not self._access.admits(key, secret):
            return Reply([error(402)], close=True)
        if self.endpoint.path in self._access.refused:
            return Reply([error(409)], close=True)
        full = self._access.full
        if full is not None and self.endpoint.path.startswith(full):
            return Reply([error(406)], close=True)
        if not self._slots.take(self.endpoint.path, str(key), limit=1):
            return Reply([error(406)], close=True)
        self.key = str(key)
        return Reply([success("authenticated")])

    def _change(self, message: Message, *, adding: bool) -> Reply:
        asked = {name: value for name, value in message.items() if name != "action"}
        known = [name for name in self.endpoint.channels if name not in FOLLOW_TRADES]
        if any(name not in known for name in asked):
            foreign = (*STOCK_CHANNELS, *CRYPTO_CHANNELS)
            return Reply([error(410 if all(name in foreign for name in asked) else 400)])
        if not all(self._is_symbol_list(value) for value in asked.values()):
            return Reply([error(400)])
        after = {name: set(held) for name, held in self.subscribed.items()}
        for name, symbols in asked.items():
            held = after.setdefault(name, set())
            after[name] = held | set(symbols) if adding else held - set(symbols)
        if adding and self._exceeds(after):
            return Reply([error(405)])
        self.subscribed = after
        silent = [name for name in _NEVER_SENT if adding and asked.get(name)]
        if silent:
            log.warning("a client subscribed to %s: nothing is ever sent there", ", ".join(silent))
        return Reply([subscription(after, self.endpoint.channels)])

    def _is_symbol_list(self, value: Any) -> bool:
        if not isinstance(value, list):
            return False
        return all(
            isinstance(name, str)
            and (name == "*" or (is_symbol(name) and is_crypto(name) == self.endpoint.is_crypto))
            for name in value
        )

    def _exceeds(self, channels: dict[str, set[str]]) -> bool:
        limit = self._access.symbol_limit
        if limit is None or self.endpoint.is_crypto:
            return False
        return any("*" in held for held in channels.values()) or (
            sum(map(len, channels.values())) > limit
        )


class OrderProtocol:
    """One `trade_updates` connection. `is_listening` once the client asked for the stream."""

    def __init__(self, access: Access, slots: Slots, limit: int | None) -> None:
        self.key: str | None = None
        self.is_listening = False
        self._access = access
        self._slots = slots
        self._limit = limit

    def encode(self, message: Message) -> bytes | str:
        """The frame of one message."""
        return order_frame(message)

    def greet(self, headers: Mapping[str, str]) -> Reply:
        """What a new connection is told: nothing."""
        return Reply()

    def time_out(self) -> Reply:
        """What a client is told that has not authenticated in time: nothing more."""
        return Reply(close=True)

    def receive(self, frame: bytes | str) -> Reply:
        """Answer one frame of the client."""
        try:
            message = decode(frame)
        except FrameError:
            return Reply([{"stream": "error", "data": {"error": "invalid message"}}])
        action = message["action"]
        data = message.get("data")
        data = data if isinstance(data, dict) else {}
        if action == "auth":
            return self._authenticate(action, message.get("key"), message.get("secret"))
        if action == "authenticate":
            return self._authenticate(action, data.get("key_id"), data.get("secret_key"))
        if self.key is None:
            return Reply([authorization("unauthorized", action)])
        if action == "listen" and isinstance(data.get("streams"), list):
            streams = [name for name in data["streams"] if name == "trade_updates"]
            self.is_listening = bool(streams)
            return Reply([listening(streams)])
        return Reply([{"stream": "error", "data": {"error": f"unknown action {action}"}}])

    def leave(self) -> None:
        """The connection ended."""
        if self.key is not None:
            self._slots.give_back(ORDER_PATH, self.key)
            self.key = None
        self.is_listening = False

    def _authenticate(self, action: str, key: object, secret: object) -> Reply:
        if self.key is not None:
            return Reply([authorization("authorized", action)])
        if not self._access.admits(key, secret):
            return Reply([authorization("unauthorized", action)], close=True)
        if not self._slots.take(ORDER_PATH, str(key), self._limit):
            note = "connection limit exceeded"
            return Reply([authorization("unauthorized", action, note)], close=True)
        self.key = str(key)
        note_old = _OLD_FORM if action == "authenticate" else None
        return Reply([authorization("authorized", action, note_old)])
