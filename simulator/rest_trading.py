"""Trading REST under /v2: account, clock, calendar, assets, positions, activities, history.

Rule: a handler reads its parameters, asks the exchange once and shapes the answer; decisions are
made elsewhere. Orders are in `rest_orders`.
"""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise, takewhile
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator.activities import select_activities
from simulator.assets import Asset, asset_id, asset_of, find_asset, position_symbol
from simulator.calendar import Calendar
from simulator.errors import malformed, not_found
from simulator.exchange import Exchange
from simulator.feed import last_bar, midnight
from simulator.history import portfolio_history
from simulator.ledger import since
from simulator.shapes import (
    account_json,
    asset_json,
    clock_json,
    position_json,
    session_json,
)
from simulator.values import Position

_ACCOUNTS = uuid.UUID("d3c5a0f2-6a1b-5f6e-9b0a-3c8f0d9b7a11")
_FLUSH_TRIES = 200
_FIRST_DAY, _LAST_DAY = date(1970, 1, 1), date(2029, 12, 31)


def exchange_of(request: Request) -> Exchange:
    """The exchange that the application serves."""
    exchange = request.app.state.exchange
    if not isinstance(exchange, Exchange):
        raise AssertionError("the application was built without an exchange (server.py)")
    return exchange


async def get_account(request: Request) -> Response:
    """GET /v2/account."""
    exchange = exchange_of(request)
    number = exchange.account_number
    shape = account_json(
        number,
        str(uuid.uuid5(_ACCOUNTS, number)),
        exchange.venue.ledger.cash,
        exchange.venue.account.funds(exchange.market()),
        exchange.last_equity,
        suspended=exchange.is_suspended,
    )
    return JSONResponse(shape)


async def get_configurations(request: Request) -> Response:
    """GET /v2/account/configurations: fixed."""
    return JSONResponse(
        {
            "fractional_trading": True,
            "max_margin_multiplier": "2",
            "no_shorting": False,
            "suspend_trade": False,
            "trade_confirm_email": "none",
            "ptp_no_exception_entry": False,
        }
    )


async def get_clock(request: Request) -> Response:
    """GET /v2/clock. It first waits until the frames of the time that it answers are written."""
    exchange = exchange_of(request)
    now = exchange.now()
    for _ in range(_FLUSH_TRIES):
        if not exchange.quiet.waiting_frames():
            break
        await asyncio.sleep(0.005)
    calendar = exchange.calendar
    return JSONResponse(
        clock_json(
            now,
            calendar.next_open(now),
            calendar.next_close(now),
            is_open=calendar.at(now) is not None,
        )
    )


async def get_calendar(request: Request) -> Response:
    """GET /v2/calendar?start&end, both included, within the years that Alpaca's has."""
    first, last = _date(request, "start", _FIRST_DAY), _date(request, "end", _LAST_DAY)
    calendar = exchange_of(request).calendar
    if not calendar.sessions[0].date <= first <= last < calendar.sessions[-1].date:
        first, last = max(first, _FIRST_DAY), min(last, _LAST_DAY)
        calendar = Calendar(first, max(first, last))
    settle = {day.date: after.date for day, after in pairwise(calendar.sessions)}
    shown = calendar.between(first, last)
    return JSONResponse([session_json(session, settle[session.date]) for session in shown])


async def get_assets(request: Request) -> Response:
    """GET /v2/assets?status&asset_class&exchange: the feed's symbols and whatever is held."""
    exchange = exchange_of(request)
    if (request.query_params.get("status") or "active").lower() not in ("active", "all"):
        return JSONResponse([])
    kind = request.query_params.get("asset_class", "")
    venue_name = request.query_params.get("exchange", "")
    shown = []
    for symbol in sorted({*exchange.universe, *exchange.venue.ledger.positions}):
        asset = asset_of(symbol)
        if kind in ("", asset.asset_class.value) and venue_name in ("", asset.exchange):
            shown.append(asset_json(asset))
    return JSONResponse(shown)


async def get_asset(request: Request) -> Response:
    """GET /v2/assets/{symbol or id}; 'BTC/USD' unescaped, or 'BTCUSD' where the feed has it."""
    name = request.path_params["symbol"]
    asset = _asset(name, exchange_of(request).universe)
    if asset is None:
        raise not_found(f"asset not found for {name}")
    return JSONResponse(asset_json(asset))


async def get_positions(request: Request) -> Response:
    """GET /v2/positions."""
    exchange = exchange_of(request)
    return JSONResponse(_position_shapes(exchange, exchange.venue.ledger.positions.values()))


async def get_position(request: Request) -> Response:
    """GET /v2/positions/{symbol or id}; pairs without their slash."""
    exchange = exchange_of(request)
    position = held_position(exchange, request.path_params["symbol"])
    return JSONResponse(_position_shapes(exchange, [position])[0])


def held_position(exchange: Exchange, name: str) -> Position:
    """The position that a path names ('SPY', 'BTCUSD' or an asset id); 404 if there is none."""
    for symbol, position in exchange.venue.ledger.positions.items():
        if name in (position_symbol(symbol), asset_id(symbol)):
            return position
    raise not_found("position does not exist")


def _position_shapes(exchange: Exchange, positions: Iterable[Position]) -> list[dict[str, Any]]:
    """Positions as JSON, marked with the last close and that of the day before."""
    market, account = exchange.market(), exchange.venue.account
    dawn = midnight(market.now.date())
    newest = takewhile(lambda fill: fill.at >= dawn, reversed(exchange.venue.executions))
    fills = defaultdict(list)
    for fill in reversed([*newest]):
        fills[fill.symbol].append(fill)
    shapes = []
    for position in positions:
        mark = account.mark(position, market)
        bar = last_bar(exchange.feed, position.symbol, dawn)
        before: Decimal = mark if bar is None else bar.close
        today = since(position, fills[position.symbol], before)
        available = account.available(position.symbol)
        shapes.append(position_json(position, today, available, mark, before))
    return shapes


async def get_activities(request: Request) -> Response:
    """GET /v2/account/activities[/{type}]: fills and whatever else was posted."""
    exchange = exchange_of(request)
    return JSONResponse(
        select_activities(
            exchange.venue.executions,
            exchange.activities(),
            request.query_params,
            request.path_params.get("kind"),
        )
    )


async def get_history(request: Request) -> Response:
    """GET /v2/account/portfolio/history."""
    exchange = exchange_of(request)
    return JSONResponse(
        portfolio_history(
            exchange.equity, exchange.now(), exchange.options.cash, request.query_params
        )
    )


def _asset(name: str, universe: Sequence[str]) -> Asset | None:
    for symbol in universe:
        if name in (asset_id(symbol), position_symbol(symbol)):
            return asset_of(symbol)
    return find_asset(name)


def _date(request: Request, name: str, default: date) -> date:
    text = request.query_params.get(name)
    if not text:
        return default
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise malformed(f"{name} {text!r} is not a date") from None


ROUTES = [
    Route("/v2/account", get_account),
    Route("/v2/account/configurations", get_configurations),
    Route("/v2/account/activities", get_activities),
    Route("/v2/account/activities/{kind}", get_activities),
    Route("/v2/account/portfolio/history", get_history),
    Route("/v2/clock", get_clock),
    Route("/v2/calendar", get_calendar),
    Route("/v2/assets", get_assets),
    Route("/v2/assets/{symbol:path}", get_asset),
    Route("/v2/positions", get_positions),
    Route("/v2/positions/{symbol}", get_position),
]
