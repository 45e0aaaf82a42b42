"""`multi-trader sql`: runs one read-only query on the warehouse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.command import Command
from cli.faults import plainly

if TYPE_CHECKING:
    from typer._click import Context


class Question(Command):
    """A command whose query may begin with an SQL comment, which looks like an option."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """The arguments, with such a query moved behind `--`, where nothing is an option."""
        if "--" not in args:
            queries = [one for one in args if one.startswith("--") and len(one.split()) > 1]
            args = [one for one in args if one not in queries] + ["--", *queries]
        return super().parse_args(ctx, args)


@plainly
def sql(
    query: Annotated[str, typer.Argument(metavar='"SELECT ..."', help="One SELECT statement.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON: a list of rows.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV with a header line.")] = False,
    wait: Annotated[
        float,
        typer.Option(
            "--wait", metavar="SECONDS", min=0, help="Seconds to wait while a load holds the file."
        ),
    ] = 60.0,
) -> None:
    """Run a read-only SQL query on the warehouse.

    Tables and views are described in docs/sql.md, with queries to start from.

    \b
    Example:
      multi-trader sql "SELECT strategy, session_date, net_pnl FROM v_pnl_history"
    """
    from coordinator.errors import OperatorError

    if json and csv:
        raise OperatorError("--json and --csv are two formats: give one of them.")
    from coordinator.settings import warehouse_path
    from warehouse.queries import query as ask
    from warehouse.render import render_csv, render_json, render_table

    answer = ask(warehouse_path(), query, deadline_s=wait)
    render = render_json if json else render_csv if csv else render_table
    typer.echo(render(answer).rstrip("\n"))
