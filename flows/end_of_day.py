"""After a session: its journal becomes rows in the warehouse, a page, and the day's artifact.

Safe to repeat, and wanted twice: once by the event of a coordinator's end, once by a plain
schedule, because that event can come late or be lost when the server restarts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from prefect import State, flow
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from flows.parameters import described
from tasks.report import publish_day, write_page
from tasks.session import journaled_sessions
from tasks.warehouse import load_warehouse
from warehouse import LoadResult, LoadStatus

Session = Annotated[
    str | None,
    described("Session", "Identity of one session. Empty: all not loaded, or changed since."),
]
CoordinatorRun = Annotated[
    str | None,
    described("Coordinator's run", "The run whose end started this one; filled in by the trigger."),
]
CoordinatorState = Annotated[
    str | None,
    described("Coordinator's end", "How that run ended; filled in by the trigger."),
]


def _name() -> str:
    asked = flow_run.get_parameters()
    cause = str(asked.get("coordinator_state") or "").rpartition(".")[2]
    return f"end-of-day after {cause}" if cause else "end-of-day"


@flow(name="end-of-day", flow_run_name=_name, persist_result=False)
def end_of_day(
    session: Session = None,
    coordinator_run_id: CoordinatorRun = None,
    coordinator_state: CoordinatorState = None,
) -> State[Any]:
    """Loads what the journals hold into DuckDB, writes the pages, and shows the day.

    Ends as Completed, or as Incomplete where rows were put into quarantine.
    """
    results = load_warehouse(journaled_sessions(session))
    pages = [write_page(result.session_id) for result in results if is_news(result)]
    publish_day([result for result in results if is_news(result)], pages)
    return loaded_state(results)


def is_news(result: LoadResult) -> bool:
    """Whether a load changed the warehouse."""
    return result.status is not LoadStatus.UNCHANGED


def loaded_state(results: Sequence[LoadResult]) -> State[Any]:
    """The state that counts the sessions loaded, and is red while rows are in quarantine."""
    incomplete = [result for result in results if result.status is LoadStatus.INCOMPLETE]
    if incomplete:
        said = " ".join(result.message for result in incomplete)
        return Failed(name="Incomplete", message=said)
    loaded = [result for result in results if is_news(result)]
    names = ", ".join(result.session_id for result in loaded)
    unchanged = len(results) - len(loaded)
    return Completed(
        message=f"{len(loaded)} loaded{f' ({names})' if names else ''}, {unchanged} unchanged."
    )
