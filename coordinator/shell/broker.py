"""Typed requests to the broker over the REST port; blocking.

Answers are parsed here, page by page, into our values. A refusal raises BrokerRejected, an answer
that proves nothing BrokerUnavailable, one that cannot be parsed Malformed. In a list of orders,
executions, activities or bars, malformed items are left out, counted and logged: the others still
count, and a missing one shows up as a difference when the books are compared with the account.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar

from coordinator.core.messages import Activity, Execution, OrderUpdate, SubmitOrder
from coordinator.core.records import Holding
from coordinator.core.risk import Asset
from coordinator.core.session import Hours
from coordinator.core.values import Bar, Side, is_crypto
from coordinator.errors import BrokerRejected, BrokerUnavailable
from coordinator.shell import wire
from coordinator.shell.account import AccountView, parse_account
from coordinator.shell.budget import Urgency
from coordinator.shell.fields import Malformed, Raw, fields, parse_time, words
from coordinator.shell.garbage import shown
from coordinator.shell.pace import Pace, at_once
from coordinator.shell.rest import Api, Rest

log = logging.getLogger("coordinator")
T = TypeVar("T")
JUST_BEFORE = timedelta(seconds=1)
"""Alpaca includes a bar that starts at `end`; with a limit we would get one too few of ours.
An `end` before `start` it answers with 400."""
PAGE_BARS = 10_000
PAGE_ORDERS = 500
PAGE_FILLS = 100
MOST_PAGES = 500
"""Of one list; more are taken for pages without end."""
MOST_TRIES = 4
"""Of one GET; the last is sent some seven seconds after the first."""
STILL_TO_COME = "pending"
"""The status of an activity that has moved nothing yet."""


Retry = Callable[[int], bool]
"""Called after a GET that proved nothing with the tries so far; waits, returns whether to retry."""


def no_retry(_tries: int) -> bool:
    """No GET is sent twice."""
    return False


def persistent(
    sleep: Callable[[float], None], *, is_late: Callable[[], bool] = lambda: False
) -> Retry:
    """Only a GET is repeated: up to MOST_TRIES in all, 1, 2, 4... local seconds apart.

    None is repeated once `is_late` says so.
    """

    def retry(tries: int) -> bool:
        if tries >= MOST_TRIES or is_late():
            return False
        sleep(2.0 ** (tries - 1))
        return True

    return retry


class Broker:
    """Alpaca's trading and data REST for one account. `pace` is called before each request."""

    def __init__(
        self, rest: Rest, *, feed: str, pace: Pace = at_once, retry: Retry = no_retry
    ) -> None:
        self._rest = rest
        self._feed = feed
        self._pace = pace
        self._retry = retry
        self.malformed = 0
        """Items that were left out of lists."""

    def account(self) -> AccountView:
        """The account that the keys belong to."""
        return parse_account(self._get("/account"))

    def clock(self) -> datetime:
        """The broker's time, aware UTC."""
        return parse_time(fields(self._get("/clock"), "a clock").get("timestamp"))

    def calendar(self, start: date, end: date) -> list[Hours]:
        """The exchange's sessions from `start` to `end`, both included."""
        days = {"start": start.isoformat(), "end": end.isoformat()}
        return [wire.parse_session(day) for day in _rows(self._get("/calendar", days), "days")]

    def asset(self, symbol: str) -> Asset:
        """The order rules of a ticker: whether, and in which steps, it can be traded.

        Raises:
            BrokerRejected: with status 404 for a ticker that the broker does not know, or knows as
                crypto although it is written like a stock's.
        """
        raw = self._get(f"/assets/{symbol}")
        asset = wire.parse_asset(raw, symbol)
        if raw.get("class") == "crypto" and not is_crypto(symbol):
            written = words(raw.get("symbol"))
            raise BrokerRejected(404, None, f"it is crypto, which is written {written}")
        return asset

    def positions(self) -> list[Holding]:
        """Net positions of the whole account."""
        return [wire.parse_position(p) for p in _rows(self._get("/positions"), "positions")]

    def submit(self, order: SubmitOrder) -> OrderUpdate:
        """POST a market order, once. Quantities go as text, so that no digit is lost."""
        body = {
            "symbol": order.symbol,
            "qty": f"{order.qty:f}",
            "side": order.side.value,
            "type": "market",
            "time_in_force": order.time_in_force,
            "client_order_id": order.client_order_id,
        }
        self._pace(Api.TRADING, Urgency.EXIT if order.side is Side.SELL else Urgency.ENTRY)
        return wire.parse_order(self._rest.post(Api.TRADING, "/orders", body))

    def cancel(self, broker_order_id: str) -> None:
        """Request an order's cancellation; whether it ended, its reports will tell."""
        self._pace(Api.TRADING, Urgency.EXIT)
        self._rest.delete(Api.TRADING, f"/orders/{broker_order_id}")

    def order(
        self, client_order_id: str, *, urgency: Urgency = Urgency.QUESTION
    ) -> OrderUpdate | None:
        """The order with this id, or None if the broker does not know it."""
        query = {"client_order_id": client_order_id}
        return self._order_if_any("/orders:by_client_order_id", query, urgency)

    def orders_after(self, start: datetime) -> Iterator[OrderUpdate]:
        """Every order submitted after `start`, whatever became of it, oldest first."""
        return self._order_list("orders", {"status": "all", "after": _stamp(start)})

    def open_orders(self) -> list[OrderUpdate]:
        """Every order of the account that may still fill, oldest first."""
        return list(self._order_list("open orders", {"status": "open"}))

    def _order_list(self, what: str, query: Mapping[str, Any]) -> Iterator[OrderUpdate]:
        """The account's orders that a query finds, from all pages."""
        asked = {"limit": PAGE_ORDERS, "direction": "asc", **query}
        pages = _Pages(what, asked.get("after", ""))
        while True:
            page = _rows(self._get("/orders", asked), what)
            updates = self._readable(page, wire.parse_order, what)
            yield from updates
            if len(page) < PAGE_ORDERS:
                return
            last = max((u.submitted_at for u in updates if u.submitted_at), default=None)
            asked["after"] = pages.turn(_stamp(last) if last else asked.get("after"))

    def order_at(self, broker_order_id: str) -> OrderUpdate | None:
        """The order with the broker's own id, or None if there is none."""
        return self._order_if_any(f"/orders/{broker_order_id}", {}, Urgency.QUESTION)

    def _order_if_any(
        self, path: str, query: Mapping[str, Any], urgency: Urgency
    ) -> OrderUpdate | None:
        try:
            raw = self._get(path, query, urgency)
        except BrokerRejected as refusal:
            if refusal.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        return wire.parse_order(raw)

    def executions(self, broker_order_id: str, since: datetime) -> list[Execution]:
        """Every execution of one order, in the order in which it filled."""
        query = {"after": _stamp(since), "order_id": broker_order_id}
        found = self._activity_list("/FILL", query, wire.parse_fill_activity)
        mine = [fill.execution for fill in found if fill.order_id == broker_order_id]
        return sorted(mine, key=lambda execution: execution.cum_qty)

    def fills(self, since: datetime) -> list[wire.Fill]:
        """Every execution on the account after `since`, oldest first, whoever ordered it."""
        return self._activity_list("/FILL", {"after": _stamp(since)}, wire.parse_fill_activity)

    def activities(self, since: date) -> list[Activity]:
        """Every account activity since a date that is no fill, of any type, called off or not.

        No list of types is sent: Alpaca adds new ones, and they would be missing in the books.
        """
        query = {"after": since.isoformat(), "category": "non_trade_activity"}
        return self._activity_list("", query, wire.parse_activity, _has_moved)

    def _activity_list(
        self,
        kind: str,
        query: Mapping[str, Any],
        parse: Callable[[Raw], T],
        wanted: Callable[[Any], bool] = lambda _: True,
    ) -> list[T]:
        """The account's activities of a kind that are `wanted`, from all pages."""
        asked = {"page_size": PAGE_FILLS, "direction": "asc", **query}
        pages, found = _Pages("activities"), list[T]()
        while True:
            page = _rows(self._get(f"/account/activities{kind}", asked), "activities")
            found += self._readable(list(filter(wanted, page)), parse, "activities")
            if len(page) < PAGE_FILLS:
                return found
            asked["page_token"] = pages.turn(fields(page[-1], "an activity").get("id"))

    def bars(
        self, symbols: list[str], start: datetime, end: datetime, *, latest: int | None = None
    ) -> dict[str, list[Bar]]:
        """Minute bars that start in [`start`, `end`), oldest first, all stocks or all crypto.

        With `latest`, only about that many of the newest (whole pages; one symbol at a time).
        """
        crypto = is_crypto(symbols[0])
        api, path = (Api.CRYPTO, "/crypto/us/bars") if crypto else (Api.STOCKS, "/stocks/bars")
        query: dict[str, Any] = {
            "symbols": ",".join(symbols),
            "timeframe": "1Min",
            "start": _stamp(start),
            "end": _stamp(max(start, end - JUST_BEFORE)),
            "limit": PAGE_BARS if latest is None else min(PAGE_BARS, latest),
            "sort": "asc" if latest is None else "desc",
        }
        if not crypto:
            query |= {"feed": self._feed, "adjustment": "split"}
        found: dict[str, list[Bar]] = {symbol: [] for symbol in symbols}
        pages = _Pages("bars")
        while True:
            answer = fields(self._ask(api, path, query, Urgency.QUESTION), "an answer")
            for symbol, raws in fields(answer.get("bars") or {}, "a list of bars").items():
                if symbol in found:
                    parse = partial(wire.parse_bar, symbol=symbol)
                    found[symbol] += self._readable(_rows(raws, "bars"), parse, "bars")
            token = answer.get("next_page_token")
            enough = latest is not None and sum(map(len, found.values())) >= latest
            if token is None or token == "" or enough:
                break
            query["page_token"] = pages.turn(token)
        return {
            symbol: sorted((b for b in bars if start <= b.start < end), key=lambda b: b.start)
            for symbol, bars in found.items()
        }

    def _readable(self, raws: Sequence[Any], parse: Callable[[Any], T], what: str) -> list[T]:
        """The items of a page that can be parsed; the others are counted and logged."""
        found: list[T] = []
        broken: list[Malformed] = []
        for raw in raws:
            try:
                found.append(parse(raw))
            except Malformed as error:
                broken.append(error)
        if broken:
            self.malformed += len(broken)
            log.error("%d of %d %s not understood: %s", len(broken), len(raws), what, broken[0])
        return found

    def _get(
        self,
        path: str,
        query: Mapping[str, Any] | None = None,
        urgency: Urgency = Urgency.QUESTION,
    ) -> Any:
        return self._ask(Api.TRADING, path, query or {}, urgency)

    def _ask(self, api: Api, path: str, query: Mapping[str, Any], urgency: Urgency) -> Any:
        """A GET; after one that proved nothing, `retry` decides whether it is sent again."""
        for tries in itertools.count(1):
            self._pace(api, urgency)
            try:
                return self._rest.get(api, path, query)
            except BrokerUnavailable:
                if not self._retry(tries):
                    raise
        raise AssertionError("a count has no end")


class _Pages:
    """Guards a paged list against pages without end; `first` is the first page's token."""

    def __init__(self, what: str, first: str = "") -> None:
        self._what = what
        self._seen = {first}

    def turn(self, token: Any) -> str:
        """The token of the next page.

        Raises:
            Malformed: it was used before, or there are more pages than there can be.
        """
        if not isinstance(token, str) or token in self._seen or len(self._seen) >= MOST_PAGES:
            raise Malformed(f"a list of {self._what} whose pages do not end: {shown(token)}")
        self._seen.add(token)
        return token


def _has_moved(raw: Any) -> bool:
    """Whether an activity counts: it is no fill, and is not still to come."""
    if not isinstance(raw, Mapping):
        return True  # the parser says what is wrong with it
    return raw.get("activity_type") != "FILL" and raw.get("status") != STILL_TO_COME


def _rows(answer: Any, what: str) -> list[Any]:
    if not isinstance(answer, list):
        raise Malformed(f"{what} that are no list: {shown(answer)}")
    return answer


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
