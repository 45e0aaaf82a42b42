"""`multi-trader status`: what the journals say, read beside whoever writes them."""

from __future__ import annotations

import json as json_text
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from cli.faults import plainly
from cli.tables import plain, print_table, quantity

if TYPE_CHECKING:
    from coordinator.bootstrap import StatusView, StrategyView


@plainly
def status(
    json: Annotated[bool, typer.Option("--json", help="Print JSON: a list of sessions.")] = False,
) -> None:
    """Show the sessions: cash, positions, open orders, P&L.

    Reads the journals under MULTI_TRADER_HOME; a coordinator may run meanwhile.

    \b
    Example:
      multi-trader status
    """
    from coordinator.bootstrap import home_folder, read_status

    home = home_folder()
    views = read_status(home)
    if json:
        typer.echo(as_json(views))
    elif not views:
        typer.echo(f"No session under {home} yet. Start one with: multi-trader run")
    else:
        show(views)


def as_json(views: Sequence[StatusView]) -> str:
    """The views as a JSON list; amounts and quantities are texts, so that no digit is lost."""
    return json_text.dumps([asdict(view) for view in views], default=plain, indent=2)


def show(views: Sequence[StatusView]) -> None:
    """Prints a table per session on stdout."""
    headings = ("Strategy", "Cash", "Equity", "PnL", "Day PnL", "Entries", "Open orders")
    for view in views:
        heading = f"{view.account}  {view.coordinator}  {view.session_id}  {view.mode}"
        print_table(
            (*headings, "Positions"),
            map(_row, view.strategies),
            right=range(1, 7),
            title="\n".join([f"{heading}  {view.state}", *_warnings(view)]),
        )


def _warnings(view: StatusView) -> Iterator[str]:
    """What keeps the whole account from buying."""
    if view.killed:
        yield "KILLED: nothing is bought until `multi-trader revive`."
    for name, note in view.frozen.items():
        yield f"{name}: {note}. Nothing is bought of it; see `multi-trader reconcile`."


def _row(one: StrategyView) -> tuple[str, ...]:
    name = f"{one.name} (stopped: {one.stopped})" if one.stopped else one.name
    amounts = (f"{amount:,.2f}" for amount in (one.cash, one.equity, one.pnl, one.day_pnl))
    return (name, *amounts, str(one.daily_trades), str(one.open_orders), _positions(one))


def _positions(one: StrategyView) -> str:
    held = (f"{quantity(qty)} {symbol}" for symbol, qty in one.positions.items() if qty)
    return ", ".join(held) or "-"
