"""A whole session in memory, in whose midst an operator pauses, flattens and resumes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.messages import Act
from coordinator.core.values import Reason, Side
from tests.e2e.running import simulator_options
from tests.in_memory import InMemorySession
from tests.oracle import configs


def played(*wishes: tuple[int, Act, str]) -> InMemorySession:
    """An hour of twenty-six strategies, with an operator's wishes after so many minutes."""
    session = InMemorySession(configs.twenty_six(), simulator_options())
    begun = session.plan.first_bar("SPY")
    assert begun is not None
    session.run(begun)
    for minute, act, strategy in wishes:
        session.run(begun + timedelta(minutes=minute))
        asked = m.OperatorAsked(session.now, act, "daniel", strategy)
        session._take(session.engine.handle(asked))
    session.run(begun + timedelta(minutes=60))
    return session


def entries(session: InMemorySession, strategy: str) -> list[r.OrderIntended]:
    return [
        record
        for record in session.records
        if isinstance(record, r.OrderIntended)
        and (record.strategy, record.side) == (strategy, Side.BUY)
    ]


def others(session: InMemorySession, strategy: str) -> list[tuple[object, ...]]:
    """What every other strategy ordered and had executed."""
    return [
        (type(x).__name__, x.strategy, x.at, x.symbol, x.side, x.qty)
        for x in session.records
        if isinstance(x, r.OrderIntended | r.FillBooked) and x.strategy != strategy
    ]


BUSY = "mean_reversion_18"


@pytest.mark.thorough
def test_between_a_pause_and_its_resume_it_opens_nothing_and_the_others_do_not_notice() -> None:
    calm, session = played(), played((20, Act.PAUSE, BUSY), (45, Act.RESUME, BUSY))
    begun = session.plan.first_bar("SPY")
    assert begun is not None
    minutes = [(e.at - begun) // timedelta(minutes=1) for e in entries(session, BUSY)]
    assert [n for n in minutes if 20 < n <= 45] == []
    assert [n for n in minutes if n <= 20]
    assert [n for n in minutes if n > 45]
    assert session.differences() == []
    assert others(session, BUSY) == others(calm, BUSY)


@pytest.mark.thorough
def test_a_flatten_in_the_midst_sells_at_once_and_the_books_still_agree() -> None:
    session = played((43, Act.FLATTEN, BUSY))
    sold = [
        x.client_order_id
        for x in session.records
        if isinstance(x, r.OrderIntended) and x.reason is Reason.FLATTEN
    ]
    assert len(sold) == 3
    assert session.engine.books.ledger[BUSY].positions == {}
    assert session.differences() == []
    asked = next(x.at for x in session.records if isinstance(x, r.FlattenRequested))
    assert [e for e in entries(session, BUSY) if e.at > asked] == []


@pytest.mark.thorough
@pytest.mark.parametrize("act", [Act.PAUSE, Act.FLATTEN])
def test_the_same_wishes_at_the_same_minutes_give_the_same_session(act: Act) -> None:
    wishes = [(15, act, BUSY), (50, Act.RESUME, BUSY)]
    assert played(*wishes).records == played(*wishes).records
