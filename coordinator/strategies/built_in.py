"""The built-in strategies by name; each module is imported when its name is looked up.

A session runs only a few of them, and building a pydantic model costs milliseconds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from importlib import import_module

from coordinator.strategies.base import Strategy


class BuiltIn(Collection[type[Strategy]]):
    """The built-in classes, in the order in which users see them; iterating imports all of them.

    `places` maps a strategy type to its module and class.
    """

    def __init__(self, places: Mapping[str, tuple[str, str]]) -> None:
        self._places = places
        self._loaded: dict[str, type[Strategy]] = {}

    @property
    def names(self) -> Collection[str]:
        """The strategy types by which a configuration names them."""
        return self._places.keys()

    def named(self, name: str) -> type[Strategy]:
        """The class of this name.

        Raises:
            KeyError: no built-in strategy has this name.
        """
        if name not in self._loaded:
            module, kind = self._places[name]
            self._loaded[name] = getattr(import_module(module), kind)
        return self._loaded[name]

    def __contains__(self, kind: object) -> bool:
        name = getattr(kind, "strategy_type", None)
        return isinstance(name, str) and name in self._places and self.named(name) is kind

    def __iter__(self) -> Iterator[type[Strategy]]:
        return map(self.named, self._places)

    def __len__(self) -> int:
        return len(self._places)


_HERE = "coordinator.strategies"
BUILT_IN = BuiltIn(
    {
        "adaptive": (f"{_HERE}.adaptive", "AdaptiveStrategy"),
        "momentum": (f"{_HERE}.momentum", "MomentumStrategy"),
        "mean_reversion": (f"{_HERE}.mean_reversion", "MeanReversionStrategy"),
        "rsi": (f"{_HERE}.rsi", "RsiStrategy"),
        "ma_crossover": (f"{_HERE}.ma_crossover", "MovingAverageCrossoverStrategy"),
        "bollinger": (f"{_HERE}.bollinger", "BollingerStrategy"),
        "macd": (f"{_HERE}.macd", "MacdStrategy"),
        "donchian": (f"{_HERE}.donchian", "DonchianStrategy"),
        "vwap_reversion": (f"{_HERE}.vwap_reversion", "VwapReversionStrategy"),
        "buy_and_hold": (f"{_HERE}.buy_and_hold", "BuyAndHoldStrategy"),
    }
)
