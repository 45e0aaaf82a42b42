"""`multi-trader report`: writes an HTML report of a session or a range of dates."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated

import typer

from cli.faults import complain, plainly
from cli.options import AsJson, SessionId, a_date
from cli.tables import print_json

NAMED = "SELECT session_id FROM sessions WHERE session_id = ?"
EMPTY = "The warehouse holds no session yet: run one, or `multi-trader end-of-day`."
UNKNOWN = "The warehouse holds no account '{account}'. To list them: {command}"
ACCOUNTS = 'multi-trader sql "SELECT DISTINCT account, mode FROM sessions"'
SPAN = """
    SELECT min(session_date), max(session_date) FROM sessions WHERE account = coalesce(?, account)
"""

Day = Annotated[
    datetime.date | None,
    typer.Option(
        parser=a_date, metavar="YYYY-MM-DD", help="A bound of a range of dates, included."
    ),
]
Account = Annotated[
    str | None,
    typer.Option("--account", metavar="NUMBER", help="Only this account; a backtest's is BT-..."),
]
Open = Annotated[bool, typer.Option("--open", help="Show it in the browser as well.")]


@plainly
def report(
    session: SessionId = None,
    start: Day = None,
    end: Day = None,
    account: Account = None,
    open: Open = False,
    json: AsJson = False,
) -> None:
    """Write the report of a session or a range; print its path.

    Without options: the latest session in the warehouse. With --start or --end: all sessions from
    the one date to the other. With --account: the sessions of one account, such as a backtest's.

    \b
    Example:
      multi-trader report --open
      multi-trader report --start 2026-03-01 --end 2026-03-31
      multi-trader report --account BT-0c1d2e3f4a5b
    """
    from coordinator.errors import OperatorError
    from coordinator.settings import home_folder, warehouse_path
    from warehouse.report import write_range, write_report

    warehouse, folder = warehouse_path(), home_folder() / "reports"
    if start is None and end is None and account is None:
        session_id = _found(warehouse, session)
        page = write_report(warehouse, session_id, folder / f"{session_id}.html")
        _print(page, as_json=json, session_id=session_id)
        _show(page, wanted=open)
        return
    if session is not None:
        raise OperatorError(
            "--session selects one session; --start, --end and --account select several. Give one"
            " or the other."
        )
    first, last = _range(warehouse, start, end, account)
    name = f"{account}_{first}_{last}.html" if account else f"{first}_{last}.html"
    page = write_range(warehouse, first, last, folder / name, account=account)
    _print(page, as_json=json, start=first, end=last)
    _show(page, wanted=open)


def _print(page: Path, *, as_json: bool, **subject: object) -> None:
    """Print the page's path; as JSON, with its session or range."""
    if as_json:
        print_json({"report": page} | subject)
    else:
        typer.echo(page)


def _show(page: Path, *, wanted: bool) -> None:
    """Open the page in the user's browser, if that is wanted; without one, say so."""
    if wanted:
        import webbrowser

        if not webbrowser.open(page.absolute().as_uri()):
            complain("Warning: no browser was found on this machine; open the file yourself.")


def _range(
    warehouse: Path | str,
    start: datetime.date | None,
    end: datetime.date | None,
    account: str | None,
) -> tuple[datetime.date, datetime.date]:
    """The range, by default all days in the warehouse; raises OperatorError if it is empty."""
    from coordinator.errors import OperatorError
    from warehouse.queries import query

    ((oldest, newest),) = query(warehouse, SPAN, parameters=[account]).rows
    first, last = start or oldest, end or newest
    if not isinstance(first, datetime.date) or not isinstance(last, datetime.date):
        raise OperatorError(UNKNOWN.format(account=account, command=ACCOUNTS) if account else EMPTY)
    if start and end and first > last:
        raise OperatorError(f"The range ends before it begins: {first} is after {last}.")
    if first > last:
        asked = f"from {start}" if start else f"to {end}"
        raise OperatorError(
            f"The warehouse does not hold any session {asked}: those that it has are from {oldest}"
            f" to {newest}."
        )
    return first, last


def _found(warehouse: Path | str, session: str | None) -> str:
    """The session's id, or the latest's; raises OperatorError if the warehouse has none."""
    from coordinator.errors import OperatorError
    from warehouse.queries import query
    from warehouse.report import LATEST

    if session is None:
        rows = query(warehouse, LATEST).rows
        missing = EMPTY
    else:
        rows = query(warehouse, NAMED, parameters=[session]).rows
        missing = (
            f"The warehouse holds no session '{session}'. To list them: "
            'multi-trader sql "FROM sessions"'
        )
    if not rows:
        raise OperatorError(missing)
    return str(rows[0][0])
