"""How a session's end becomes the state of its run, without a server and without a broker."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from prefect import State
from prefect.client.schemas.objects import StateType

from coordinator.bootstrap import RunOptions, SessionOutcome, WarmupOutcome
from coordinator.core.alerts import Alert, AlertKind
from coordinator.core.records import SessionEnd
from coordinator.errors import (
    BrokerRejected,
    BrokerUnavailable,
    CredentialsError,
    SafetyRefusal,
)
from coordinator.shell.lease import LeaseHeld
from flows.coordinator import session_state
from flows.handover import patience_until
from flows.stopping import Stop
from flows.warmup import batches, fetched_sentence, warmed_state

ROOT = Path(__file__).parents[2]
STOCKS = RunOptions(config=ROOT / "configs/stocks_only.json")
CRYPTO = RunOptions(config=ROOT / "configs/crypto_only.json")
NOON = datetime(2026, 3, 17, 12, tzinfo=UTC)
COMPLETED, STOPPED_EARLY = SessionEnd.COMPLETED, SessionEnd.STOPPED_EARLY
LATE = datetime(2026, 3, 17, 23, 55, tzinfo=UTC)


class FakeSession:
    """Ends as it is told, one answer for each start; counts the starts."""

    def __init__(self, *answers: SessionOutcome | Exception) -> None:
        self.answers = list(answers)
        self.starts = 0

    async def __call__(self, options: RunOptions, *, stop: asyncio.Event) -> SessionOutcome:
        self.starts += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def outcome(status: SessionEnd | Literal["MarketClosed"], summary: str = "") -> SessionOutcome:
    return SessionOutcome(status, f"It was {status}.", "SIM0001", "s1", summary)


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.stopping.AWAY_AT_END_S", 0)


def end_of(
    session: FakeSession,
    *,
    options: RunOptions = STOCKS,
    at_prefect: StateType | Exception | None = StateType.RUNNING,
    clock: Sequence[datetime] = (NOON,),
    shown: list[SessionOutcome] | None = None,
    told: list[Alert] | None = None,
) -> State[Any]:
    times = list(clock)

    async def read_state() -> StateType | None:
        if isinstance(at_prefect, Exception):
            raise at_prefect
        return at_prefect

    async def publish(one: SessionOutcome) -> None:
        if shown is not None:
            shown.append(one)

    async def main() -> State[Any]:
        return await session_state(
            options,
            Stop(),
            run=session,
            read_state=read_state,
            publish=publish,
            send=lambda news, *_: told.append(news) if told is not None else None,
            now=lambda: times.pop(0) if len(times) > 1 else times[0],
        )

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("answer", "at_prefect", "type_", "name"),
    [
        (outcome(COMPLETED), StateType.RUNNING, StateType.COMPLETED, "Completed"),
        (outcome("MarketClosed"), StateType.RUNNING, StateType.COMPLETED, "MarketClosed"),
        (outcome(STOPPED_EARLY), StateType.RUNNING, StateType.COMPLETED, "StoppedEarly"),
        (outcome(STOPPED_EARLY), StateType.CANCELLING, StateType.CANCELLED, "Cancelled"),
        (outcome(STOPPED_EARLY), StateType.CANCELLED, StateType.CANCELLED, "Cancelled"),
        (outcome(COMPLETED), StateType.CANCELLING, StateType.CANCELLED, "Cancelled"),
        (outcome(COMPLETED), None, StateType.COMPLETED, "Completed"),
        (outcome(COMPLETED), httpx.ConnectError("away"), StateType.COMPLETED, "Completed"),
        (outcome(STOPPED_EARLY), httpx.ConnectError("away"), StateType.COMPLETED, "StoppedEarly"),
        (LeaseHeld("held"), StateType.RUNNING, StateType.COMPLETED, "AlreadyRunning"),
        (SafetyRefusal("unsafe"), StateType.RUNNING, StateType.FAILED, "Failed"),
        (CredentialsError("no keys"), StateType.RUNNING, StateType.FAILED, "Failed"),
    ],
)
def test_a_run_ends_as_its_session_truly_did(
    answer: SessionOutcome | Exception,
    at_prefect: StateType | Exception | None,
    type_: StateType,
    name: str,
) -> None:
    state = end_of(FakeSession(answer), at_prefect=at_prefect)
    assert (state.type, state.name) == (type_, name)
    assert state.message == (answer.message if isinstance(answer, SessionOutcome) else str(answer))


def test_a_fault_of_ours_is_not_dressed_up_as_an_end() -> None:
    with pytest.raises(ZeroDivisionError):
        end_of(FakeSession(ZeroDivisionError()))


def test_the_summary_is_shown_where_there_is_one() -> None:
    shown: list[SessionOutcome] = []
    end_of(FakeSession(outcome("MarketClosed")), shown=shown)
    assert shown == []
    ended = outcome(COMPLETED, summary="TOTAL PnL")
    end_of(FakeSession(ended), shown=shown)
    assert shown == [ended]


@pytest.mark.parametrize(
    ("answer", "kinds"),
    [
        (SafetyRefusal("unsafe"), [AlertKind.REFUSED_START]),
        (CredentialsError("no keys"), [AlertKind.REFUSED_START]),
        (BrokerRejected(401, None, "wrong keys"), [AlertKind.REFUSED_START]),
        (LeaseHeld("held"), []),
        (outcome("MarketClosed"), []),
        (replace(outcome(COMPLETED), discrepancies=2), [AlertKind.DISCREPANCY]),
    ],
)
def test_a_refused_start_and_a_difference_at_the_end_are_told_to_automations(
    answer: SessionOutcome | Exception, kinds: list[AlertKind]
) -> None:
    told: list[Alert] = []
    end_of(FakeSession(answer), told=told)
    assert [news.kind for news in told] == kinds


SILENT = BrokerUnavailable("no answer from the broker")
MINUTES = [NOON + timedelta(minutes=one) for one in range(300)]


@pytest.mark.parametrize(
    ("options", "answers", "clock", "name", "starts"),
    [
        (STOCKS, [SILENT, SILENT, outcome(COMPLETED)], MINUTES, "Completed", 3),
        (STOCKS, [SILENT, outcome("MarketClosed")], MINUTES, "MarketClosed", 2),
        (STOCKS, [SILENT, LeaseHeld("held")], MINUTES, "AlreadyRunning", 2),
        (STOCKS, [SILENT], MINUTES, "Failed", 21),  # a start takes three minutes by this clock
        (replace(STOCKS, simulate=True), [SILENT], [NOON], "Failed", 1),
    ],
)
def test_a_broker_that_does_not_answer_is_asked_again_for_an_hour_and_a_simulated_one_is_not(
    options: RunOptions,
    answers: list[SessionOutcome | Exception],
    clock: list[datetime],
    name: str,
    starts: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("flows.unanswered.POLL_S", 0.0)
    session, told = FakeSession(*answers), list[Alert]()
    state = end_of(session, options=options, clock=clock, told=told)
    assert (state.name, session.starts) == (name, starts)
    if name == "Failed":
        assert state.message == str(SILENT)
        assert [news.kind for news in told] == [AlertKind.REFUSED_START]


def test_a_connection_that_ends_late_in_the_day_has_an_hour_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("flows.unanswered.POLL_S", 0.0)
    day = [NOON + timedelta(minutes=one) for one in (0, 0, 0, 1, 1, 181, 182, 182, 183)]
    session = FakeSession(SILENT, SILENT, SILENT, outcome(COMPLETED))
    state = end_of(session, clock=day)
    assert (state.name, session.starts) == ("Completed", 4)


@pytest.mark.parametrize("is_asked_meanwhile", [True, False])
@pytest.mark.parametrize(
    ("at_prefect", "name"),
    [(StateType.CANCELLING, "Cancelled"), (StateType.RUNNING, "StoppedEarly")],
)
def test_who_asks_a_silent_broker_or_waits_can_be_stopped_and_no_automation_hears_of_a_refusal(
    at_prefect: StateType, name: str, is_asked_meanwhile: bool
) -> None:
    told = list[Alert]()

    async def main() -> State[Any]:
        stop = Stop()

        async def silent(_options: RunOptions, **_: object) -> SessionOutcome:
            if is_asked_meanwhile:
                stop.fire("SIGTERM")
            else:
                asyncio.get_running_loop().call_soon(stop.fire, "SIGTERM")
            raise SILENT

        async def read_state() -> StateType:
            return at_prefect

        return await session_state(
            STOCKS, stop, run=silent, read_state=read_state, send=lambda news, *_: told.append(news)
        )

    assert (asyncio.run(main()).name, told) == (name, [])


def test_a_second_start_at_noon_does_not_wait_for_the_lease() -> None:
    session = FakeSession(LeaseHeld("held"))
    assert end_of(session, options=CRYPTO).name == "AlreadyRunning"
    assert session.starts == 1


def test_the_next_crypto_session_waits_for_the_one_that_ends_at_midnight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("flows.handover.POLL_S", 0.0)
    session = FakeSession(LeaseHeld("held"), LeaseHeld("held"), outcome(COMPLETED))
    state = end_of(session, options=CRYPTO, clock=[LATE])
    assert (state.name, session.starts) == ("Completed", 3)


def test_it_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.handover.POLL_S", 0.0)
    session = FakeSession(LeaseHeld("held"))
    clock = [LATE, LATE, LATE, LATE + timedelta(minutes=20)]
    assert end_of(session, options=CRYPTO, clock=clock).name == "AlreadyRunning"
    assert session.starts == 2


@pytest.mark.parametrize(
    ("options", "time", "until"),
    [
        (CRYPTO, "2026-03-17 23:44", None),
        (CRYPTO, "2026-03-17 23:45", "2026-03-18 00:05"),
        (CRYPTO, "2026-03-17 23:55", "2026-03-18 00:05"),
        (CRYPTO, "2026-03-18 00:01", "2026-03-18 00:05"),
        (CRYPTO, "2026-03-18 00:05", None),
        (CRYPTO, "2026-12-31 23:59", "2027-01-01 00:05"),
        (STOCKS, "2026-03-17 23:55", None),
    ],
)
def test_only_crypto_waits_and_only_around_midnight_utc(
    options: RunOptions, time: str, until: str | None
) -> None:
    def utc(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)

    assert patience_until(options, utc(time)) == (utc(until) if until else None)


@pytest.mark.parametrize(
    ("tickers", "sizes"),
    [(0, []), (1, [1]), (10, [1] * 10), (11, [2] * 5 + [1]), (30, [3] * 10), (101, [11] * 9 + [2])],
)
def test_a_warm_up_fetches_in_at_most_ten_batches_of_one_size(
    tickers: int, sizes: list[int]
) -> None:
    names = [f"T{number}" for number in range(tickers)]
    parts = batches(names)
    assert [len(part) for part in parts] == sizes
    assert [name for part in parts for name in part] == names


def test_a_warm_up_tells_how_many_bars_it_has_of_each_ticker() -> None:
    assert fetched_sentence({"SPY": 1_300, "QQQ": 0}) == "1,300 bars: SPY 1,300, QQQ 0."


def test_a_warm_up_says_what_it_fetched_or_that_there_is_no_session() -> None:
    path = Path("SIM0001/warmup/2026-03-17.parquet")
    state = warmed_state(WarmupOutcome("SIM0001", NOON.date(), path, {"SPY": 300, "QQQ": 299}))
    assert state.name == "Completed"
    assert state.message == f"599 bars of 2 tickers for 2026-03-17 in {path}."
    closed = warmed_state(WarmupOutcome("SIM0001", None, None, {}))
    assert (closed.type, closed.name) == (StateType.COMPLETED, "MarketClosed")
