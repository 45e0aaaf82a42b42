"""Recorded bars: wrong files are named by column and row, dirty ones are played."""

from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.columns import prices
from simulator.errors import FeedError, OptionsError
from simulator.feed import bars_between
from simulator.opening import open_feed
from simulator.recorded import RecordedFeed
from simulator.server import SimulatorOptions

TODAY = date(2026, 11, 22)
NINE_THIRTY = pd.Timestamp("2026-03-17 13:30", tz="UTC")


def frame(rows: int = 3, **changes: Any) -> pd.DataFrame:
    """A good file of `rows` SPY bars, with columns replaced (None: dropped)."""
    columns: dict[str, Any] = {
        "symbol": ["SPY"] * rows,
        "timestamp": pd.date_range(NINE_THIRTY, periods=rows, freq="min"),
        "open": [100.0] * rows,
        "high": [101.0] * rows,
        "low": [99.0] * rows,
        "close": [100.5] * rows,
        "volume": [1000.0] * rows,
        "trade_count": [5] * rows,
        "vwap": [None] * rows,
        "source": ["mine"] * rows,
    }
    columns |= changes
    return pd.DataFrame({name: held for name, held in columns.items() if held is not None})


def written(folder: Path, table: pd.DataFrame, kind: str = "parquet") -> Path:
    path = folder / f"bars.{kind}"
    if kind == "csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path)
    return path


BAD = [
    ({"open": None}, "column 'open' is missing"),
    ({"timestamp": None}, "column 'timestamp' is missing"),
    ({"symbol": ["SPY", None, "SPY"]}, "row 2: column 'symbol' is empty"),
    ({"symbol": ["SPY", "sp y", "SPY"]}, "row 2 (sp y 2026-03-17T13:31:00"),
    (
        {"close": [100.0, float("nan"), 100.0]},
        "row 2 (SPY 2026-03-17T13:31:00.000000Z): column 'close' is nan",
    ),
    ({"open": [100.0, 100.0, float("inf")]}, "row 3"),
    ({"low": [-1.0, 99.0, 99.0]}, "row 1 (SPY 2026-03-17T13:30:00.000000Z): column 'low' is -1.0"),
    ({"open": [100.0, 0.0, 100.0]}, "column 'open' is 0.0: a price must be above zero"),
    ({"low": [99.0, 5e-5, 99.0]}, "column 'low' is 5e-05: a price must be above zero when it is"),
    (
        {"symbol": ["SPY", "A/USD", "A/USD"], "low": [1.0, 5e-5, 5e-10]},
        "row 3 (A/USD 2026-03-17T13:32:00.000000Z): column 'low' is 5e-10: a price must be above",
    ),
    ({"high": [101.0, 98.0, 101.0]}, "row 2 (SPY 2026-03-17T13:31:00.000000Z): column 'high'"),
    ({"volume": [1.0, -5.0, 1.0]}, "column 'volume' is -5.0"),
    ({"volume": [1.0, None, 1.0]}, "column 'volume' is nan"),
    ({"open": ["100", "x", "100"]}, "column 'open' holds something else than numbers"),
    ({"symbol": [b"SPY", b"SP\xdf", b"SPY"]}, "column 'symbol' holds something else than text"),
    (
        {"trade_count": [5, 1e30, 5]},
        "row 2 (SPY 2026-03-17T13:31:00.000000Z): column 'trade_count'",
    ),
    ({"timestamp": pd.date_range("2026-03-17 13:30", periods=3, freq="min")}, "not a time with a"),
    ({"timestamp": ["2026-03-17", "b", "c"]}, "column 'timestamp' is"),
    (
        {"timestamp": pd.date_range(NINE_THIRTY, periods=3, freq="30s")},
        "row 2 (SPY 2026-03-17T13:30:30.000000Z): column 'timestamp' is 2026-03-17T13:30:30",
    ),
    (
        {"timestamp": pd.to_datetime([1773754200, 1773754260, 1773754320], unit="ms", utc=True)},
        "column 'timestamp' is 1970-01-21T12:42:34.200000Z: not from 1991 to 2189: see its unit",
    ),
    ({"timestamp": [NINE_THIRTY.replace(year=2200)] * 3}, "not from 1991 to 2189: see its unit"),
    ({"timestamp": [NINE_THIRTY] * 3}, "rows 1 and 2 are both SPY 2026-03-17T13:30:00"),
    (
        {"source": ["a", "b", "a"]},
        "SPY has several sources on 2026-03-17; choose one with --source: a, b",
    ),
]


@pytest.mark.parametrize(("changes", "told"), BAD)
def test_a_wrong_file_is_refused_naming_the_column_or_row(
    tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    path = written(tmp_path, frame(**changes))
    with pytest.raises(FeedError) as error:
        RecordedFeed(path)
    assert str(path) in str(error.value)
    assert told in str(error.value)


def test_files_that_cannot_be_read_say_so(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="there is no such file"):
        RecordedFeed(tmp_path / "none.parquet")
    (tmp_path / "bars.parquet").write_bytes(b"no parquet at all")
    with pytest.raises(FeedError, match="cannot be read as Parquet"):
        RecordedFeed(tmp_path / "bars.parquet")
    (tmp_path / "bars.csv").write_text('a,b\n1,"2\n3')
    with pytest.raises(FeedError, match=r"bars\.csv"):
        RecordedFeed(tmp_path / "bars.csv")
    (tmp_path / "bars.csv").write_bytes(b"symbol,gr\xf6\xdfe\nSPY,1\n")
    with pytest.raises(FeedError, match="cannot be read as CSV: 'utf-8' codec"):
        RecordedFeed(tmp_path / "bars.csv")
    (tmp_path / "bars.csv").write_text(frame().to_csv(index=False).replace("vwap", "close", 1))
    with pytest.raises(FeedError, match="column 'close' is there twice"):
        RecordedFeed(tmp_path / "bars.csv")
    with pytest.raises(FeedError, match="holds no rows"):
        RecordedFeed(written(tmp_path, frame(0)))


@pytest.mark.parametrize(
    ("every", "words"),
    [("D", "less than a day apart"), ("5min", "less than 5 minutes apart")],
    ids=["daily bars", "bars of five minutes"],
)
def test_bars_of_days_or_five_minutes_are_not_played_as_bars_of_one(
    tmp_path: Path, every: str, words: str
) -> None:
    stamps = pd.date_range(NINE_THIRTY, periods=30, freq=every)
    with pytest.raises(FeedError, match=words) as refused:
        RecordedFeed(written(tmp_path, frame(30, timestamp=stamps)))
    assert "give a file of those" in str(refused.value)


def test_a_few_bars_far_apart_and_many_with_gaps_are_one_minute_bars(tmp_path: Path) -> None:
    few = pd.date_range(NINE_THIRTY, periods=10, freq="h")
    assert RecordedFeed(written(tmp_path, frame(10, timestamp=few))).symbols() == ["SPY"]
    gaps = [NINE_THIRTY + pd.Timedelta(minutes=m) for m in (*range(0, 300, 10), 301, 302)]
    thin = frame(len(gaps), timestamp=gaps)
    assert RecordedFeed(written(tmp_path, thin)).symbols() == ["SPY"]


def test_columns_that_bars_do_not_have_are_ignored(tmp_path: Path) -> None:
    path = written(tmp_path, frame(row=[7, 8, 9], note=["a", "b", "c"]), "csv")
    assert len(RecordedFeed(path).day("SPY", date(2026, 3, 17)).bars) == 3


def test_a_source_may_be_a_number(tmp_path: Path) -> None:
    path = written(tmp_path, frame(4, source=[1, 2, 1, 2]), "csv")
    assert len(RecordedFeed(path, "1").day("SPY", date(2026, 3, 17)).bars) == 2


def test_a_source_selects_its_rows_and_an_unknown_one_lists_those_there_are(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, frame(4, source=["a", "b", "a", "b"]))
    assert len(RecordedFeed(path, "a").day("SPY", date(2026, 3, 17)).bars) == 2
    with pytest.raises(FeedError, match="has no source 'c'; it holds: a, b"):
        RecordedFeed(path, "c")


def test_sources_may_stand_together_when_no_symbol_and_date_has_two(tmp_path: Path) -> None:
    table = frame(4, symbol=["SPY", "SPY", "BTC/USD", "BTC/USD"], source=["a", "a", "b", "b"])
    assert RecordedFeed(written(tmp_path, table)).symbols() == ["BTC/USD", "SPY"]


def test_csv_and_parquet_give_the_same_bars_whatever_their_order(tmp_path: Path) -> None:
    table = frame(5, close=[100.1, 100.2, 100.3, 100.4, 100.5])
    day = date(2026, 3, 17)
    parquet = RecordedFeed(written(tmp_path, table)).day("SPY", day).bars
    csv = RecordedFeed(written(tmp_path, table.iloc[::-1], "csv")).day("SPY", day).bars
    assert parquet == csv
    assert [str(bar.close) for bar in csv][:2] == ["100.1000", "100.2000"]


def test_prices_are_rounded_half_even_four_decimals_for_stocks_nine_for_crypto(
    tmp_path: Path,
) -> None:
    table = frame(2, symbol=["SPY", "BTC/USD"], close=[100.12345, 0.1234567885], low=[0.1, 0.1])
    table.loc[0, "open"] = 100.00015
    feed = RecordedFeed(written(tmp_path, table))
    day = date(2026, 3, 17)
    stock, coin = feed.day("SPY", day).bars[0], feed.day("BTC/USD", day).bars[0]
    assert (stock.open, stock.close) == (Decimal("100.0002"), Decimal("100.1234"))
    assert coin.close == Decimal("0.123456788")


def test_a_price_of_more_digits_than_64_bits_hold_is_played(tmp_path: Path) -> None:
    table = frame(1, symbol=["BTC/USD"], high=[1e11 + 0.125])
    bar = RecordedFeed(written(tmp_path, table)).day("BTC/USD", date(2026, 3, 17)).bars[0]
    assert (bar.high, bar.open) == (Decimal("100000000000.125"), Decimal(100))


def test_decimals_of_a_file_are_read_as_they_are_written(tmp_path: Path) -> None:
    amounts = {"high": Decimal("9267.56585"), "volume": Decimal("911.30616")}
    table = frame(1, **{name: [amount] for name, amount in amounts.items()})
    bar = RecordedFeed(written(tmp_path, table)).day("SPY", date(2026, 3, 17)).bars[0]
    assert (bar.high, bar.volume) == (Decimal("9267.5658"), amounts["volume"])


@given(st.floats(0, 1e9), st.integers(0, 12), st.sampled_from([4, 9]))
def test_any_price_is_rounded_as_it_is_written(price: float, written: int, decimals: int) -> None:
    price = round(price, written)
    exact = Decimal(repr(price)).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN)
    [read] = prices(np.array([price]), decimals)
    assert str(read) == str(exact)


def test_a_close_that_adjusting_moved_past_its_high_by_a_floats_last_digit_is_played(
    tmp_path: Path,
) -> None:
    high = 101.0 * (6.77 / 101.0)
    assert high < 6.77
    adjusted = frame(1, open=[6.7], high=[high], low=[6.6], close=[6.77])
    bar = RecordedFeed(written(tmp_path, adjusted)).day("SPY", date(2026, 3, 17)).bars[0]
    assert bar.close == bar.high == Decimal("6.77")


def test_columns_that_may_be_absent(tmp_path: Path) -> None:
    feed = RecordedFeed(written(tmp_path, frame(trade_count=None, vwap=None, source=None)))
    bar = feed.day("SPY", date(2026, 3, 17)).bars[0]
    assert (bar.trade_count, bar.vwap) == (None, None)


def opening(**options: Any) -> Any:
    return open_feed(SimulatorOptions(**options), TODAY)


@pytest.mark.parametrize(
    ("day", "start"),
    [
        (date(2026, 3, 17), datetime(2026, 3, 17, 13, 20, tzinfo=UTC)),
        (date(2026, 3, 6), datetime(2026, 3, 6, 14, 20, tzinfo=UTC)),  # winter time
        (date(2026, 3, 14), datetime(2026, 3, 14, tzinfo=UTC)),  # Saturday: crypto alone
        (date(2026, 7, 3), datetime(2026, 7, 3, tzinfo=UTC)),  # a holiday
        (None, datetime(2026, 11, 23, 14, 20, tzinfo=UTC)),  # a Sunday: the next session
    ],
)
def test_the_clock_stands_first_ten_minutes_before_the_open_or_at_midnight(
    day: date | None, start: datetime
) -> None:
    assert opening(date=day).start == start


def test_a_file_names_its_dates_when_the_one_asked_for_is_not_there(tmp_path: Path) -> None:
    table = frame(2)
    table.loc[1, "timestamp"] += pd.Timedelta(days=1)
    path = written(tmp_path, table)
    assert opening(bars=path).start == datetime(2026, 3, 18, 13, 20, tzinfo=UTC)
    with pytest.raises(FeedError, match=r"no bars on 2026-03-20; .* 2026-03-17\.\.2026-03-18"):
        opening(bars=path, date=date(2026, 3, 20))
    with pytest.raises(OptionsError, match="no zone"):
        opening(start=datetime(2026, 3, 17, 9, 0))  # noqa: DTZ001


def test_a_crypto_file_starts_at_midnight(tmp_path: Path) -> None:
    path = written(tmp_path, frame(symbol=["BTC/USD"] * 3))
    assert opening(bars=path).start == datetime(2026, 3, 17, tzinfo=UTC)


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("stocks_1min", None),
        ("stocks_1min", "yahoo_2026_03"),
        ("stocks_1min", "etf_2019_12"),
        ("crypto_1min", None),
        ("crypto_1min", "yahoo_crypto_2026_03"),
    ],
)
def test_real_dirty_feeds_are_played_whole(recorded: Path, name: str, source: str | None) -> None:
    path = recorded / f"{name}.parquet"
    table = pd.read_parquet(path, columns=["symbol", "timestamp", "close", "source"])
    if source is not None:
        table = table[table["source"] == source]
    feed = RecordedFeed(path, source)
    symbol = str(table["symbol"].iloc[0])
    rows = table[table["symbol"] == symbol].sort_values("timestamp")
    first, last = rows["timestamp"].iloc[0], rows["timestamp"].iloc[-1]
    bars = list(bars_between(feed, symbol, first, last + pd.Timedelta(minutes=1)))
    assert len(bars) == len(rows)
    step = Decimal("1e-9") if "/" in symbol else Decimal("1e-4")
    assert [bar.close for bar in bars] == [
        Decimal(repr(float(close))).quantize(step) for close in rows["close"]
    ]
