"""`multi-trader report`: one session, or the latest, as a page of HTML."""

from __future__ import annotations

from pathlib import Path

import typer

from cli.faults import plainly
from cli.options import SessionId

LATEST = "SELECT session_id FROM sessions ORDER BY opened_at DESC, session_id LIMIT 1"
NAMED = "SELECT session_id FROM sessions WHERE session_id = ?"


@plainly
def report(session: SessionId = None) -> None:
    """Write the HTML report of a session and print its path.

    Without --session: of the latest one in the warehouse.

    \b
    Example:
      multi-trader report
    """
    from coordinator.settings import home_folder, warehouse_path
    from warehouse.report import write_report

    warehouse = warehouse_path()
    session_id = _found(warehouse, session)
    page = home_folder() / "reports" / f"{session_id}.html"
    typer.echo(write_report(warehouse, session_id, page))


def _found(warehouse: Path | str, session: str | None) -> str:
    """The session's id as the warehouse has it; raises OperatorError if it has none such."""
    from coordinator.errors import OperatorError
    from warehouse.queries import query

    if session is None:
        rows = query(warehouse, LATEST).rows
        missing = "The warehouse holds no session yet: run one, or `multi-trader end-of-day`."
    else:
        rows = query(warehouse, NAMED, parameters=[session]).rows
        missing = (
            f"The warehouse holds no session '{session}'. To list them: "
            'multi-trader sql "FROM sessions"'
        )
    if not rows:
        raise OperatorError(missing)
    return str(rows[0][0])
