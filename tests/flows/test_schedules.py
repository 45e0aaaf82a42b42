"""Three years of prefect.yaml's schedules, fired by Prefect's own clockwork, against the exchange.

What each run would trade is asked of the start's own code, on the calendar as the broker tells it.
The holidays and early closes are written out here, as the exchange has announced them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import cast
from zoneinfo import ZoneInfo

import pytest
from prefect.server.schemas.schedules import CronSchedule

from coordinator.core.session import Hours, SessionPlan
from coordinator.errors import BrokerUnavailable
from coordinator.shell import startup
from coordinator.shell.broker import Broker
from coordinator.shell.exchange_calendar import exchange_sessions
from flows.server.deploying import flow_of, read_document

FIRST, LAST = date(2025, 1, 1), date(2027, 12, 31)
NEW_YORK = ZoneInfo("America/New_York")
DAY = timedelta(days=1)
HOLIDAYS = """
2025-01-01 2025-01-09 2025-01-20 2025-02-17 2025-04-18 2025-05-26 2025-06-19 2025-07-04 2025-09-01
2025-11-27 2025-12-25
2026-01-01 2026-01-19 2026-02-16 2026-04-03 2026-05-25 2026-06-19 2026-07-03 2026-09-07 2026-11-26
2026-12-25
2027-01-01 2027-01-18 2027-02-15 2027-03-26 2027-05-31 2027-06-18 2027-07-05 2027-09-06 2027-11-25
2027-12-24
"""
EARLY_CLOSES = "2025-07-03 2025-11-28 2025-12-24 2026-11-27 2026-12-24 2027-11-26"
CLOCK_CHANGES = "2025-03-09 2025-11-02 2026-03-08 2026-11-01 2027-03-14 2027-11-07"
STARTING = timedelta(seconds=8)
"""What passes between a run's scheduled time and its first question to the broker."""


def dates(text: str) -> set[date]:
    return set(map(date.fromisoformat, text.split()))


class TellsCalendar:
    """A broker that answers for its calendar alone, as Alpaca does: session by session."""

    def __init__(self, sessions: Sequence[Hours]) -> None:
        self._sessions = sessions

    def calendar(self, start: date, end: date) -> list[Hours]:
        return [hours for hours in self._sessions if start <= hours.date <= end]


class Silent:
    """A broker whose calendar cannot be had."""

    def calendar(self, start: date, end: date) -> list[Hours]:
        raise BrokerUnavailable("GET /v2/calendar: HTTP 500")


@cache
def exchange() -> tuple[Hours, ...]:
    """Each session, from the written holidays and early closes: 09:30 to 16:00, or 13:00."""
    found, early, closed = [], dates(EARLY_CLOSES), dates(HOLIDAYS)
    for number in range((LAST - FIRST).days + 1):
        day = FIRST + number * DAY
        if day.weekday() < 5 and day not in closed:
            close = time(13) if day in early else time(16)
            opens, closes = (
                datetime.combine(day, at, NEW_YORK).astimezone(UTC) for at in (time(9, 30), close)
            )
            found.append(Hours(day, opens, closes))
    return tuple(found)


BROKER = cast("Broker", TellsCalendar(exchange()))


@cache
def firings(name: str) -> tuple[datetime, ...]:
    """When Prefect starts a deployment in these years, by its own reckoning, in UTC."""
    document = read_document()
    [asked] = [d for d in document["deployments"] if f"{flow_of(d)}/{d['name']}" == name]
    [schedule] = asked["schedules"]
    zone = ZoneInfo(schedule["timezone"])
    clockwork = CronSchedule(cron=schedule["cron"], timezone=schedule["timezone"])
    found: set[float] = set()
    for year in range(FIRST.year, LAST.year + 1):  # Prefect tells a thousand at most
        begins, ends = (datetime(y, 1, 1, tzinfo=zone) for y in (year, year + 1))
        dates_found = asyncio.run(clockwork.get_dates(1_000, begins, ends))
        found |= {one.timestamp() for one in dates_found}
    return tuple(datetime.fromtimestamp(one, UTC) for one in sorted(found))


def planned(now: datetime, ticker: str) -> SessionPlan | None:
    """What a coordinator that asks at `now` would trade."""
    return startup.plan(now, startup.read_sessions(BROKER, now), [ticker])


def stock_plans() -> dict[datetime, SessionPlan | None]:
    return {at: planned(at + STARTING, "SPY") for at in firings("coordinator/stocks")}


def test_there_is_one_start_for_each_session_of_the_exchange_and_none_beside_weekdays() -> None:
    plans = stock_plans()
    traded = [plan.date for plan in plans.values() if plan]
    assert len(plans) == 783
    assert traded == [hours.date for hours in exchange()]
    assert len(traded) == 752


def test_every_holiday_is_a_closed_market_and_nothing_else_is() -> None:
    plans = stock_plans()
    idle = {at.astimezone(NEW_YORK).date() for at, plan in plans.items() if plan is None}
    assert idle == dates(HOLIDAYS)
    assert len(idle) == 31


def test_every_session_ends_at_its_close_and_an_early_one_early() -> None:
    plans = [plan for plan in stock_plans().values() if plan]
    closes = {plan.date: plan.end for plan in plans}
    assert closes == {hours.date: hours.close for hours in exchange()}
    early = {d for d, end in closes.items() if end.astimezone(NEW_YORK).time() == time(13)}
    assert early == dates(EARLY_CLOSES)


def test_each_start_is_ten_minutes_before_the_open_on_both_sides_of_every_clock_change() -> None:
    plans = {at: plan for at, plan in stock_plans().items() if plan}
    assert {plan.begin - at for at, plan in plans.items()} == {timedelta(minutes=10)}
    for change in sorted(dates(CLOCK_CHANGES)):
        before = max(at for at in plans if at.date() < change)
        after = min(at for at in plans if at.date() > change)
        hours = (before.hour, after.hour)
        assert hours == ((14, 13) if change.month == 3 else (13, 14))


@pytest.mark.parametrize(
    ("start", "begins"),
    [("warmup/stocks", "coordinator/stocks"), ("warmup/crypto", "coordinator/crypto")],
)
def test_a_warm_up_comes_before_each_start_and_is_for_the_same_session(
    start: str, begins: str
) -> None:
    ticker = "BTC/USD" if "crypto" in start else "SPY"
    pairs = list(zip(firings(start), firings(begins), strict=True))
    assert all(timedelta(minutes=5) <= b - a <= timedelta(minutes=15) for a, b in pairs)
    # even of a broker whose clock is a minute behind ours
    assert all(planned(a - timedelta(minutes=1), ticker) == planned(b, ticker) for a, b in pairs)


def test_crypto_is_started_once_for_each_utc_date_and_ends_with_it() -> None:
    plans = [planned(at + STARTING, "BTC/USD") for at in firings("coordinator/crypto")]
    traded = [plan.date for plan in plans if plan]
    assert traded == [FIRST + (n + 1) * DAY for n in range(1_095)]
    midnights = [datetime.combine(day, time(0), UTC) for day in traded]
    assert [(plan.begin, plan.end) for plan in plans if plan] == [(m, m + DAY) for m in midnights]


@pytest.mark.parametrize("market", ["stocks", "crypto"])
def test_the_backstop_comes_after_the_last_orders_have_ended(market: str) -> None:
    ends = firings(f"end-of-day/{market}")
    ticker = "BTC/USD" if market == "crypto" else "SPY"
    for start, end in zip(firings(f"coordinator/{market}"), ends, strict=market == "stocks"):
        if market == "stocks" and (plan := planned(start, ticker)):
            assert end - plan.end >= timedelta(minutes=15)
    assert market == "stocks" or {(at.hour, at.minute) for at in ends} == {(0, 30)}


@pytest.mark.parametrize(
    ("late", "trades"),
    [
        (timedelta(minutes=1), True),
        (timedelta(hours=2), True),
        (timedelta(hours=7), False),
        (timedelta(hours=14), False),
    ],
)
def test_a_late_start_ends_with_the_clock_and_after_the_close_at_once(
    late: timedelta, trades: bool
) -> None:
    for at in firings("coordinator/stocks"):
        on_time, plan = planned(at, "SPY"), planned(at + late, "SPY")
        if on_time is None or not trades:
            assert plan is None
        elif at + late < on_time.end:
            assert plan == on_time


def test_several_starts_that_were_missed_are_all_for_the_one_session_of_now() -> None:
    now = datetime(2026, 11, 27, 15, tzinfo=UTC)  # the day after Thanksgiving, after an outage
    missed = [at for at in firings("coordinator/crypto") if now - 4 * DAY < at < now]
    assert len(missed) == 4
    assert {planned(now, "BTC/USD") for _ in missed} == {planned(now, "BTC/USD")}
    plan = planned(now, "SPY")
    assert plan is not None
    assert plan.end == datetime(2026, 11, 27, 18, tzinfo=UTC)


@pytest.mark.thorough
def test_without_the_brokers_calendar_the_librarys_stands_in_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("WARNING", "coordinator")
    for day in ("2026-07-03", "2026-11-27", "2026-03-09"):
        now = datetime.fromisoformat(f"{day}T14:00Z")
        own = startup.read_sessions(cast("Broker", Silent()), now)
        told = startup.read_sessions(BROKER, now)
        assert [h for h in own if h.date >= FIRST] == told
    assert "the broker's calendar cannot be had" in caplog.text


def test_the_library_knows_these_years_as_the_exchange_announced_them() -> None:
    assert exchange_sessions(FIRST, LAST) == exchange()
