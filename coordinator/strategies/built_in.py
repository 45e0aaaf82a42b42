"""The built-in strategies by name; each module is imported when its name is looked up.

A session runs only a few of them, and building a pydantic model costs milliseconds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from importlib import import_module

from coordinator.strategies.base import Strategy


class BuiltIn(Collection[type[Strategy]]):
    """The built-in classes, in the order in which users see them; iterating imports all of them.

    `classes` maps a strategy type, which is also the name of its module here, to its class's name.
    """

    def __init__(self, classes: Mapping[str, str]) -> None:
        self._classes = classes
        self._imported: dict[str, type[Strategy]] = {}

    @property
    def names(self) -> Collection[str]:
        """The strategy types by which a configuration names them."""
        return self._classes.keys()

    def named(self, name: str) -> type[Strategy]:
        """The class of this name.

        Raises:
            KeyError: no built-in strategy has this name.
        """
        if name not in self._imported:
            module = import_module(f"coordinator.strategies.{name}")
            self._imported[name] = getattr(module, self._classes[name])
        return self._imported[name]

    def __contains__(self, kind: object) -> bool:
        name = getattr(kind, "strategy_type", None)
        return isinstance(name, str) and name in self._classes and self.named(name) is kind

    def __iter__(self) -> Iterator[type[Strategy]]:
        return map(self.named, self._classes)

    def __len__(self) -> int:
        return len(self._classes)


BUILT_IN = BuiltIn(
    {
        "adaptive": "AdaptiveStrategy",
        "momentum": "MomentumStrategy",
        "mean_reversion": "MeanReversionStrategy",
        "rsi": "RsiStrategy",
        "ma_crossover": "MovingAverageCrossoverStrategy",
        "bollinger": "BollingerStrategy",
        "macd": "MacdStrategy",
        "donchian": "DonchianStrategy",
        "vwap_reversion": "VwapReversionStrategy",
        "buy_and_hold": "BuyAndHoldStrategy",
    }
)
