"""Recorded minute bars from a Parquet or CSV file, checked whole before the first one is served.

Rule: a wrong file never becomes a quiet surprise: every fault is a `FeedError` naming the file
and the column or row. What real feeds do (volume 0, missing minutes, bars at the close, a vwap
outside high and low) is not a fault. Prices are rounded half-even: 4 decimals for stocks, 9 for
crypto. Rows are counted from 1, the header apart.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise, repeat
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from simulator.assets import is_crypto, is_symbol
from simulator.calendar import new_york_date
from simulator.columns import Columns, prices, rounded, whole_steps
from simulator.errors import FeedError
from simulator.feed import EMPTY_DAY, DayBars
from simulator.money import CRYPTO_PRICE_STEP, STOCK_PRICE_STEP, decimals_of, price_step
from simulator.values import Bar

_PRICES = ("open", "high", "low", "close")
_REQUIRED = ("symbol", "timestamp", *_PRICES, "volume")
_KNOWN = (*_REQUIRED, "trade_count", "vwap", "source")
_MINUTE_US = 60_000_000
_HOUR_US = 3_600_000_000
_DAY_US = 86_400_000_000
_ENOUGH = 20
"""Among so many bars of one-minute data, two are of neighbouring minutes."""
_EPOCH = date(1970, 1, 1)
_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_YEARS = np.array(["1991", "2190"], "datetime64[us]").astype(np.int64)  # as for --date


class RecordedFeed:
    """A `Feed` over one file.

    source: keep that set's rows only. Without it, no (symbol, date) may have several.
    Raises FeedError for anything unreadable or wrong.
    """

    def __init__(self, path: Path, source: str | None = None) -> None:
        self._path = path
        table = _of_source(_read(path), source, path)
        self._columns = _checked(table, path, source)
        self._spans = _spans(self._columns)
        self._dates: dict[str, list[date]] = {}
        for symbol, day in self._spans:
            self._dates.setdefault(symbol, []).append(day)
        self._days: dict[tuple[str, date], DayBars] = {}

    def symbols(self) -> Sequence[str]:
        """Every symbol in the file, sorted."""
        return sorted(self._dates)

    def days(self, symbol: str, first: date, last: date) -> Sequence[date]:
        """UTC dates with bars of the symbol."""
        held = self._dates.get(symbol, [])
        return held[bisect_left(held, first) : bisect_right(held, last)]

    def has_bars(self, symbol: str, start: datetime, end: datetime) -> bool:
        """Whether a bar of the symbol starts in [start, end), both UTC."""
        between = [round((moment - _EPOCH_START) / _MICROSECOND) for moment in (start, end)]
        for day in self.days(symbol, start.date(), end.date()):
            starts = self._columns["timestamp"][slice(*self._spans[symbol, day])]
            first, last = np.searchsorted(starts, between)
            if first < last:
                return True
        return False

    def day(self, symbol: str, day: date) -> DayBars:
        """The bars that start on that UTC date."""
        span = self._spans.get((symbol, day))
        if span is None:
            return EMPTY_DAY
        if (symbol, day) not in self._days:
            self._days[symbol, day] = DayBars.of(self._rows(symbol, *span))
        return self._days[symbol, day]

    def columns(self, symbol: str) -> Columns:
        """All bars of the symbol as arrays. Raises OverflowError where 64 bits are too few."""
        spans = [self._spans[symbol, day] for day in self._dates.get(symbol, ())]
        rows = slice(spans[0][0], spans[-1][1]) if spans else slice(0, 0)
        held, decimals = self._columns, decimals_of(price_step(symbol))
        opened, high, low, close = (whole_steps(held[name][rows], decimals) for name in _PRICES)
        volume, count, vwap = (held[name][rows] for name in ("volume", "trade_count", "vwap"))
        starts = held["timestamp"][rows]
        return Columns(
            symbol=symbol,
            decimals=decimals,
            starts=starts,
            open=opened,
            high=high,
            low=low,
            close=close,
            volume=volume,
            trade_count=count,
            vwap=vwap,
        )

    def forget_before(self, day: date) -> None:
        """Free the memory of earlier days; one that is asked for later is read again."""
        for key in [key for key in self._days if key[1] < day]:
            del self._days[key]

    def trading_dates(self, *, stocks: bool) -> list[date]:
        """Exchange dates with stock bars, or UTC dates with crypto bars, ascending."""
        found = set()
        for (symbol, day), (first, end) in self._spans.items():
            if is_crypto(symbol):
                if not stocks:
                    found.add(day)
            elif stocks:
                found.update(new_york_date(self._start(row)) for row in (first, end - 1))
        return sorted(found)

    def _start(self, row: int) -> datetime:
        return _EPOCH_START + timedelta(microseconds=int(self._columns["timestamp"][row]))

    def _rows(self, symbol: str, first: int, last: int) -> Iterable[Bar]:
        held = {name: column[first:last] for name, column in self._columns.items()}
        decimals = decimals_of(price_step(symbol))
        return map(
            Bar,
            repeat(symbol),
            [_EPOCH_START + timedelta(microseconds=at) for at in held["timestamp"].tolist()],
            *(prices(held[name], decimals) for name in _PRICES),
            [Decimal(repr(volume)) for volume in held["volume"].tolist()],
            [int(n) if n == n else None for n in held["trade_count"].tolist()],
            [rounded(vwap, decimals) if vwap == vwap else None for vwap in held["vwap"].tolist()],
        )


def _read(path: Path) -> Any:
    """The file as an Arrow table of the columns that we know, with all required ones in it."""
    if not path.is_file():
        wrong = "is not a file" if path.exists() else "there is no such file"
        raise FeedError(f"{path}: {wrong}; give --bars a Parquet or CSV file of bars")
    kind = "CSV" if path.suffix.lower() == ".csv" else "Parquet"
    reader = pyarrow.csv.read_csv if kind == "CSV" else pyarrow.parquet.read_table
    try:
        table = reader(path)
        names = table.column_names
    except (pa.ArrowException, OSError, UnicodeError) as error:
        sentence = str(error).splitlines()[0].partition(". ")[0].rstrip(".")
        raise FeedError(
            f"{path}: cannot be read as {kind}: {sentence}. Give --bars a Parquet"
            " file, or a CSV file whose name ends in .csv"
        ) from error
    for name in _KNOWN:
        if names.count(name) > 1 or (name in _REQUIRED and name not in names):
            wrong = "there twice" if name in names else "missing"
            raise FeedError(
                f"{path}: column {name!r} is {wrong} (needed: {', '.join(_REQUIRED)}; "
                f"found: {', '.join(names)})"
            )
    return table.select([name for name in _KNOWN if name in names])


def _of_source(table: Any, source: str | None, path: Path) -> Any:
    """The rows to use, with their row numbers kept in `row`."""
    table = table.append_column("row", pa.array(np.arange(1, table.num_rows + 1)))
    if "source" not in table.column_names:
        if source is not None:
            raise FeedError(f"{path}: has no column 'source', so --source {source} selects nothing")
        return table.append_column("source", pa.array([""] * table.num_rows, pa.string()))
    if source is None:
        return table
    sources = _cast(table, "source", pa.string(), path)
    known = sorted(str(name) for name in pc.unique(sources).to_pylist())
    if source not in known:
        raise FeedError(f"{path}: has no source {source!r}; it holds: {', '.join(known)}")
    return table.filter(pc.equal(sources, source))


def _checked(table: Any, path: Path, source: str | None) -> dict[str, Any]:
    """Columns as arrays sorted by (symbol, timestamp); raises FeedError at the first fault."""
    if table.num_rows == 0:
        raise FeedError(f"{path}: holds no rows; there is nothing to play")
    symbols = _text(table, "symbol", path)
    stamps = _timestamps(table, path)
    rows = table["row"].to_numpy()
    columns: dict[str, Any] = {"symbol": symbols, "timestamp": stamps, "row": rows}
    for name in (*_PRICES, "volume"):
        columns[name] = _numbers(table, name, path)
    for name in ("trade_count", "vwap"):
        blank = np.full(table.num_rows, np.nan)
        columns[name] = _numbers(table, name, path) if name in table.column_names else blank
    columns["source"] = _text(table, "source", path)
    order = np.lexsort((columns["timestamp"], columns["symbol"]))
    columns = {name: column[order] for name, column in columns.items()}
    _check_values(columns, path)
    if source is None:
        _check_sources(columns, path)
    _check_unique(columns, path)
    _check_minutes(columns, path)
    return columns


def _cast(table: Any, name: str, kind: Any, path: Path) -> Any:
    try:
        return pc.cast(table[name], kind)
    except (pa.ArrowException, ValueError) as error:
        what = f"something else than {'text' if kind == pa.string() else 'numbers'}"
        raise FeedError(f"{path}: column {name!r} holds {what}: {error}") from None


def _text(table: Any, name: str, path: Path) -> Any:
    _refuse_empty(table, name, path)
    return np.asarray(_cast(table, name, pa.string(), path).to_pylist(), object).astype(str)


def _numbers(table: Any, name: str, path: Path) -> Any:
    if pa.types.is_decimal(table[name].type):  # which Arrow itself makes floats of a digit beside
        column = table.schema.get_field_index(name)
        table = table.set_column(column, name, _cast(table, name, pa.string(), path))
    return _cast(table, name, pa.float64(), path).to_numpy(zero_copy_only=False).astype(float)


def _refuse_empty(table: Any, name: str, path: Path) -> None:
    if table[name].null_count:
        row = int(table["row"].to_numpy()[np.argmax(table[name].is_null().to_numpy())])
        raise FeedError(f"{path}: row {row}: column {name!r} is empty")


def _timestamps(table: Any, path: Path) -> Any:
    """Microseconds since 1970, UTC."""
    column = table["timestamp"]
    kind = column.type
    if not pa.types.is_timestamp(kind) or kind.tz is None:
        raise FeedError(
            f"{path}: column 'timestamp' is {kind}, not a time with a zone; "
            "write UTC times such as 2026-03-17 13:30:00+00:00"
        )
    _refuse_empty(table, "timestamp", path)
    return pc.cast(pc.cast(column, pa.timestamp("us", "UTC"), safe=False), pa.int64()).to_numpy()


def _check_values(columns: dict[str, Any], path: Path) -> None:
    def refuse(bad: Any, column: str, what: str) -> None:
        if bad.any():
            n = int(np.flatnonzero(bad)[np.argmin(columns["row"][bad])])
            when = np.datetime64(int(columns["timestamp"][n]), "us")
            value = f"{when}Z" if column == "timestamp" else columns[column][n]
            raise FeedError(
                f"{path}: row {columns['row'][n]} ({columns['symbol'][n]} {when}Z): "
                f"column {column!r} is {value}: {what}"
            )

    unknown = np.array([not is_symbol(name) for name in np.unique(columns["symbol"])])
    if unknown.any():
        name = np.unique(columns["symbol"])[unknown][0]
        refuse(columns["symbol"] == name, "symbol", "not a symbol such as SPY or BTC/USD")
    stamps = columns["timestamp"]
    refuse(np.clip(stamps, *_YEARS) != stamps, "timestamp", "not from 1991 to 2189: see its unit")
    refuse(stamps % _MINUTE_US != 0, "timestamp", "not the start of a minute")
    for name in _PRICES:
        refuse(~np.isfinite(columns[name]), name, "not a finite price")
        refuse(columns[name] <= 0, name, "a price must be above zero")
        refuse(_rounded_away(columns, name), name, "a price must be above zero when it is rounded")
    volume = columns["volume"]
    refuse(~np.isfinite(volume) | (volume < 0), "volume", "a volume must be finite and >= 0")
    refuse(columns["high"] < columns["low"], "high", "below the row's low")
    refuse(np.isinf(columns["vwap"]), "vwap", "not a finite price")
    refuse(np.abs(columns["trade_count"]) >= 2.0**63, "trade_count", "too large a number")


def _rounded_away(columns: dict[str, Any], name: str) -> Any:
    """Where a price is too small for the decimals that are kept: half of the last, or less."""
    stocks, coins = (float(step) / 2 for step in (STOCK_PRICE_STEP, CRYPTO_PRICE_STEP))
    gone = columns[name] <= stocks
    small = np.flatnonzero(gone)
    are_coins = np.char.find(columns["symbol"][small], "/") >= 0
    gone[small] = ~are_coins | (columns[name][small] <= coins)
    return gone


def _check_sources(columns: dict[str, Any], path: Path) -> None:
    """No symbol may have two sources on one date: of the exchange for stocks, UTC for crypto."""
    if np.all(columns["source"] == columns["source"][0]):
        return
    seen: dict[tuple[str, date], set[str]] = {}
    hours = columns["timestamp"] // _HOUR_US  # a source changes no faster
    keys = np.char.add(np.char.add(columns["symbol"], "\t"), columns["source"])
    for key, hour in sorted(set(zip(keys.tolist(), hours.tolist(), strict=True))):
        symbol, source = key.split("\t")
        moment = datetime.fromtimestamp(hour * 3600, UTC)
        on = moment.date() if is_crypto(symbol) else new_york_date(moment)
        seen.setdefault((symbol, on), set()).add(source)
    clashes = {key: names for key, names in seen.items() if len(names) > 1}
    if clashes:
        (symbol, on), _ = min(clashes.items())
        names = sorted(set().union(*clashes.values()))
        raise FeedError(
            f"{path}: column 'source': {symbol} has several sources on {on}; "
            f"choose one with --source: {', '.join(names)}"
        )


def _check_unique(columns: dict[str, Any], path: Path) -> None:
    same = (columns["symbol"][1:] == columns["symbol"][:-1]) & (
        columns["timestamp"][1:] == columns["timestamp"][:-1]
    )
    if same.any():
        n = int(np.argmax(same))
        when = np.datetime64(int(columns["timestamp"][n]), "us")
        raise FeedError(
            f"{path}: rows {columns['row'][n]} and {columns['row'][n + 1]} are both "
            f"{columns['symbol'][n]} {when}Z: (symbol, timestamp) must be unique"
        )


def _check_minutes(columns: dict[str, Any], path: Path) -> None:
    """Bars of five minutes, hours or days are not one-minute bars, though each starts a minute."""
    gaps = np.diff(columns["timestamp"])[columns["symbol"][1:] == columns["symbol"][:-1]]
    if len(gaps) >= _ENOUGH and (least := int(gaps.min()) // _MINUTE_US) > 1:
        apart = "a day" if least == _DAY_US // _MINUTE_US else f"{least} minutes"
        raise FeedError(
            f"{path}: no two of its bars lie less than {apart} apart, so they are not one-minute"
            " bars, which sessions are played by; give a file of those"
        )


def _spans(columns: dict[str, Any]) -> dict[tuple[str, date], tuple[int, int]]:
    """(symbol, UTC date) -> first and one-past-last row in the sorted columns."""
    symbols, days = columns["symbol"], columns["timestamp"] // _DAY_US
    change = np.flatnonzero((symbols[1:] != symbols[:-1]) | (days[1:] != days[:-1])) + 1
    edges = [0, *change.tolist(), len(symbols)]
    return {
        (str(symbols[a]), _EPOCH + timedelta(days=int(days[a]))): (a, b) for a, b in pairwise(edges)
    }
