"""The strategy types that a configuration may name: built-in, registered, packages', a folder's.

A name is looked up, never imported, so a configuration cannot reach a module that offers no
strategy. A package offers strategies in the entry point group `multi_trader.strategies`, a folder
by its files. Each is loaded when its name is looked up, and entry points are read only for a name
that is neither built-in nor registered. A built-in name always means the built-in strategy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from coordinator.errors import OperatorError
from coordinator.strategies.base import Strategy
from coordinator.strategies.built_in import BUILT_IN as BUILT_IN
from coordinator.strategies.hidden_keys import hidden_keys

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from coordinator.strategies.folder import Offer, StrategyFolder

GROUP = "multi_trader.strategies"

NO_SWEEP = (
    "a sweep is for backtests; put the values that you choose into strategy_params, and take the"
    " sweep out"
)
BUILT_IN_ORIGIN = "built-in"
"""The origin of the built-in types."""

S = TypeVar("S", bound=Strategy)


class StrategyTypes(Mapping[str, type[Strategy]]):
    """Strategy classes by type name, each loaded when it is looked up.

    They are the built-in ones, those `registered`, those of the `entry_points`, and the folder's.
    Looking up a name raises KeyError if nothing offers it, and OperatorError if the package or file
    that offers it is broken, or if a file offers a type that something else offers too. `is_whole`
    is False if a part is missing, such as a folder that cannot be used.
    """

    def __init__(
        self,
        registered: Iterable[type[Strategy]],
        entry_points: Iterable[EntryPoint],
        folder: StrategyFolder | None = None,
        *,
        is_whole: bool = True,
    ) -> None:
        self.is_whole = is_whole
        self._is_closed = False
        self._registered = {cls.strategy_type: cls for cls in registered}
        self._entry_points = entry_points
        self._folder = folder
        self._files: dict[str, list[Offer]] = {}
        for offer in folder.offers if folder is not None else ():
            self._files.setdefault(offer.strategy_type, []).append(offer)

    @property
    def folder(self) -> Path | None:
        """The folder of strategies, if there is one."""
        return None if self._folder is None else self._folder.path

    def load_nothing(self) -> None:
        """Refuse to load types that are not built in from now on, so that no user code runs."""
        self._is_closed = True

    @property
    def faults(self) -> list[str]:
        """Sentences about files of the folder that offer no strategy because of a mistake."""
        return [] if self._folder is None else self._folder.faults

    @property
    def advice(self) -> str:
        """What to add to an error about an unknown type: how to name a folder of strategies."""
        if self._folder is not None:
            return ""
        return '; your own: name its folder, by "strategies_dir" or --strategies DIR'

    @property
    def own_first(self) -> list[str]:
        """All names, the built-in ones last."""
        return sorted(self, key=lambda name: self.origin(name) == BUILT_IN_ORIGIN)

    def origin(self, name: str) -> str:
        """Where a name comes from: 'built-in', a file and line, a class, or an entry point."""
        if name in self._files:
            return self._files[name][0].where
        if name in BUILT_IN.names:
            return BUILT_IN_ORIGIN
        if name in self._registered:
            return _full_name(self._registered[name])
        return self._offered[name][0].value

    def __getitem__(self, name: str) -> type[Strategy]:
        if self._is_closed and self.origin(name) != BUILT_IN_ORIGIN:
            raise OperatorError(NO_SWEEP)
        if name in self._files:
            return self._from_folder(name)
        if self._is_known(name):
            return self._known(name)
        return _load(name, self._offered[name])

    def __iter__(self) -> Iterator[str]:
        every = (*BUILT_IN.names, *self._registered, *self._offered, *self._files)
        yield from dict.fromkeys(every)

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __contains__(self, name: object) -> bool:
        return self._is_known(name) or name in self._files or name in self._offered

    def _is_known(self, name: object) -> bool:
        return name in BUILT_IN.names or name in self._registered

    def _known(self, name: str) -> type[Strategy]:
        return BUILT_IN.named(name) if name in BUILT_IN.names else self._registered[name]

    @cached_property
    def _offered(self) -> Mapping[str, list[EntryPoint]]:
        """The entry points of packages by name, except names that are already known."""
        found: dict[str, list[EntryPoint]] = {}
        for entry in self._entry_points:
            if not self._is_known(entry.name):
                found.setdefault(entry.name, []).append(entry)
        return found

    def _from_folder(self, name: str) -> type[Strategy]:
        first, *others = self._files[name]
        taken = [other.where for other in others]
        if self._is_known(name):
            taken = [_full_name(self._known(name))]
        elif name in self._offered:
            taken = [f"entry point {self._offered[name][0].value}"]
        if taken or self._folder is None:
            raise OperatorError(
                f"{first.where}: strategy type {name!r} is offered by {taken[0]} as well; "
                "give one of them another strategy_type"
            )
        with hidden_keys():
            return self._folder.load(first)


_registered: dict[str, type[Strategy]] = {}
"""The types that this process has registered."""


def registered_types(folder: Path | None = None) -> StrategyTypes:
    """The strategy types that a configuration may name now, with those of the folder.

    Raises:
        OperatorError: the folder cannot be used, or others can write to it.
    """
    return StrategyTypes(_registered.values(), _entry_points(), _folder_of(folder))


def _folder_of(path: Path | None) -> StrategyFolder | None:
    if path is None:
        return None
    from coordinator.strategies.folder import StrategyFolder  # slow to import, rarely needed

    return StrategyFolder(path)


def _entry_points() -> Iterator[EntryPoint]:
    yield from _installed()


@cache
def _installed() -> tuple[EntryPoint, ...]:
    """The entry points of installed packages; cached, because reading them opens every package."""
    from importlib.metadata import entry_points

    return tuple(entry_points(group=GROUP))


def register(cls: type[S]) -> type[S]:
    """Register a strategy class under its `strategy_type`; usable as a decorator.

    Raises:
        OperatorError: the class is no Strategy, has no `strategy_type`, or the name is taken.
    """
    name = _checked(cls, _full_name(cls)).strategy_type
    is_ours = name in BUILT_IN.names
    taken = BUILT_IN.named(name) if is_ours else _registered.setdefault(name, cls)
    if taken is not cls:
        raise OperatorError(
            f"strategy type {name!r} is already {_full_name(taken)}; "
            f"give {_full_name(cls)} another strategy_type"
        )
    return cls


def _full_name(cls: type[object]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


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
        with hidden_keys():
            loaded = entries[0].load()
    except Exception as error:  # a user's package may raise anything
        raise OperatorError(
            f"{where} cannot be loaded: {type(error).__name__}: {error}; "
            "repair or uninstall the package that offers it"
        ) from error
    return _checked(loaded, where)
