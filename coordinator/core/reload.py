"""The difference between the configuration that a session trades with and an edited one.

A strategy is known by its name. One that goes on with new parameters, tickers or limits keeps its
book. The positions of a strategy that is gone are kept or sold, as the operator chose.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import Enum

from coordinator.core.amounts import dollars
from coordinator.core.lane import StrategySpec
from coordinator.core.risk import Asset
from coordinator.core.setup import Setup
from coordinator.core.values import SHADOW_MARK, Bar, is_crypto

_DIGITS = 8
"""How much of a digest is shown: enough to tell two texts apart."""


class Removal(Enum):
    """What becomes of positions that no strategy trades any more."""

    FLATTEN = "flatten"
    DORMANT = "dormant"


@dataclass(frozen=True, slots=True)
class Reload:
    """The configuration that a session is to go on with, asked for at broker time `now`.

    `assets` are those of its new tickers. By ticker, `history` has the bars from before the session
    and `so_far` those of the session, for the indicators that begin now.
    """

    now: datetime
    by: str
    setup: Setup
    removal: Removal
    assets: Mapping[str, Asset] = field(default_factory=dict)
    history: Mapping[str, tuple[Bar, ...]] = field(default_factory=dict)
    so_far: Mapping[str, tuple[Bar, ...]] = field(default_factory=dict)
    beside: Reload | None = None
    """The shadows' part: its `setup` has them as the strategies that trade."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference between the strategies that run, `old`, and those that are to run, `new`."""

    old: Sequence[StrategySpec]
    new: Sequence[StrategySpec]

    @property
    def added(self) -> list[StrategySpec]:
        """Strategies that did not run."""
        known = {spec.name for spec in self.old}
        return [spec for spec in self.new if spec.name not in known]

    @property
    def removed(self) -> list[StrategySpec]:
        """Strategies that are not to run any more."""
        kept = {spec.name for spec in self.new}
        return [spec for spec in self.old if spec.name not in kept]

    @property
    def changed(self) -> list[tuple[StrategySpec, StrategySpec]]:
        """(old, new) of each strategy that goes on in another way."""
        before = {spec.name: spec for spec in self.old}
        pairs = [(before[spec.name], spec) for spec in self.new if spec.name in before]
        return [(old, new) for old, new in pairs if old != new]

    @property
    def dropped(self) -> list[tuple[str, str]]:
        """(strategy, ticker) that were traded, and are not any more."""
        now = traded(self.new)
        before = [(spec.name, ticker) for spec in self.old for ticker in spec.tickers]
        return [pair for pair in before if pair not in now]


def traded(specs: Iterable[StrategySpec]) -> frozenset[tuple[str, str]]:
    """Each (strategy, ticker) that trades."""
    return frozenset((spec.name, ticker) for spec in specs for ticker in spec.tickers)


def refusals(old: Setup, new: Setup) -> list[str]:
    """Why a session that runs as `old` cannot go on as `new`, each in a sentence."""
    found = [
        f"its {what} is {after}, and the session runs with {before}: stop it and start it again"
        for what, before, after in _fixed(old, new)
        if before != after
    ]
    if not new.all_specs:
        return [*found, "it has no strategy that is enabled: stop the session instead"]
    if _markets(old) != _markets(new):
        found.append(
            f"it trades {_markets(new)}, and the session {_markets(old)}: a market is opened and"
            " closed by a start alone; stop the session and start it again"
        )
    return found


def sentences(old: Setup, new: Setup, removal: Removal) -> list[str]:
    """What changes from `old` to `new`, a line each; empty if nothing does."""
    difference = Difference(old.specs, new.specs)
    return [
        *_about_strategies(difference, removal),
        *_about_strategies(
            Difference(old.shadows, new.shadows),
            removal,
            mark=SHADOW_MARK,
            promoted={spec.name for spec in new.specs},
        ),
        *_about_the_account(old, new),
    ]


def about_mended(names: Iterable[str], mark: str = "") -> list[str]:
    """A line for each strategy that failed today and trades again; `mark` follows its name."""
    return [f"~ {name}{mark}: failed today, and trades again" for name in names]


def _about_strategies(
    difference: Difference, removal: Removal, *, mark: str = "", promoted: Collection[str] = ()
) -> Iterator[str]:
    """`mark` follows each name; `promoted` shadows leave their simulated books behind."""
    sold = removal is Removal.FLATTEN
    for spec in difference.added:
        cash = f"{dollars(spec.initial_cash)}, unless it has a book already"
        what = f"{spec.strategy_type} on {', '.join(spec.tickers)}"
        yield f"+ {spec.name}{mark}: {what}, begins with {cash}"
    for spec in difference.removed:
        how = "what it holds is sold" if sold else "it keeps what it holds"
        ends = f"runs no more; its open orders are cancelled, and {how}"
        if spec.name in promoted:
            ends = "trades on the account now; its simulated book ends"
        yield f"- {spec.name}{mark}: {ends}"
    for old, new in difference.changed:
        yield f"~ {new.name}{mark}: {'; '.join(_changes(old, new))}"
    left = {spec.name for spec in difference.removed}
    for strategy, ticker in difference.dropped:
        if strategy not in left:
            does = "sells" if sold else "keeps"
            yield f"~ {strategy}{mark}: trades {ticker} no more, and {does} what it holds of it"


def _about_the_account(old: Setup, new: Setup) -> Iterator[str]:
    for change in _changed_values(asdict(old.controls), asdict(new.controls)):
        yield f"~ controls: {change}"
    if old.crossing != new.crossing:
        yield f"~ crossing {_shown(old.crossing)} -> {_shown(new.crossing)}"
    if fresh := [ticker for ticker in new.tickers if ticker not in set(old.tickers)]:
        yield f"+ bars of {', '.join(fresh)}"
    if given_up := [ticker for ticker in old.tickers if ticker not in set(new.tickers)]:
        yield f"- bars of {', '.join(given_up)}"


def _fixed(old: Setup, new: Setup) -> list[tuple[str, object, object]]:
    """What a session cannot change: the name, the old value and the new one of each setting."""
    names = ("coordinator", "mode", "feed", "crypto_fee_rate")
    words = {"coordinator": "name"}
    return [(words.get(name, name), getattr(old, name), getattr(new, name)) for name in names]


def _markets(setup: Setup) -> str:
    crypto = {is_crypto(ticker) for ticker in setup.tickers}
    names = {"stocks": False, "crypto": True}
    return " and ".join(name for name, one in names.items() if one in crypto)


def _changes(old: StrategySpec, new: StrategySpec) -> Iterator[str]:
    if old.strategy_type != new.strategy_type:
        yield f"{old.strategy_type} -> {new.strategy_type}"
    elif old.code != new.code:
        yield f"code changed ({old.code[:_DIGITS]} -> {new.code[:_DIGITS]})"
    if old.tickers != new.tickers:
        yield f"tickers {', '.join(old.tickers)} -> {', '.join(new.tickers)}"
    if old.initial_cash != new.initial_cash:
        move = new.initial_cash - old.initial_cash
        direction = "to it" if move > 0 else "from it, as far as it is free"
        yield f"{dollars(abs(move))} of cash moves {direction} (initial_cash {new.initial_cash})"
    if old.min_warmup_bars != new.min_warmup_bars:
        yield f"min_warmup_bars {old.min_warmup_bars} -> {new.min_warmup_bars}"
    yield from _changed_values(old.params, new.params)
    yield from _changed_values(asdict(old.limits), asdict(new.limits))


def _changed_values(old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[str]:
    for key in dict.fromkeys((*old, *new)):
        before, after = old.get(key), new.get(key)
        if before != after:
            yield f"{key} {_shown(before)} -> {_shown(after)}"


def _shown(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case _:
            return str(value)
