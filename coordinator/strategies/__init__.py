"""Strategies: bars in, one signal out; one kind a file, looked up by name in a registry."""

from coordinator.strategies.adaptive import AdaptiveStrategy
from coordinator.strategies.base import Exact, Step, Strategy, Window
from coordinator.strategies.frame import FrameStrategy, adapt
from coordinator.strategies.mean_reversion import MeanReversionStrategy
from coordinator.strategies.momentum import MomentumStrategy
from coordinator.strategies.registry import register, registered_types
from coordinator.strategies.rsi import RsiStrategy

__all__ = [
    "AdaptiveStrategy",
    "Exact",
    "FrameStrategy",
    "MeanReversionStrategy",
    "MomentumStrategy",
    "RsiStrategy",
    "Step",
    "Strategy",
    "Window",
    "adapt",
    "register",
    "registered_types",
]
