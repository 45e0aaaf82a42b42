"""Market-data REST: historical and latest bars of both classes.

Rule: nobody looks ahead. A bar is shown once its minute has ended on the broker's clock, whatever
`end` says.
"""

import base64
import binascii
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator.assets import is_crypto, is_symbol
from simulator.errors import Rejection, forbidden, not_found
from simulator.exchange import Exchange
from simulator.feed import bars_between, last_bar, midnight
from simulator.listing import choice, moment, parse_time, whole, words
from simulator.rest_trading import exchange_of
from simulator.timeframes import MINUTELY, Timeframe
from simulator.values import MINUTE, Bar
from simulator.wire import bar_row, rfc3339

_DEFAULT_LIMIT, _MOST = 1000, 10_000
_FEEDS, _FEEDS_NOT_SERVED = ("iex", "sip"), ("delayed_sip", "boats", "overnight", "otc")
_ADJUSTMENTS = ("raw", "split", "dividend", "spin-off", "all")
_STEP = timedelta(microseconds=1)


@dataclass(frozen=True)
class Page:
    """What a listing of bars asks for: those that begin from start to end, both included.

    Times are aware UTC. resume: the symbol and start of the bar that the page before ended with.
    """

    symbols: Sequence[str]
    timeframe: Timeframe
    start: datetime
    end: datetime
    limit: int
    newest_first: bool
    resume: tuple[str, datetime] | None


async def get_bars(request: Request) -> Response:
    """GET /v2/stocks/bars, /v2/stocks/{symbol}/bars and /v1beta3/crypto/us/bars."""
    exchange = exchange_of(request)
    _check_feed(request, exchange)
    page = _page(request, exchange)
    bars, token = _take(exchange, page)
    single = request.path_params.get("symbol")
    if single:
        rows = [bar_row(bar) for bar in bars]
        return JSONResponse({"bars": rows, "symbol": single, "next_page_token": token})
    grouped = {
        symbol: [bar_row(bar) for bar in held]
        for symbol, held in groupby(bars, key=lambda bar: bar.symbol)
    }
    return JSONResponse({"bars": grouped, "next_page_token": token})


async def get_latest(request: Request) -> Response:
    """GET /v2/stocks/bars/latest, the same of one symbol, and /v1beta3/crypto/us/latest/bars."""
    exchange = exchange_of(request)
    _check_feed(request, exchange)
    now = exchange.now()
    single = request.path_params.get("symbol")
    found = {
        symbol: last_bar(exchange.feed, symbol, now)
        for symbol in ([single] if single else _symbols(request))
    }
    rows = {symbol: bar_row(bar) for symbol, bar in found.items() if bar is not None}
    if single:
        if single not in rows:
            raise not_found(f"no bar found for {single}")
        return JSONResponse({"symbol": single, "bar": rows[single]})
    return JSONResponse({"bars": rows})


def _page(request: Request, exchange: Exchange) -> Page:
    query, now = request.query_params, exchange.now()
    single = request.path_params.get("symbol")
    try:
        timeframe = Timeframe.of(query.get("timeframe") or "1Min")
    except ValueError as error:
        raise _bad(str(error)) from None
    with _as_bad_request():
        limit = whole(query, "limit", _DEFAULT_LIMIT, _MOST)
        newest_first = choice(query, "sort", ("asc", "desc"), "asc") == "desc"
        start = moment(query, "start") or midnight(now.date())
        end = moment(query, "end") or now
    if end < start:
        raise _bad("end should not be before start")
    token = query.get("page_token")
    return Page(
        symbols=[single] if single else _symbols(request),
        timeframe=timeframe,
        start=start,
        end=end,
        limit=limit,
        newest_first=newest_first,
        resume=_resume(token) if token else None,
    )


@contextmanager
def _as_bad_request() -> Iterator[None]:
    """The data API answers 400 where the trading API answers 422."""
    try:
        yield
    except Rejection as refusal:
        raise _bad(refusal.message) from None


def _take(exchange: Exchange, page: Page) -> tuple[list[Bar], str | None]:
    """One page of bars, sorted by symbol, then time; and the token of the next one."""
    taken: list[Bar] = []
    for bar in _matching(exchange, page):
        if len(taken) == page.limit:
            last = taken[-1]
            text = f"{last.symbol}|{rfc3339(last.start)}"
            return taken, base64.urlsafe_b64encode(text.encode()).decode()
        taken.append(bar)
    return taken, None


def _matching(exchange: Exchange, page: Page) -> Iterator[Bar]:
    """What is left of the listing; a longer bar is whole, as far as its minutes are known."""
    known = exchange.now() - MINUTE
    for symbol in page.symbols:
        first, last, seen = page.start, min(page.end, known), None
        if page.resume is not None:
            if symbol < page.resume[0]:
                continue
            if symbol == page.resume[0]:
                seen = page.resume[1]
                first, last = (first, min(last, seen)) if page.newest_first else (seen, last)
        for bar in _gathered(exchange, page, symbol, first, last):
            if page.start <= bar.start <= last and bar.start != seen:
                yield bar


def _gathered(
    exchange: Exchange, page: Page, symbol: str, first: datetime, last: datetime
) -> Iterator[Bar]:
    """At least the bars that begin from `first` to `last`."""
    if page.timeframe == MINUTELY:
        yield from bars_between(
            exchange.feed, symbol, first, last + _STEP, newest_first=page.newest_first
        )
        return
    through = min(last + page.timeframe.longest, exchange.now() - MINUTE)
    bars = page.timeframe.gather(bars_between(exchange.feed, symbol, first, through + _STEP))
    yield from reversed(bars) if page.newest_first else bars


def _symbols(request: Request) -> list[str]:
    crypto = "/crypto/" in request.url.path
    symbols = sorted(set(words(request.query_params, "symbols")))
    if not symbols:
        raise _bad("symbols is required")
    wrong = [name for name in symbols if not is_symbol(name) or is_crypto(name) != crypto]
    if wrong:
        raise _bad(f"invalid symbol: {wrong[0]}")
    return symbols


def _check_feed(request: Request, exchange: Exchange) -> None:
    if "/crypto/" in request.url.path:
        return
    with _as_bad_request():
        feed = choice(request.query_params, "feed", (*_FEEDS, *_FEEDS_NOT_SERVED), "sip")
        for word in words(request.query_params, "adjustment"):
            choice({"adjustment": word}, "adjustment", _ADJUSTMENTS, "raw")
    if feed in _FEEDS_NOT_SERVED:
        raise _bad(f"feed {feed} is not served by this simulator; use {' or '.join(_FEEDS)}")
    currency = request.query_params.get("currency") or "USD"
    if currency.upper() != "USD":
        raise _bad(f"currency {currency} is not served by this simulator; its prices are in USD")
    if f"/v2/{feed}" in exchange.options.refused:
        raise forbidden("subscription does not permit querying recent SIP data")


def _resume(token: str) -> tuple[str, datetime]:
    try:
        symbol, _, start = base64.urlsafe_b64decode(token).decode().partition("|")
        return symbol, parse_time(start)
    except (ValueError, binascii.Error):
        raise _bad(f"invalid page_token: {token}") from None


def _bad(message: str) -> Rejection:
    return Rejection(400, 40010000, message)


ROUTES = [
    Route("/v2/stocks/bars", get_bars),
    Route("/v2/stocks/bars/latest", get_latest),
    Route("/v2/stocks/{symbol}/bars", get_bars),
    Route("/v2/stocks/{symbol}/bars/latest", get_latest),
    Route("/v1beta3/crypto/us/bars", get_bars),
    Route("/v1beta3/crypto/us/latest/bars", get_latest),
]
