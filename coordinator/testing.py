"""A kit for tests of your own strategies: bars, the signals at their closes, and three checks.

Signals are those of a session: each ticker has a fresh step, decimals are exact, and recordings of
stocks are read only within the exchange's regular sessions. A failed check raises AssertionError
and names the bar. For a MultiTickerStrategy, bars and signals are by ticker, minute by minute.

>>> from coordinator.strategies import MomentumStrategy
>>> strategy = MomentumStrategy(lookback_period=2, momentum_threshold=0.05)
>>> replay(strategy, bars_of([100, 101, 106, 106, 99]))
[0, 0, 1, 0, -1]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, localcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, overload

from coordinator.core.lane import history_of
from coordinator.core.values import EXACT, MINUTE, Bar
from coordinator.strategies.base import Strategy
from coordinator.strategies.frame import adapt
from coordinator.strategies.reading import one_signal
from coordinator.strategies.together import MultiTickerStrategy, joint_signals
from coordinator.testing_moments import (
    BarsByTicker,
    Moment,
    before,
    moments_of,
    of_others,
    other_ticker,
    shown,
)

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
"""The default start of bars written by hand: the open of a trading day."""
RESTARTS = 5
"""The number of restarts that a check of history tries."""

Number = int | float | str | Decimal


def bars_of(
    closes: Iterable[Number],
    *,
    volumes: Iterable[Number] | None = None,
    ticker: str = "SPY",
    start: datetime = START,
) -> list[Bar]:
    """Bars of consecutive minutes with these closes in dollars; each opens at the previous close.

    `volumes` are in shares or coins, one per bar; the default is 100. Floats mean their decimal
    text: 0.1 is one tenth.

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
    """`count` bars that wander around 100 dollars; the same seed gives the same bars.

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
    chooses one data source if the recording has several.

    Raises:
        ValueError: the recording is invalid, or has no bars of the ticker.

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


@overload
def replay(strategy: MultiTickerStrategy, bars: BarsByTicker) -> list[dict[str, int]]: ...
@overload
def replay(strategy: Strategy | object, bars: Sequence[Bar]) -> list[int]: ...
def replay(strategy: Any, bars: Any) -> list[Any]:
    """The strategy's signal at the close of each bar: 1, -1 or 0.

    `strategy` is a Strategy, or an object with `generate_signal(frame)`; its exceptions pass
    through. For a MultiTickerStrategy, `bars` are by ticker, in the order of a configuration, and
    the result has a mapping for each minute: the signals of the tickers that have a bar in it.

    Raises:
        ValueError: the bars are not of one ticker, or not oldest first.
        OperatorError: the strategy cannot read bars, or returned something that is no signal.

    >>> from coordinator.strategies import BuyAndHoldStrategy
    >>> replay(BuyAndHoldStrategy(), bars_of([3, 2, 1]))
    [1, 1, 1]
    """
    return _fed(_begun(strategy, bars), moments_of(bars))


def assert_signals(
    strategy: Strategy | object,
    bars: Sequence[Bar] | BarsByTicker,
    expected: Sequence[int | Mapping[str, int]] | Mapping[int, int | Mapping[str, int]],
) -> None:
    """Assert the strategy's signals: a list with one for each bar, or a mapping from bar indices.

    For a MultiTickerStrategy, indices are those of minutes, and each signal is a mapping by ticker,
    which may leave tickers out.

    Raises:
        AssertionError: a signal differs.

    >>> from coordinator.strategies import MovingAverageCrossoverStrategy
    >>> crossing = MovingAverageCrossoverStrategy(short_window=1, long_window=2)
    >>> assert_signals(crossing, bars_of([5, 6, 4]), [0, 1, -1])
    >>> assert_signals(crossing, bars_of([5, 6, 4]), {-1: -1})
    >>> assert_signals(crossing, bars_of([5, 6, 4]), {1: -1})
    Traceback (most recent call last):
    AssertionError: at bar 1 (SPY 2026-03-17 13:31, close 6) the signal is 1, expected -1
    """
    moments = moments_of(bars)
    found = _fed(_begun(strategy, bars), moments)
    if not isinstance(expected, Mapping):
        if len(expected) != len(moments):
            raise ValueError(f"{len(moments)} bars need as many signals, got {len(expected)}")
        expected = dict(enumerate(expected))
    for at, signal in expected.items():
        of_all = found[at]
        is_ = {t: of_all.get(t) for t in signal} if isinstance(signal, Mapping) else of_all
        if is_ != signal:
            raise AssertionError(f"at {shown(moments, at)} the signal is {is_}, expected {signal}")


def assert_deterministic(strategy: Strategy | object, bars: Sequence[Bar] | BarsByTicker) -> None:
    """Assert that the same bars give the same signals, also interleaved with another ticker's bars.

    This finds state kept in the class or in a global, and use of the clock or of chance. For a
    MultiTickerStrategy, the bars are interleaved with those of another strategy object.

    Raises:
        AssertionError: a signal differs.

    >>> from coordinator.strategies import RsiStrategy
    >>> assert_deterministic(RsiStrategy(), walk(200))
    """
    moments = moments_of(bars)
    first = _fed(_begun(strategy, bars), moments)
    _assert_same(moments, first, _fed(_begun(strategy, bars), moments), "the second time")
    between = of_others(bars)
    ours, theirs = _begun(strategy, bars), _begun(strategy, between)
    found = []
    for moment, other in zip(moments, moments_of(between), strict=True):
        found += _fed(ours, [moment])
        _fed(theirs, [other])
    beside = "another strategy"
    if not isinstance(bars, Mapping):
        beside = f"another ticker ({other_ticker(bars)})"
    _assert_same(moments, first, found, f"beside {beside}")


def assert_enough_history(strategy: Strategy | object, bars: Sequence[Bar] | BarsByTicker) -> None:
    """Assert that a strategy restarted on its history gives the signals of one that ran on.

    A session starts with `history_bars` of each ticker, by default 10 x the longest window. Give at
    least twice as many bars.

    Raises:
        AssertionError: a signal differs, so that a restart would change the trades.
        ValueError: there are too few bars.

    >>> from coordinator.strategies import MeanReversionStrategy
    >>> assert_enough_history(MeanReversionStrategy(lookback_period=5), walk(200))
    """
    history = history_of(adapt(strategy))
    moments = moments_of(bars)
    if len(moments) < 2 * history:
        raise ValueError(
            f"give at least {2 * history} bars, got {len(moments)}: the history is {history}"
        )
    whole = _fed(_begun(strategy, bars), moments)
    for restart in range(history, len(moments), max(1, (len(moments) - history) // RESTARTS)):
        step = _begun(strategy, bars)
        _fed(step, moments_of(before(bars, moments[restart], history)))
        rest = moments[restart:]
        when = f"after a restart at {shown(moments, restart)} with {history} bars of history"
        _assert_same(rest, whole[restart:], _fed(step, rest), f"{when}; raise history_bars:")


def _begun(strategy: Any, bars: Any) -> Callable[[Any], Any]:
    """A fresh step of the strategy, for one ticker or for the tickers of a mapping."""
    with localcontext(EXACT):
        rule = adapt(strategy)
        if not isinstance(bars, Mapping):
            return rule.start()
        if not isinstance(rule, MultiTickerStrategy):
            raise ValueError("bars by ticker are for a MultiTickerStrategy; give one ticker's bars")
        return rule.start_together(tuple(bars))


def _fed(step: Callable[[Any], Any], moments: Iterable[Moment]) -> list[Any]:
    with localcontext(EXACT):
        return [_signals(step(moment), moment) for moment in moments]


def _signals(answer: Any, moment: Moment) -> int | dict[str, int]:
    if isinstance(moment, Bar):
        return one_signal("its step", answer)
    named = dict(answer) if isinstance(answer, Mapping) else answer
    found = joint_signals("its step", named, [*dict.fromkeys((*moment, *named))])
    return {ticker: found.get(ticker, 0) for ticker in moment}


def _assert_same(
    moments: Sequence[Moment], expected: Sequence[object], found: Sequence[object], when: str
) -> None:
    for at, (once, again) in enumerate(zip(expected, found, strict=True)):
        if once != again:
            raise AssertionError(
                f"{when} at {shown(moments, at)} the signal is {again}, not {once}"
            )


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
