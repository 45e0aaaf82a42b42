"""REST beyond what the clients' methods cover: every parameter, every error body, no look-ahead."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests

from simulator.server import Simulator, SimulatorOptions

NOON = datetime(2026, 3, 17, 16, 0, tzinfo=UTC)
OPTIONS: dict[str, Any] = {"date": date(2026, 3, 17), "start": NOON, "fill_model": "close"}


class Caller:
    """A keyed HTTP session that answers (status, body)."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update({"APCA-API-KEY-ID": "k", "APCA-API-SECRET-KEY": "s"})

    def raw(self, method: str, path: str, **more: Any) -> requests.Response:
        return self._session.request(method, self.simulator.url + path, timeout=10, **more)

    def __call__(self, method: str, path: str, json: Any = None, **params: Any) -> Any:
        answer = self.raw(method, path, json=json, params=params)
        return answer.status_code, answer.json() if answer.content else None

    def get(self, path: str, **params: Any) -> Any:
        status, body = self("GET", path, **params)
        assert status == 200, body
        return body

    def order(self, **fields: Any) -> Any:
        symbol = fields.get("symbol", "SPY")
        tif = "gtc" if "/" in symbol else "day"
        body = {"symbol": symbol, "side": "buy", "type": "market", "time_in_force": tif, **fields}
        status, answer = self("POST", "/v2/orders", json=body)
        assert status == 200, answer
        return answer


@pytest.fixture
def call(simulate: Callable[..., Simulator]) -> Caller:
    return Caller(simulate(**OPTIONS))


@pytest.fixture(scope="module")
def idle() -> Iterator[Caller]:
    """One simulator for all tests that change nothing."""
    with Simulator(SimulatorOptions(**OPTIONS)) as simulator:
        yield Caller(simulator)


LIMIT = {"type": "limit", "limit_price": "10"}


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, "e d c"),
        ({"status": "open"}, "e d c"),
        ({"status": "closed"}, "b a"),
        ({"status": "all"}, "e d c b a"),
        ({"status": "all", "direction": "asc"}, "a b c d e"),
        ({"status": "all", "limit": 2}, "e d"),
        ({"status": "all", "direction": "asc", "limit": 2}, "a b"),
        ({"status": "all", "side": "sell"}, "b"),
        ({"status": "all", "symbols": "QQQ"}, "e"),
        ({"status": "all", "symbols": "QQQ,BTC/USD"}, "e d"),
        ({"status": "all", "symbols": "BTCUSD"}, "d"),
        ({"status": "all", "asset_class": "crypto"}, "d"),
        ({"status": "all", "asset_class": "us_equity,us_option"}, "e c b a"),
        ({"status": "all", "nested": "true"}, "e d c b a"),
        ({"status": "all", "after": "c"}, "e d"),
        ({"status": "all", "until": "c"}, "b a"),
        ({"status": "all", "after_order_id": "b", "before_order_id": "e"}, "d c"),
    ],
)
def test_orders_are_listed_by_every_parameter(
    call: Caller, query: dict[str, Any], found: str
) -> None:
    orders = {
        "a": call.order(qty=1, client_order_id="a"),
        "b": call.order(qty=1, client_order_id="b", side="sell"),
        "c": call.order(qty=1, client_order_id="c", **LIMIT),
        "d": call.order(symbol="BTC/USD", qty=1, client_order_id="d", **LIMIT),
        "e": call.order(symbol="QQQ", qty=1, client_order_id="e", **LIMIT),
    }
    for name in ("after", "until"):
        if name in query:
            query = {**query, name: orders[query[name]]["submitted_at"]}
    for name in ("after_order_id", "before_order_id"):
        if name in query:
            query = {**query, name: orders[query[name]]["id"]}
    listed = call.get("/v2/orders", **query)
    assert " ".join(order["client_order_id"] for order in listed) == found


@pytest.mark.parametrize(
    ("method", "path", "query", "status", "code"),
    [
        ("GET", "/v2/orders", {"status": "maybe"}, 422, 40010001),
        ("GET", "/v2/orders", {"limit": 501}, 422, 40010001),
        ("GET", "/v2/orders", {"limit": 0}, 422, 40010001),
        ("GET", "/v2/orders", {"direction": "up"}, 422, 40010001),
        ("GET", "/v2/orders", {"after": "yesterday"}, 422, 40010001),
        ("GET", "/v2/orders", {"after_order_id": "nothing"}, 422, 40010001),
        ("GET", "/v2/orders/nothing", {}, 404, 40410000),
        ("GET", "/v2/orders:by_client_order_id", {"client_order_id": "x"}, 404, 40410000),
        ("DELETE", "/v2/orders/nothing", {}, 404, 40410000),
        ("GET", "/v2/positions/SPY", {}, 404, 40410000),
        ("DELETE", "/v2/positions/SPY", {}, 404, 40410000),
        ("GET", "/v2/assets/nothing at all", {}, 404, 40410000),
        ("GET", "/v2/calendar", {"start": "soon"}, 422, 40010001),
        ("GET", "/v2/account/activities/FILL", {"page_size": 101}, 422, 40010001),
        ("GET", "/v2/account/activities/FILL", {"page_token": "x"}, 422, 40010001),
        ("GET", "/v2/account/portfolio/history", {"period": "1Q"}, 422, 40010001),
        ("GET", "/v2/account/portfolio/history", {"timeframe": "7Min"}, 422, 40010001),
        ("GET", "/v2/account/portfolio/history", {"period": "99999999D"}, 422, 40010001),
        ("GET", "/v2/orders", {"after": "0001-01-01T00:00:00+05:00"}, 422, 40010001),
        ("GET", "/v2/orders", {"until": "9999-12-31T23:59:59-05:00"}, 422, 40010001),
        ("GET", "/v2/orders", {"limit": "9" * 5000}, 422, 40010001),
        ("GET", "/v2/nothing", {}, 404, 40410000),
        ("GET", "//v2/clock", {}, 404, 40410000),
        ("GET", "/v2/stocks/bars", {}, 400, 40010000),
        ("GET", "/v2/stocks/bars", {"symbols": "BTC/USD"}, 400, 40010000),
        ("GET", "/v1beta3/crypto/us/bars", {"symbols": "SPY"}, 400, 40010000),
        ("GET", "/v2/stocks/bars", {"symbols": "SPY,?"}, 400, 40010000),
        ("GET", "/v2/stocks/bars", {"symbols": "SPY", "limit": 10001}, 400, 40010000),
        ("GET", "/v2/stocks/bars", {"symbols": "SPY", "sort": "up"}, 400, 40010000),
        ("GET", "/v2/stocks/bars", {"symbols": "SPY", "start": "soon"}, 400, 40010000),
        ("GET", "/v2/stocks/bars", {"symbols": "SPY", "start": "2100-01-01"}, 400, 40010000),
        ("GET", "/v2/stocks/bars", {"symbols": "SPY", "feed": "moon"}, 400, 40010000),
        ("GET", "/v2/stocks/bars", {"symbols": "SPY", "feed": "otc"}, 400, 40010000),
        ("GET", "/v2/stocks/bars/latest", {"symbols": "SPY", "feed": "boats"}, 400, 40010000),
        ("GET", "/v2/stocks/bars", {"symbols": "SPY", "currency": "EUR"}, 400, 40010000),
        ("GET", "/v2/stocks/SPY/bars/latest", {"currency": "jpy"}, 400, 40010000),
        ("GET", "/v2/stocks/bars", {"symbols": "SPY", "adjustment": "odd"}, 400, 40010000),
        ("GET", "/v2/stocks/bars", {"symbols": "SPY", "page_token": "x"}, 400, 40010000),
    ],
)
def test_a_bad_request_is_answered_with_its_code(
    idle: Caller, method: str, path: str, query: dict[str, Any], status: int, code: int
) -> None:
    answered, body = idle(method, path, **query)
    assert (answered, body["code"]) == (status, code)
    assert body["message"]


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v2/account/portfolio/history", {"period": "999A"}),
        ("/v2/account/portfolio/history", {"end": "0001-01-02"}),
        ("/v2/stocks/bars", {"symbols": "SPY", "start": "0001-01-01", "limit": 1}),
        ("/v2/stocks/bars", {"symbols": "SPY", "end": "9999-12-31T23:59:59.999999Z", "limit": 1}),
        ("/v2/stocks/bars", {"symbols": "SPY", "page_token": "U1BZfDk5OTktMTItMzE=", "limit": 1}),
    ],
)
def test_times_far_away_are_no_fault(idle: Caller, path: str, query: dict[str, Any]) -> None:
    assert idle.get(path, **query)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v2/stocks/quotes/latest"),
        ("GET", "/v1beta3/crypto/us/latest/trades"),
        ("GET", "/v2/watchlists"),
        ("PATCH", "/v2/account/configurations"),
    ],
)
def test_what_is_not_served_is_answered_so(idle: Caller, method: str, path: str) -> None:
    message = f"endpoint not found: {method} {path} is not served by this simulator"
    assert idle(method, path) == (404, {"code": 40410000, "message": message})


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b'{"qty": NaN}', b"\xff"])
def test_a_body_that_is_no_order_is_refused(idle: Caller, body: bytes) -> None:
    answer = idle.raw("POST", "/v2/orders", data=body)
    assert answer.status_code == 422
    assert answer.json()["code"] == 40010001


@pytest.mark.parametrize(
    ("span", "first", "last", "count"),
    [
        ({"start": "2026-03-16", "end": "2026-03-18"}, "2026-03-16", "2026-03-18", 3),
        ({"start": "2001-09-10", "end": "2001-09-18"}, "2001-09-10", "2001-09-18", 3),
        ({"end": "1970-01-05"}, "1970-01-02", "1970-01-05", 2),
        ({"start": "2029-12-27"}, "2029-12-27", "2029-12-31", 3),
        ({"start": "2024-01-01", "end": "2026-03-17"}, "2024-01-02", "2026-03-17", 553),
    ],
)
def test_the_calendar_goes_as_far_as_alpacas(
    idle: Caller, span: dict[str, str], first: str, last: str, count: int
) -> None:
    days = idle.get("/v2/calendar", **span)
    assert (days[0]["date"], days[-1]["date"], len(days)) == (first, last, count)


@pytest.mark.parametrize(
    ("start", "end"),
    [("2026-03-20", "2026-03-10"), ("2100-01-01", "2100-02-01"), ("0001-01-01", "1800-01-01")],
)
def test_a_span_without_sessions_is_an_empty_calendar(idle: Caller, start: str, end: str) -> None:
    assert idle.get("/v2/calendar", start=start, end=end) == []


def test_keys_are_needed_and_checked(simulate: Callable[..., Simulator]) -> None:
    simulator = simulate(**OPTIONS, credentials=("right", "pair"))
    for headers in (
        {},
        {"APCA-API-KEY-ID": "right", "APCA-API-SECRET-KEY": "wrong"},
        {"APCA-API-KEY-ID": "right"},
    ):
        answer = requests.get(simulator.url + "/v2/account", headers=headers, timeout=10)
        assert answer.status_code == 401
        assert answer.json() == {"code": 40110000, "message": "request is not authorized"}
    right = {"APCA-API-KEY-ID": "right", "APCA-API-SECRET-KEY": "pair"}
    answer = requests.get(simulator.url + "/v2/account", headers=right, timeout=10)
    assert answer.status_code == 200
    assert answer.headers["X-RateLimit-Limit"] == "200"
    assert answer.headers["X-RateLimit-Remaining"] == "199"
    assert int(answer.headers["X-RateLimit-Reset"]) > 1_700_000_000


def test_a_rate_limit_can_be_set(simulate: Callable[..., Simulator]) -> None:
    call = Caller(simulate(**OPTIONS, requests_per_minute=5))
    statuses = [call.raw("GET", "/v2/account").status_code for _ in range(12)]
    assert statuses[0] == 200
    assert statuses.count(429) >= 2  # a minute of real time may turn in between, once
    assert statuses.count(200) in range(5, 11)


def test_requests_for_data_have_a_limit_of_their_own(simulate: Callable[..., Simulator]) -> None:
    call = Caller(simulate(**OPTIONS, requests_per_minute=3))
    while call.raw("GET", "/v2/account").status_code == 200:
        pass
    bars = call.raw("GET", "/v2/stocks/bars?symbols=SPY&timeframe=1Min")
    assert bars.status_code == 200
    assert bars.headers["X-RateLimit-Remaining"] == "2"


def test_fill_activities_page_through_both_directions(call: Caller) -> None:
    first = call.order(qty=3)
    for n in range(6):
        call.order(qty=1, side="sell" if n % 2 == 0 else "buy")
    everything = call.get("/v2/account/activities/FILL")
    assert len(everything) == 7
    assert everything[-1]["order_id"] == first["id"]
    assert everything[0] | {"id": "", "transaction_time": "", "order_id": "", "price": ""} == {
        "id": "",
        "activity_type": "FILL",
        "type": "fill",
        "transaction_time": "",
        "symbol": "SPY",
        "side": "buy",
        "qty": "1",
        "price": "",
        "leaves_qty": "0",
        "cum_qty": "1",
        "order_id": "",
        "order_status": "filled",
    }
    for direction in ("asc", "desc"):
        paged: list[Any] = []
        while True:
            token = {"page_token": paged[-1]["id"]} if paged else {}
            page = call.get(
                "/v2/account/activities/FILL", page_size=3, direction=direction, **token
            )
            if not page:
                break
            paged += page
        assert paged == (everything if direction == "desc" else everything[::-1])
    (only,) = call.get("/v2/account/activities/FILL", order_id=first["id"])
    assert only["cum_qty"] == "3"
    later = call.get("/v2/account/activities", after=only["transaction_time"])
    assert len(later) == 6
    assert len(call.get("/v2/account/activities", activity_types="FILL,DIV")) == 7
    assert call.get("/v2/account/activities/DIV") == []
    assert call.get("/v2/account/activities/FILL", date="2026-03-16") == []


def test_crypto_fees_are_posted_when_their_day_has_ended(
    simulate: Callable[..., Simulator],
) -> None:
    simulator = simulate(**OPTIONS)
    call = Caller(simulator)
    call.order(symbol="BTC/USD", qty="0.4")
    call.order(symbol="BTC/USD", qty="0.399", side="sell")
    assert call.get("/v2/account/activities/CFEE") == []
    simulator.exchange.clock.stand(NOON + timedelta(hours=9))
    bought, sold = call.get("/v2/account/activities/CFEE", direction="asc")
    assert (bought["qty"], bought["net_amount"], bought["symbol"]) == ("-0.001", "0", "BTCUSD")
    fee = sum(fill.fee_cash for fill in simulator.snapshot().executions)
    assert (sold["qty"], Decimal(sold["net_amount"])) == ("0", -fee)
    assert bought["date"] == "2026-03-17"


def test_a_replaced_order_lives_on_under_a_new_id(call: Caller) -> None:
    old = call.order(qty=5, client_order_id="old", **LIMIT)
    status, new = call("PATCH", f"/v2/orders/{old['id']}", json={"qty": 7, "limit_price": "11"})
    assert status == 200
    assert new["id"] != old["id"]
    assert (new["qty"], new["limit_price"], new["replaces"]) == ("7", "11", old["id"])
    after = call.get(f"/v2/orders/{old['id']}")
    assert (after["status"], after["replaced_by"]) == ("replaced", new["id"])
    status, body = call("PATCH", f"/v2/orders/{old['id']}", json={"qty": 8})
    assert (status, body["code"]) == (422, 42210000)
    for bad in ({"qty": "1.5"}, {"limit_price": "1.001"}, {"trail": 1}, {"time_in_force": "x"}):
        status, body = call("PATCH", f"/v2/orders/{new['id']}", json=bad)
        assert (status, body["code"]) == (422, 42210000)


def test_a_stop_is_replaced_by_one_at_another_price_and_else_as_it_was(call: Caller) -> None:
    old = call.order(qty=1, type="stop_limit", stop_price="900", limit_price="910")
    status, new = call("PATCH", f"/v2/orders/{old['id']}", json={"stop_price": "905"})
    assert (status, new["stop_price"], new["limit_price"]) == (200, "905", "910")
    status, new = call("PATCH", f"/v2/orders/{new['id']}", json={"limit_price": "911", "qty": 2})
    assert (status, new["stop_price"], new["limit_price"], new["qty"]) == (200, "905", "911", "2")


def test_cancelling_everything_answers_each_order(call: Caller) -> None:
    ids = [call.order(qty=1, **LIMIT)["id"] for _ in range(3)]
    status, body = call("DELETE", "/v2/orders")
    assert status == 207
    assert body == [{"id": each, "status": 200} for each in ids]
    assert call.get("/v2/orders") == []


def test_a_position_closes_by_quantity_and_percentage(call: Caller) -> None:
    call.order(qty=10)
    status, order = call("DELETE", "/v2/positions/SPY", qty="4")
    assert (status, order["side"], order["qty"], order["type"]) == (200, "sell", "4", "market")
    status, order = call("DELETE", "/v2/positions/SPY", percentage="50")
    assert order["qty"] == "3"
    assert call.get("/v2/positions/SPY")["qty"] == "3"
    assert call("DELETE", "/v2/positions/SPY", qty="1", percentage="1")[0] == 422
    status, body = call("DELETE", "/v2/positions/SPY", qty="9")
    assert (status, body["available"]) == (403, "3")


@pytest.mark.parametrize(("held", "sold"), [("10", "3"), ("10.5", "3.465")])
def test_a_percentage_of_whole_shares_is_whole_shares(call: Caller, held: str, sold: str) -> None:
    call.order(qty=held)
    assert call("DELETE", "/v2/positions/SPY", percentage="33")[1]["qty"] == sold


def test_a_position_tells_its_cost_and_gain(call: Caller) -> None:
    call.order(qty=2)
    held = call.get("/v2/positions/SPY")
    price = Decimal(call.get("/v2/orders", status="closed")[0]["filled_avg_price"])
    assert Decimal(held["cost_basis"]) == 2 * price
    assert Decimal(held["avg_entry_price"]) == price
    assert (held["unrealized_pl"], held["qty_available"], held["side"]) == ("0", "2", "long")
    by_id = call.get(f"/v2/positions/{held['asset_id']}")
    assert by_id == held


def test_no_bar_is_shown_before_its_minute_has_ended(
    simulate: Callable[..., Simulator],
) -> None:
    call = Caller(simulate(**{**OPTIONS, "start": NOON + timedelta(seconds=59)}))
    wide = {"symbols": "SPY", "start": "2026-03-17T15:58:00Z", "end": "2026-03-20"}
    rows = call.get("/v2/stocks/bars", **wide)["bars"]["SPY"]
    assert [row["t"] for row in rows] == ["2026-03-17T15:58:00Z", "2026-03-17T15:59:00Z"]
    assert call.get("/v2/stocks/bars/latest", symbols="SPY")["bars"]["SPY"] == rows[-1]
    assert call.get("/v2/stocks/SPY/bars/latest") == {"symbol": "SPY", "bar": rows[-1]}
    hourly = call.get(
        "/v2/stocks/bars", **{**wide, "start": "2026-03-17T15:00:00Z", "timeframe": "1Hour"}
    )["bars"]["SPY"]
    assert [row["c"] for row in hourly] == [rows[-1]["c"]]


@pytest.mark.parametrize("sort", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 4, 7, 1000])
def test_pages_together_give_all_bars_sorted_by_symbol_then_time(
    idle: Caller, sort: str, limit: int
) -> None:
    query = {"symbols": "SPY,AAPL,DBB,NONE", "start": "2026-03-17T15:50:00Z", "sort": sort}
    whole = idle.get("/v2/stocks/bars", **query)["bars"]
    rows, token = [], None
    while True:
        more = {"page_token": token} if token else {}
        page = idle.get("/v2/stocks/bars", **query, limit=limit, **more)
        count = sum(map(len, page["bars"].values()))
        assert count <= limit
        rows += [(symbol, row["t"]) for symbol, held in page["bars"].items() for row in held]
        token = page["next_page_token"]
        if token is None:
            break
        assert count == limit
    assert rows == [(symbol, row["t"]) for symbol, held in whole.items() for row in held]
    times = [row["t"] for row in whole["SPY"]]
    assert times == sorted(times, reverse=sort == "desc")
    assert list(whole)[:2] == ["AAPL", "DBB"]


def test_bars_are_gathered_into_longer_timeframes(idle: Caller) -> None:
    span = {"symbols": "SPY", "start": "2026-03-17T13:30:00Z", "limit": 10000}
    minutes = idle.get("/v2/stocks/bars", **span)["bars"]["SPY"]
    fives = idle.get("/v2/stocks/bars", **span, timeframe="5Min")["bars"]["SPY"]
    assert (len(minutes), len(fives)) == (150, 30)
    assert fives[1]["o"] == minutes[5]["o"]
    assert fives[1]["h"] == max(row["h"] for row in minutes[5:10])
    assert fives[1]["v"] == sum(row["v"] for row in minutes[5:10])


def test_a_plan_without_sip_may_not_ask_for_it(simulate: Callable[..., Simulator]) -> None:
    call = Caller(simulate(**OPTIONS, refused=frozenset({"/v2/sip"})))
    assert call("GET", "/v2/stocks/bars", symbols="SPY")[0] == 403
    assert call("GET", "/v2/stocks/bars", symbols="SPY", feed="iex")[0] == 200


def test_assets_are_listed_by_class_and_found_by_any_name(idle: Caller) -> None:
    pairs = idle.get("/v2/assets", asset_class="crypto", status="active")
    assert {pair["class"] for pair in pairs} == {"crypto"}
    assert idle.get("/v2/assets", status="inactive") == []
    assert {asset["exchange"] for asset in idle.get("/v2/assets", exchange="ARCA")} == {"ARCA"}
    bitcoin = idle.get("/v2/assets/BTC/USD")
    assert idle.get("/v2/assets/BTC%2FUSD") == bitcoin
    assert idle.get("/v2/assets/BTCUSD") == bitcoin
    assert idle.get(f"/v2/assets/{bitcoin['id']}") == bitcoin
    assert idle.get("/v2/assets/ANYTHING.A")["fractionable"] is True
