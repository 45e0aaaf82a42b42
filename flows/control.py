"""The operator's commands in Prefect's UI: status, pause, resume, flatten, reload, kill, revive.

Each does the same as the command of its name: it asks the running coordinator over its local
socket, or else writes to the journal. Prefect never repeats one: the operator sees the outcome and
decides whether to ask again.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from prefect import State, flow
from prefect.artifacts import acreate_table_artifact
from prefect.runtime import flow_run
from prefect.states import Completed, Failed
from pydantic import AfterValidator

from coordinator.bootstrap import StatusView, home_folder, read_status
from coordinator.commands.accounts import Operator
from coordinator.commands.control import control as control_one
from coordinator.commands.kill import kill, revive
from coordinator.commands.liquidation import what_became_of
from coordinator.commands.reload import ReloadClient
from coordinator.commands.running import RunningCoordinators
from coordinator.core.messages import Act
from coordinator.core.values import NAME_PATTERN
from coordinator.errors import MultiTraderError
from coordinator.private import leave_no_core
from flows.parameters import described, let_coordinator_speak
from flows.showing import status_rows

STATUS_KEY = "status"
OF_ONE = ("pause", "resume", "flatten")
Rows = Sequence[Mapping[str, str]]
Publish = Callable[[Rows, str], Awaitable[None]]
_log = logging.getLogger("coordinator.flow")


def _a_name(name: str | None) -> str | None:
    if name and not NAME_PATTERN.fullmatch(name):
        raise ValueError("a strategy's name has letters, digits, - and _, and 48 of them at most")
    return name or None


Action = Annotated[
    Literal["status", "pause", "resume", "flatten", "reload", "kill", "revive"],
    described(
        "Action",
        "pause: opens nothing, exits go on. flatten: sells what it holds, and pauses. reload: goes"
        " on with the edited configuration. kill: cancels and sells everything of every strategy;"
        " revive ends that once all is sold.",
    ),
]
Strategy = Annotated[
    str | None,
    AfterValidator(_a_name),
    described(
        "Strategy",
        "Name of the strategy to pause, resume or flatten; else empty.",
        looks=f"^({NAME_PATTERN.pattern})?$",
    ),
]
ConfigFile = Annotated[
    str | None,
    described("Configuration", "Of a reload: this file, not the one that the session began with."),
]
Remove = Annotated[
    Literal["dormant", "flatten"],
    described("Removed strategies", "Of a reload: what they hold is kept (dormant), or sold."),
]
CoordinatorName = Annotated[
    str | None,
    described("Coordinator", "Only where two coordinators have a strategy of this name."),
]
AccountNumber = Annotated[
    str | None,
    described("Account", "Only where two accounts have a strategy of this name."),
]


def _name() -> str:
    parameters = flow_run.get_parameters()
    parts = ("control", parameters.get("action") or "status", parameters.get("strategy"))
    return " ".join(str(part) for part in parts if part)


@flow(name="control", flow_run_name=_name, persist_result=False, retries=0)
async def control(
    action: Action = "status",
    strategy: Strategy = None,
    coordinator: CoordinatorName = None,
    account: AccountNumber = None,
    config: ConfigFile = None,
    remove: Remove = "dormant",
) -> State[Any]:
    """Controls what trades now, and says in a sentence what became of it.

    Ends as Completed, or as Failed with what to do: no such strategy, something left unsold.
    """
    leave_no_core()
    let_coordinator_speak()
    by = f"Prefect's run {flow_run.get_id() or 'without a number'}"
    operator = Operator(home_folder(), os.environ, by, _log.info)
    coordinator, account = coordinator or None, account or None
    if action == "reload" and not strategy:
        which = RunningCoordinators(operator.home, account, coordinator)
        wanted = ReloadClient(which, by, Path(config) if config else None, remove)
        return await asyncio.to_thread(_reload, wanted)
    return await controlled_state(
        operator, action, strategy, coordinator=coordinator, account=account
    )


async def show_status(rows: Rows, text: str) -> None:
    """Puts the table of strategies on the run's page."""
    await acreate_table_artifact([dict(row) for row in rows], STATUS_KEY, text)


async def controlled_state(
    operator: Operator,
    action: str,
    strategy: str | None,
    *,
    coordinator: str | None = None,
    account: str | None = None,
    publish: Publish = show_status,
) -> State[Any]:
    """Carries out an action and returns the final state for its run.

    `publish` is there for tests to replace.
    """
    if (action in OF_ONE) is not bool(strategy):
        of = (
            "the name of a strategy"
            if action in OF_ONE
            else "no strategy: it applies to all of them"
        )
        return Failed(
            message=f"{action} takes {of}. Nothing was done: correct that, and run it again."
        )
    try:
        if action == "status":
            return await _status(operator.home, publish)
        if strategy:
            outcome = await asyncio.to_thread(
                control_one,
                operator,
                Act(action),
                strategy,
                account=account,
                coordinator=coordinator,
            )
            text = outcome.sentences()
            return Completed(message=text) if outcome.is_whole else Failed(message=text)
        return await asyncio.to_thread(_kill if action == "kill" else _revive, operator)
    except MultiTraderError as error:
        return Failed(message=str(error))


async def _status(home: Path, publish: Publish) -> State[Any]:
    unreadable: list[MultiTraderError] = []
    views = await asyncio.to_thread(read_status, home, unreadable=unreadable.append)
    running = [view for view in views if view.is_running]
    prefix = "" if running else "No coordinator runs; the journals have: "
    text = prefix + " ".join(map(_in_a_sentence, running or views))
    if views:
        await publish(status_rows(running or views), text)
    else:
        text = f"No session under {home} yet."
    if unreadable:
        return Failed(message=" ".join([*(f"Not shown: {error}" for error in unreadable), text]))
    return Completed(message=text)


def _in_a_sentence(view: StatusView) -> str:
    killed = ", KILLED" if view.killed else ""
    differs = f", frozen: {', '.join(sorted(view.frozen))}" if view.frozen else ""
    return f"{view.coordinator} on {view.account}: {view.state}{killed}{differs}."


def _reload(wanted: ReloadClient) -> State[Any]:
    """Asks for the difference and applies exactly that; the run's state shows it."""
    try:
        answer = wanted.show()
        if answer.token:
            answer = wanted.apply(answer)
    except MultiTraderError as error:
        return Failed(message=str(error))
    text = answer.sentences()
    return Completed(message=text) if answer.done else Failed(message=text)


def _kill(operator: Operator) -> State[Any]:
    left = kill(operator)
    text = "\n".join(map(what_became_of, left))
    whole = all(one.is_flat or one.closed for one in left)
    return Completed(message=text) if whole else Failed(message=text)


def _revive(operator: Operator) -> State[Any]:
    revived = [one.account for one in revive(operator) if one.was_killed]
    text = f"Revived: {', '.join(revived)}. Strategies may buy again."
    return Completed(message=text if revived else "No account is killed.")
