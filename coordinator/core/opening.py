"""Opens a session in the books, or resumes it after a restart.

There is one session for each coordinator, account and date.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from coordinator.core import records as r
from coordinator.core.baseline import Baseline, dormant_names, held_marks, open_orders
from coordinator.core.books import Books
from coordinator.core.fees import CRYPTO_FEE_RATE
from coordinator.core.funding import transfers
from coordinator.core.lane import StrategySpec
from coordinator.core.reconfiguration import Continuation, found_at_restart, traded_again
from coordinator.core.session import SessionPlan
from coordinator.core.values import exactly


@dataclass(frozen=True, slots=True)
class SessionName:
    """Which session this is, and how it is traded.

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
    crypto_fee_rate: Decimal = CRYPTO_FEE_RATE


def session_id(coordinator: str, account: str, plan: SessionPlan) -> str:
    """The id under which a restart finds the same session again."""
    return f"{plan.date.isoformat()}.{coordinator}.{account}"


@exactly
def open_session(
    books: Books, specs: Sequence[StrategySpec], plan: SessionPlan, name: SessionName, now: datetime
) -> list[r.Record]:
    """The records that open a session, or resume it, applied to `books` already.

    A session that was opened before is resumed with the baselines it had; a strategy that is new in
    it joins with its own. If the configuration was edited meanwhile, its changes are recorded as a
    reload would record them.

    Raises:
        SafetyRefusal: UNASSIGNED does not hold the cash that the strategies are to begin with.
    """
    moves = transfers(books, specs, now)
    session = books.session
    if session is not None and session.session_id == name.session_id:
        return _resume(books, session, specs, name, moves, now)
    listed = {o.strategy: o for o in session.openings} if session else {}
    baselines = [Baseline.of(books, spec) for spec in specs]
    baselines += [Baseline.dormant(books, n, listed.get(n)) for n in dormant_names(books, specs)]
    baselines.append(Baseline.unassigned(books, name.fill_model))
    books.apply_all(moves)
    opened = r.SessionOpened(
        at=now,
        session_id=name.session_id,
        coordinator=name.coordinator,
        account=name.account,
        mode=name.mode,
        feed=name.feed,
        session_date=plan.date,
        config_hash=name.config_hash,
        openings=tuple(baseline.opening(books) for baseline in baselines),
        marks=held_marks(books),
        orders=open_orders(books),
        crypto_fee_rate=name.crypto_fee_rate,
    )
    changes = traded_again(books, opened, specs, now)
    books.apply_all([opened, *changes])
    return [*moves, opened, *changes]


def _resume(
    books: Books,
    session: r.SessionOpened,
    specs: Sequence[StrategySpec],
    name: SessionName,
    moves: Sequence[r.Transferred],
    now: datetime,
) -> list[r.Record]:
    """The records with which a restart resumes the session."""
    edited = session.config_hash != name.config_hash
    continuation = Continuation.of(books, session, specs, edited=edited)
    changes: list[r.Record] = []
    if edited:
        changes.append(found_at_restart(books, session, specs, name.config_hash, now))
    books.apply_all(moves)
    rate = name.crypto_fee_rate
    again = continuation.opened_again(books, now)
    again = replace(again, mode=name.mode, feed=name.feed, crypto_fee_rate=rate)
    told = session.openings, session.feed, session.crypto_fee_rate
    resumed: r.Record = r.SessionResumed(now, session.session_id)
    if (again.openings, again.feed, rate) != told:
        resumed = again
    books.apply_all([resumed, *changes])
    return [*moves, resumed, *changes]
