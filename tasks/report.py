"""Reports: the day's page as a file, and the artifacts in Prefect's UI."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prefect import task
from prefect.artifacts import acreate_markdown_artifact, create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from coordinator.bootstrap import SessionOutcome, home_folder, warehouse_path
from tasks.digest import read_day
from tasks.repeats import on_the_warehouse
from warehouse import LoadResult
from warehouse.report import write_report

SUMMARY_KEY = "session-summary"
SUMMARY_LOG = "coordinator.summary"
DAY_KEY = "end-of-day"


@on_the_warehouse("write report")
def write_page(session_id: str) -> Path:
    """Writes the session's HTML page; returns its path."""
    path = home_folder() / "reports" / f"{session_id}.html"
    return write_report(warehouse_path(), session_id, path)


@on_the_warehouse("show the day")
def publish_day(results: Sequence[LoadResult], pages: Sequence[Path], cause: str) -> None:
    """Creates the day's artifact: its cause, discrepancies, P&L, the equity, the pages."""
    day = read_day(warehouse_path(), results, pages, cause)
    create_markdown_artifact(key=DAY_KEY, markdown=day.text, description=day.headline)


@task(name="show the summary", cache_policy=NO_CACHE, persist_result=False)
async def publish_summary(outcome: SessionOutcome) -> None:
    """Puts the session's summary on its run's page."""
    await acreate_markdown_artifact(
        key=SUMMARY_KEY, markdown=f"```\n{outcome.summary}\n```", description=outcome.session_id
    )
