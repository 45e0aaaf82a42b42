"""Backtests: the live engine over a file of recorded bars, session after session, in memory.

Core, limits and books are those that trade live; the simulator's venue fills the orders.
"""

from coordinator.backtest.backtest import Advance as Advance
from coordinator.backtest.backtest import Backtest as Backtest
from coordinator.backtest.backtest import BacktestOptions as BacktestOptions
from coordinator.backtest.parts import Parts as Parts
from coordinator.backtest.parts import play_part as play_part
from coordinator.backtest.played import Means as Means
from coordinator.backtest.played import PlayedSession as PlayedSession
from coordinator.backtest.result import Failing as Failing
from coordinator.backtest.result import StrategyResult as StrategyResult
from coordinator.backtest.result import Tally as Tally
from coordinator.backtest.sweep import Sweep as Sweep
