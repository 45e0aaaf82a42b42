"""nautilus_trader in a measured process: `... nautilus_alone STRATEGIES TICKERS BARS`.

Reports the CPU seconds from Python's start to the last bar's decision, and the peak MiB. Prices
walk in cents. No file is read, and nothing is imported that the work does not need.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator

from benchmarks.peers.engines.nautilus_parts import CENTS, MINUTE_NS, VENUE, Row, prepared
from benchmarks.peers.engines.process import peak_mib, say
from benchmarks.peers.engines.rules import rule_params

CASH = 10_000 * CENTS
OPEN_NS = 1_773_754_200_000_000_000


def main() -> None:
    """Run it and report."""
    strategies, tickers, count = map(int, sys.argv[1:4])
    engine, traders = prepared(
        {name: rows(name, count) for name in (f"B{number}" for number in range(tickers))},
        [
            {"ticker": number % tickers, **rule_params(number, tickers)}
            for number in range(strategies)
        ],
        CASH,
    )
    engine.run()
    cpu_s = time.process_time()
    assert all(trader.bars == count for trader in traders), "each has seen all of its bars"
    say({"cpu_s": cpu_s, "mib": peak_mib()})


def rows(ticker: str, count: int) -> Iterator[Row]:
    """Minutes whose close moves by about 0.1 %."""
    chance = random.Random(f"{ticker}.{VENUE}")  # noqa: S311
    close = 10_000
    for number in range(count):
        opened, close = close, max(close + round(chance.gauss(0, 10)), 100)
        high, low = max(opened, close) + 3, min(opened, close) - 2
        end = OPEN_NS + (number + 1) * MINUTE_NS
        yield opened, high, low, close, chance.randrange(100, 20_000), end


if __name__ == "__main__":
    main()
