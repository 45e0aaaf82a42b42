"""The steps before the first decision: plan the session, replay the journal, warm up.

A start and a restart are the same: replay the journal, ask the broker for what it does not tell,
and go on only if both agree.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.engine import Engine
from coordinator.core.flat import held_or_ordered
from coordinator.core.lane import StrategySpec, tickers_of
from coordinator.core.risk import Asset
from coordinator.core.sequences import pass_over
from coordinator.core.session import Hours, SessionPlan, plan_session
from coordinator.core.takeover import take_over_marks, take_over_orders
from coordinator.core.values import Bar, is_crypto, is_unseen, newest
from coordinator.errors import BrokerError, BrokerRejected, OperatorError
from coordinator.shell.broker import Broker
from coordinator.shell.clock import BrokerClock
from coordinator.shell.exchange_calendar import exchange_sessions
from coordinator.shell.history import FURTHEST, History, Need, read_bars
from coordinator.shell.journal import Journal
from coordinator.shell.missed_bars import bars_since
from coordinator.shell.wire import NEW_YORK

log = logging.getLogger("coordinator")
CANNOT_BE_SOLD = "%s is held, and cannot be sold: %s"
CRYPTO_LEAD_S = 900.0
"""A crypto coordinator that starts this shortly before 00:00 UTC is meant for the next date."""
LISTED_S = 10.0
"""Broker seconds after a bar's end in which REST may not list it yet, at real speed."""


def read_sessions(broker: Broker, now: datetime) -> list[Hours]:
    """The exchange's sessions, from as far back as warm-up may reach to a week ahead.

    They are the broker's; if it does not answer, a library's, with a warning.
    """
    today = now.astimezone(NEW_YORK).date()
    first, last = today - FURTHEST, today + timedelta(days=7)
    try:
        return broker.calendar(first, last)
    except BrokerError as error:
        log.warning(
            "⚠ the broker's calendar cannot be had (%s); using the library exchange-calendars",
            error,
        )
        return list(exchange_sessions(first, last))


def plan(now: datetime, sessions: Sequence[Hours], tickers: Sequence[str]) -> SessionPlan | None:
    """The session to trade from `now` on, for these tickers; None if there is none today."""
    return plan_session(
        now,
        now.astimezone(NEW_YORK).date(),
        list(sessions),
        stocks=any(not is_crypto(ticker) for ticker in tickers),
        crypto=any(is_crypto(ticker) for ticker in tickers),
        crypto_lead_s=CRYPTO_LEAD_S,
    )


def whole_at(session_plan: SessionPlan, clock: BrokerClock) -> datetime | None:
    """When all bars from before the session can be had, if that is still to come; else None.

    Crypto trades on until its session begins; stocks' history has ended with the session before.
    """
    if session_plan.crypto_day is None:
        return None
    listed_s = LISTED_S if clock.speed == 1 else 0.0
    moment = session_plan.crypto_day + timedelta(seconds=listed_s)
    return moment if clock.now() < moment else None


def read_assets(
    broker: Broker, tickers: Sequence[str], specs: Sequence[StrategySpec]
) -> dict[str, Asset]:
    """What may be ordered of each ticker, all of these strategies'.

    Raises:
        OperatorError: naming every ticker that the broker does not know, and whose it is. Like any
            error of a configuration it refuses the whole of it: a strategy that is left out would
            not be what the user has configured.
    """
    assets, unknown = {}, []
    for ticker in tickers:
        try:
            assets[ticker] = broker.asset(ticker)
        except BrokerRejected as refusal:
            whose = ", ".join(spec.name for spec in specs if ticker in spec.tickers)
            unknown.append(f"{ticker} of {whose} ({refusal.message})")
    if unknown:
        raise OperatorError(
            f"Alpaca does not know these tickers: {'; '.join(unknown)}. Correct the strategies'"
            " tickers in the configuration, or set their `enabled` to false."
        )
    return assets


def read_held_assets(broker: Broker, books: Books, known: Mapping[str, Asset]) -> dict[str, Asset]:
    """The order rules a kill needs for tickers, held or on order, that no strategy trades now."""
    assets = {}
    for symbol in sorted(held_or_ordered(books) - known.keys()):
        try:
            assets[symbol] = broker.asset(symbol)
        except BrokerRejected as refusal:
            log.warning(CANNOT_BE_SOLD, symbol, refusal)
    return assets


def replay(
    journal: Journal, coordinator: str, strategies: Collection[str] = ()
) -> tuple[Books, list[Bar]]:
    """The books as the journal has them, and the bars that this coordinator's last session saw.

    Orders of these `strategies` are ours, whichever coordinator ran them then, and its last prices
    are the marks of what they hold.
    """
    books = Books()
    seen: list[Bar] = []
    for entry in journal.replay():
        if entry.coordinator != coordinator:
            books.apply_foreign(entry.record)
            continue
        match entry.record:
            case r.SessionOpened() as opened:
                goes_on = books.session and books.session.session_id == opened.session_id
                seen = seen if goes_on else []
            case r.BarsSeen(origin=r.Origin.CORRECTED):
                pass  # decisions used the bar as it first came
            case r.BarsSeen() | r.HistorySeen():
                seen += entry.record.bars
        books.apply_all([entry.record])
    take_over_orders(books, strategies)
    take_over_marks(books, strategies)  # a split that is booked next adjusts them
    return books, seen


def advance_sequences(books: Books, broker: Broker, session_date: date) -> None:
    """Move each strategy's sequence past the ids that the broker has, so that none is reused."""
    start = datetime.combine(session_date, datetime.min.time(), NEW_YORK) - timedelta(days=2)
    for update in broker.orders_after(start):
        if f".{session_date.isoformat()}." in update.client_order_id:
            pass_over(books.sequences, update.client_order_id)


def warm_up_needs(specs: Sequence[StrategySpec], session_plan: SessionPlan) -> list[Need]:
    """How many bars from before the session each ticker needs, for its most demanding strategy."""
    needs = []
    for ticker in tickers_of(specs):
        first = session_plan.first_bar(ticker)
        if first is not None:
            count = max(spec.backfill_bars for spec in specs if ticker in spec.tickers)
            needs.append(Need(ticker, count, first))
    return needs


def history_of(
    specs: Sequence[StrategySpec], session_plan: SessionPlan, history: Mapping[str, Sequence[Bar]]
) -> dict[str, Sequence[Bar]]:
    """The part of `history`, fetched for more strategies, that these alone would have fetched."""
    return {
        need.symbol: newest(history[need.symbol], need.count)
        for need in warm_up_needs(specs, session_plan)
        if need.symbol in history
    }


def bars_so_far(
    broker: Broker, tickers: Sequence[str], session_plan: SessionPlan, now: datetime
) -> list[Bar]:
    """The session's bars of these tickers that ended before they were first traded, oldest first.

    They are history, not missed bars: no strategy was there to decide.
    """
    firsts = {ticker: session_plan.first_bar(ticker) for ticker in tickers}
    starts = {t: first for t, first in firsts.items() if first is not None and first < now}
    return sorted(bars_since(broker, starts, now), key=lambda bar: (bar.start, bar.symbol))


def warm_up(
    engine: Engine, history: Mapping[str, Sequence[Bar]], so_far: Sequence[Bar], now: datetime
) -> list[r.Record]:
    """Feed the lanes: history first, then the session's bars `so_far`, decided on or not.

    Returns the record of those bars that the books have not seen.
    """
    for ticker in tickers_of(engine.specs):
        engine.lanes.warm(ticker, history.get(ticker, ()))
    so_far = [bar for bar in so_far if engine.plan.counts(bar)]
    engine.lanes.catch_up(so_far)
    bars = [*(bar for ticker in sorted(history) for bar in history[ticker]), *so_far]
    fresh = [bar for bar in bars if is_unseen(bar, engine.books.last_bar)]
    if not fresh:
        return []
    record = r.HistorySeen(now, tuple(fresh))
    engine.books.apply_all([record])
    return [record]


def fetch_history(
    broker: Broker, sessions: Sequence[Hours], needs: Sequence[Need], file: Path
) -> dict[str, list[Bar]]:
    """Warm-up bars by ticker: from the warm-up flow's file, and from REST what that lacks."""
    return History(broker, sessions).fetch(needs, read_bars(file))


def warm_up_file(home: Path, account: str, session_date: date) -> Path:
    """Where the warm-up flow leaves its bars for the coordinator."""
    return home / account / "warmup" / f"{session_date.isoformat()}.parquet"
