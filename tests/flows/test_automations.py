"""automations.yaml: what Prefect does by itself, and what it carries over to a recovery.

The server's own code renders the template and checks the parameters; no server runs.
"""

from __future__ import annotations

import inspect
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger
from prefect.server.events.actions import RunDeployment
from prefect.server.schemas.responses import FlowRunResponse
from prefect.utilities.schema_tools import HydrationContext, hydrate, is_valid_schema
from prefect.utilities.schema_tools.validation import validate

from flows.coordinator import coordinator
from flows.parameters import MOST_RECOVERIES
from flows.server import automations
from flows.server.automations import EXAMPLE, RECOVERY, make_automations, read_automations

ALL = {one.name: one for one in read_automations()}
BEAT = "multi-trader: no heartbeat is a crash"


def trigger_of(name: str) -> EventTrigger:
    trigger = ALL[name].trigger
    assert isinstance(trigger, EventTrigger)
    return trigger


def recovered(parameters: dict[str, Any], lived: timedelta = timedelta(seconds=5)) -> Any:
    """What the server would run a crashed run's deployment with."""
    [action] = ALL[RECOVERY].actions
    servers = RunDeployment.model_validate(action.model_dump(mode="json"))
    crashed = FlowRunResponse.model_construct(parameters=parameters, total_run_time=lived)
    context = HydrationContext(
        raise_on_error=True, render_jinja=True, jinja_context={"flow_run": crashed}
    )
    return hydrate(servers.parameters or {}, context)


@pytest.mark.parametrize("name", [BEAT, RECOVERY])
def test_a_coordinator_alone_is_watched_each_run_for_itself(name: str) -> None:
    trigger = trigger_of(name).model_dump(mode="json")
    assert trigger["match"] == {"prefect.resource.id": "prefect.flow-run.*"}
    assert trigger["match_related"] == {
        "prefect.resource.role": "flow",
        "prefect.resource.name": coordinator.name,
    }
    assert trigger["for_each"] == ["prefect.resource.id"]


def test_three_missed_heartbeats_are_a_crash() -> None:
    trigger = trigger_of(BEAT)
    assert (trigger.posture.value, trigger.within) == ("Proactive", timedelta(seconds=90))
    assert trigger.after == {"prefect.flow-run.heartbeat"}
    [action] = ALL[BEAT].actions
    assert action.model_dump(mode="json")["state"] == "CRASHED"


def test_a_recovery_has_every_parameter_of_the_run_that_crashed() -> None:
    asked = {
        "config": "configs/a 'b' & \"c\" <d>.json",
        "simulate": True,
        "bars": None,
        "session_date": "2026-03-17",
        "clock_speed": 2.5,
        "recovery": 0,
        "some_later_parameter": ["x", {"y": 1}],
    }
    assert recovered(asked) == {**asked, "recovery": 1}
    assert set(asked) - {"some_later_parameter"} <= set(
        inspect.signature(coordinator.fn).parameters
    )


@pytest.mark.parametrize(
    ("before", "lived_s", "after"),
    [
        (None, 5, 1),  # the first crash, of a run that was started without the parameter
        (0, 5, 1),
        (1, 5, 2),
        (4, 599, 5),
        (5, 5, 6),
        (5, 601, 1),  # it traded for long: the count begins anew
    ],
)
def test_crashes_in_a_row_are_counted(before: int | None, lived_s: float, after: int) -> None:
    asked = {"config": "a.json"} | ({} if before is None else {"recovery": before})
    assert recovered(asked, timedelta(seconds=lived_s))["recovery"] == after


@pytest.mark.parametrize(("count", "problems"), [(MOST_RECOVERIES, 0), (MOST_RECOVERIES + 1, 1)])
def test_the_server_refuses_the_recovery_after_the_last(count: int, problems: int) -> None:
    schema = coordinator.parameters.model_dump_for_openapi()
    is_valid_schema(schema)
    found = validate({"config": "a.json", "recovery": count}, schema)
    assert len(found) == problems


def test_the_example_is_disabled_and_does_nothing() -> None:
    [example] = [one for one in ALL.values() if EXAMPLE in one.tags]
    assert not example.enabled
    assert [action.type for action in example.actions] == ["do-nothing"]
    assert {"multi-trader.halt", "multi-trader.discrepancy", "multi-trader.stream-lost"} == (
        trigger_of(example.name).expect
    )


class Server:
    """Automations as a server keeps them; it allows two of one name."""

    def __init__(self) -> None:
        self.kept: list[Automation] = []

    def read_automations_by_name(self, name: str) -> list[Automation]:
        return [one for one in self.kept if one.name == name]

    def create_automation(self, automation: AutomationCore) -> UUID:
        self.kept.append(Automation(id=uuid4(), **automation.model_dump()))
        return self.kept[-1].id

    def update_automation(self, name: UUID, automation: AutomationCore) -> None:
        changed = Automation(id=name, **automation.model_dump())
        self.kept = [changed if one.id == name else one for one in self.kept]

    def change(self, name: str, **changes: Any) -> None:
        self.kept = [
            one.model_copy(update=changes) if one.name == name else one for one in self.kept
        ]

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    kept = Server()
    monkeypatch.setattr(automations, "get_client", lambda **_: kept)
    return kept


def test_a_redeploy_makes_none_twice_keeps_what_a_user_switched_off_and_mends_the_rest(
    server: Server,
) -> None:
    make_automations()
    server.change(RECOVERY, enabled=False)
    server.change(BEAT, description="of an earlier version")
    make_automations()
    assert sorted(one.name for one in server.kept) == sorted(ALL)
    assert {one.name: one.enabled for one in server.kept} == {
        name: one.enabled and name != RECOVERY for name, one in ALL.items()
    }
    assert {one.description for one in server.kept} == {one.description for one in ALL.values()}
    assert not automations.is_enabled(RECOVERY)
    assert automations.is_enabled(BEAT)


def test_an_example_that_its_user_made_something_of_is_left_alone(server: Server) -> None:
    make_automations()
    [example] = [one.name for one in ALL.values() if EXAMPLE in one.tags]
    server.change(example, description="mine", enabled=True)
    make_automations()
    [mine] = server.read_automations_by_name(example)
    assert (mine.description, mine.enabled) == ("mine", True)
