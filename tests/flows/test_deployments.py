"""prefect.yaml without a server: entrypoints, parameters, schedules and triggers are real."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from prefect import Flow
from prefect.client.schemas.schedules import CronSchedule
from prefect.events import DeploymentTriggerTypes
from prefect.exceptions import ParameterTypeError, SignatureMismatchError
from prefect.flows import load_flow_from_entrypoint
from prefect.server.schemas.schedules import CronSchedule as ServersSchedule
from prefect.utilities.schema_tools.validation import ValidationError, validate
from pydantic import TypeAdapter

from flows.server.deploying import adapted, flow_of, read_document
from flows.server.places import POOL, ROOT

DOCUMENT = read_document()
DEPLOYMENTS = {f"{flow_of(one)}/{one['name']}": one for one in DOCUMENT["deployments"]}
SCHEDULES = {
    "warmup/stocks": ("5 9 * * 1-5", "America/New_York"),
    "coordinator/stocks": ("20 9 * * 1-5", "America/New_York"),
    "end-of-day/stocks": ("30 17 * * 1-5", "America/New_York"),
    "warmup/crypto": ("48 23 * * *", "UTC"),
    "coordinator/crypto": ("55 23 * * *", "UTC"),
    "end-of-day/crypto": ("30 0 * * *", "UTC"),
}
ON_DEMAND = {"backtest/adhoc": {"bars": "bars.parquet"}, "control/adhoc": {}}
"""What a user must fill in of those that no schedule starts."""
each = pytest.mark.parametrize("name", DEPLOYMENTS)
scheduled = pytest.mark.parametrize("name", SCHEDULES)


def flow_at(deployment: dict[str, Any]) -> Flow[Any, Any]:
    return load_flow_from_entrypoint(deployment["entrypoint"], use_placeholder_flow=False)


def test_there_is_a_deployment_for_each_step_of_each_market_and_for_each_tool() -> None:
    assert set(DEPLOYMENTS) == {*SCHEDULES, *ON_DEMAND}


@each
def test_an_entrypoint_is_dotted_and_leads_to_the_flow_of_that_name(name: str) -> None:
    deployment = DEPLOYMENTS[name]
    assert "/" not in deployment["entrypoint"]  # a path would hide the coordinator package
    assert flow_at(deployment).name == name.partition("/")[0]
    assert deployment["work_pool"]["name"] == POOL


@each
def test_a_deployments_parameters_are_accepted_by_its_flow(name: str) -> None:
    deployment = DEPLOYMENTS[name]
    parameters = deployment.get("parameters", {})
    flow_at(deployment).validate_parameters(parameters | ON_DEMAND.get(name, {}))
    if "config" in parameters:
        assert (ROOT / parameters["config"]).is_file()
        assert name in ON_DEMAND or name.partition("/")[2] in parameters["config"]


@pytest.mark.parametrize("name", ON_DEMAND)
def test_what_a_user_starts_asks_for_what_is_missing_and_follows_nobody(name: str) -> None:
    deployment = DEPLOYMENTS[name]
    assert not {"schedules", "triggers"} & set(deployment)
    assert set(flow_at(deployment).parameters.required) == set(ON_DEMAND[name])


@scheduled
def test_a_schedule_has_a_zone_and_a_slug_and_leaves_a_users_pause_alone(name: str) -> None:
    [schedule] = DEPLOYMENTS[name]["schedules"]
    CronSchedule(cron=schedule["cron"], timezone=schedule["timezone"])
    assert (schedule["cron"], schedule["timezone"]) == SCHEDULES[name]
    assert schedule["slug"]
    assert "active" not in schedule


@pytest.mark.parametrize("name", ["coordinator/stocks", "coordinator/crypto"])
def test_a_session_writes_to_no_pipe_that_would_end_with_its_worker(name: str) -> None:
    variables = DEPLOYMENTS[name]["work_pool"]["job_variables"]
    assert variables["stream_output"] is False
    assert variables["env"] == DOCUMENT["definitions"]["pool"]["job_variables"]["env"]


def test_no_two_schedules_share_a_slug() -> None:
    slugs = [DEPLOYMENTS[name]["schedules"][0]["slug"] for name in SCHEDULES]
    assert len(set(slugs)) == len(slugs)


@pytest.mark.parametrize(
    ("day", "utc"),
    [
        ("2026-03-06", "14:20"),  # Friday before the clocks go forward
        ("2026-03-09", "13:20"),  # Monday after
        ("2026-10-30", "13:20"),  # Friday before they go back
        ("2026-11-02", "14:20"),
    ],
)
def test_the_stock_session_starts_ten_minutes_before_the_open_on_both_sides_of_a_clock_change(
    day: str, utc: str
) -> None:
    schedule = DEPLOYMENTS["coordinator/stocks"]["schedules"][0]
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(schedule["timezone"]))
    servers = ServersSchedule(cron=schedule["cron"], timezone=schedule["timezone"])
    [start] = asyncio.run(servers.get_dates(1, midnight))
    assert f"{start.astimezone(UTC):%Y-%m-%d %H:%M}" == f"{day} {utc}"


@pytest.mark.parametrize("market", ["stocks", "crypto"])
def test_the_end_of_day_follows_every_end_of_its_own_coordinator(market: str) -> None:
    [trigger] = DEPLOYMENTS[f"end-of-day/{market}"]["triggers"]
    TypeAdapter(DeploymentTriggerTypes).validate_python(trigger)
    ends = {event.rpartition(".")[2] for event in trigger["expect"]}
    assert ends == {"Completed", "StoppedEarly", "Cancelled", "Crashed", "Failed"}
    related = [
        (one["prefect.resource.role"], one["prefect.resource.name"])
        for one in trigger["match_related"]
    ]
    assert related == [("flow", "coordinator"), ("deployment", market)]
    flow_at(DEPLOYMENTS[f"end-of-day/{market}"]).validate_parameters(trigger["parameters"])


@each
def test_every_parameter_shows_a_title_and_a_description(name: str) -> None:
    properties = flow_at(DEPLOYMENTS[name]).parameters.properties
    assert properties
    for parameter, shown in properties.items():
        assert shown["title"] != parameter
        assert len(shown["description"]) > 10


@each
def test_no_key_or_secret_is_a_parameter_or_a_variable_of_the_job(name: str) -> None:
    deployment = DEPLOYMENTS[name]
    passed = [*flow_at(deployment).parameters.properties, *deployment.get("parameters", {})]
    passed += deployment["work_pool"]["job_variables"]["env"]
    assert not [one for one in passed if any(w in one.lower() for w in ("key", "secret", "apca"))]


@pytest.mark.parametrize(
    "wrong",
    [
        {"config": ""},
        {"config": "configs/stocks_only.yaml"},
        {"clock_speed": 0},
        {"clock_speed": -1},
        {"clock_speed": "fast"},
        {"fill_model": "close; drop"},
        {"feed": "otc"},
        {"session_date": "2026-02-30"},
        {"simulate": "perhaps"},
        {"api_key": "x"},
        {"live": True},
    ],
)
@pytest.mark.parametrize("name", ["coordinator/stocks", "warmup/crypto"])
def test_a_wrong_parameter_is_refused_before_the_run_does_anything(
    name: str, wrong: dict[str, Any]
) -> None:
    with pytest.raises((ParameterTypeError, SignatureMismatchError)):
        flow_at(DEPLOYMENTS[name]).validate_parameters(wrong)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("coordinator/stocks", {"config": "configs/stocks_only.yaml"}),
        ("coordinator/stocks", {"session_date": "yesterday"}),
        ("warmup/crypto", {"feed": "otc"}),
        ("warmup/crypto", {"fill_model": "close; drop"}),
        ("backtest/adhoc", {"start": "yesterday"}),
        ("backtest/adhoc", {"end": "17.3.2026"}),
        ("control/adhoc", {"action": "pause", "strategy": "Index Adaptive"}),
    ],
)
def test_prefect_itself_refuses_a_wrong_parameter_and_says_what_is_expected(
    name: str, wrong: dict[str, Any]
) -> None:
    schema = flow_at(DEPLOYMENTS[name]).parameters.model_dump()
    with pytest.raises(ValidationError, match="does not match '") as refused:
        validate(wrong, schema, raise_on_error=True, ignore_required=True)
    assert str(list(wrong.values())[-1]) in str(refused.value)


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("coordinator/stocks", {"session_date": "2026-03-17", "feed": None, "fill_model": None}),
        ("coordinator/stocks", {"session_date": None, "fill_model": "slippage:2", "feed": "sip"}),
        ("backtest/adhoc", {"bars": "bars.parquet", "start": "2026-03-17", "end": None}),
        ("control/adhoc", {"action": "pause", "strategy": "Index_Adaptive"}),
        ("control/adhoc", {"action": "kill", "strategy": ""}),
    ],
)
def test_prefect_accepts_what_is_right_and_what_is_left_empty(
    name: str, right: dict[str, Any]
) -> None:
    parameters = flow_at(DEPLOYMENTS[name]).parameters
    validate(right, parameters.model_dump(), raise_on_error=True)


def test_without_keys_every_session_simulates_and_nothing_else_changes() -> None:
    for before, after in zip(
        DOCUMENT["deployments"],
        adapted(DOCUMENT, simulate=True, unattended=True)["deployments"],
        strict=True,
    ):
        if "simulate" not in before.get("parameters", {}):
            assert after == before
        else:
            assert after["parameters"]["simulate"] is True
            assert {**after, "parameters": before["parameters"]} == before
            assert before["parameters"]["simulate"] is False


def test_a_demonstration_has_neither_schedules_nor_triggers() -> None:
    for deployment in adapted(DOCUMENT, simulate=True, unattended=False)["deployments"]:
        assert not {"schedules", "triggers"} & set(deployment)
