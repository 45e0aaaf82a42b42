"""Lets a session go on with another configuration, reloaded or found edited by a restart.

A strategy that joins begins as at a start; one that changes keeps its book and its baseline. One
that is gone keeps its book, too, and positions of it that are to be sold are remembered until they
are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from coordinator.core import records as r
from coordinator.core.baseline import Baseline, held_marks, open_orders
from coordinator.core.books import Books
from coordinator.core.funding import transfers
from coordinator.core.lane import StrategySpec
from coordinator.core.mending import mended
from coordinator.core.reload import Difference, Reload, Removal, traded
from coordinator.core.takeover import take_over_marks
from coordinator.core.values import exactly, is_unseen
from coordinator.errors import SafetyRefusal

RESTART = "restart"
"""The author of a change that was made while no process ran."""


@dataclass(frozen=True, slots=True)
class Continuation:
    """The openings of a session that goes on, and the baselines of the books that join it."""

    session: r.SessionOpened
    kept: tuple[r.Opening, ...]
    joining: tuple[Baseline, ...]

    @classmethod
    def of(
        cls,
        books: Books,
        session: r.SessionOpened,
        specs: Sequence[StrategySpec],
        *,
        edited: bool = True,
    ) -> Continuation:
        """The continuation with these strategies; call it before transfers are applied.

        Without `edited`, the openings describe the strategies as before.

        Raises:
            SafetyRefusal: a strategy cannot join this session.
        """
        named = {spec.name: spec for spec in specs if edited}
        kept = tuple(_described(one, named.get(one.strategy)) for one in session.openings)
        known = {one.strategy for one in kept}
        _check_joining(books, known, specs)
        take_over_marks(books, [spec.name for spec in specs])
        joining = tuple(Baseline.of(books, spec) for spec in specs if spec.name not in known)
        return cls(session, kept, joining)

    def opened_again(self, books: Books, now: datetime) -> r.SessionOpened:
        """The session's opening from now on; call it once the transfers are applied."""
        openings = (*self.kept, *(baseline.opening(books) for baseline in self.joining))
        return replace(
            self.session,
            at=now,
            openings=openings,
            marks=held_marks(books),
            orders=open_orders(books),
        )


def _check_joining(books: Books, known: Collection[str], specs: Sequence[StrategySpec]) -> None:
    """Check what another coordinator has run; `known` are the session's strategies so far."""
    sent = {order.strategy: order.client_order_id for order in books.neighbours.orders.open()}
    for name in (spec.name for spec in specs):
        if name in known and name not in books.days:
            raise SafetyRefusal(
                f"{name} has been run by another coordinator since this session opened, and a"
                " session has a strategy's day once. Run it there, in the next session, or in a"
                " configuration of another name."
            )
        if name in sent:
            raise SafetyRefusal(
                f"{name} may have an order open that another coordinator sent ({sent[name]}): stop"
                " this session and start it again, which settles that."
            )


def found_at_restart(
    books: Books,
    session: r.SessionOpened,
    specs: Sequence[StrategySpec],
    config_hash: str,
    now: datetime,
) -> r.Reconfigured:
    """The record of an edit while no process ran; a strategy that is gone keeps what it holds."""
    runs = {spec.name for spec in specs}
    left = [one.strategy for one in session.openings if one.tickers and one.strategy not in runs]
    return r.Reconfigured(
        at=now,
        session_id=session.session_id,
        config_hash=config_hash,
        by=RESTART,
        left=tuple(left),
        given_up=_given_up(books, specs),
        mended=tuple(mended(books, specs)),
    )


def traded_again(
    books: Books, session: r.SessionOpened, specs: Sequence[StrategySpec], now: datetime
) -> list[r.Reconfigured]:
    """The record that a new session trades what was to be sold; none if it trades none of it."""
    left = _given_up(books, specs)
    if left == books.given_up:
        return []
    name, config_hash = session.session_id, session.config_hash
    return [r.Reconfigured(now, name, config_hash, RESTART, given_up=left)]


@exactly
def change_session(
    books: Books, difference: Difference, asked: Reload, keep: Callable[[r.Record], None]
) -> None:
    """Make a session that trades go on as it is asked to; `keep` applies and keeps a record.

    Raises:
        SafetyRefusal: UNASSIGNED does not hold the cash that is asked for, or a strategy cannot
            join this session; nothing has changed.
    """
    session, specs = books.session, difference.new
    assert session is not None, "a session that trades was opened"
    moves = transfers(books, specs, asked.now)
    continuation = Continuation.of(books, session, specs)
    trading_again = tuple(mended(books, specs))
    for move in moves:
        keep(move)
    again = continuation.opened_again(books, asked.now)
    if again.openings != session.openings:
        keep(again)
    keep(
        r.Reconfigured(
            at=asked.now,
            session_id=session.session_id,
            config_hash=asked.setup.config_hash,
            by=asked.by,
            left=tuple(spec.name for spec in difference.removed),
            given_up=_given_up(books, specs, _to_sell(books, difference, asked.removal)),
            mended=trading_again,
        )
    )
    for seen in _unseen_history(books, asked):
        keep(seen)


def _unseen_history(books: Books, asked: Reload) -> list[r.HistorySeen]:
    """The bars of the new tickers that the books have not seen yet."""
    bars = [bar for part in (asked.history, asked.so_far) for own in part.values() for bar in own]
    fresh = tuple(bar for bar in bars if is_unseen(bar, books.last_bar))
    return [r.HistorySeen(asked.now, fresh)] if fresh else []


def _described(opening: r.Opening, spec: StrategySpec | None) -> r.Opening:
    """An opening that describes its strategy as it is from now on."""
    if spec is None:
        return opening
    return replace(
        opening,
        strategy_type=spec.strategy_type,
        params=spec.params,
        tickers=spec.tickers,
        code=spec.code,
    )


def _to_sell(books: Books, difference: Difference, removal: Removal) -> list[tuple[str, str]]:
    """(strategy, ticker) of what an operator wants sold because it is not traded any more."""
    if removal is not Removal.FLATTEN:
        return []
    gone = [spec.name for spec in difference.removed]
    held = [(name, ticker) for name in gone for ticker in books.ledger[name].positions]
    return [*difference.dropped, *held]


def _given_up(
    books: Books, specs: Sequence[StrategySpec], more: Iterable[tuple[str, str]] = ()
) -> dict[str, tuple[str, ...]]:
    """By strategy, the tickers to sell that it does not trade: those known already, and `more`."""
    now = traded(specs)
    pairs = [(name, ticker) for name, own in books.given_up.items() for ticker in own]
    pairs += more
    left: dict[str, tuple[str, ...]] = {}
    for name, ticker in dict.fromkeys(pairs):
        if (name, ticker) not in now:
            left[name] = (*left.get(name, ()), ticker)
    return left
