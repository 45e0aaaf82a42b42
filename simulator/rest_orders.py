"""Trading REST that moves orders: placing, listing, replacing, cancelling, closing positions.

Rule: the client's answer leaves first; only then does the venue work, so an order is answered
`pending_new` or `accepted` and its updates follow.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator.assets import asset_of, is_crypto, position_symbol
from simulator.errors import Rejection, invalid, malformed
from simulator.exchange import Exchange
from simulator.listing import select_orders
from simulator.money import QTY_STEP, decimals_of, exact, floor_to
from simulator.rest_trading import exchange_of, held_position
from simulator.rules import check_ticket, not_served, read_number, read_ticket, read_word
from simulator.shapes import order_json
from simulator.values import Order, OrderType, Position, Side, Ticket, TimeInForce

_HUNDRED, _ONE_SHARE = Decimal(100), Decimal(1)


async def post_order(request: Request) -> Response:
    """POST /v2/orders."""
    exchange = exchange_of(request)
    return _answer(exchange, order_json(exchange.submit(read_order(await request.body()))))


def read_order(body: bytes) -> Ticket:
    """The order that the body of a POST asks for. Raises Rejection (422)."""
    return read_ticket(_read(body), str(uuid.uuid4()))


async def get_orders(request: Request) -> Response:
    """GET /v2/orders with all its parameters."""
    orders = exchange_of(request).venue.orders
    return JSONResponse(
        [order_json(order) for order in select_orders(orders, request.query_params)]
    )


async def get_order(request: Request) -> Response:
    """GET /v2/orders/{id}."""
    return JSONResponse(
        order_json(exchange_of(request).venue.orders.find(request.path_params["id"]))
    )


async def get_client_order(request: Request) -> Response:
    """GET /v2/orders:by_client_order_id?client_order_id=."""
    wanted = request.query_params.get("client_order_id", "")
    return JSONResponse(order_json(exchange_of(request).venue.orders.find_client(wanted)))


async def patch_order(request: Request) -> Response:
    """PATCH /v2/orders/{id}: a new order in the old one's place, under a new id."""
    exchange = exchange_of(request)
    old = exchange.venue.orders.find(request.path_params["id"])
    ticket = _changed(old, _read(await request.body()))
    order = exchange.venue.replace(old.id, ticket, exchange.market(acting=True))
    return _answer(exchange, order_json(order))


async def delete_order(request: Request) -> Response:
    """DELETE /v2/orders/{id}: 204, or 422 when it can no longer be cancelled."""
    exchange = exchange_of(request)
    exchange.venue.cancel(request.path_params["id"], exchange.market(acting=True).now)
    return Response(status_code=204, background=BackgroundTask(_publish, exchange))


async def delete_orders(request: Request) -> Response:
    """DELETE /v2/orders: 207 with a status for each."""
    exchange = exchange_of(request)
    return _answer(exchange, _cancel_all(exchange), status=207)


async def delete_position(request: Request) -> Response:
    """DELETE /v2/positions/{symbol}?qty|percentage: a market order that closes it."""
    exchange = exchange_of(request)
    position = held_position(exchange, request.path_params["symbol"])
    order = exchange.submit(_closing(position, request.query_params))
    return _answer(exchange, order_json(order))


async def delete_positions(request: Request) -> Response:
    """DELETE /v2/positions?cancel_orders: 207 with an order (or refusal) for each position."""
    exchange = exchange_of(request)
    if request.query_params.get("cancel_orders", "").lower() == "true":
        _cancel_all(exchange)
    answers = []
    for position in list(exchange.venue.ledger.positions.values()):
        try:
            order = exchange.submit(_closing(position, {}))
        except Rejection as refusal:
            status, body = refusal.status, refusal.body()
        else:
            status, body = 200, order_json(order)
        symbol = position_symbol(position.symbol)
        answers.append({"symbol": symbol, "status": status, "body": body})
    return _answer(exchange, answers, status=207)


def _cancel_all(exchange: Exchange) -> list[dict[str, Any]]:
    answers = []
    for order in exchange.venue.orders.open():
        exchange.venue.cancel(order.id, exchange.market(acting=True).now)
        answers.append({"id": order.id, "status": 200})
    return answers


@exact
def _closing(position: Position, query: Mapping[str, str]) -> Ticket:
    held, crypto = abs(position.qty), is_crypto(position.symbol)
    qty, percentage = read_number(query, "qty"), read_number(query, "percentage")
    if qty is not None and percentage is not None:
        raise malformed("only one of qty or percentage may be given")
    if percentage is not None:
        if not 0 < percentage <= _HUNDRED:
            raise malformed("percentage must be in (0, 100]")
        whole = not crypto and not decimals_of(held)
        qty = floor_to(held * percentage / _HUNDRED, _ONE_SHARE if whole else QTY_STEP)
    ticket = Ticket(
        symbol=position.symbol,
        side=Side.SELL if position.qty > 0 else Side.BUY,
        type=OrderType.MARKET,
        time_in_force=TimeInForce.GTC if crypto else TimeInForce.DAY,
        qty=held if qty is None else qty,
        notional=None,
        limit_price=None,
        stop_price=None,
        client_order_id=str(uuid.uuid4()),
    )
    check_ticket(ticket, asset_of(ticket.symbol))
    return ticket


def _changed(old: Order, body: Mapping[str, object]) -> Ticket:
    """The ticket that a PATCH makes of an order's. Raises Rejection."""
    qty = read_number(body, "qty")
    if qty is not None and decimals_of(qty) > 0 and not old.ticket.is_crypto:
        raise invalid("qty must be a whole number to replace an order")
    if body.get("trail") is not None:
        raise not_served("trail", "replace with qty, limit_price or stop_price")
    tif = body.get("time_in_force") or old.ticket.time_in_force.value
    limit, stop = read_number(body, "limit_price"), read_number(body, "stop_price")
    ticket = replace(
        old.ticket,
        qty=old.ticket.qty if qty is None else qty,
        time_in_force=read_word(TimeInForce, tif, "time_in_force"),
        limit_price=old.ticket.limit_price if limit is None else limit,
        stop_price=old.ticket.stop_price if stop is None else stop,
        client_order_id=str(body.get("client_order_id") or uuid.uuid4()),
    )
    check_ticket(ticket, asset_of(ticket.symbol))
    return ticket


def _read(body: bytes) -> dict[str, object]:
    """A request's JSON object, numbers exact. Raises Rejection (422)."""
    try:
        read = json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise malformed("request body format is invalid") from None
    if not isinstance(read, dict):
        raise malformed("request body format is invalid")
    return read


def _answer(exchange: Exchange, shape: Any, status: int = 200) -> Response:
    return JSONResponse(shape, status, background=BackgroundTask(_work, exchange))


async def _work(exchange: Exchange) -> None:
    exchange.work()


async def _publish(exchange: Exchange) -> None:
    exchange.publish()


ROUTES = [
    Route("/v2/orders", post_order, methods=["POST"]),
    Route("/v2/orders", get_orders, methods=["GET"]),
    Route("/v2/orders", delete_orders, methods=["DELETE"]),
    Route("/v2/orders:by_client_order_id", get_client_order, methods=["GET"]),
    Route("/v2/orders/{id}", get_order, methods=["GET"]),
    Route("/v2/orders/{id}", patch_order, methods=["PATCH"]),
    Route("/v2/orders/{id}", delete_order, methods=["DELETE"]),
    Route("/v2/positions", delete_positions, methods=["DELETE"]),
    Route("/v2/positions/{symbol}", delete_position, methods=["DELETE"]),
]
