"""Bars of hours, days, weeks and months: by REST as whole bars, and the days on the stream."""

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from websockets.asyncio.client import connect

from simulator.server import Simulator, SimulatorOptions
from simulator.timeframes import Timeframe
from simulator.values import MINUTE, Bar
from tests.simulator.bench import OPEN, bar
from tests.simulator.plays import KEYS, TEN
from tests.simulator.test_rest import OPTIONS, Caller

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def idle() -> Iterator[Caller]:
    """One simulator for all tests; its clock stands at noon in New York."""
    with Simulator(SimulatorOptions(**OPTIONS)) as simulator:
        yield Caller(simulator)


def rows(call: Caller, timeframe: str, start: str, end: str, **more: Any) -> Rows:
    """SPY's bars, from all pages."""
    query = {"symbols": "SPY", "timeframe": timeframe, "start": start, "end": end, **more}
    found: Rows = []
    while True:
        page = call.get("/v2/stocks/bars", **query)
        found += page["bars"].get("SPY", [])
        if page["next_page_token"] is None:
            return found
        query["page_token"] = page["next_page_token"]


def starts(found: Rows) -> list[str]:
    return [row["t"] for row in found]


def test_a_longer_bar_is_asked_for_by_its_start_and_comes_whole(idle: Caller) -> None:
    monday = rows(idle, "1Min", "2026-03-16T13:30:00Z", "2026-03-16T19:59:00Z")
    (day,) = rows(idle, "1Day", "2026-03-16T04:00:00Z", "2026-03-16T15:00:00Z")
    assert (day["o"], day["c"]) == (monday[0]["o"], monday[-1]["c"])
    assert (day["h"], day["l"]) == (max(r["h"] for r in monday), min(r["l"] for r in monday))
    assert (day["v"], day["n"]) == (sum(r["v"] for r in monday), sum(r["n"] for r in monday))
    after = rows(idle, "1Day", "2026-03-16T04:00:01Z", "2026-03-18")
    assert starts(after) == ["2026-03-17T04:00:00Z"]
    assert after[0]["c"] == rows(idle, "1Min", "2026-03-17T15:59:00Z", "2026-03-18")[-1]["c"]


def test_weeks_begin_on_monday_and_months_on_their_first_day_in_new_york(idle: Caller) -> None:
    days = rows(idle, "1Day", "2026-01-01", "2026-03-18")
    weeks = rows(idle, "1Week", "2026-03-02", "2026-03-18")
    months = rows(idle, "1M", "2026-01-01", "2026-03-18")
    quarters = rows(idle, "3Month", "2026-01-01", "2026-03-18")
    assert starts(weeks) == ["2026-03-02T05:00:00Z", "2026-03-09T04:00:00Z", "2026-03-16T04:00:00Z"]
    assert starts(months) == [f"2026-0{n}-01T05:00:00Z" for n in (1, 2, 3)]
    assert starts(quarters) == starts(months)[:1]
    assert sum(row["v"] for row in months) == quarters[0]["v"] == sum(row["v"] for row in days)
    second = [row for row in days if "2026-03-09" <= row["t"] < "2026-03-16"]
    assert (weeks[1]["o"], weeks[1]["c"]) == (second[0]["o"], second[-1]["c"])


@pytest.mark.parametrize("sort", ["asc", "desc"])
@pytest.mark.parametrize(("timeframe", "limit"), [("1Hour", 3), ("45Min", 2), ("1Day", 1)])
def test_pages_of_longer_bars_together_give_all_of_them(
    idle: Caller, timeframe: str, limit: int, sort: str
) -> None:
    span = ("2026-03-12T14:40:00Z", "2026-03-17T15:40:00Z")
    whole = rows(idle, timeframe, *span)
    assert len(whole) > 2 * limit
    paged = rows(idle, timeframe, *span, sort=sort, limit=limit)
    assert paged == (whole if sort == "asc" else whole[::-1])


@pytest.mark.parametrize("name", ["0Min", "60Min", "24Hour", "2Day", "2W", "5Month", "1Eon", "Min"])
def test_a_timeframe_that_alpaca_does_not_know_is_refused(idle: Caller, name: str) -> None:
    answer = idle("GET", "/v2/stocks/bars", symbols="SPY", timeframe=name)
    assert answer == (400, {"code": 40010000, "message": f"invalid timeframe: {name}"})


def test_the_day_so_far_is_streamed_at_each_minutes_end(simulate: Callable[..., Simulator]) -> None:
    simulator = simulate(
        date=date(2026, 3, 17), start=TEN, clock_speed=100_000, settle_s=0.01, first_settle_s=0.05
    )

    async def heard() -> Rows:
        async with connect(simulator.stream_url + "/v2/iex", additional_headers=KEYS) as peer:
            await peer.send(json.dumps({"action": "subscribe", "dailyBars": ["SPY"]}))
            found: Rows = []
            while len(found) < 3:
                said = json.loads(await asyncio.wait_for(peer.recv(), 20))
                found += [each for each in said if each["T"] == "d"]
            return found

    days = asyncio.run(heard())
    call = Caller(simulator)
    assert {(day["S"], day["t"]) for day in days} == {("SPY", "2026-03-17T04:00:00Z")}
    for minute, day in enumerate(days, start=TEN.minute):
        until = TEN.replace(minute=minute).isoformat()
        minutes = rows(call, "1Min", "2026-03-17T13:30:00Z", until)
        assert (day["o"], day["c"]) == (minutes[0]["o"], minutes[-1]["c"])
        assert day["v"] == sum(row["v"] for row in minutes)


def test_a_pairs_day_is_of_utc(idle: Caller) -> None:
    query = {"symbols": "BTC/USD", "timeframe": "1Day", "start": "2026-03-16"}
    days = idle.get("/v1beta3/crypto/us/bars", **query)["bars"]["BTC/USD"]
    assert starts(days) == ["2026-03-16T00:00:00Z", "2026-03-17T00:00:00Z"]


def test_a_longer_bars_average_price_is_weighted_by_what_traded_and_has_one() -> None:
    def minute(n: int, volume: str, vwap: str | None, count: int | None) -> Bar:
        made = bar("SPY", OPEN + n * MINUTE, "100", volume)
        return replace(made, vwap=None if vwap is None else Decimal(vwap), trade_count=count)

    known = [minute(0, "100", "10", 3), minute(1, "300", "20", 4)]
    unknown = [minute(2, "50", None, None), minute(3, "0", "99", 0)]
    (five,) = Timeframe.of("5Min").gather([*known, *unknown])
    assert (five.vwap, five.volume, five.trade_count) == (Decimal("17.5"), 450, 7)
    (bare,) = Timeframe.of("5Min").gather(unknown[:1])
    assert (bare.vwap, bare.trade_count) == (None, None)
