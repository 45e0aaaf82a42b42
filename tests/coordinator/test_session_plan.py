"""What there is to trade from a moment on, which date it bears, and when it ends."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from coordinator.core.opening import session_id
from coordinator.core.session import Hours, SessionPlan, next_midnight, plan_session
from coordinator.core.values import Bar

NEW_YORK = ZoneInfo("America/New_York")
EARLY = {date(2019, 12, 24), date(2025, 7, 3)}
CLOSED = {date(2019, 12, 25), date(2025, 7, 4), date(2026, 1, 1)}


def at(text: str) -> datetime:
    """'2026-03-17 09:20 NY' or '... Z'."""
    moment, _, zone = text.rpartition(" ")
    known = datetime.fromisoformat(moment).replace(tzinfo=NEW_YORK if zone == "NY" else UTC)
    return known.astimezone(UTC)


def exchange(around: date) -> list[Hours]:
    """The exchange's sessions of the weeks around a date."""
    days = [around + timedelta(days=n) for n in range(-14, 15)]
    return [
        Hours(
            day,
            at(f"{day.isoformat()} 09:30 NY"),
            at(f"{day.isoformat()} {'13' if day in EARLY else '16'}:00 NY"),
        )
        for day in days
        if day.weekday() < 5 and day not in CLOSED
    ]


def plan(now: str, markets: str) -> SessionPlan | None:
    moment = at(now)
    today = moment.astimezone(NEW_YORK).date()
    stocks, crypto = "stocks" in markets, "crypto" in markets
    return plan_session(
        moment, today, exchange(today), stocks=stocks, crypto=crypto, crypto_lead_s=900
    )


# now, markets -> date, stocks' hours, crypto's day, end; or closed
PLANS = """
2026-03-17 08:00 NY | stocks         | 2026-03-17 | 13:30-20:00 | -          | 2026-03-17 20:00
2026-03-17 12:00 NY | stocks         | 2026-03-17 | 13:30-20:00 | -          | 2026-03-17 20:00
2026-03-17 15:59 NY | stocks         | 2026-03-17 | 13:30-20:00 | -          | 2026-03-17 20:00
2026-03-17 16:00 NY | stocks         | closed
2026-03-17 19:30 NY | stocks         | closed
2026-03-17 23:59 NY | stocks         | closed
2026-03-18 00:00 NY | stocks         | 2026-03-18 | 13:30-20:00 | -          | 2026-03-18 20:00
2026-03-14 12:00 NY | stocks         | closed
2026-01-01 12:00 NY | stocks         | closed
2019-12-24 09:00 NY | stocks         | 2019-12-24 | 14:30-18:00 | -          | 2019-12-24 18:00
2019-12-24 13:00 NY | stocks         | closed
2026-03-06 09:00 NY | stocks         | 2026-03-06 | 14:30-21:00 | -          | 2026-03-06 21:00
2026-03-09 09:00 NY | stocks         | 2026-03-09 | 13:30-20:00 | -          | 2026-03-09 20:00
2026-10-30 09:00 NY | stocks         | 2026-10-30 | 13:30-20:00 | -          | 2026-10-30 20:00
2026-11-02 09:00 NY | stocks         | 2026-11-02 | 14:30-21:00 | -          | 2026-11-02 21:00
2026-03-17 12:00 Z  | crypto         | 2026-03-17 | -           | 2026-03-17 | 2026-03-18 00:00
2026-03-17 23:44 Z  | crypto         | 2026-03-17 | -           | 2026-03-17 | 2026-03-18 00:00
2026-03-17 23:45 Z  | crypto         | 2026-03-18 | -           | 2026-03-18 | 2026-03-19 00:00
2026-03-17 23:55 Z  | crypto         | 2026-03-18 | -           | 2026-03-18 | 2026-03-19 00:00
2026-03-18 00:00 Z  | crypto         | 2026-03-18 | -           | 2026-03-18 | 2026-03-19 00:00
2026-03-14 12:00 Z  | crypto         | 2026-03-14 | -           | 2026-03-14 | 2026-03-15 00:00
2026-12-31 23:55 Z  | crypto         | 2027-01-01 | -           | 2027-01-01 | 2027-01-02 00:00
2026-03-17 09:20 NY | stocks, crypto | 2026-03-17 | 13:30-20:00 | 2026-03-17 | 2026-03-18 00:00
2026-03-17 17:00 NY | stocks, crypto | 2026-03-17 | -           | 2026-03-17 | 2026-03-18 00:00
2026-03-17 23:55 Z  | stocks, crypto | 2026-03-17 | -           | 2026-03-17 | 2026-03-18 00:00
2026-03-18 00:30 Z  | stocks, crypto | 2026-03-18 | 13:30-20:00 | 2026-03-18 | 2026-03-19 00:00
2026-03-14 12:00 Z  | stocks, crypto | 2026-03-14 | -           | 2026-03-14 | 2026-03-15 00:00
2019-12-24 09:00 NY | stocks, crypto | 2019-12-24 | 14:30-18:00 | 2019-12-24 | 2019-12-25 00:00
2019-12-25 12:00 NY | stocks, crypto | 2019-12-25 | -           | 2019-12-25 | 2019-12-26 00:00
"""
CASES = [[cell.strip() for cell in line.split("|")] for line in PLANS.strip().splitlines()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]} {case[1]}")
def test_a_coordinator_trades_what_is_left_of_its_markets_today(case: list[str]) -> None:
    now, markets, *expected = case
    found = plan(now, markets)
    if expected == ["closed"]:
        assert found is None
        return
    assert found is not None
    hours = f"{found.stock.open:%H:%M}-{found.stock.close:%H:%M}" if found.stock else "-"
    crypto = found.crypto_day.date().isoformat() if found.crypto_day else "-"
    assert [str(found.date), hours, crypto, f"{found.end:%Y-%m-%d %H:%M}"] == expected
    assert found.crypto_day is None or found.crypto_day.time() == datetime.min.time()
    assert found.stock is None or found.stock.date == found.date


def made(start: str, symbol: str) -> Bar:
    one = Decimal(1)
    return Bar(symbol, at(start), one, one, one, one, one)


# the bar's start, its ticker -> whether it counts, whether it is decided on (mixed, 2026-03-17)
@pytest.mark.parametrize(
    ("start", "symbol", "counts", "decides"),
    [
        ("2026-03-17 09:29 NY", "SPY", False, False),
        ("2026-03-17 09:30 NY", "SPY", True, True),
        ("2026-03-17 15:58 NY", "SPY", True, True),
        ("2026-03-17 15:59 NY", "SPY", True, False),
        ("2026-03-17 16:00 NY", "SPY", False, False),
        ("2026-03-16 23:59 Z", "BTC/USD", False, False),
        ("2026-03-17 00:00 Z", "BTC/USD", True, True),
        ("2026-03-17 15:59 NY", "BTC/USD", True, True),
        ("2026-03-17 23:58 Z", "BTC/USD", True, True),
        ("2026-03-17 23:59 Z", "BTC/USD", True, False),
        ("2026-03-18 00:00 Z", "BTC/USD", False, False),
    ],
)
def test_bars_of_the_regular_session_count_and_the_last_one_decides_nothing(
    start: str, symbol: str, counts: bool, decides: bool
) -> None:
    mixed = plan("2026-03-17 09:20 NY", "stocks, crypto")
    assert mixed is not None
    bar = made(start, symbol)
    its = "/" in symbol
    assert (mixed.counts(bar), mixed.deciding(bar.start)[its]) == (counts, decides)


@pytest.mark.parametrize(
    ("markets", "begin"),
    [
        ("stocks", "2026-03-17 09:30 NY"),
        ("crypto", "2026-03-17 00:00 Z"),
        ("stocks, crypto", "2026-03-17 00:00 Z"),
    ],
)
def test_a_session_begins_when_the_first_of_its_markets_opens(markets: str, begin: str) -> None:
    found = plan("2026-03-17 09:20 NY", markets)
    assert found is not None
    assert found.begin == at(begin)


@pytest.mark.parametrize(
    ("moment", "symbol", "is_open"),
    [
        ("2026-03-17 09:29:59 NY", "SPY", False),
        ("2026-03-17 09:30 NY", "SPY", True),
        ("2026-03-17 15:59:59 NY", "SPY", True),
        ("2026-03-17 16:00 NY", "SPY", False),
        ("2026-03-16 23:59:59 Z", "BTC/USD", False),
        ("2026-03-17 00:00 Z", "BTC/USD", True),
        ("2026-03-17 23:59:59 Z", "BTC/USD", True),
        ("2026-03-18 00:00 Z", "BTC/USD", False),
    ],
)
def test_a_market_is_open_from_its_first_moment_until_before_its_last(
    moment: str, symbol: str, is_open: bool
) -> None:
    mixed = plan("2026-03-17 09:20 NY", "stocks, crypto")
    assert mixed is not None
    assert mixed.is_open(symbol, at(moment)) is is_open


def test_a_market_that_is_not_traded_has_no_first_and_no_last_bar() -> None:
    stocks, crypto = plan("2026-03-17 09:20 NY", "stocks"), plan("2026-03-17 12:00 Z", "crypto")
    assert stocks is not None
    assert crypto is not None
    assert (stocks.first_bar("BTC/USD"), stocks.last_end("BTC/USD")) == (None, None)
    assert (crypto.first_bar("SPY"), crypto.last_end("SPY")) == (None, None)
    assert not crypto.counts(made("2026-03-17 12:00 NY", "SPY"))
    assert not crypto.is_open("SPY", at("2026-03-17 12:00 NY"))
    assert not stocks.is_open("BTC/USD", at("2026-03-17 12:00 NY"))


@pytest.mark.parametrize(
    ("tickers", "rolls"),
    [
        (("SPY",), "2026-03-17 13:30 Z"),
        (("BTC/USD", "SPY"), "2026-03-17 13:30 Z"),
        (("BTC/USD", "ETH/USD"), "2026-03-17 00:00 Z"),
    ],
)
def test_a_day_begins_at_the_open_or_for_crypto_alone_at_midnight(
    tickers: tuple[str, ...], rolls: str
) -> None:
    mixed = plan("2026-03-17 09:20 NY", "stocks, crypto")
    assert mixed is not None
    assert mixed.rolls_at(tickers) == at(rolls)


def test_midnight_is_always_the_next_one() -> None:
    assert next_midnight(at("2026-03-17 00:00 Z")) == at("2026-03-18 00:00 Z")
    assert next_midnight(at("2026-03-17 20:30 NY")) == at("2026-03-19 00:00 Z")


def test_a_session_is_found_again_by_date_coordinator_and_account() -> None:
    stocks = plan("2026-03-17 12:00 NY", "stocks")
    assert stocks is not None
    assert session_id("mine", "PA1", stocks) == "2026-03-17.mine.PA1"
