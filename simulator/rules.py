"""Which orders Alpaca takes: its rules, with the status and body of each refusal.

Rule: functions here look and refuse (`Rejection`); they change nothing. `read_ticket` judges the
request by itself; the others judge it against the account.
"""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import Enum
from typing import TypeVar

from simulator.assets import Asset, find_asset, order_symbol
from simulator.errors import Rejection, forbidden, invalid, malformed
from simulator.ledger import Funds, held_qty
from simulator.money import CENT, decimals_of, exact, plain
from simulator.values import AssetClass, Order, OrderType, Side, Ticket, TimeInForce, intent

STOCK_MINIMUM = Decimal(1)
CRYPTO_MINIMUM = Decimal(10)
CRYPTO_MAXIMUM = Decimal(200_000)
"""Of one order, bought or sold: docs.alpaca.markets/docs/crypto-trading, "Trading Limits"."""
SHORT_EQUITY_MINIMUM = Decimal(2000)
QTY_DECIMALS = 9
NOTIONAL_DECIMALS = 2
CLIENT_ID_LENGTH = 128
_DOLLAR = Decimal(1)
_NUMBER = re.compile(r"[+-]?([0-9]{1,30}(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,2})?")
_NOT_SERVED = ("legs", "take_profit", "stop_loss", "trail_price", "trail_percent")
_WORDS_NOT_SERVED = ("trailing_stop", "opg", "cls", "fok")

E = TypeVar("E", bound=Enum)


def read_ticket(body: Mapping[str, object], fresh_client_id: str) -> Ticket:
    """The order that a POST asks for; 422 Rejection if it breaks a rule of its own.

    fresh_client_id: used when the client gave none.
    """
    symbol = order_symbol(str(body.get("symbol") or ""))
    if not symbol:
        raise malformed("symbol is required")
    asset = find_asset(symbol)
    if asset is None:
        raise invalid(f'asset "{symbol}" not found')
    kind = read_word(OrderType, body.get("type"), "type")
    qty, notional = read_number(body, "qty"), read_number(body, "notional")
    if (qty is None) == (notional is None):
        raise malformed("exactly one of qty or notional is required")
    order_class = str(body.get("order_class") or "simple")
    if order_class != "simple":
        raise not_served(f"order_class {order_class}", "use simple orders")
    for name in _NOT_SERVED:
        if body.get(name):
            raise not_served(name, "use simple orders")
    client_id = str(body.get("client_order_id") or fresh_client_id)
    if len(client_id) > CLIENT_ID_LENGTH:
        raise malformed(f"client_order_id must be no more than {CLIENT_ID_LENGTH} characters")
    ticket = Ticket(
        symbol=symbol,
        side=read_word(Side, body.get("side"), "side"),
        type=kind,
        time_in_force=read_word(TimeInForce, body.get("time_in_force"), "time_in_force"),
        qty=qty,
        notional=notional,
        limit_price=read_number(body, "limit_price"),
        stop_price=read_number(body, "stop_price"),
        client_order_id=client_id,
        extended_hours=bool(body.get("extended_hours")),
        position_intent=str(body.get("position_intent") or "") or None,
    )
    check_ticket(ticket, asset)
    return ticket


def check_ticket(ticket: Ticket, asset: Asset) -> None:
    """Refuse what the asset's class does not allow: types, time in force, increments, prices."""
    _check_amount(ticket, asset)
    _check_prices(ticket, asset)
    if asset.asset_class is AssetClass.CRYPTO:
        if ticket.type is OrderType.STOP:
            raise invalid("invalid order type for crypto order")
        if ticket.time_in_force is TimeInForce.DAY:
            raise invalid("invalid crypto time_in_force")
        if ticket.extended_hours:
            raise invalid("extended_hours is not valid for crypto orders")
        return
    if ticket.extended_hours and not (
        ticket.type is OrderType.LIMIT
        and ticket.time_in_force in (TimeInForce.DAY, TimeInForce.GTC)
    ):
        raise invalid("extended hours order must be DAY or GTC limit orders")
    fractional = ticket.qty is None or decimals_of(ticket.qty) > 0
    if fractional and ticket.time_in_force is not TimeInForce.DAY:
        raise invalid("fractional orders must be DAY orders")


def _check_amount(ticket: Ticket, asset: Asset) -> None:
    if ticket.notional is not None:
        if ticket.notional <= 0:
            raise malformed("notional must be > 0")
        if decimals_of(ticket.notional) > NOTIONAL_DECIMALS:
            raise invalid(f"notional value must be limited to {NOTIONAL_DECIMALS} decimal places")
        return
    qty = ticket.qty
    if qty is None or qty <= 0:
        raise malformed("qty must be > 0")
    if decimals_of(qty) > QTY_DECIMALS:
        raise invalid(f"qty must be limited to {QTY_DECIMALS} decimal places")
    if asset.asset_class is AssetClass.CRYPTO and qty < asset.min_order_size:
        raise invalid(f"qty must be >= min_order_size {plain(asset.min_order_size)}")


def _check_prices(ticket: Ticket, asset: Asset) -> None:
    needs_limit = ticket.type in (OrderType.LIMIT, OrderType.STOP_LIMIT)
    needs_stop = ticket.type in (OrderType.STOP, OrderType.STOP_LIMIT)
    for name, price, needed in (
        ("limit_price", ticket.limit_price, needs_limit),
        ("stop_price", ticket.stop_price, needs_stop),
    ):
        if price is None:
            if needed:
                raise malformed(f"{ticket.type.value} orders require {name}")
            continue
        if not needed:
            raise malformed(f"{ticket.type.value} orders must not have {name}")
        if price <= 0:
            raise malformed(f"{name} must be > 0")
        _check_increment(name, price, asset)


@exact
def _check_increment(name: str, price: Decimal, asset: Asset) -> None:
    if asset.asset_class is AssetClass.CRYPTO:
        if price % asset.price_increment != 0:
            raise invalid(
                f"invalid {name} {plain(price)}. "
                f"it must be a multiple of {plain(asset.price_increment)}"
            )
    elif decimals_of(price) > (2 if price >= _DOLLAR else 4):
        raise invalid(
            f"invalid {name} {plain(price)}. "
            "sub-penny increment does not fulfill minimum pricing criteria"
        )


@exact
def check_cost(ticket: Ticket, price: Decimal) -> None:
    """Refuse buys below the minimum cost: $1 of a stock (422), $10 of crypto (403)."""
    if ticket.side is Side.SELL:
        return
    cost = ticket.notional if ticket.qty is None else ticket.qty * price
    if cost is None:
        raise AssertionError("a ticket has a quantity or an amount")
    if ticket.is_crypto and cost < CRYPTO_MINIMUM:
        raise forbidden("cost basis must be >= minimal amount of order 10")
    if not ticket.is_crypto and cost < STOCK_MINIMUM:
        raise invalid("cost basis must be >= minimal amount of order 1")


@exact
def check_size(ticket: Ticket, price: Decimal) -> None:
    """Refuse (403) an order of coins for too many dollars. Alpaca's words are not known."""
    cost = ticket.notional if ticket.qty is None else ticket.qty * price
    if ticket.is_crypto and cost is not None and cost > CRYPTO_MAXIMUM:
        raise forbidden(f"cost basis must be <= maximal amount of order {plain(CRYPTO_MAXIMUM)}")


def check_wash(ticket: Ticket, resting: Iterable[Order]) -> None:
    """Refuse (403) an order that could trade with the account's own, by Alpaca's table."""
    for order in resting:
        if order.symbol != ticket.symbol or order.side is ticket.side:
            continue
        limits = (ticket.limit_price, order.ticket.limit_price)
        if None in limits:
            reason = "opposite side market/stop order exists"
        else:
            buy, sell = limits if ticket.side is Side.BUY else limits[::-1]
            if buy is None or sell is None or buy < sell:
                continue
            reason = "opposite side limit order exists"
        raise forbidden(
            "potential wash trade detected. use complex orders",
            existing_order_id=order.id,
            reject_reason=reason,
        )


@exact
def check_available(ticket: Ticket, price: Decimal, held: Decimal, resting: list[Order]) -> None:
    """Refuse (403) closing more than is held and not reserved by other closing orders.

    held: the net position; the ticket's side is opposite to it.
    """
    qty = ticket.qty if ticket.qty is not None else (ticket.notional or Decimal(0)) / price
    related = [
        order
        for order in resting
        if order.symbol == ticket.symbol and order.side is ticket.side and not order.opens
    ]
    reserved = sum((held_qty(order) for order in related), Decimal(0))
    available = abs(held) - reserved
    if qty > available and ticket.is_crypto:
        raise _short_of(ticket, ticket.symbol.partition("/")[0], qty, available, abs(held))
    if qty > available:
        raise forbidden(
            f"insufficient qty available for order "
            f"(requested: {plain(qty)}, available: {plain(available)})",
            available=plain(available),
            existing_qty=plain(abs(held)),
            held_for_orders=plain(reserved),
            related_orders=[order.id for order in related],
            symbol=ticket.symbol,
        )


@exact
def check_funds(ticket: Ticket, hold_price: Decimal, money: Funds) -> None:
    """Refuse (403) opening more than buying power allows; crypto needs non-marginable dollars."""
    cost = ticket.notional if ticket.qty is None else ticket.qty * hold_price
    power = money.non_marginable if ticket.is_crypto else money.buying_power
    if cost is None or cost <= power:
        return
    left = power.quantize(CENT)
    if ticket.is_crypto:
        raise _short_of(ticket, ticket.symbol.partition("/")[2], cost, left, left)
    raise forbidden("insufficient buying power", buying_power=plain(left), cost_basis=plain(cost))


def _short_of(
    ticket: Ticket, what: str, requested: Decimal, available: Decimal, balance: Decimal
) -> Rejection:
    """403 as Alpaca words it for pairs. what: the coin or currency that is short."""
    return forbidden(
        f"insufficient balance for {what} "
        f"(requested: {plain(requested)}, available: {plain(available)})",
        available=plain(available),
        balance=plain(balance),
        symbol=ticket.symbol.partition("/")[2],
    )


def check_intent(ticket: Ticket, *, opens: bool) -> None:
    """Refuse an order that would do something else to the position than its client said."""
    inferred, specified = intent(ticket.side, opens=opens), ticket.position_intent
    if specified not in (None, inferred):
        raise invalid(f"position intent mismatch, inferred: {inferred}, specified: {specified}")


def check_short(ticket: Ticket, money: Funds) -> None:
    """Refuse opening a short position with a fraction of a share, or with too little equity."""
    if ticket.qty is None or decimals_of(ticket.qty) > 0:
        raise invalid("fractional orders cannot be sold short")
    if money.equity < SHORT_EQUITY_MINIMUM:
        raise forbidden("account is not allowed to short")


def not_served(what: str, instead: str) -> Rejection:
    """422: Alpaca knows it, this simulator does not."""
    return invalid(f"{what} is not served by this simulator; {instead}")


def read_word(kind: type[E], value: object, name: str) -> E:
    """A word of a request. 422 Rejection when it is none of the kind's."""
    if value is None or value == "":
        raise malformed(f"{name} is required")
    if value in _WORDS_NOT_SERVED:
        raise not_served(f"{name} {value}", f"use {', '.join(word.value for word in kind)}")
    try:
        return kind(str(value))
    except ValueError:
        raise invalid(f"invalid {name} {value!r}") from None


def read_number(body: Mapping[str, object], name: str) -> Decimal | None:
    """A number of a request, exact; None when absent. 422 Rejection when it is none."""
    value = body.get(name)
    if value is None or value == "":
        return None
    if _NUMBER.fullmatch(str(value)) is None:
        raise malformed(f"{name} {value!r} is not a number")
    return Decimal(str(value))
