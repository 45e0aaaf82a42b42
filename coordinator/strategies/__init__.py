"""Strategies: bars in, one signal out; one kind a file, looked up by name in a registry."""

from coordinator.strategies.adaptive import AdaptiveStrategy
from coordinator.strategies.base import Exact, Step, Strategy, Window
from coordinator.strategies.bollinger import BollingerStrategy
from coordinator.strategies.buy_and_hold import BuyAndHoldStrategy
from coordinator.strategies.donchian import DonchianStrategy
from coordinator.strategies.frame import FrameStrategy, adapt
from coordinator.strategies.ma_crossover import MovingAverageCrossoverStrategy
from coordinator.strategies.macd import MacdStrategy
from coordinator.strategies.mean_reversion import MeanReversionStrategy
from coordinator.strategies.momentum import MomentumStrategy
from coordinator.strategies.registry import register, registered_types
from coordinator.strategies.rsi import RsiStrategy
from coordinator.strategies.together import MultiTickerStrategy
from coordinator.strategies.vwap_reversion import VwapReversionStrategy

__all__ = [
    "AdaptiveStrategy",
    "BollingerStrategy",
    "BuyAndHoldStrategy",
    "DonchianStrategy",
    "Exact",
    "FrameStrategy",
    "MacdStrategy",
    "MeanReversionStrategy",
    "MomentumStrategy",
    "MovingAverageCrossoverStrategy",
    "MultiTickerStrategy",
    "RsiStrategy",
    "Step",
    "Strategy",
    "VwapReversionStrategy",
    "Window",
    "adapt",
    "register",
    "registered_types",
]
