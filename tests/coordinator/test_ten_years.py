"""Ten years of the exchange's own calendar: early closes, holidays, changes of clocks, midnights.

Every day a coordinator is started, dies at noon and is started again; whatever the calendar says,
a strategy's day begins anew exactly once on each date on which it can trade.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.session import Hours, SessionPlan, plan_session
from simulator.calendar import Calendar
from tests.coordinator.bench import Bench, D, spec

FIRST, LAST = date(2016, 1, 1), date(2025, 12, 31)
NEW_YORK = ZoneInfo("America/New_York")
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
MARKETS = {"stocks": ["SPY"], "crypto": ["BTC/USD"], "both": ["SPY", "BTC/USD"]}


@pytest.fixture(scope="module")
def exchange() -> dict[date, Hours]:
    sessions = Calendar(FIRST, LAST).sessions
    return {s.date: Hours(s.date, s.open, s.close) for s in sessions}


def planned(now: datetime, exchange: dict[date, Hours], tickers: list[str]) -> SessionPlan | None:
    today = now.astimezone(NEW_YORK).date()
    around = [today + n * DAY for n in range(-7, 8)]
    return plan_session(
        now,
        today,
        [exchange[day] for day in around if day in exchange],
        stocks="SPY" in tickers,
        crypto="BTC/USD" in tickers,
        crypto_lead_s=900,
    )


def starts_on(day: date, tickers: list[str]) -> datetime:
    """When a coordinator is started for a date: before the open, or before midnight UTC."""
    if "SPY" in tickers:
        return datetime.combine(day, time(9, 20), NEW_YORK).astimezone(UTC)
    return datetime.combine(day, time(0), UTC) - 5 * MINUTE


def moments(plan: SessionPlan, now: datetime) -> Iterator[datetime]:
    """The clock of a session, every half hour and around the moment that its day begins."""
    rolls = [plan.rolls_at(("SPY",)), plan.rolls_at(("BTC/USD",))]
    near = [at + n * MINUTE for at in rolls for n in (-1, 0, 1)]
    hours = (now + n * timedelta(minutes=30) for n in range(60))
    yield from sorted({at for at in (*near, *hours) if now <= at <= plan.end})


def days_of(books: Books, plan: SessionPlan, now: datetime, tickers: list[str]) -> list[date]:
    """Play a day and its restart at noon on the same books; the dates that began anew in it."""
    begun: list[r.Record] = []
    noon = now + (plan.end - now) / 2
    for start, end in ((now, noon), (noon, plan.end)):
        bench = Bench(spec("A", {}, tickers=tickers), plan=plan, books=books)
        for moment in moments(plan, start):
            if moment <= end:
                begun += bench.handle(m.ClockRead(moment)).records
    rolled = [x for x in begun if isinstance(x, r.DayRolled)]
    assert all(x.at == max(plan.rolls_at(tuple(tickers)), now) for x in rolled)
    return [x.day for x in rolled]


FEW = [(date(2019, 3, 4), 12), (date(2024, 10, 30), 12), (date(2019, 12, 20), 14)]
"""First date, and how many: clocks go forward, clocks go back, an early close and holidays."""
WHOLE = [(FIRST, (LAST - FIRST).days)]


@pytest.mark.parametrize("markets", MARKETS)
@pytest.mark.parametrize(
    "spans",
    [
        pytest.param(FEW, id="the hard weeks"),
        pytest.param(WHOLE, id="ten years", marks=pytest.mark.slow),
    ],
)
def test_a_strategys_day_begins_anew_once_on_each_date_on_which_it_can_trade(
    spans: list[tuple[date, int]], markets: str, exchange: dict[date, Hours]
) -> None:
    tickers = MARKETS[markets]
    for first, count in spans:
        books = adopted()
        for day in (first + n * DAY for n in range(count)):
            now = starts_on(day, tickers)
            plan = planned(now, exchange, tickers)
            if markets == "stocks" and day not in exchange:
                assert plan is None
                continue
            assert plan is not None
            assert plan.date == day
            assert plan.stock == (exchange.get(day) if "SPY" in tickers else None)
            assert days_of(books, plan, now, tickers) == [day]


def adopted() -> Books:
    books = Books()
    at = datetime.combine(FIRST, time(0), UTC)
    books.apply_all([r.AccountAdopted(at, "PA1", D(100_000), ())])
    return books


def test_the_ten_years_have_what_makes_them_hard(exchange: dict[date, Hours]) -> None:
    days = [hours for day, hours in exchange.items() if FIRST <= day <= LAST]
    local = [(h.open.astimezone(NEW_YORK), h.close.astimezone(NEW_YORK)) for h in days]
    assert {opens.time() for opens, _ in local} == {time(9, 30)}
    assert {closes.time() for _, closes in local} == {time(16), time(13)}
    assert {h.open.time() for h in days} == {time(13, 30), time(14, 30)}
    assert sum(closes.time() == time(13) for _, closes in local) > 20
    assert len(days) < (LAST - FIRST).days * 5 // 7 - 80
