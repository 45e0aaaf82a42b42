"""Which strategies a configuration may name: built-in, registered, entry points, a folder's.

A name is looked up, never imported: a configuration cannot reach a module that nobody offered.
A package offers strategies by the entry point group `multi_trader.strategies`, and a folder by the
files in it; either is loaded when its name is asked for, and the built-in names always mean the
built-in strategies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TypeVar

from coordinator.errors import OperatorError
from coordinator.strategies.adaptive import AdaptiveStrategy
from coordinator.strategies.base import Strategy
from coordinator.strategies.bollinger import BollingerStrategy
from coordinator.strategies.buy_and_hold import BuyAndHoldStrategy
from coordinator.strategies.donchian import DonchianStrategy
from coordinator.strategies.folder import Offer, StrategyFolder
from coordinator.strategies.ma_crossover import MovingAverageCrossoverStrategy
from coordinator.strategies.macd import MacdStrategy
from coordinator.strategies.mean_reversion import MeanReversionStrategy
from coordinator.strategies.momentum import MomentumStrategy
from coordinator.strategies.rsi import RsiStrategy
from coordinator.strategies.vwap_reversion import VwapReversionStrategy

GROUP = "multi_trader.strategies"
BUILT_IN: tuple[type[Strategy], ...] = (
    AdaptiveStrategy,
    MomentumStrategy,
    MeanReversionStrategy,
    RsiStrategy,
    MovingAverageCrossoverStrategy,
    BollingerStrategy,
    MacdStrategy,
    DonchianStrategy,
    VwapReversionStrategy,
    BuyAndHoldStrategy,
)

NO_SWEEP = (
    "a sweep is for backtests; put the values that you choose into strategy_params, and take the"
    " sweep out"
)
IN_THE_HOUSE = "built-in"
"""Where the built-in ones come from."""

S = TypeVar("S", bound=Strategy)


class StrategyTypes(Mapping[str, type[Strategy]]):
    """Strategy classes by their configured name; entry points and files are loaded when asked for.

    Looking a name up raises KeyError when nobody offers it, and OperatorError when the package
    or file that offers it is broken, or when a file offers what another does. `is_whole` says
    whether nothing that was asked for is missing, such as a folder that cannot be used.
    """

    def __init__(
        self,
        known: Iterable[type[Strategy]],
        offered: Iterable[EntryPoint],
        folder: StrategyFolder | None = None,
        *,
        is_whole: bool = True,
    ) -> None:
        self.is_whole = is_whole
        self._is_closed = False
        self._known = {cls.strategy_type: cls for cls in known}
        self._offered: dict[str, list[EntryPoint]] = {}
        for entry in offered:
            if entry.name not in self._known:
                self._offered.setdefault(entry.name, []).append(entry)
        self._folder = folder
        self._files: dict[str, list[Offer]] = {}
        for offer in folder.offers if folder is not None else ():
            self._files.setdefault(offer.strategy_type, []).append(offer)

    @property
    def folder(self) -> Path | None:
        """The folder whose files offer some of them."""
        return None if self._folder is None else self._folder.path

    def load_nothing(self) -> None:
        """From now on run no code for a name: a sweep, which would need it, is told that."""
        self._is_closed = True

    @property
    def faults(self) -> list[str]:
        """Sentences about files of the folder that offer nothing because of a mistake."""
        return [] if self._folder is None else self._folder.faults

    @property
    def advice(self) -> str:
        """What to say to who misses a type: where a strategy of one's own is looked for."""
        if self._folder is not None:
            return ""
        return '; your own: name its folder, by "strategies_dir" or --strategies DIR'

    def origin(self, name: str) -> str:
        """Where a name comes from: 'built-in', a file and line, a class, or an entry point."""
        if name in self._files:
            return self._files[name][0].where
        if name in self._known:
            kind = self._known[name]
            return IN_THE_HOUSE if kind in BUILT_IN else f"{kind.__module__}.{kind.__qualname__}"
        return self._offered[name][0].value

    def __getitem__(self, name: str) -> type[Strategy]:
        if self._is_closed and self.origin(name) != IN_THE_HOUSE:
            raise OperatorError(NO_SWEEP)
        if name in self._files:
            return self._of_the_folder(name)
        if name in self._known:
            return self._known[name]
        return _load(name, self._offered[name])

    def __iter__(self) -> Iterator[str]:
        yield from dict.fromkeys((*self._known, *self._offered, *self._files))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __contains__(self, name: object) -> bool:
        return name in self._known or name in self._offered or name in self._files

    def _of_the_folder(self, name: str) -> type[Strategy]:
        first, *others = self._files[name]
        taken = [other.where for other in others]
        if name in self._known:
            taken = [f"{self._known[name].__module__}.{self._known[name].__qualname__}"]
        elif name in self._offered:
            taken = [f"entry point {self._offered[name][0].value}"]
        if taken or self._folder is None:
            raise OperatorError(
                f"{first.where}: strategy type {name!r} is offered by {taken[0]} as well; "
                "give one of them another strategy_type"
            )
        return self._folder.load(first)


_registered: dict[str, type[Strategy]] = {cls.strategy_type: cls for cls in BUILT_IN}


def registered_types(folder: Path | None = None) -> StrategyTypes:
    """Every strategy type that a configuration may name now, those of a folder's files too.

    Raises:
        OperatorError: the folder cannot be used, or others can write to it.
    """
    found = None if folder is None else StrategyFolder(folder)
    return StrategyTypes(_registered.values(), _entry_points(), found)


@cache
def _entry_points() -> tuple[EntryPoint, ...]:
    """What installed packages offer; they are read once, since each look reads every package."""
    return tuple(entry_points(group=GROUP))


def register(cls: type[S]) -> type[S]:
    """Offer a strategy class under its `strategy_type`; usable as a decorator.

    Raises:
        OperatorError: if it is no Strategy, has no `strategy_type`, or the name is taken.
    """
    name = _checked(cls, f"{cls.__module__}.{cls.__qualname__}").strategy_type
    taken = _registered.setdefault(name, cls)
    if taken is not cls:
        raise OperatorError(
            f"strategy type {name!r} is already {taken.__module__}.{taken.__qualname__}; "
            f"give {cls.__module__}.{cls.__qualname__} another strategy_type"
        )
    return cls


def _checked(cls: object, where: str) -> type[Strategy]:
    if not isinstance(cls, type) or not issubclass(cls, Strategy):
        raise OperatorError(f"{where} is not a class derived from coordinator.strategies.Strategy")
    name = getattr(cls, "strategy_type", None)
    if not isinstance(name, str) or not name:
        raise OperatorError(f'{where} has no name; add: strategy_type: ClassVar[str] = "..."')
    return cls


def _load(name: str, entries: list[EntryPoint]) -> type[Strategy]:
    where = f"strategy type {name!r} (entry point {entries[0].value})"
    if len({entry.value for entry in entries}) > 1:
        offers = ", ".join(sorted(entry.value for entry in entries))
        raise OperatorError(f"strategy type {name!r} is offered twice ({offers}); uninstall one")
    try:
        loaded = entries[0].load()
    except Exception as error:  # whatever the user's package raises is the user's to see
        raise OperatorError(
            f"{where} cannot be loaded: {type(error).__name__}: {error}; "
            "repair or uninstall the package that offers it"
        ) from error
    return _checked(loaded, where)
