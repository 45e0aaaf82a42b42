"""Seeded bars: the same for ever, plausible, and independent of what else is asked for."""

import hashlib
import statistics
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from simulator.calendar import Calendar
from simulator.feed import bar_at, bars_between, last_bar
from simulator.generated import GeneratedFeed
from simulator.values import Bar
from tests.simulator.bench import calendar

ROOT = Path(__file__).parents[2]
TUESDAY = date(2026, 3, 17)
FINGERPRINT = """
import hashlib
from datetime import date
from simulator.calendar import Calendar
from simulator.generated import GeneratedFeed
feed = GeneratedFeed(11, Calendar(date(2026, 3, 1), date(2026, 3, 31)))
text = repr([feed.day(s, date(2026, 3, 17)).bars for s in ("SPY", "DBB", "BTC/USD", "ZZZZ")])
print(hashlib.sha256(text.encode()).hexdigest())
"""


def feed(seed: int = 7) -> GeneratedFeed:
    return GeneratedFeed(seed, calendar())


@pytest.mark.thorough
def test_the_same_seed_gives_the_same_bytes_in_any_process() -> None:
    elsewhere = subprocess.run(
        [sys.executable, "-c", FINGERPRINT],
        env={"PYTHONHASHSEED": "4242", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    here = GeneratedFeed(11, calendar())
    text = repr([here.day(name, TUESDAY).bars for name in ("SPY", "DBB", "BTC/USD", "ZZZZ")])
    assert elsewhere == hashlib.sha256(text.encode()).hexdigest()


def test_a_symbols_bars_do_not_depend_on_what_else_was_asked() -> None:
    lone, busy = feed(), feed()
    for symbol in ("QQQ", "ETH/USD", "AAAA"):
        busy.day(symbol, date(2026, 3, 16))
        busy.day(symbol, TUESDAY)
    assert lone.day("SPY", TUESDAY).bars == busy.day("SPY", TUESDAY).bars
    assert feed(8).day("SPY", TUESDAY).bars != lone.day("SPY", TUESDAY).bars


@pytest.mark.parametrize(
    ("symbol", "day", "count"),
    [
        ("SPY", TUESDAY, 390),
        ("SPY", date(2026, 3, 14), 0),  # Saturday
        ("SPY", date(2026, 4, 3), 0),  # Good Friday
        ("SPY", date(2025, 11, 28), 210),  # closes at 13:00
        ("BTC/USD", date(2026, 3, 14), 1440),
        ("spy", TUESDAY, 0),
    ],
)
def test_stocks_trade_in_sessions_and_crypto_always(symbol: str, day: date, count: int) -> None:
    assert len(feed().day(symbol, day).bars) == count


@pytest.mark.parametrize("symbol", ["SPY", "TSLA", "PFE", "XYZW", "BTC/USD", "DOGE/USD"])
def test_bars_are_well_formed_and_move_enough_to_trade(symbol: str) -> None:
    bars = feed().day(symbol, TUESDAY).bars
    for bar in bars:
        assert 0 < bar.low <= min(bar.open, bar.close)
        assert bar.high >= max(bar.open, bar.close)
        assert bar.vwap is not None
        assert bar.low <= bar.vwap <= bar.high
        assert bar.volume > 0
    closes = [bar.close for bar in bars]
    moves = sum(a != b for a, b in pairwise(closes))
    assert moves > len(bars) * 0.6
    assert 1.003 < max(closes) / min(closes) < 1.2


def test_a_day_begins_near_where_the_last_one_ended() -> None:
    days = [date(2026, 3, 16), TUESDAY, date(2026, 3, 18)]
    for symbol in ("SPY", "AAPL", "BTC/USD"):
        held = [feed().day(symbol, day).bars for day in days]
        for before, after in pairwise(held):
            gap = abs(after[0].open / before[-1].close - 1)
            assert gap < 0.05
            assert symbol == "BTC/USD" or gap > 0


def test_stocks_move_together_and_apart() -> None:
    def returns(symbol: str) -> list[float]:
        closes = [float(bar.close) for bar in feed().day(symbol, TUESDAY).bars]
        return [b / a - 1 for a, b in pairwise(closes)]

    assert 0.2 < statistics.correlation(returns("SPY"), returns("QQQ")) < 0.95
    assert abs(statistics.correlation(returns("SPY"), returns("BTC/USD")[:389])) < 0.2


def test_volume_is_highest_at_the_ends_of_the_session() -> None:
    bars = feed().day("SPY", TUESDAY).bars

    def total(part: Sequence[Bar]) -> float:
        return float(sum(bar.volume for bar in part))

    middle = total(bars[165:225])
    assert total(bars[:60]) > middle * 1.4
    assert total(bars[-60:]) > middle * 1.4


def test_quiet_symbols_miss_minutes_and_can_be_named() -> None:
    assert feed().is_quiet("DBB")
    assert not feed().is_quiet("SPY")
    assert 40 < len(feed().day("DBB", TUESDAY).bars) < 180
    named = GeneratedFeed(7, calendar(), quiet=frozenset({"SPY"}))
    assert len(named.day("SPY", TUESDAY).bars) < 180
    assert len(named.day("DBB", TUESDAY).bars) == 390
    unknown = [f"Q{chr(65 + a)}{chr(65 + b)}" for a in range(10) for b in range(10)]
    assert 2 <= sum(feed().is_quiet(name) for name in unknown) <= 30


def test_history_reaches_a_year_back() -> None:
    first = datetime(2025, 3, 18, tzinfo=UTC)
    assert next(iter(bars_between(feed(), "SPY", first, first.replace(month=4)))).start.year == 2025


def test_nothing_is_known_before_its_minute_has_ended() -> None:
    opened = datetime(2026, 3, 17, 13, 30, tzinfo=UTC)
    held = feed()
    early = last_bar(held, "SPY", opened.replace(minute=31, second=0))
    assert early == bar_at(held, "SPY", opened)
    late = last_bar(held, "SPY", opened.replace(second=59, microsecond=999999))
    assert late is not None
    assert late.start == datetime(2026, 3, 16, 19, 59, tzinfo=UTC)


def test_a_pinned_day_never_changes() -> None:
    bars = GeneratedFeed(7, Calendar(date(2026, 1, 1), date(2026, 12, 31))).day("SPY", TUESDAY).bars
    text = "\n".join(f"{bar.start} {bar.open} {bar.high} {bar.low} {bar.close}" for bar in bars)
    assert (
        hashlib.sha256(text.encode()).hexdigest()
        == "cbc2adbdf0e46ccd02a88bddd1c5008e07434c4ddea6dbb7e258a3c6b8175980"
    )


def test_a_day_that_was_dropped_to_save_memory_is_made_again_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("simulator.generated._BARS_KEPT", 3000)
    held = feed()
    days = [date(2026, 3, n) for n in range(1, 6)]
    made = [held.day("BTC/USD", day) for day in days]
    again = [held.day("BTC/USD", day) for day in days]
    assert again == made
    assert [new is old for new, old in zip(again, made, strict=True)] == [False] * 5
    assert held.day("BTC/USD", days[-1]) is again[-1]
