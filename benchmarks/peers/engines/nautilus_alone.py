"""nautilus_trader in a process that is measured: `... nautilus_alone STRATEGIES TICKERS BARS`.

Prints CPU seconds since Python's start, at the last bar's decision, and the most MiB, as JSON.
Prices walk in cents. No file is read, and nothing is imported that the work does not need.
"""

from __future__ import annotations

import json
import random
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from nautilus_trader.core.nautilus_pyo3 import Bar, InstrumentId, Price, Quantity, Symbol

from benchmarks.peers.engines.nautilus_parts import (
    CENTS,
    MINUTE_NS,
    VENUE,
    Trader,
    bar_type,
    engine_with,
    equity,
)

CASH = 10_000 * CENTS
OPEN_NS = 1_773_754_200_000_000_000


def main() -> None:
    """Run it and report."""
    strategies, tickers, count = map(int, sys.argv[1:4])
    engine = engine_with(CASH * strategies)
    known = [InstrumentId(Symbol(f"B{number}"), VENUE) for number in range(tickers)]
    for ticker in known:
        engine.add_instrument(equity(ticker))
        engine.add_data(list(bars(ticker, count)), sort=False)
    engine.sort_data()
    traders = [
        Trader(number, known[number % tickers], rule(number, tickers), CASH, ())
        for number in range(strategies)
    ]
    engine.add_strategies(traders)
    engine.run()
    cpu_s = time.process_time()
    assert all(trader.bars == count for trader in traders), "each has seen all of its bars"
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert found, "Linux tells it"
    sys.stdout.write("\n" + json.dumps({"cpu_s": cpu_s, "mib": int(found[1]) / 1024}) + "\n")


def bars(ticker: InstrumentId, count: int) -> Iterator[Bar]:
    """Minute bars whose close moves by about a tenth of a per cent."""
    chance = random.Random(str(ticker))  # noqa: S311
    kind, close = bar_type(ticker), 10_000
    for number in range(count):
        opened, close = close, max(close + round(chance.gauss(0, 10)), 100)
        cents = opened, max(opened, close) + 3, min(opened, close) - 2, close
        end = OPEN_NS + (number + 1) * MINUTE_NS
        volume = Quantity(chance.randrange(100, 20_000), 0)
        yield Bar(kind, *(Price(price / CENTS, 2) for price in cents), volume, end, end)


def rule(number: int, tickers: int) -> dict[str, int | str]:
    """One of the two rules by turns, no two on a ticker alike."""
    place, nth = number % tickers, number // tickers
    if (place + nth) % 2:
        return {"kind": "adaptive", "short": 5 + nth, "long": 30 + nth, "rsi": 14, "volume": 20}
    return {"kind": "momentum", "lookback": 10 + nth}


if __name__ == "__main__":
    main()
