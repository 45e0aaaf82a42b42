"""What a running session and its books look like from outside, as frozen values.

Whatever watches a session (the terminal, Prefect, the control socket) gets these, and nothing that
changes later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from coordinator.core.books import Books
from coordinator.core.lane import StrategySpec
from coordinator.core.risk import Limits
from coordinator.core.session import SessionPlan
from coordinator.core.values import MINUTE, exactly

DORMANT = "dormant"
"""What a strategy of a session is that its configuration has no more."""


@dataclass(frozen=True, slots=True)
class StrategyView:
    """One strategy's book, dollars throughout."""

    name: str
    initial_cash: Decimal
    cash: Decimal
    equity: Decimal
    pnl: Decimal
    day_pnl: Decimal
    daily_trades: int
    positions: Mapping[str, Decimal]
    open_orders: int
    stopped: str = ""
    """Why it opens nothing more today."""
    halted: str = ""
    """What an operator has halted: `paused`, or `flattened`, which is paused and sold. Of a session
    that trades also `dormant`: the configuration has it no more."""


@dataclass(frozen=True, slots=True)
class LiveView:
    """A session that trades, as it is at `at` of the broker's clock.

    `streams` has each stream's state by name, `blind` the tickers whose bars do not come, `frozen`
    each discrepancy's note by id, `limits` each strategy's by name; `last_bar` is the end of the
    newest bar, `lag_s` the most seconds by which the loop was late in the last minute.
    """

    at: datetime
    account: str
    session_id: str
    coordinator: str
    mode: str
    opens_at: datetime
    closes_at: datetime
    strategies: tuple[StrategyView, ...]
    streams: Mapping[str, str]
    blind: frozenset[str] = frozenset()
    killed: bool = False
    frozen: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, Limits] = field(default_factory=dict)
    last_bar: datetime | None = None
    shadows: tuple[StrategyView, ...] = ()
    """Strategies that only watch: simulated books, in no sum of the account's."""
    lag_s: float = 0.0

    @property
    def equity(self) -> Decimal:
        """Dollars of this session's strategies together."""
        return sum((one.equity for one in self.strategies), Decimal(0))

    @property
    def day_pnl(self) -> Decimal:
        """Dollars that this session's strategies made today."""
        return sum((one.day_pnl for one in self.strategies), Decimal(0))


def live_view(
    books: Books,
    specs: Iterable[StrategySpec],
    plan: SessionPlan,
    now: datetime,
    streams: Mapping[str, str],
    blind: frozenset[str],
) -> LiveView:
    """A session that trades, as it stands at `now` of the broker's clock."""
    opened, limits = books.session, {spec.name: spec.limits for spec in specs}
    assert opened is not None, "a session that trades was opened"
    return LiveView(
        at=now,
        account=opened.account,
        session_id=opened.session_id,
        coordinator=opened.coordinator,
        mode=opened.mode,
        opens_at=plan.begin,
        closes_at=plan.end,
        strategies=tuple(
            one if one.name in limits or one.halted else replace(one, halted=DORMANT)
            for one in strategy_views(books)
        ),
        streams=streams,
        blind=blind,
        killed=books.halts.killed,
        frozen={name: found.note for name, found in books.frozen.items()},
        limits=limits,
        last_bar=max((start + MINUTE for start in books.last_bar.values()), default=None),
    )


def session_strategies(books: Books) -> list[str]:
    """The strategies of the books' session, in its order; one that is run elsewhere by now is not
    among them. None if no session was opened, as in books that machine code has played."""
    if books.session is None:
        return []
    kept = set(books.strategies())
    return [opening.strategy for opening in books.session.openings if opening.strategy in kept]


@exactly
def strategy_views(books: Books) -> list[StrategyView]:
    """The books of the session's strategies, in its order."""
    return [_strategy(books, name) for name in session_strategies(books)]


def _strategy(books: Books, name: str) -> StrategyView:
    account, day = books.ledger[name], books.days[name]
    return StrategyView(
        name=name,
        initial_cash=account.initial_cash,
        cash=account.cash,
        equity=books.ledger.equity(name),
        pnl=books.ledger.pnl(name),
        day_pnl=books.day_pnl(name),
        daily_trades=day.entries,
        positions={symbol: position.qty for symbol, position in sorted(account.positions.items())},
        open_orders=sum(1 for _ in books.orders.open_of(name)),
        stopped=day.stopped,
        halted=_halted(books, name),
    )


def _halted(books: Books, name: str) -> str:
    paused = "paused" if name in books.halts.paused else ""
    return "flattened" if name in books.halts.flattened else paused
