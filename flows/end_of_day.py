"""After a session: its journal becomes rows in the warehouse, a page, and the day's artifact.

It is safe to repeat, and is started twice: by the event of a coordinator's end and by a plain
schedule, because that event can be late or lost when the server restarts. Loads run one at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from prefect import State, flow
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from coordinator.bootstrap import Loadable, home_folder
from coordinator.readers import running_sessions, unknown_session
from flows.parameters import described
from flows.settled import alone, coordinator_of, run_id_of, wait_for_end
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
    parameters = flow_run.get_parameters()
    cause = str(parameters.get("coordinator_state") or "").rpartition(".")[2]
    return f"end-of-day after {cause}" if cause else "end-of-day"


@flow(name="end-of-day", flow_run_name=_name, persist_result=False)
def end_of_day(
    session: Session = None,
    coordinator_run_id: CoordinatorRun = None,
    coordinator_state: CoordinatorState = None,
) -> State[Any]:
    """Loads what the journals hold into DuckDB, writes the pages, and shows the day.

    A session that is still traded is left for the load after its end. A repeat that loads nothing
    shows nothing: the day stays the newest artifact. Ends as Completed, or as Incomplete where rows
    were put into quarantine, or the journal of an account cannot be read; it keeps no other
    account's sessions out. Failed if no journal has the session that is named.
    """
    run_id = run_id_of(coordinator_run_id)
    home = home_folder()
    with alone(home / "end-of-day.lock"):
        waits_for = coordinator_of(run_id) if run_id else None
        running = wait_for_end(waits_for, lambda: running_sessions(home))
        found = journaled_sessions(session, running=list(running))
        if missing := missing_state(home, session, running, found):
            return missing
        results = load_warehouse(found.sources)
        news = newest_first(result for result in results if is_news(result))
        pages = [write_page(result.session_id) for result in news]
        if news or found.kept_out:
            cause = cause_of(run_id, coordinator_state, running, found.kept_out)
            publish_day(news, pages, cause)
    return loaded_state(results, running, found.kept_out)


def cause_of(
    run_id: UUID | None,
    state: str | None,
    running: Collection[str] = (),
    kept_out: Sequence[Exception] = (),
) -> str:
    """The cause of a load, and the sessions that it left out, in Markdown; '' if by schedule."""
    sentences = []
    if run_id:
        ended = (state or "").rpartition(".")[2] or "unknown"
        sentences.append(f"After [this coordinator's run](/runs/flow-run/{run_id}): **{ended}**.")
    if running:
        sentences.append(f"Still traded, and loaded later: {', '.join(sorted(running))}.")
    sentences += [f"**Not loaded:** {error}" for error in kept_out]
    return " ".join(sentences)


def missing_state(
    home: Path, session: str | None, running: Collection[str], found: Loadable
) -> State[Any] | None:
    """Failed if a session is named that no journal has; else None."""
    if not session or session in running or found.sources or found.kept_out:
        return None
    return Failed(message=str(unknown_session(home, session)))


def newest_first(results: Iterable[LoadResult]) -> list[LoadResult]:
    """Results by the date of their sessions, the latest first; a date's keep their order."""
    return sorted(results, key=lambda one: one.session_id.partition(".")[0], reverse=True)


def is_news(result: LoadResult) -> bool:
    """Whether a load changed the warehouse."""
    return result.status is not LoadStatus.UNCHANGED


def loaded_state(
    results: Sequence[LoadResult],
    running: Collection[str] = (),
    kept_out: Sequence[Exception] = (),
) -> State[Any]:
    """The state that counts loaded sessions; Failed if a session or an account is incomplete."""
    loaded = [result for result in results if is_news(result)]
    names = ", ".join(result.session_id for result in loaded)
    later = f" Still traded: {', '.join(sorted(running))}." if running else ""
    unchanged = len(results) - len(loaded)
    text = f"{len(loaded)} loaded{f' ({names})' if names else ''}, {unchanged} unchanged.{later}"
    wrong = [result.message for result in results if result.status is LoadStatus.INCOMPLETE]
    wrong += [f"Not loaded: {error}" for error in kept_out]
    if wrong:
        return Failed(name="Incomplete", message=" ".join([*wrong, text] if kept_out else wrong))
    return Completed(message=text)
