"""How a session's books begin: what is carried over, what is new, and where its cash comes from.

A new book is funded from UNASSIGNED, which holds what no strategy owns. A book that exists goes on
as it is; if its configured cash was edited, the difference is a transfer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from coordinator.core import records as r
from coordinator.core.books import FUNDING, NEW_INITIAL_CASH, Books
from coordinator.core.lane import StrategySpec
from coordinator.core.mending import mended
from coordinator.core.orders import Order
from coordinator.core.reload import Difference, Reload, Removal, traded
from coordinator.core.session import SessionPlan
from coordinator.core.values import UNASSIGNED, ZERO, exactly
from coordinator.errors import SafetyRefusal

RESTART = "restart"
"""By whom a configuration is changed that was edited while no process ran."""


@dataclass(frozen=True, slots=True)
class SessionName:
    """Which session this is: one for each coordinator, account and date.

    `fill_model` is how a simulator filled it, empty where a broker did; it is kept as a parameter
    of UNASSIGNED, so that every report can say it.
    """

    session_id: str
    coordinator: str
    account: str
    mode: str
    feed: str
    config_hash: str
    fill_model: str = ""


def session_id(coordinator: str, account: str, plan: SessionPlan) -> str:
    """The id under which a restart finds the same session again."""
    return f"{plan.date.isoformat()}.{coordinator}.{account}"


@exactly
def open_session(
    books: Books, specs: Sequence[StrategySpec], plan: SessionPlan, name: SessionName, now: datetime
) -> list[r.Record]:
    """The records that begin a session, or go on with it, applied to `books` already.

    A session that was opened before on its date is resumed with the baselines it had; a strategy
    that is new in it joins with its own. What a configuration that was edited meanwhile changes is
    recorded as a reload would.

    Raises:
        SafetyRefusal: UNASSIGNED does not hold the cash that the strategies are to begin with.
    """
    moves = _moves(books, specs, now)
    _check_capital(books, specs, moves)
    session = books.session
    if session is not None and session.session_id == name.session_id:
        return _go_on(books, session, specs, name, moves, now)
    listed = {o.strategy: o for o in session.openings} if session else {}
    found = [_Book.of(books, spec) for spec in specs]
    found += [_Book.dormant(books, n, listed.get(n)) for n in _dormant(books, specs)]
    found.append(_Book.unassigned(books, name.fill_model))
    books.apply_all(moves)
    opened = r.SessionOpened(
        now,
        name.session_id,
        name.coordinator,
        name.account,
        name.mode,
        name.feed,
        plan.date,
        name.config_hash,
        tuple(book.opening(books) for book in found),
        _marks(books),
        tuple(map(open_order, books.orders.open())),
    )
    books.apply_all([opened])
    return [*moves, opened]


def _go_on(
    books: Books,
    session: r.SessionOpened,
    specs: Sequence[StrategySpec],
    name: SessionName,
    moves: Sequence[r.Transferred],
    now: datetime,
) -> list[r.Record]:
    """What a restart records of the session that it goes on with."""
    named = {spec.name: spec for spec in specs}
    edited = session.config_hash != name.config_hash
    kept = [_described(one, named.get(one.strategy)) if edited else one for one in session.openings]
    known = {one.strategy for one in kept}
    joining = [_Book.of(books, spec) for spec in specs if spec.name not in known]
    changes = [_edited(books, session, specs, name.config_hash, now)] if edited else []
    books.apply_all(moves)
    openings = (*kept, *(book.opening(books) for book in joining))
    records: list[r.Record] = [*moves, r.SessionResumed(now, session.session_id)]
    if openings != session.openings or name.feed != session.feed:
        orders, marks = tuple(map(open_order, books.orders.open())), _marks(books)
        again = replace(session, at=now, openings=openings, marks=marks, orders=orders)
        records[-1] = replace(again, mode=name.mode, feed=name.feed)
    records += changes
    books.apply_all(records[len(moves) :])
    return records


def _edited(
    books: Books,
    session: r.SessionOpened,
    specs: Sequence[StrategySpec],
    config_hash: str,
    now: datetime,
) -> r.Reconfigured:
    """What was edited while no process ran; who is not run any more keeps what it holds."""
    runs = {spec.name for spec in specs}
    left = [one.strategy for one in session.openings if one.tickers and one.strategy not in runs]
    return r.Reconfigured(
        now,
        session.session_id,
        config_hash,
        RESTART,
        tuple(left),
        _given_up(books, specs),
        tuple(mended(books, specs)),
    )


@exactly
def change_session(
    books: Books, difference: Difference, asked: Reload, keep: Callable[[r.Record], None]
) -> None:
    """What makes a session that trades go on otherwise; `keep` applies and records each of it.

    A strategy that joins begins as at a start; one that changes keeps its book and its baseline.

    Raises:
        SafetyRefusal: UNASSIGNED does not hold the cash that is asked for; nothing has changed.
    """
    session, specs = books.session, difference.new
    assert session is not None, "a session that trades was opened"
    moves = _moves(books, specs, asked.now)
    _check_capital(books, specs, moves)
    named = {spec.name: spec for spec in specs}
    kept = [_described(one, named.get(one.strategy)) for one in session.openings]
    known = {one.strategy for one in kept}
    joining = [_Book.of(books, spec) for spec in specs if spec.name not in known]
    others = tuple(mended(books, specs))
    for move in moves:
        keep(move)
    openings = (*kept, *(book.opening(books) for book in joining))
    if openings != session.openings:
        orders, marks = tuple(map(open_order, books.orders.open())), _marks(books)
        keep(replace(session, at=asked.now, openings=openings, marks=marks, orders=orders))
    keep(
        r.Reconfigured(
            asked.now,
            session.session_id,
            asked.setup.config_hash,
            asked.by,
            tuple(spec.name for spec in difference.removed),
            _given_up(books, specs, _to_sell(books, difference, asked.removal)),
            others,
        )
    )
    for seen in _learned(books, asked):
        keep(seen)


def _learned(books: Books, asked: Reload) -> list[r.HistorySeen]:
    """The bars of its new tickers that nobody has seen yet."""
    last = books.last_bar
    bars = [bar for part in (asked.history, asked.so_far) for some in part.values() for bar in some]
    fresh = tuple(b for b in bars if b.symbol not in last or b.start > last[b.symbol])
    return [r.HistorySeen(asked.now, fresh)] if fresh else []


def _described(opening: r.Opening, spec: StrategySpec | None) -> r.Opening:
    """A book of the session, with what its strategy is from now on."""
    if spec is None:
        return opening
    kind, params, tickers, code = spec.strategy_type, spec.params, spec.tickers, spec.code
    return replace(opening, strategy_type=kind, params=params, tickers=tickers, code=code)


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
    """What is to be sold though nobody trades it: what is so already, and what joins it now."""
    now = traded(specs)
    pairs = [(name, ticker) for name, some in books.given_up.items() for ticker in some]
    pairs += more
    left: dict[str, tuple[str, ...]] = {}
    for name, ticker in dict.fromkeys(pairs):
        if (name, ticker) not in now:
            left[name] = (*left.get(name, ()), ticker)
    return left


@dataclass(frozen=True, slots=True)
class _Book:
    """A book before this session's transfers, which gives the day's baseline."""

    strategy: str
    strategy_type: str
    params: Mapping[str, object]
    tickers: tuple[str, ...]
    start_equity: Decimal
    transferred: Decimal
    code: str = ""

    @classmethod
    def of(cls, books: Books, spec: StrategySpec) -> _Book:
        equity, transferred = spec.initial_cash, ZERO
        if spec.name in books.ledger:
            equity = books.ledger.equity(spec.name)
            transferred = books.ledger[spec.name].transferred
        kind, params, tickers = spec.strategy_type, spec.params, spec.tickers
        return cls(spec.name, kind, params, tickers, equity, transferred, spec.code)

    @classmethod
    def dormant(cls, books: Books, name: str, before: r.Opening | None) -> _Book:
        kind = before.strategy_type if before else "dormant"
        params, tickers = (before.params, before.tickers) if before else ({}, ())
        equity, transferred = books.ledger.equity(name), books.ledger[name].transferred
        code = before.code if before else ""
        return cls(name, kind, params, tickers, equity, transferred, code)

    @classmethod
    def unassigned(cls, books: Books, fill_model: str) -> _Book:
        equity, transferred = books.ledger.equity(UNASSIGNED), books.ledger[UNASSIGNED].transferred
        params = {"fill_model": fill_model} if fill_model else {}
        return cls(UNASSIGNED, "unassigned", params, (), equity, transferred)

    def opening(self, books: Books) -> r.Opening:
        account = books.ledger[self.strategy]
        return r.Opening(
            strategy=self.strategy,
            strategy_type=self.strategy_type,
            params=self.params,
            tickers=self.tickers,
            initial_cash=account.initial_cash,
            configured_cash=account.configured_cash,
            transferred=account.transferred,
            baseline_transferred=self.transferred,
            cash=account.cash,
            holdings=account.holdings(),
            start_equity=self.start_equity,
            code=self.code,
        )


def _dormant(books: Books, specs: Sequence[StrategySpec]) -> list[str]:
    """Books of strategies that left the configuration while they hold or await something."""
    active = {spec.name for spec in specs} | {UNASSIGNED}
    return [
        name
        for name in books.days
        if name not in active and (books.ledger[name].positions or any(books.orders.open_of(name)))
    ]


def _marks(books: Books) -> dict[str, Decimal]:
    held = {symbol for account in books.ledger.accounts.values() for symbol in account.positions}
    return {symbol: mark for symbol, mark in sorted(books.ledger.marks.items()) if symbol in held}


def open_order(order: Order) -> r.OpenOrder:
    """An order as the next session finds it."""
    return r.OpenOrder(
        order.client_order_id,
        order.strategy,
        order.symbol,
        order.side,
        order.qty,
        order.decision_price,
        order.reason,
        order.decided_at,
        order.status,
        order.broker_order_id,
        order.reported_qty,
        order.booked_qty,
        () if order.corrected else tuple(sorted(order.executions.until)),
        order.filled_avg_price,
        order.corrected,
        order.successor,
    )


def _moves(books: Books, specs: Sequence[StrategySpec], now: datetime) -> list[r.Transferred]:
    moves = []
    for spec in specs:
        if spec.name not in books.ledger:
            moves.append(r.Transferred(now, UNASSIGNED, spec.name, spec.initial_cash, FUNDING))
        elif change := spec.initial_cash - books.ledger[spec.name].configured_cash:
            moves.append(r.Transferred(now, UNASSIGNED, spec.name, change, NEW_INITIAL_CASH))
    return moves


def _check_capital(
    books: Books, specs: Sequence[StrategySpec], moves: Sequence[r.Transferred]
) -> None:
    needed = sum((move.amount for move in moves), ZERO)
    free = books.ledger[UNASSIGNED].cash
    if needed <= max(free, ZERO):
        return  # a human may have spent more than UNASSIGNED had; books that exist go on
    each = ", ".join(f"{move.target} {_dollars(move.amount)}" for move in moves)
    total = sum((spec.initial_cash for spec in specs), ZERO)
    raise SafetyRefusal(
        f"capital does not fit: the strategies need {_dollars(needed)} ({each}; initial_cash sums"
        f" to {_dollars(total)}), but the account has {_dollars(free)} of cash that no strategy"
        " owns. Lower initial_cash, remove strategies, or add cash to the account."
    )


def _dollars(amount: Decimal) -> str:
    return f"${amount:,.2f}"
