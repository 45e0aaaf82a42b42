"""What a test of one's own strategy needs: bars, the signals at their closes, and three checks.

Signals are those of a session: each step begins fresh for its ticker, decimals are exact, and of
a stock only bars of the exchange's regular sessions are read from recordings. A check that fails
raises AssertionError, and says at which bar.

>>> from coordinator.strategies import MomentumStrategy
>>> strategy = MomentumStrategy(lookback_period=2, momentum_threshold=0.05)
>>> replay(strategy, bars_of([100, 101, 106, 106, 99]))
[0, 0, 1, 0, -1]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, localcontext
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from coordinator.core.lanes import HISTORY_WINDOWS
from coordinator.core.values import EXACT, MINUTE, Bar, is_crypto
from coordinator.strategies.base import Strategy
from coordinator.strategies.frame import adapt
from coordinator.strategies.reading import Step, one_signal

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "assert_deterministic",
    "assert_enough_history",
    "assert_signals",
    "bars_of",
    "read_bars",
    "replay",
    "walk",
]

START = datetime(2026, 3, 17, 13, 30, tzinfo=UTC)
"""When bars written by hand begin unless a test says: the open of a trading day."""
RESTARTS = 5
"""At so many places a check of history begins anew."""

Number = int | float | str | Decimal


def bars_of(
    closes: Iterable[Number],
    *,
    volumes: Iterable[Number] | None = None,
    ticker: str = "SPY",
    start: datetime = START,
) -> list[Bar]:
    """Bars of consecutive minutes with these closes in dollars; each opens at the close before it.

    `volumes` are in shares or coins, one a bar: 100 unless told. Floats are taken as written.

    >>> first, second = bars_of([100, 99.5])
    >>> second.open, second.high, second.low, second.close, second.volume
    (Decimal('100'), Decimal('100'), Decimal('99.5'), Decimal('99.5'), Decimal('100'))
    """
    prices = [Decimal(str(close)) for close in closes]
    sizes = [Decimal(100)] * len(prices) if volumes is None else [Decimal(str(v)) for v in volumes]
    opens = [*prices[:1], *prices[:-1]]
    return [
        Bar(
            ticker,
            start + at * MINUTE,
            opened,
            max(opened, close),
            min(opened, close),
            close,
            size,
        )
        for at, (opened, close, size) in enumerate(zip(opens, prices, sizes, strict=True))
    ]


def walk(count: int, *, seed: int = 1, ticker: str = "SPY") -> list[Bar]:
    """So many bars that wander up and down around 100 dollars, the same for the same seed.

    >>> [str(bar.close) for bar in walk(4)] == [str(bar.close) for bar in walk(4)]
    True
    >>> len(walk(500)), min(bar.close for bar in walk(500)) > 0
    (500, True)
    """
    closes, volumes, cents, state = [], [], 10_000, seed
    for _ in range(count):
        # Knuth's linear congruence: the same on every machine and in every version of Python.
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        cents += (state >> 40) % 41 - 20 + (10_000 - cents) // 200
        closes.append(Decimal(cents) / 100)
        volumes.append((state >> 20) % 1000)
    return bars_of(closes, volumes=volumes, ticker=ticker)


def read_bars(
    recording: str | Path | pd.DataFrame, ticker: str, *, source: str | None = None
) -> list[Bar]:
    """One ticker's bars from a Parquet or CSV file, or a frame, as `--bars` takes them.

    Columns: symbol, timestamp (UTC, start of the bar), open, high, low, close, volume; `source`
    names the set where there are several.

    Raises:
        ValueError: the recording is wrong, or has no bars of the ticker.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({
    ...     "symbol": "BTC/USD", "timestamp": pd.to_datetime(["2026-03-17 00:00Z"]),
    ...     "open": 99.0, "high": 101.5, "low": 98.0, "close": 100.5, "volume": 0.25})
    >>> [(bar.start.hour, str(bar.close)) for bar in read_bars(frame, "BTC/USD")]
    [(0, '100.500000000')]
    """
    if isinstance(recording, str | Path):
        return _recorded(Path(recording), ticker, source)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "frame.parquet"
        recording.to_parquet(file)
        return _recorded(file, ticker, source)


def replay(strategy: Strategy | object, bars: Sequence[Bar]) -> list[int]:
    """The strategy's signal at the close of each bar: 1, -1 or 0.

    `strategy` is a Strategy, or an object with `generate_signal(frame)`. What it raises is raised
    here as well.

    Raises:
        ValueError: the bars are not those of one ticker, oldest first.
        OperatorError: the strategy cannot read bars, or answered no signal.

    >>> from coordinator.strategies import BuyAndHoldStrategy
    >>> replay(BuyAndHoldStrategy(), bars_of([3, 2, 1]))
    [1, 1, 1]
    """
    _check(bars)
    return _fed(_begun(strategy), bars)


def assert_signals(
    strategy: Strategy | object, bars: Sequence[Bar], expected: Sequence[int] | Mapping[int, int]
) -> None:
    """The strategy gives these signals: one for each bar, or only those at some bars' indices.

    Raises:
        AssertionError: it gives another one.

    >>> from coordinator.strategies import MovingAverageCrossoverStrategy
    >>> crossing = MovingAverageCrossoverStrategy(short_window=1, long_window=2)
    >>> assert_signals(crossing, bars_of([5, 6, 4]), [0, 1, -1])
    >>> assert_signals(crossing, bars_of([5, 6, 4]), {-1: -1})
    >>> assert_signals(crossing, bars_of([5, 6, 4]), {1: -1})
    Traceback (most recent call last):
    AssertionError: at bar 1 (SPY 2026-03-17 13:31, close 6) the signal is 1, expected -1
    """
    found = replay(strategy, bars)
    if not isinstance(expected, Mapping):
        if len(expected) != len(bars):
            raise ValueError(f"{len(bars)} bars need as many signals, got {len(expected)}")
        expected = dict(enumerate(expected))
    for at, signal in expected.items():
        if found[at] != signal:
            raise AssertionError(
                f"at {_shown(bars, at)} the signal is {found[at]}, expected {signal}"
            )


def assert_deterministic(strategy: Strategy | object, bars: Sequence[Bar]) -> None:
    """The same bars give the same signals: again, and while another ticker's bars come between.

    What a strategy remembers in its class, in a global, or of the clock or chance shows here.

    Raises:
        AssertionError: a signal differs.

    >>> from coordinator.strategies import RsiStrategy
    >>> assert_deterministic(RsiStrategy(), walk(200))
    """
    first = replay(strategy, bars)
    _assert_same(bars, first, replay(strategy, bars), "the second time")
    ours, theirs = _begun(strategy), _begun(strategy)
    found = []
    for bar, other in zip(bars, _of_another_ticker(bars), strict=True):
        found += _fed(ours, [bar])
        _fed(theirs, [other])
    _assert_same(bars, first, found, f"beside another ticker ({_other(bars[0].symbol)})")


def assert_enough_history(strategy: Strategy | object, bars: Sequence[Bar]) -> None:
    """A strategy that starts with 10 x its longest window of history goes on as if it never ended.

    So much is what a session fetches before it begins. Give at least twice as many bars.

    Raises:
        AssertionError: a signal differs, so that a restart would change what is traded.
        ValueError: there are too few bars.

    >>> from coordinator.strategies import MeanReversionStrategy
    >>> assert_enough_history(MeanReversionStrategy(lookback_period=5), walk(200))
    """
    history = HISTORY_WINDOWS * adapt(strategy).longest_window
    if len(bars) < 2 * history:
        raise ValueError(
            f"give at least {2 * history} bars, got {len(bars)}: the history is {history},"
            f" {HISTORY_WINDOWS} x longest_window"
        )
    whole = replay(strategy, bars)
    for restart in range(history, len(bars), max(1, (len(bars) - history) // RESTARTS)):
        step = _begun(strategy)
        _fed(step, bars[restart - history : restart])
        rest = bars[restart:]
        told = f"after a restart at {_shown(bars, restart)} with {history} bars of history"
        _assert_same(rest, whole[restart:], _fed(step, rest), f"{told}; raise longest_window:")


def _begun(strategy: Strategy | object) -> Step:
    with localcontext(EXACT):
        return adapt(strategy).start()


def _fed(step: Step, bars: Iterable[Bar]) -> list[int]:
    with localcontext(EXACT):
        return [one_signal("its step", step(bar)) for bar in bars]


def _check(bars: Sequence[Bar]) -> None:
    for before, after in pairwise(bars):
        if after.symbol != before.symbol:
            raise ValueError(f"bars of one ticker are needed, got {before.symbol}, {after.symbol}")
        if after.start <= before.start:
            raise ValueError(f"bars must stand oldest first, got {after.start} after them")


def _of_another_ticker(bars: Sequence[Bar]) -> list[Bar]:
    """The same minutes with other prices, under another ticker."""
    turned = reversed([bar.close for bar in bars])
    return [
        Bar(_other(bar.symbol), bar.start, close, close, close, close, bar.volume)
        for bar, close in zip(bars, turned, strict=True)
    ]


def _other(ticker: str) -> str:
    return "ETH/USD" if is_crypto(ticker) else "QQQ"


def _assert_same(
    bars: Sequence[Bar], expected: Sequence[int], found: Sequence[int], when: str
) -> None:
    for at, (once, again) in enumerate(zip(expected, found, strict=True)):
        if once != again:
            raise AssertionError(f"{when} at {_shown(bars, at)} the signal is {again}, not {once}")


def _shown(bars: Sequence[Bar], at: int) -> str:
    bar = bars[at]
    return f"bar {at} ({bar.symbol} {bar.start:%Y-%m-%d %H:%M}, close {bar.close})"


def _recorded(path: Path, ticker: str, source: str | None) -> list[Bar]:
    from coordinator.backtest.tape import Tape
    from simulator.calendar import Calendar
    from simulator.errors import SimulatorError
    from simulator.recorded import RecordedFeed

    try:
        feed = RecordedFeed(path, source)
    except SimulatorError as error:
        raise ValueError(str(error)) from None
    days = feed.days(ticker, date.min, date.max)
    if not days:
        raise ValueError(f"{path}: has no bars of {ticker}; it holds {', '.join(feed.symbols())}")
    return Tape(feed, Calendar(days[0], days[-1])).counted(ticker, days)
