"""A strategy as configured, and a lane: the state of a strategy's rule on one ticker.

A rule that raises stops its own lane and nothing else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol, cast

from coordinator.core.lane_form import Resumable
from coordinator.core.risk import Limits
from coordinator.core.values import Bar

if TYPE_CHECKING:
    from coordinator.core.bank import Bank

HISTORY_WINDOWS = 10
"""An indicator's history starts this many times its longest window before the session, unless its
rule says otherwise."""
FAULT = "fault: "
"""How the reason begins why a strategy that failed opens nothing more that day."""
SAYS_NOTHING = "explain()"
"""The one key of an explanation without values, which says why there are none."""


class Rule(Hashable, Protocol):
    """What a strategy must offer: how far it looks back, and a fresh step for one ticker."""

    @property
    def longest_window(self) -> int:
        """Bars that its slowest indicator looks back."""

    def start(self) -> Callable[[Bar], int]:
        """A new step, which takes the next bar and returns +1, -1 or 0 at its close.

        The step, or the object whose method it is, may have an `explain()` that returns values by
        name, or be a `FarStep`. A rule with `start_together` (`core/together.py`) needs no `start`.
        """


def explain_of(step: object) -> Callable[..., Mapping[str, object]] | None:
    """The `explain` of a step, or of the object whose method it is; None if there is none."""
    found: Callable[..., Mapping[str, object]] | None
    found = getattr(getattr(step, "__self__", step), "explain", None)
    return found


class FarStep(ABC):
    """A step that runs elsewhere, and is told of bars of the past before it is asked for them."""

    __slots__ = ()

    @abstractmethod
    def foresee(self, bar: Bar) -> None:
        """Take note of a bar that is stepped after those foreseen before it."""


def _far(step: object) -> FarStep | None:
    """The far step, if it is one, or the method of one."""
    found = getattr(step, "__self__", step)
    return found if isinstance(found, FarStep) else None


def history_of(rule: Rule) -> int:
    """How many bars of each ticker a rule is fed before a session begins.

    Its own `history_bars` if it has that, else ten times its longest window.
    """
    own: int | None = getattr(rule, "history_bars", None)
    return HISTORY_WINDOWS * rule.longest_window if own is None else own


@dataclass(frozen=True, slots=True)
class StrategySpec:
    """One strategy as configured, ready to run; `code` is the digest of a user's file."""

    name: str
    strategy_type: str
    params: Mapping[str, object]
    rule: Rule
    tickers: tuple[str, ...]
    initial_cash: Decimal
    min_warmup_bars: int
    limits: Limits = field(default_factory=Limits)
    code: str = ""

    @property
    def history_bars(self) -> int:
        """How many bars of each ticker its rule is fed before a session begins."""
        return history_of(self.rule)

    @property
    def backfill_bars(self) -> int:
        """How many bars of each ticker to fetch before the session."""
        return max(self.history_bars, self.min_warmup_bars)


def tickers_of(specs: Iterable[StrategySpec]) -> list[str]:
    """Every ticker that any strategy trades, once, in order of first mention."""
    return list(dict.fromkeys(ticker for spec in specs for ticker in spec.tickers))


class Lane:
    """One rule's state on one ticker, shared by the strategies that it serves.

    `places` has their places in `core/wants.py`, by the strategies' ranks.
    """

    __slots__ = (
        "_bank",
        "_row",
        "_signal",
        "_step",
        "fault",
        "history_bars",
        "places",
        "rule",
    )

    def __init__(self, spec: StrategySpec, step: Callable[[Bar], int] | None = None) -> None:
        self.rule = spec.rule
        self._step = step or spec.rule.start()
        self._bank: Bank | None = None
        self.history_bars = spec.history_bars
        self._signal = 0
        self._row = 0
        self.fault = ""
        self.places: dict[int, int] = {}

    @property
    def signal(self) -> int:
        """+1, -1 or 0 at the last bar's close."""
        return self._signal if self._bank is None else self._bank.signal(self._row)

    @property
    def banked(self) -> bool:
        """Whether a bank steps it."""
        return self._bank is not None

    def join_bank(self, bank: Bank, row: int) -> None:
        """Let a row of a bank find the signals from now on; bars are no longer fed."""
        self._bank, self._row = bank, row

    def leave_bank(self) -> None:
        """Step alone again, from where the lane stands in its bank."""
        assert self._bank is not None, "only a lane in a bank can leave it"
        self._signal, self._step = self.signal, self._resumed(self._bank)
        self._bank = None

    def _resumed(self, bank: Bank) -> Callable[[Bar], int]:
        step = self.rule.start()
        cast(Resumable, getattr(step, "__self__", step)).resume(bank.past(self._row))
        return step

    @property
    def is_far(self) -> bool:
        """Whether its rule runs elsewhere, and can be told of bars ahead."""
        return _far(self._step) is not None

    def foresee(self, bar: Bar) -> None:
        """Tell a far rule of a bar that will be fed after those it was told of before."""
        far = _far(self._step)
        if far is not None and not self.fault:
            far.foresee(bar)

    def feed(self, bar: Bar) -> None:
        """Step on the next bar. A rule that raises is not stepped again."""
        if self.fault:
            return
        try:
            self._signal = self._step(bar)
        except Exception as error:
            self._signal = 0
            self.fault = f"{type(error).__name__} at bar {bar.symbol} {bar.start}: {error}"

    def say(self, signal: int) -> None:
        """Take this signal of a rule that was stepped with all of its tickers' bars."""
        self._signal = signal

    def fail(self, fault: str) -> None:
        """Stop the lane for this reason."""
        self._signal, self.fault = 0, fault

    def explain(self) -> Mapping[str, object]:
        """What the step saw at its last bar, by name; empty if it has no `explain`."""
        explain = explain_of(self._step if self._bank is None else self._resumed(self._bank))
        try:
            return dict(explain()) if explain is not None else {}
        except Exception as error:
            return {SAYS_NOTHING: f"raised {type(error).__name__}: {error}"}
