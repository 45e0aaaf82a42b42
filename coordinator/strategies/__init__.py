"""Strategies turn bars into signals; each type has its own file and is looked up by name."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coordinator.strategies.adaptive import AdaptiveStrategy as AdaptiveStrategy
    from coordinator.strategies.base import Exact as Exact
    from coordinator.strategies.base import Step as Step
    from coordinator.strategies.base import Strategy as Strategy
    from coordinator.strategies.base import Window as Window
    from coordinator.strategies.bollinger import BollingerStrategy as BollingerStrategy
    from coordinator.strategies.buy_and_hold import BuyAndHoldStrategy as BuyAndHoldStrategy
    from coordinator.strategies.donchian import DonchianStrategy as DonchianStrategy
    from coordinator.strategies.frame import FrameStrategy as FrameStrategy
    from coordinator.strategies.frame import adapt as adapt
    from coordinator.strategies.ma_crossover import (
        MovingAverageCrossoverStrategy as MovingAverageCrossoverStrategy,
    )
    from coordinator.strategies.macd import MacdStrategy as MacdStrategy
    from coordinator.strategies.mean_reversion import MeanReversionStrategy as MeanReversionStrategy
    from coordinator.strategies.momentum import MomentumStrategy as MomentumStrategy
    from coordinator.strategies.registry import register as register
    from coordinator.strategies.registry import registered_types as registered_types
    from coordinator.strategies.rsi import RsiStrategy as RsiStrategy
    from coordinator.strategies.together import MultiTickerStrategy as MultiTickerStrategy
    from coordinator.strategies.vwap_reversion import VwapReversionStrategy as VwapReversionStrategy

_MODULES = {
    "AdaptiveStrategy": "coordinator.strategies.adaptive",
    "BollingerStrategy": "coordinator.strategies.bollinger",
    "BuyAndHoldStrategy": "coordinator.strategies.buy_and_hold",
    "DonchianStrategy": "coordinator.strategies.donchian",
    "Exact": "coordinator.strategies.base",
    "FrameStrategy": "coordinator.strategies.frame",
    "MacdStrategy": "coordinator.strategies.macd",
    "MeanReversionStrategy": "coordinator.strategies.mean_reversion",
    "MomentumStrategy": "coordinator.strategies.momentum",
    "MovingAverageCrossoverStrategy": "coordinator.strategies.ma_crossover",
    "MultiTickerStrategy": "coordinator.strategies.together",
    "RsiStrategy": "coordinator.strategies.rsi",
    "Step": "coordinator.strategies.base",
    "Strategy": "coordinator.strategies.base",
    "VwapReversionStrategy": "coordinator.strategies.vwap_reversion",
    "Window": "coordinator.strategies.base",
    "adapt": "coordinator.strategies.frame",
    "register": "coordinator.strategies.registry",
    "registered_types": "coordinator.strategies.registry",
}
__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    """Import a public name at its first use: a session runs few of these strategies."""
    if name not in _MODULES:
        raise AttributeError(f"module 'coordinator.strategies' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
