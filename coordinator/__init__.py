"""Multi-Trader's Python API: many strategies on one Alpaca account, each with its own book."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coordinator.api import MultiTraderCoordinator as MultiTraderCoordinator
    from coordinator.config.models import RiskConfig as RiskConfig
    from coordinator.core.values import Bar as Bar
    from coordinator.strategies.base import Strategy as Strategy
    from coordinator.strategies.base import Window as Window
    from coordinator.strategies.together import MultiTickerStrategy as MultiTickerStrategy

_MODULES = {
    "MultiTraderCoordinator": "coordinator.api",
    "RiskConfig": "coordinator.config.models",
    "Bar": "coordinator.core.values",
    "MultiTickerStrategy": "coordinator.strategies.together",
    "Strategy": "coordinator.strategies.base",
    "Window": "coordinator.strategies.base",
}
__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    """Import a public name at its first use, so that a strategy file loads no broker SDK."""
    if name not in _MODULES:
        raise AttributeError(f"module 'coordinator' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
