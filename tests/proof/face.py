"""The model's face: Alpaca's paths, JSON bodies and messages, as its documentation has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from tests.proof.market import (
    EXCHANGE_ZONE,
    ONE_MINUTE,
    Listing,
    OpenHours,
    Tape,
)
from tests.proof.model import ENDED, Brokerage, Refused, TrueActivity, TrueExecution, TrueOrder

Json = Any


def stamp(moment: datetime) -> str:
    """'2026-03-17T14:30:00.123456Z'."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def text(amount: Decimal | None) -> str | None:
    """A number as Alpaca writes it: plain, without an exponent."""
    return None if amount is None else f"{amount.normalize():f}"


def order_json(order: TrueOrder) -> dict[str, Json]:
    """An order's fields."""
    at = stamp(order.submitted_at)
    done: dict[str, str | None] = {
        status: None for status in ("filled", "canceled", "expired", "failed")
    }
    updated = stamp(order.updated_at or order.submitted_at)
    if order.status in done:
        done[order.status] = updated
    return {
        "id": order.order_id,
        "client_order_id": order.client_order_id,
        "created_at": at,
        "updated_at": updated,
        "submitted_at": at,
        **{f"{status}_at": moment for status, moment in done.items()},
        "replaced_at": updated if order.replaced_by else None,
        "replaced_by": order.replaced_by or None,
        "replaces": order.replaces.order_id if order.replaces else None,
        "asset_id": str(UUID(int=sum(order.symbol.encode()))),
        "symbol": order.symbol,
        "asset_class": "crypto" if order.listing.crypto else "us_equity",
        "notional": None,
        "qty": text(order.qty),
        "filled_qty": text(order.filled),
        "filled_avg_price": text(order.average),
        "order_class": "",
        "order_type": "market",
        "type": "market",
        "side": order.side,
        "time_in_force": order.time_in_force,
        "limit_price": None,
        "stop_price": None,
        "status": order.status,
        "extended_hours": False,
        "legs": None,
        "trail_percent": None,
        "trail_price": None,
        "hwm": None,
        "subtag": None,
        "source": None,
    }


def update_json(
    order: TrueOrder,
    event: str,
    now: datetime,
    event_id: str,
    execution: TrueExecution | None,
    position_qty: Decimal,
) -> dict[str, Json]:
    """One message of `trade_updates`."""
    data: dict[str, Json] = {
        "event": event,
        "event_id": event_id,
        "timestamp": stamp(now),
        "at": stamp(now),
        "order": order_json(order),
    }
    if execution is not None:
        data |= {
            "execution_id": execution.execution_id,
            "price": text(execution.price),
            "qty": text(execution.qty),
            "position_qty": text(position_qty),
        }
        if event == "trade_bust":
            data |= {"execution_id": event_id, "previous_execution_id": execution.execution_id}
            data["qty"] = text(-execution.qty)
        elif execution.instead_of is not None:
            data["previous_execution_id"] = execution.instead_of.execution_id
    return {"stream": "trade_updates", "data": data}


class Face:
    """Answers requests about one account. `now` is the broker's time; `take` accepts an order."""

    def __init__(
        self,
        brokerage: Brokerage,
        tape: Tape,
        hours: Sequence[OpenHours],
        listings: Iterable[Listing],
        now: Callable[[], datetime],
        *,
        cents_only: bool,
    ) -> None:
        self._account, self._tape, self._hours, self._now = brokerage, tape, hours, now
        self._listings = {listing.symbol: listing for listing in listings}
        self._cents_only = cents_only

    def get(self, path: str, query: Mapping[str, Any]) -> Json:
        """The answer to a GET of a path, without its version."""
        match path.split("/")[1:]:
            case ["account"]:
                return self._account_json()
            case ["clock"]:
                return self._clock_json()
            case ["calendar"]:
                first, last = (date.fromisoformat(query[key]) for key in ("start", "end"))
                return [hours.json() for hours in self._hours if first <= hours.day <= last]
            case ["assets", *symbol]:
                return self._asset_json("/".join(symbol))
            case ["positions"]:
                return [self._position_json(symbol) for symbol in self._account.positions]
            case ["positions", symbol]:
                return self._position_json(self._held_as(symbol))
            case ["orders:by_client_order_id"]:
                return order_json(self._known(self._account.by_client_id, "client_order_id", query))
            case ["orders"]:
                return self._orders_json(query)
            case ["orders", name]:
                return order_json(self.order(name))
            case ["account", "activities", *kind]:
                return self._activities_json(kind, query)
            case ["stocks", "bars"] | ["crypto", "us", "bars"]:
                return self._bars_json(query)
        raise Refused(404, 40410000, f"endpoint not found: {path}")

    def order(self, order_id: str) -> TrueOrder:
        """The order with the broker's own id."""
        return self._known(self._account.orders, "id", {"id": order_id})

    def listing(self, symbol: str) -> Listing:
        """The ticker of this name."""
        if symbol not in self._listings:
            raise Refused(404, 40410000, f"asset not found for {symbol}")
        return self._listings[symbol]

    @staticmethod
    def _known(orders: Mapping[str, TrueOrder], key: str, query: Mapping[str, Any]) -> TrueOrder:
        if query[key] not in orders:
            raise Refused(404, 40410000, "order not found")
        return orders[query[key]]

    def cash(self) -> Decimal:
        """The account's cash as the broker shows it."""
        cash = self._account.cash
        return cash.quantize(Decimal("0.01")) if self._cents_only else cash

    def _account_json(self) -> Json:
        shown = text(self.cash())
        return {
            "id": str(UUID(int=1)),
            "account_number": self._account.number,
            "status": "ACTIVE",
            "crypto_status": "ACTIVE",
            "currency": "USD",
            "cash": shown,
            "equity": shown,
            "buying_power": text(self._account.buying_power()),
            "non_marginable_buying_power": text(self._account.buying_power()),
            "multiplier": "1",
            "trading_blocked": False,
            "transfers_blocked": False,
            "account_blocked": False,
            "trade_suspended_by_user": False,
        }

    def _clock_json(self) -> Json:
        now = self._now()
        is_open = any(hours.opens <= now < hours.closes for hours in self._hours)
        opens = min((h.opens for h in self._hours if h.opens > now), default=now)
        closes = min((h.closes for h in self._hours if h.closes > now), default=now)
        local = [moment.astimezone(EXCHANGE_ZONE).isoformat() for moment in (now, opens, closes)]
        return {
            "timestamp": local[0],
            "is_open": is_open,
            "next_open": local[1],
            "next_close": local[2],
        }

    def _asset_json(self, symbol: str) -> Json:
        listing = self.listing(symbol)
        asset: dict[str, Json] = {
            "id": str(UUID(int=sum(symbol.encode()))),
            "class": "crypto" if listing.crypto else "us_equity",
            "exchange": "CRYPTO" if listing.crypto else "NASDAQ",
            "symbol": symbol,
            "status": "active",
            "tradable": True,
            "marginable": False,
            "shortable": False,
            "easy_to_borrow": False,
            "fractionable": listing.fractionable,
        }
        if listing.crypto:
            asset["min_order_size"] = text(listing.least)
            asset["min_trade_increment"] = f"{Decimal(1).scaleb(-listing.places):f}"
        return asset

    def _held_as(self, symbol: str) -> str:
        for held in self._account.positions:
            if held.replace("/", "") == symbol.replace("/", ""):
                return held
        raise Refused(404, 40410000, "position does not exist")

    def _position_json(self, symbol: str) -> Json:
        position, listing = self._account.positions[symbol], self.listing(symbol)
        price = Decimal(self._tape.price_cents(symbol, self._now())) / 100
        return {
            "asset_id": str(UUID(int=sum(symbol.encode()))),
            "symbol": symbol.replace("/", ""),
            "exchange": "CRYPTO" if listing.crypto else "NASDAQ",
            "asset_class": "crypto" if listing.crypto else "us_equity",
            "qty": text(position.qty),
            "qty_available": text(self._account.available(symbol)),
            "avg_entry_price": text((position.cost / position.qty).quantize(Decimal("1e-9"))),
            "side": "long",
            "market_value": text(position.qty * price),
            "cost_basis": text(position.cost.quantize(Decimal("1e-9"))),
            "current_price": text(price),
        }

    def _orders_json(self, query: Mapping[str, Any]) -> Json:
        wanted = query.get("status", "open")
        limit = int(query.get("limit", 50))
        after, until = query.get("after"), query.get("until")
        orders = [
            order
            for order in self._account.orders.values()
            if wanted == "all" or (order.status in ENDED) == (wanted == "closed")
            if after is None or stamp(order.submitted_at) > _as_stamp(after)
            if until is None or stamp(order.submitted_at) < _as_stamp(until)
        ]
        orders.sort(key=lambda order: order.submitted_at)
        if query.get("direction", "desc") == "desc":
            orders.reverse()
        return [order_json(order) for order in orders[:limit]]

    def _activities_json(self, kind: Sequence[str], query: Mapping[str, Any]) -> Json:
        """FILL and all others in one list, by time; paged by the id of the last one seen."""
        named = kind or [k for k in str(query.get("activity_types") or "").split(",") if k]
        now, after, until = self._now(), query.get("after"), query.get("until")
        found: list[tuple[str, Json]] = [
            (fill.activity_id, fill_json(fill))
            for fill in self._account.executions
            if fill.stands
            if fill.visible_at <= now and query.get("order_id") in (None, fill.order.order_id)
        ]
        if query.get("order_id") is None:
            found += [
                (activity.activity_id, activity_json(activity))
                for activity in self._account.activities
                if activity.visible_at <= now
            ]
        found = [
            (name, body)
            for name, body in found
            if not named or body["activity_type"] in named
            if query.get("category") is None
            or (body["activity_type"] == "FILL") == (query["category"] == "trade_activity")
            if after is None or _when(body) > _as_stamp(after)
            if until is None or _when(body) < _as_stamp(until)
        ]
        found.sort(key=lambda pair: pair[0], reverse=query.get("direction", "desc") == "desc")
        names = [name for name, _ in found]
        if query.get("page_token") in names:
            found = found[names.index(query["page_token"]) + 1 :]
        return [body for _, body in found[: int(query.get("page_size", 100))]]

    def _bars_json(self, query: Mapping[str, Any]) -> Json:
        """Bars that are complete, page by page: symbol, then time."""
        now = self._now()
        first, last = (datetime.fromisoformat(query[key]) for key in ("start", "end"))
        last = min(last, now - ONE_MINUTE)
        points = [
            (symbol, bar)
            for symbol in query["symbols"].split(",")
            for bar in self._tape.between(symbol, first, last)[
                :: -1 if query.get("sort") == "desc" else 1
            ]
        ]
        skip, limit = int(query.get("page_token") or 0), int(query["limit"])
        bars: dict[str, list[Json]] = {}
        for symbol, bar in points[skip : skip + limit]:
            bars.setdefault(symbol, []).append(bar.json())
        more = skip + limit < len(points)
        return {"bars": bars, "next_page_token": str(skip + limit) if more else None}


def fill_json(fill: TrueExecution) -> Json:
    """An execution as the activities list has it."""
    order = fill.order
    return {
        "id": fill.activity_id,
        "activity_type": "FILL",
        "type": "fill" if fill.cum_qty == order.qty else "partial_fill",
        "transaction_time": stamp(fill.dated or fill.at),
        "symbol": order.symbol,
        "side": order.side,
        "qty": text(fill.qty),
        "price": text(fill.price),
        "leaves_qty": text(order.qty - fill.cum_qty) or "0",
        "cum_qty": text(fill.cum_qty),
        "order_id": order.order_id,
        "order_status": order.status,
    }


def activity_json(activity: TrueActivity) -> Json:
    """Anything but an execution, as the activities list has it."""
    body = {
        "id": activity.activity_id,
        "activity_type": activity.kind,
        "date": activity.at.astimezone(EXCHANGE_ZONE).date().isoformat(),
        "net_amount": text(activity.cash) or "0",
        "created_at": stamp(activity.at),
        "status": "executed",
        "description": activity.note,
    }
    if activity.symbol:
        body["symbol"] = activity.symbol.replace("/", "")
        body["qty"] = text(activity.shares) or "0"
    return body


def _when(body: Mapping[str, Any]) -> str:
    return str(body.get("transaction_time") or body["created_at"])


def _as_stamp(value: str) -> str:
    moment = datetime.fromisoformat(value)
    return stamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
