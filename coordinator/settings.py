"""The broker's URLs, the API keys and the state folder, from the environment alone.

Keys are sent only to Alpaca's own hosts over TLS, or to this machine.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from coordinator.errors import CredentialsError, OperatorError, SafetyRefusal
from coordinator.strategies.hidden_keys import KEYS_LOCK

PAPER_TRADING = "https://paper-api.alpaca.markets"
LIVE_TRADING = "https://api.alpaca.markets"
MARKET_DATA = "https://data.alpaca.markets"
MARKET_STREAM = "wss://stream.data.alpaca.markets"
ALPACA = ".alpaca.markets"
_PLAIN_URL = re.compile(r"[A-Za-z]+://([A-Za-z0-9.-]+|\[::1\])(:[0-9]+)?(/[A-Za-z0-9._/-]*)?")
"""No user, no query, and no character that URL parsers could interpret as different hosts."""
_NO_SPACE = re.compile(r"[!-~]+")
_CONNECTION = re.compile(r"[A-Za-z_][A-Za-z0-9_]+:")
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
"""The names of this machine."""
_SCHEMES = {"https": "http", "wss": "ws"}
_PORTS = {"https": 443, "http": 80}
_PLACES = ("MULTI_TRADER_HOME", "MULTI_TRADER_WAREHOUSE")
_VALUE = re.compile(r"""(?:"([^"]*)"|'([^']*)')(?:\s+#.*)?|(.*?)(?:\s+#.*)?""")
"""The value in a line of `.env`: with or without quotes, perhaps followed by a comment."""
LIMITED_FEED, LEAST_PAIRS = "iex", 30
"""The free feed, and how many pairs of channel and symbol it grants at least: bars come first."""
KEYS = ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY")
SIMULATED = "simulated"
"""The mode of runs against embedded simulators, also their key and secret."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a run takes from its environment; URLs have no trailing slash.

    Because it holds the keys, its repr hides them and it cannot be pickled.
    """

    key_id: str
    secret: str
    trading_url: str
    data_url: str
    stream_url: str
    home: Path
    allow_live: str

    def __repr__(self) -> str:
        return f"Settings(key_id={self.key_id[:4]}..., trading_url={self.trading_url!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("Settings hold the broker's keys, and are never written down")

    @property
    def order_stream_url(self) -> str:
        """The `trade_updates` stream, on the host of the trading REST API."""
        parts = urlsplit(self.trading_url)
        scheme = "wss" if parts.scheme == "https" else "ws"
        return f"{scheme}://{parts.netloc}/stream"

    @property
    def account_host(self) -> str:
        """The scope in which account numbers are unique: '' for Alpaca, else a simulator's host."""
        at_alpaca = (urlsplit(self.trading_url).hostname or "").endswith(ALPACA)
        return "" if at_alpaca else one_host(self.trading_url)

    def stock_stream_url(self, feed: str) -> str:
        """The stream of stock bars of `feed`, iex or sip."""
        return f"{self.stream_url}/v2/{feed}"

    @property
    def crypto_stream_url(self) -> str:
        """The stream of crypto bars."""
        return f"{self.stream_url}/v1beta3/crypto/us"


def one_host(url: str) -> str:
    """The host and port of an accepted URL, by one name however they are written.

    Leases and request budgets are files named by it: 'localhost' and '127.0.0.1' are one broker,
    and so are a host with and without the port that its scheme implies.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = "127.0.0.1" if host in LOOPBACK else host
    return host if parts.port in (None, _PORTS.get(parts.scheme)) else f"{host}:{parts.port}"


class KeysMissing(CredentialsError):
    """No keys are set."""


def simulator_settings(url: str, home: Path) -> Settings:
    """Settings for the simulator at this URL, which serves its streams there and takes any keys."""
    streams = f"ws{url.removeprefix('http')}"
    return Settings(
        key_id=SIMULATED,
        secret=SIMULATED,
        trading_url=url,
        data_url=url,
        stream_url=streams,
        home=home,
        allow_live="",
    )


def home_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The state folder: MULTI_TRADER_HOME, or ./state. It need not exist yet.

    Raises:
        OperatorError: the path, or a part of it, is a file, or cannot be read.
    """
    named = environment.get("MULTI_TRADER_HOME", "").strip()
    home = Path(os.path.expanduser(named or "state"))
    source = "MULTI_TRADER_HOME names" if named else "the state folder is"
    for place in (home, *home.parents):
        if os.path.exists(place) and not os.path.isdir(place):
            raise OperatorError(f"{source} {home}, but {place} is a file: name a folder.")
    try:
        os.scandir(home).close()  # a search below it would only find nothing
    except FileNotFoundError:
        return home
    except OSError as error:
        raise OperatorError(
            f"{source} {home}, which cannot be read ({error.strerror}):"
            " use it as its owner, or name another."
        ) from None
    return home


def warehouse_path(environment: Mapping[str, str] = os.environ) -> Path | str:
    """The warehouse: MULTI_TRADER_WAREHOUSE, or warehouse.duckdb in the state folder.

    A file's path, or the text of a DuckDB connection string such as `md:books`.
    """
    named = environment.get("MULTI_TRADER_WAREHOUSE", "").strip()
    if _CONNECTION.match(named):
        return named
    if named:
        return Path(os.path.expanduser(named))
    return home_folder(environment) / "warehouse.duckdb"


def webhook_url(environment: Mapping[str, str]) -> str:
    """The URL that alerts are posted to, MULTI_TRADER_WEBHOOK_URL; '' if there is none.

    The URL is a secret: anyone who knows it can post there, so no message repeats it.

    Raises:
        OperatorError: it is neither https nor on this machine.
    """
    with KEYS_LOCK:
        url = environment.get("MULTI_TRADER_WEBHOOK_URL", "").strip()
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host = ""
    is_safe = host and (parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK))
    if not is_safe or "@" in parts.netloc or not _NO_SPACE.fullmatch(url):
        raise OperatorError(
            "MULTI_TRADER_WEBHOOK_URL is refused: alerts go over https, such as"
            " https://hooks.slack.com/services/..., or to http on 127.0.0.1."
        )
    return url


def read_settings(
    environment: Mapping[str, str], *, live: bool, folder: Path | None = None
) -> Settings:
    """Settings from the environment, and from `.env` in `folder` (default: the current folder).

    Raises:
        CredentialsError: no keys, malformed keys, or a `.env` that others can read.
        OperatorError: a URL that is neither Alpaca's nor on this machine.
        SafetyRefusal: the live host, in a run that is not live.
    """
    with KEYS_LOCK:
        given = {name: value for name, value in environment.items() if value.strip()}
    known = {**_dotenv((folder or Path()) / ".env", given), **given}
    key_id, secret = _keys_in(known)
    trading = _allowed(
        known, "APCA_API_BASE_URL", LIVE_TRADING if live else PAPER_TRADING, "https"
    ).removesuffix("/v2")
    _refuse_unarmed(trading, live=live)
    return Settings(
        key_id=key_id,
        secret=secret,
        trading_url=trading,
        data_url=_allowed(known, "APCA_API_DATA_URL", MARKET_DATA, "https").removesuffix("/v2"),
        stream_url=_allowed(known, "APCA_API_STREAM_URL", MARKET_STREAM, "wss"),
        home=home_folder(known),
        allow_live=known.get("MULTI_TRADER_ALLOW_LIVE", ""),
    )


def _keys_in(known: Mapping[str, str]) -> tuple[str, str]:
    """The key's id and its secret, without blanks around them; errors as in `read_settings`."""
    key_id, secret = keys = [known.get(name, "").strip() for name in KEYS]
    missing = [name for name, key in zip(KEYS, keys, strict=True) if not key]
    if missing:
        raise KeysMissing(
            f"Missing Alpaca API credentials: set {' and '.join(missing)} (or put them into a file"
            " .env of mode 600), or trade on the simulator, which needs none:"
            " multi-trader run --simulate."
        )
    for name, key in zip(KEYS, keys, strict=True):
        if not _NO_SPACE.fullmatch(key):
            raise CredentialsError(
                f"{name} holds a blank, or a sign that no key of Alpaca's has: copy it again."
            )
    return key_id, secret


def has_keys(environment: Mapping[str, str], folder: Path | None = None) -> bool:
    """Whether the environment or the `.env` in `folder` holds keys, even unusable ones."""
    try:
        read_settings(environment, live=False, folder=folder)
    except KeysMissing:
        return False
    except OperatorError:
        return True
    return True


def _refuse_unarmed(trading_url: str, *, live: bool) -> None:
    """Refuse hosts other than the paper host and this machine to a run that is not live."""
    host = urlsplit(trading_url).hostname
    if live or host in LOOPBACK or host == urlsplit(PAPER_TRADING).hostname:
        return
    raise SafetyRefusal(
        f"APCA_API_BASE_URL={trading_url!r} is not Alpaca's paper host, and live trading is not"
        f' armed: it needs "mode": "live" in the configuration, --live, and'
        f" MULTI_TRADER_ALLOW_LIVE. For paper trading unset it, or set {PAPER_TRADING}."
    )


def _allowed(known: Mapping[str, str], name: str, default: str, scheme: str) -> str:
    url = (known.get(name) or default).rstrip("/")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise OperatorError(f"{name} is not a URL: {url!r}") from None
    plain = _PLAIN_URL.fullmatch(url) is not None
    at_alpaca = host.endswith(ALPACA) and parts.scheme == scheme
    here = host in LOOPBACK and parts.scheme in (scheme, _SCHEMES[scheme])
    if plain and (at_alpaca or here):
        return url
    raise OperatorError(
        f"{name}={url!r} is refused: keys go only to Alpaca's own hosts over TLS"
        f" ({scheme}://...{ALPACA}), or to a simulator on 127.0.0.1."
    )


def _dotenv(path: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The APCA_* and MULTI_TRADER_* lines of a `.env` file; {} if it is not needed or absent."""
    if all(environment.get(name) for name in KEYS) or not path.is_file():
        return {}
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise CredentialsError(
            f"{path} can be read by others (mode {mode:o}); make it private: chmod 600 {path}"
        )
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise CredentialsError(f"{path} cannot be read: {reason}; write it again") from None
    found = {}
    for line in lines:
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        name, value = name.strip(), _unquoted(value)
        if equals and name in _PLACES and value and not environment.get(name):
            raise OperatorError(
                f"{path} says {name}, which every command must find and so is taken from the"
                f" environment alone: take the line out, and export {name}."
            )
        if equals and name.startswith(("APCA_", "MULTI_TRADER_")):
            found[name] = value
    return found


def _unquoted(value: str) -> str:
    """A value as a shell would read it: without its quotes and without a trailing comment."""
    if value[:1].isspace() and value.lstrip().startswith("#"):
        return ""
    parts = _VALUE.fullmatch(value.strip())
    return next((part for part in parts.groups() if part is not None), "") if parts else value
