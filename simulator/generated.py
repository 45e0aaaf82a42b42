"""Seeded minute bars of any symbol, out of integers and hashes alone.

Rule: a bar is a pure function of (seed, symbol, date). No order of questions, other symbol,
PYTHONHASHSEED or library version changes a byte; so there is no random module here and no
float: a counter-based generator (splitmix64 keyed by blake2b) and integer arithmetic.

How a price comes about: a level per date walks through each year and meets that year's end
(`_levels`); inside a day, the path is a bridge from the open to the date's level, moved by a
market factor that all stocks (or all crypto) share, by the symbol's own noise, and now and then
by news. Returns are in parts per billion (ppb), prices in nano-dollars.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise

from simulator.assets import DEFAULT_PAIRS, DEFAULT_STOCKS, is_crypto, is_symbol
from simulator.calendar import Calendar
from simulator.feed import EMPTY_DAY, ONE_DAY, DayBars, midnight, utc_dates
from simulator.values import MINUTE, Bar

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_SIGMA = 37837  # standard deviation of the sum of four 16-bit uniforms
_PPB = 1_000_000_000
_NANO = 1_000_000_000

# dollars; about what they cost when this was written. Any other symbol gets a price from its name.
_PRICES = {
    "SPY": 660, "QQQ": 600, "IWM": 245, "DIA": 465, "AAPL": 255, "MSFT": 400, "GOOGL": 305,
    "AMZN": 215, "NVDA": 180, "META": 620, "TSLA": 390, "AMD": 195, "NFLX": 95, "JPM": 290,
    "BAC": 48, "XOM": 155, "CVX": 195, "JNJ": 240, "PFE": 27, "KO": 77, "WMT": 125, "DIS": 100,
    "GLD": 460, "SLV": 72, "TLT": 87, "IEF": 96, "XLK": 140, "XLE": 57, "XLF": 50, "XLV": 150,
    "XLI": 165, "XLU": 46, "DBB": 24, "FXY": 58,
    "BTC/USD": 73000, "ETH/USD": 2250, "SOL/USD": 92, "LTC/USD": 56, "LINK/USD": 9,
    "AVAX/USD": 10, "BTC/USDT": 73000, "ETH/USDT": 2250,
}  # fmt: skip
_CHEAP_PAIRS = {"DOGE/USD": 98_000_000, "XRP/USD": 1_480_000_000, "ADA/USD": 280_000_000}
_BARS_KEPT = 600_000  # a bound on memory (400 MB); a dropped day is made again when asked again
_THIN = frozenset({"DBB", "FXY"})


def mix(key: int, counter: int) -> int:
    """splitmix64: the counter-th 64-bit number of the stream `key`."""
    z = (key + counter * _GOLDEN) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def normal(key: int, counter: int, sigma: int) -> int:
    """A bell-shaped integer of mean 0 and the given standard deviation."""
    z = mix(key, counter)
    total = (z & 0xFFFF) + (z >> 16 & 0xFFFF) + (z >> 32 & 0xFFFF) + (z >> 48) - 131070
    return total * sigma // _SIGMA


def stream_key(seed: int, *parts: object) -> int:
    """A stream of its own for each tuple of words."""
    text = "|".join(map(str, (seed, *parts)))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


class GeneratedFeed:
    """A `Feed` of seeded bars: regular sessions for stocks, all 1,440 minutes for crypto.

    quiet: symbols that trade in about a quarter of their minutes; None lets the seed choose a
    minority among the less known ones, beside DBB and FXY.
    """

    def __init__(self, seed: int, calendar: Calendar, quiet: frozenset[str] | None = None) -> None:
        self._seed = seed
        self._calendar = calendar
        self._quiet = quiet
        self._first = calendar.sessions[0].date + ONE_DAY
        self._last = calendar.sessions[-1].date
        self._days: dict[tuple[str, date], DayBars] = {}  # oldest first
        self._kept = 0  # bars in them
        self._levels = lru_cache(maxsize=512)(self._year_levels)
        self._shared = lru_cache(maxsize=16)(self._market_steps)

    def symbols(self) -> Sequence[str]:
        """The default universe; any other well-formed symbol can be asked for as well."""
        return sorted([*DEFAULT_STOCKS, *DEFAULT_PAIRS])

    def days(self, symbol: str, first: date, last: date) -> Sequence[date]:
        """Sessions for stocks, every date for crypto, within the calendar's range."""
        if not is_symbol(symbol):
            return []
        first, last = max(first, self._first), min(last, self._last)
        if is_crypto(symbol):
            return utc_dates(first, last)
        return [session.date for session in self._calendar.between(first, last)]

    def day(self, symbol: str, day: date) -> DayBars:
        """The bars of that UTC date, made on first demand."""
        held = self._days.get((symbol, day))
        if held is None:
            held = self._days[symbol, day] = self._make(symbol, day)
            self._kept += len(held.bars)
            while self._kept > _BARS_KEPT:
                self._kept -= len(self._days.pop(next(iter(self._days))).bars)
        return held

    def is_quiet(self, symbol: str) -> bool:
        """Whether most of the symbol's minutes have no bar."""
        if self._quiet is not None:
            return symbol in self._quiet
        if symbol in _PRICES or symbol in _CHEAP_PAIRS:
            return symbol in _THIN
        return stream_key(self._seed, "quiet", symbol) % 8 == 0

    def _make(self, symbol: str, day: date) -> DayBars:
        if not is_symbol(symbol) or not self._first <= day <= self._last:
            return EMPTY_DAY
        if is_crypto(symbol):
            start, count = midnight(day), 1440
        else:
            session = self._calendar.on(day)
            if session is None:
                return EMPTY_DAY
            start = session.open
            count = int((session.close - session.open) / MINUTE)
        return DayBars.of(self._bars(symbol, day, start, count))

    def _bars(self, symbol: str, day: date, start: datetime, count: int) -> list[Bar]:
        path = self._path(symbol, day, count)
        key = stream_key(self._seed, "bar", symbol, day)
        tick, places = _tick(path[0])
        busy = _minute_volume(symbol, path[0], self._seed)
        quiet = self.is_quiet(symbol)
        bars = []
        for n, (opened, closed) in enumerate(pairwise(path)):
            noise = mix(key, n)
            if quiet and noise % 100 >= 25:
                continue
            spread = opened * (noise >> 8 & 0x3FF) // 4_000_000
            below = opened * (noise >> 18 & 0x3FF) // 4_000_000
            first, last = opened // tick, closed // tick
            high = (max(opened, closed) + spread) // tick
            low = max(1, (min(opened, closed) - below) // tick)
            volume = busy * _u_shape(n, count) * (50 + (noise >> 30) % 101) // 10_000
            bars.append(
                Bar(
                    symbol=symbol,
                    start=start + n * MINUTE,
                    open=Decimal(first).scaleb(places),
                    high=Decimal(high).scaleb(places),
                    low=Decimal(low).scaleb(places),
                    close=Decimal(last).scaleb(places),
                    volume=_volume(symbol, volume),
                    trade_count=1 + (noise >> 40) % 400,
                    vwap=Decimal((first + high + low + last) // 4).scaleb(places),
                )
            )
        return bars

    def _path(self, symbol: str, day: date, count: int) -> list[int]:
        """count + 1 prices in nano-dollars: the open, then each minute's close."""
        before, target = self._level(symbol, day - ONE_DAY), self._level(symbol, day)
        key = stream_key(self._seed, "path", symbol, day)
        crypto = is_crypto(symbol)
        opened = before
        if not crypto:  # the night's gap: part of the day's move, and some of its own
            share = 20 + mix(key, 1 << 32) % 41
            opened += (target - before) * share // 100
            opened += opened * normal(key, (1 << 32) + 1, 1_500_000) // _PPB
        beta, own = _character(self._seed, symbol)
        shared = self._shared(crypto, day, count)
        walk, total = [0], 0
        news_at, news_step = _news(stream_key(self._seed, "news", symbol, day), count, 40)
        for n in range(count):
            total += shared[n] * beta // 100 + normal(key, n, own) * _u_shape(n, count) // 150
            if news_at <= n < news_at + 8:
                total += news_step
            walk.append(total)
        drift = (target - opened) * _PPB // opened - total
        return [opened * (_PPB + step + drift * n // count) // _PPB for n, step in enumerate(walk)]

    def _market_steps(self, crypto: bool, day: date, count: int) -> list[int]:
        """What moves all stocks (or all crypto) in each minute, ppb."""
        key = stream_key(self._seed, "market", "crypto" if crypto else "stock", day)
        sigma = 500_000 if crypto else 320_000
        news_at, news_step = _news(key ^ _MASK, count, 25)
        return [
            normal(key, n, sigma) * _u_shape(n, count) // 150
            + (news_step if news_at <= n < news_at + 8 else 0)
            for n in range(count)
        ]

    def _level(self, symbol: str, day: date) -> int:
        """The price at the end of that date, nano-dollars."""
        return self._levels(symbol, day.year)[day.timetuple().tm_yday]

    def _year_levels(self, symbol: str, year: int) -> tuple[int, ...]:
        """Levels from the last day of the year before (index 0) to the year's last day."""
        begin, end = self._anchor(symbol, year), self._anchor(symbol, year + 1)
        length = (date(year + 1, 1, 1) - date(year, 1, 1)).days
        crypto = is_crypto(symbol)
        shared = stream_key(self._seed, "year", "crypto" if crypto else "stock", year)
        own = stream_key(self._seed, "year", symbol, year)
        beta, _ = _character(self._seed, symbol)
        scale = 3 if crypto else 1
        walk = [_PPB]
        for n in range(1, length + 1):
            rests = not crypto and (date(year, 1, 1) + timedelta(days=n - 1)).weekday() >= 5
            step = normal(shared, n, 7_000_000) * beta // 100 + normal(own, n, 8_000_000)
            walk.append(walk[-1] * (_PPB + (0 if rests else step * scale)) // _PPB)
        correction = end * _PPB * _PPB // (begin * walk[-1]) - _PPB
        return tuple(
            begin * step // _PPB * (_PPB + correction * n // length) // _PPB
            for n, step in enumerate(walk)
        )

    def _anchor(self, symbol: str, year: int) -> int:
        """The level at the turn of the year, nano-dollars: 0.8 to 1.25 times the usual price."""
        if symbol in _CHEAP_PAIRS:
            base = _CHEAP_PAIRS[symbol]
        elif symbol in _PRICES:
            base = _PRICES[symbol] * _NANO
        else:
            base = (12 + stream_key(0, "price", symbol) % 260) * _NANO
        return base * (8000 + stream_key(self._seed, "anchor", symbol, year) % 4500) // 10_000


def _character(seed: int, symbol: str) -> tuple[int, int]:
    """(beta in percent, own noise in ppb a minute)."""
    z = stream_key(seed, "character", symbol)
    return 60 + z % 90, (350_000 if is_crypto(symbol) else 280_000) + (z >> 20) % 500_000


def _news(key: int, count: int, chance: int) -> tuple[int, int]:
    """(first minute, ppb in each of eight minutes) of the day's news; out of reach when none."""
    z = mix(key, 7)
    if z % 100 >= chance or count < 120:
        return count + 1, 0
    size = 1_000_000 + (z >> 10) % 3_000_000
    return 30 + (z >> 40) % (count - 80), size if z >> 9 & 1 else -size


def _u_shape(n: int, count: int) -> int:
    """Percent of the usual activity in the n-th minute: 250 at the ends, 100 in the middle."""
    middle = 2 * n - count
    return 100 + 150 * middle * middle // (count * count)


def _minute_volume(symbol: str, price: int, seed: int) -> int:
    """Usual volume of a minute: shares, or 1e-9 coins."""
    dollars = 40_000 + stream_key(seed, "volume", symbol) % 4_000_000
    if is_crypto(symbol):
        return dollars * _NANO * _NANO // (price * 20)
    return max(1, dollars * _NANO // price)


def _volume(symbol: str, amount: int) -> Decimal:
    return Decimal(amount).scaleb(-9) if is_crypto(symbol) else Decimal(max(1, amount))


def _tick(price: int) -> tuple[int, int]:
    """(price step in nano-dollars, its power of ten): cents, finer for what costs little."""
    if price >= 10 * _NANO:
        return 10_000_000, -2
    if price >= _NANO:
        return 100_000, -4
    return 1_000, -6
