"""A run's artifacts and events at a real Prefect server: one of each, kept up to date in place."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import Artifact
from prefect.events import emit_event
from prefect.events.clients import AssertingEventsClient
from prefect.events.worker import EventsWorker
from prefect.testing.utilities import prefect_test_harness

from coordinator.core.alerts import Alert, AlertKind
from flows.board import PrefectBoard, emit

AT = datetime(2026, 3, 17, 15, tzinfo=UTC)
HALT = Alert(AT, AlertKind.HALT, "A", "A opens nothing more today: max_daily_loss.")


@pytest.fixture(scope="module")
def client() -> Iterator[SyncPrefectClient]:
    with prefect_test_harness(server_startup_timeout=120), get_client(sync_client=True) as one:
        yield one


@pytest.fixture
def events() -> Iterator[type[AssertingEventsClient]]:
    AssertingEventsClient.reset()
    EventsWorker.set_client_override(AssertingEventsClient)
    yield AssertingEventsClient
    EventsWorker.set_client_override(None)


def by_key(client: SyncPrefectClient) -> dict[str, Artifact]:
    found = client.read_artifacts()
    assert len({one.key for one in found}) == len(found)
    return {str(one.key): one for one in found}


@pytest.mark.slow
def test_a_minutes_news_takes_the_place_of_the_last_and_is_no_event(
    client: SyncPrefectClient, events: type[AssertingEventsClient]
) -> None:
    @flow(persist_result=False)
    async def session() -> None:
        board = PrefectBoard("stocks_only")
        for percent in (10.0, 20.0, 30.0):
            await board.show_progress(percent, f"at {percent:.0f}")
            await board.show_table([{"Strategy": "A", "Equity": f"${percent:.0f}"}], "well")
        kept = await asyncio.to_thread(by_key, client)
        assert (kept["session-stocks-only"].data, kept["session-stocks-only"].description) == (
            30.0,
            "at 30",
        )
        assert "$30" in str(kept["strategies-stocks-only"].data)
        await asyncio.to_thread(client.delete_artifact, kept["session-stocks-only"].id)
        await board.show_progress(40.0, "again")
        emit(HALT, "PA1", "stocks_only", "s1")

    asyncio.run(session())
    assert by_key(client)["session-stocks-only"].data == 40.0
    EventsWorker.instance().wait_until_empty()
    told = [event for one in events.all for event in one.events]
    assert not [event for event in told if event.event == "prefect.artifact.updated"]
    [halt] = [event for event in told if event.event.startswith("multi-trader.")]
    assert halt.event == "multi-trader.halt"
    assert halt.resource.id == "multi-trader.PA1.stocks_only"
    assert halt.payload == {
        "account": "PA1",
        "coordinator": "stocks_only",
        "session_id": "s1",
        "subject": "A",
        "reason": HALT.reason,
        "at": AT.isoformat(),
    }


def test_outside_of_a_run_nobody_is_told(events: type[AssertingEventsClient]) -> None:
    emit(HALT, "PA1", "stocks_only")
    emit_event("somebody.elses", {"prefect.resource.id": "somebody"})
    EventsWorker.instance().wait_until_empty()
    assert [event.event for one in events.all for event in one.events] == ["somebody.elses"]
