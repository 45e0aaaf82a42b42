"""The REST port over alpaca-py, with time-outs switched on and its hidden retries switched off.

Left alone, the SDK waits for ever and sends an order up to four times. An answer that proves that
the broker refused raises BrokerRejected; any other failure proves nothing and raises
BrokerUnavailable. Call each instance from one thread only: HTTP sessions are not shared.
"""

from __future__ import annotations

import http.client
import io
import json
import re
import socket
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from alpaca.common.exceptions import APIError
from alpaca.common.rest import RESTClient
from alpaca.data.historical import CryptoHistoricalDataClient, StockHistoricalDataClient
from alpaca.trading.client import TradingClient
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from coordinator.errors import BrokerBusy, BrokerRejected, BrokerUnavailable
from coordinator.settings import LOOPBACK, Settings
from coordinator.shell.fields import words
from coordinator.shell.rest import Api

T = TypeVar("T")
OnAnswer = Callable[[Api, int, Mapping[str, str]], None]
"""Called with each answer's HTTP status and headers. Must not raise."""

PROVE_NOTHING = {0, requests.codes.request_timeout, requests.codes.too_many_requests}
"""Statuses below 500 that do not prove that the request was refused."""
OF_THE_DOOR = {requests.codes.unauthorized, requests.codes.forbidden}
"""What Alpaca's own gateway refuses with a page instead of JSON."""
NOT_ALPACAS = (
    "perhaps a proxy, or another server, answers instead of Alpaca: look at the network, and at"
    " APCA_API_BASE_URL and APCA_API_DATA_URL"
)
"""What to do about an answer that does not come from Alpaca."""
_TITLE = re.compile(r"<title>\s*([^<]{1,80}?)\s*</title>", re.IGNORECASE)
TIMEOUT_S = 10.0
PAGES_S = 60.0
"""Of market data one page is a megabyte, and a slow line takes its time."""
UNSENT = Retry(
    total=1,
    connect=1,
    read=False,
    redirect=0,
    status=0,
    other=0,
    respect_retry_after_header=False,  # else a 429 that says when to come again counts as none
)
"""A connection that cannot be opened is tried once more: nothing was sent over it."""
RESTED_S = 20.0
"""Local seconds without a request after which a connection is not used again: a gateway on the way
may have forgotten it, and would lose the order that is sent over it."""


def _ignore(_api: Api, _status: int, _headers: Mapping[str, str]) -> None:
    """Ignore the answer."""


class AlpacaRest:
    """Alpaca's trading and data REST, over HTTP.

    `timeout_s` are the local seconds of each try to connect, those of silence, and all those in
    which an answer of the trading API must be complete; for one of the data APIs these are PAGES_S.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        timeout_s: float = TIMEOUT_S,
        on_answer: OnAnswer = _ignore,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        key, secret = settings.key_id, settings.secret
        trading, data = settings.trading_url, settings.data_url
        self._clients: dict[Api, RESTClient] = {
            Api.TRADING: TradingClient(key, secret, raw_data=True, url_override=trading),
            Api.STOCKS: StockHistoricalDataClient(key, secret, raw_data=True, url_override=data),
            Api.CRYPTO: CryptoHistoricalDataClient(key, secret, raw_data=True, url_override=data),
        }
        for api, client in self._clients.items():
            host = urlsplit(trading if api is Api.TRADING else data).hostname
            answer_s = timeout_s if api is Api.TRADING else max(timeout_s, PAGES_S)
            adapter = _TimedAdapter(timeout_s, answer_s, monotonic)
            _harden(client, adapter, loopback=host in LOOPBACK)
            _listen(client, partial(on_answer, api))

    def get(self, api: Api, path: str, query: Mapping[str, Any]) -> Any:
        """The parsed answer to a GET."""
        return _not_empty(_call(lambda: self._clients[api].get(path, dict(query)), doubt=""))

    def post(self, api: Api, path: str, body: Mapping[str, Any]) -> Any:
        """The parsed answer to a POST, which is sent once."""
        return _not_empty(_call(lambda: self._clients[api].post(path, dict(body))))

    def delete(self, api: Api, path: str) -> None:
        """Send a DELETE; it returns nothing, or raises as the others do."""
        _call(lambda: self._clients[api].delete(path))


class _TimedAdapter(HTTPAdapter):
    def __init__(self, timeout_s: float, answer_s: float, monotonic: Callable[[], float]) -> None:
        self._timeout_s = timeout_s
        self._answer_s = answer_s
        self._monotonic = monotonic
        self._used_s = monotonic()
        super().__init__(max_retries=UNSENT)

    def send(self, request: Any, **options: Any) -> Any:  # type: ignore[override]
        if options.get("timeout") is None:
            options["timeout"] = self._timeout_s
        if self._monotonic() - self._used_s > RESTED_S:
            self.close()  # its connections; the next request opens another
        try:
            return super().send(request, **options)
        finally:
            self._used_s = self._monotonic()

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **options)
        pool.ConnectionCls = partial(_opened, type(pool).ConnectionCls, self._answer_s)
        return pool


def _opened(kind: Callable[..., Any], answer_s: float, **options: Any) -> Any:
    """A connection whose answers must each be complete in `answer_s`."""
    connection = kind(**options)
    connection.response_class = partial(_Answer, answer_s)
    return connection


class _Answer(http.client.HTTPResponse):
    """An answer that is given up `answer_s` after it was first waited for, however much came."""

    def __init__(self, answer_s: float, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_Until(sock, self.fp.detach(), answer_s))


class _Until(io.RawIOBase):
    """What a socket sends until its time is over: its own time-out begins anew with each byte."""

    def __init__(self, sock: socket.socket, sent: io.RawIOBase, total_s: float) -> None:
        self._socket = sock
        self._sent = sent
        self._silence_s = sock.gettimeout() or total_s
        self._until_s = time.monotonic() + total_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left_s = self._until_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the answer was not complete in time")
        self._socket.settimeout(min(left_s, self._silence_s))
        return self._sent.readinto(buffer)

    def close(self) -> None:
        self._sent.close()
        super().close()


def _harden(client: RESTClient, adapter: HTTPAdapter, *, loopback: bool) -> None:
    """Time-outs on, retries off; a proxy of the environment would swallow loopback calls."""
    client._retry = 0
    client._session.trust_env = not loopback
    for scheme in ("http://", "https://"):
        client._session.mount(scheme, adapter)


def _listen(client: RESTClient, on_answer: Callable[[int, Mapping[str, str]], None]) -> None:
    def on_response(response: requests.Response, **_: Any) -> None:
        on_answer(response.status_code, response.headers)

    client._session.hooks["response"].append(on_response)


def _call(call: Callable[[], T], *, doubt: str = "; it may have done what was asked") -> T:
    """The call's result, with the SDK's errors turned into ours.

    `doubt` says what is uncertain if nothing readable comes; nothing is after a question.
    """
    try:
        return call()
    except APIError as error:
        raise _refusal(error) from None
    except requests.JSONDecodeError:
        raise _not_json(doubt) from None
    except requests.RequestException as error:
        raise BrokerUnavailable(
            f"no answer from the broker{_place(error)} ({type(error).__name__}){doubt}."
            " If it stays so, look at the network and at Alpaca's status page"
        ) from None
    except (ValueError, RecursionError):  # the latter from JSON nested without end
        raise _not_json(doubt) from None


def _not_json(doubt: str) -> BrokerUnavailable:
    return BrokerUnavailable(f"the broker's answer was not JSON{doubt}; {NOT_ALPACAS}")


def _place(error: requests.RequestException) -> str:
    """The host that was asked, if the error names it; never the query, which may hold anything."""
    host = urlsplit(error.request.url or "").hostname if error.request is not None else None
    return f" at {host}" if host else ""


def _not_empty(answer: T | None) -> T:
    """The answer. A redirect is never followed, and counts as no answer."""
    if answer is None:
        raise BrokerUnavailable(f"the broker's answer was empty; {NOT_ALPACAS}")
    return answer


def _refusal(error: APIError) -> Exception:
    """The error without its headers, which hold the secret."""
    status = error.status_code or 0
    text = str(error)
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        body = None
    is_alpacas = isinstance(body, dict) or status in OF_THE_DOOR  # else of something on the way
    if not isinstance(body, dict):
        body = {}
    said = body.get("message")
    message = words(said if isinstance(said, str) and said else _as_told(text)) or "no reason given"
    if in_the_way := words(body.get("existing_order_id")):
        message += f" (order {in_the_way} stands in the way)"
    unproved = status in PROVE_NOTHING or status >= requests.codes.server_error
    if unproved or not is_alpacas:
        is_busy = status == requests.codes.too_many_requests and is_alpacas
        kind = BrokerBusy if is_busy else BrokerUnavailable
        return kind(f"the broker answered HTTP {status}: {message}; {_remedy(status)}")
    code = body.get("code")
    return BrokerRejected(status, code if isinstance(code, int) else None, message, body)


def _remedy(status: int) -> str:
    """What to do about an answer that proves nothing."""
    if status == requests.codes.too_many_requests:
        return "run fewer programs on the account"
    if status == requests.codes.request_timeout or status >= requests.codes.server_error:
        return "if it stays so, look at Alpaca's status page"
    return NOT_ALPACAS


def _as_told(text: str) -> str:
    """What an answer that is no JSON says; of a page of HTML, its title alone."""
    if not text.lstrip().startswith("<"):
        return text
    title = _TITLE.search(text)
    return f"a page instead of JSON ({title[1]})" if title else "a page instead of JSON"
