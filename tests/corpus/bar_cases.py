"""Bars with one thing changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.coordinator.messages import BAR, without
from tests.corpus.kinds import (
    BARS,
    Case,
    D,
    anything,
    as_is,
    not_negative,
    numbers,
    positive,
    put_in,
)
from tests.corpus.values import TIMES


def bar_cases() -> Iterator[Case]:
    names = {"o": "open", "h": "high", "l": "low", "c": "close"}
    for key, attribute in names.items():
        yield from numbers(BARS, key, put_in(BAR, key), as_is(attribute), positive)
        yield BARS.refused(f"no {key}", without(BAR, key))
    yield from numbers(BARS, "v", put_in(BAR, "v"), as_is("volume"), not_negative)
    yield from numbers(BARS, "vw", put_in(BAR, "vw"), as_is("vwap"), anything, None)
    yield BARS.changed("vw is nothing", BAR | {"vw": None}, vwap=None)
    yield BARS.changed("no vw", without(BAR, "vw"), vwap=None)
    yield BARS.refused("no v", without(BAR, "v"))
    yield BARS.refused("no t", without(BAR, "t"))
    for what, value, moment in TIMES:
        if moment is None:
            yield BARS.refused(f"t is {what}", BAR | {"t": value})
        else:
            yield BARS.changed(f"t is {what}", BAR | {"t": value}, start=moment)
    for seconds in ("00.000001", "00.5", "01", "30", "59", "59.999999999"):
        name = f"t is {seconds} s past a minute"
        yield BARS.refused(name, BAR | {"t": f"2021-02-22T19:15:{seconds}Z"})
    for what, value, count in COUNTS:
        yield BARS.changed(f"n is {what}", BAR | {"n": value}, trade_count=count)
    for ticker in TICKERS:
        yield BARS.changed(f"of {ticker}", BAR | {"S": ticker}, symbol=ticker)
    for ticker in NO_TICKERS:
        yield BARS.refused(f"of {str(ticker)[:40]!r}", BAR | {"S": ticker})
    for what, prices in ODD_PRICES.items():
        odd = {
            names.get(k, {"v": "volume", "vw": "vwap"}.get(k)): D(str(p)) for k, p in prices.items()
        }
        yield BARS.changed(what, BAR | prices, **odd)  # type: ignore[arg-type]
    for kind in ("b", "u", "d", "x", None, 5):
        yield BARS.same(f"its type is {kind!r}", BAR | {"T": kind})


COUNTS: list[tuple[str, Any, int | None]] = [
    ("zero", 0, 0),
    ("one", 1, 1),
    ("the largest", 2**63 - 1, 2**63 - 1),
    ("too large", 2**63, None),
    ("negative", -1, None),
    ("true", True, None),
    ("a fraction", 1.0, None),
    ("text", "5", None),
    ("nothing", None, None),
    ("a list", [1], None),
]
"""Trades of a bar: nothing depends on them, so what is none is not told."""

TICKERS = ["A", "BRK.B", "GOOGL", "BTC/USD", "ETH/BTC", "SHIB/USDT", "X" * 10, "Z9.Y"]
NO_TICKERS: list[Any] = [
    "", "spy", "Spy", "SPY ", " SPY", "SPY\n", "SPY\x00", "S PY", "S-PY", "9SPY", ".SPY", "SPY/",
    "/USD", "BTC//USD", "BTC/U", "BTC/usd", "BTC/USD/EUR", "X" * 11, "BTC/" + "U" * 11, "../SPY",
    "SPY'; DROP TABLE bars; --", "ΑΒΓ", "ＳＰＹ", "SPY\u200b", "\ud800", None, 5, True, ["SPY"],
    {"S": "SPY"}, b"SPY", 0.5,
]  # fmt: skip
ODD_PRICES: dict[str, dict[str, Any]] = {
    "high below low": {"h": 1, "l": 2, "o": 1.5, "c": 1.5},
    "a close above the high": {"c": 400},
    "a close below the low": {"c": 1},
    "an open outside": {"o": 500},
    "an average above the high": {"vw": 390.5},
    "an average of nothing": {"vw": 0},
    "a negative average": {"vw": -1},
    "all the same": {"o": 5, "h": 5, "l": 5, "c": 5},
    "no volume under a price that moves": {"v": 0},
    "a fraction of a coin": {"v": 1e-9},
    "ten times the price": {"o": 3889.85, "h": 3891.3, "l": 3889.75, "c": 3891.2},
    "a tenth of the price": {"o": 38.8985, "h": 38.913, "l": 38.8975, "c": 38.912},
    "a millionth of a cent": {"o": 1e-8, "h": 1e-8, "l": 1e-8, "c": 1e-8},
    "more dollars than there are": {"o": 1e15, "h": 1e15, "l": 1e15, "c": 1e15},
}
"""All of this real feeds send, or a split does: it is a bar. Whether to trade on it, the price
collar of the engine decides, which knows the price before."""
