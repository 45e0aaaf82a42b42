"""Our own run of a work: `python -m benchmarks.peers.ours WORK [--own]`; prints a JSON report.

With `--own` the rules are a user's in plain Python instead of the built-in ones.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from benchmarks import backtest
from benchmarks.peers.engines import rules
from benchmarks.peers.engines.common import Fills, Work, report
from coordinator.backtest import Backtest, BacktestOptions, Means, PlayedSession
from coordinator.core.values import MINUTE, Bar
from coordinator.strategies import Strategy, Window, register

LOTS = 10_000
"""A stock trades in 0.0001 shares."""
BUILT_IN: dict[str, Callable[[dict[str, Any]], dict[str, object]]] = {
    "momentum": lambda one: {"lookback_period": one["lookback"], "momentum_threshold": 0.002},
    "adaptive": lambda one: {
        "short_window": one["short"],
        "long_window": one["long"],
        "rsi_period": one["rsi"],
        "volume_window": one["volume"],
    },
}


@register
class OwnMomentum(Strategy):
    """Momentum as a user would write it, a bar at a time."""

    strategy_type: ClassVar[str] = "peers_momentum"

    lookback: Window = 10

    @property
    def history_bars(self) -> int:
        """The lookback: the rule remembers nothing else."""
        return self.lookback

    def start(self) -> Callable[[Bar], int]:
        """A fresh step, for the bars of one ticker."""
        return _step(rules.Momentum(self.lookback))


@register
class OwnAdaptive(Strategy):
    """Two averages, RSI and volume as a user would write them, a bar at a time."""

    strategy_type: ClassVar[str] = "peers_adaptive"

    short: Window = 5
    long: Window = 30
    rsi: Window = 14
    volume: Window = 20

    @property
    def history_bars(self) -> int:
        """The longest window, or ten times the RSI's period, because the RSI forgets slowly."""
        return max(self.longest_window, 10 * self.rsi)

    def start(self) -> Callable[[Bar], int]:
        """A fresh step, for the bars of one ticker."""
        return _step(rules.Adaptive(self.short, self.long, self.rsi, self.volume))


def _step(rule: rules.Momentum | rules.Adaptive) -> Callable[[Bar], int]:
    signal = rule.signal

    def step(bar: Bar) -> int:
        floats = bar.floats
        return signal(round(floats.close * 100), floats.volume)

    return step


def main() -> None:
    """Play it and report."""
    own = "--own" in sys.argv[2:]
    work = Work.read(Path(sys.argv[1]))
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "peers.json"
        config.write_text(json.dumps(_config(work, own=own)))
        ready = partial(_ready, config)
        report(work, "multi-trader", ready, _play, _fills, warm=_play_compiled, lots=LOTS)


def _ready(config: Path, work: Work) -> Backtest:
    test = Backtest(BacktestOptions(config, work.bars, fill_model="close"))
    test.read_bars()
    return test


def _play(test: Backtest, means: Means | None = None) -> list[PlayedSession]:
    """Play, and make the rows that other engines' results contain; some are made on demand."""
    sessions = list(test.play(means=means))
    for session in sessions:
        backtest.read(session, backtest.COLUMNS)
    return sessions


def _play_compiled(test: Backtest) -> list[PlayedSession]:
    """Play in machine code, which a short backtest avoids because compiling costs more."""
    return _play(test, Means.COMPILED)


def _fills(work: Work, sessions: list[PlayedSession]) -> Fills:
    places = {start: at for at, start in enumerate(pd.to_datetime(work.starts, utc=True))}
    for session in sessions:
        row: Any
        for row in session.rows()["fills"]:
            sign = 1 if row["side"] == "buy" else -1
            bar = places[pd.Timestamp(row["filled_at"] - MINUTE)]
            lots = sign * int(row["qty"] * LOTS)
            yield int(row["strategy"][1:]), bar, lots, float(row["price"] * 100)


def _config(work: Work, *, own: bool) -> dict[str, Any]:
    strategies = []
    for number, one in enumerate(work.strategies):
        params = {key: value for key, value in one.items() if key not in ("kind", "ticker")}
        strategies.append(
            {
                "name": f"S{number}",
                "strategy_type": f"peers_{one['kind']}" if own else one["kind"],
                "strategy_params": params if own else BUILT_IN[one["kind"]](one),
                "tickers": [work.tickers[one["ticker"]]],
                "initial_cash": work.cash / 100,
                "min_warmup_bars": 0,
            }
        )
    return {"strategies": strategies}


if __name__ == "__main__":
    main()
