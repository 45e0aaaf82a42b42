"""`multi-trader report`: one session, or the latest, as a page of HTML."""

from __future__ import annotations

import typer

from cli.faults import plainly
from cli.options import SessionId


@plainly
def report(session: SessionId = None) -> None:
    """Write the HTML report of a session and print its path.

    Without --session: of the latest one in the warehouse.

    \b
    Example:
      multi-trader report
    """
    from coordinator.bootstrap import home_folder, warehouse_path
    from warehouse.report import write_report

    page = home_folder() / "reports" / f"{session or 'latest'}.html"
    typer.echo(write_report(warehouse_path(), session, page))
