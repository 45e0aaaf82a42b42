"""`multi-trader status`: what the journals say, read beside whoever writes them."""

from __future__ import annotations

import json as json_text
from collections.abc import Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from cli.faults import plainly

if TYPE_CHECKING:
    from rich.table import Table

    from coordinator.bootstrap import StatusView, StrategyView

NOT_A_TERMINAL_COLUMNS = 160  # a file or pipe has no width: nothing is folded there


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
    return json_text.dumps([asdict(view) for view in views], default=_plain, indent=2)


def show(views: Sequence[StatusView]) -> None:
    """Prints a table per session on stdout."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=NOT_A_TERMINAL_COLUMNS)
    for view in views:
        heading = f"{view.account}  {view.coordinator}  {view.session_id}  {view.mode}"
        console.print(f"{heading}  {view.state}", markup=False)
        console.print(_table(view.strategies))


def _table(strategies: Sequence[StrategyView]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Strategy", overflow="fold")
    for heading in ("Cash", "Equity", "PnL", "Day PnL", "Entries", "Open orders"):
        table.add_column(heading, justify="right")
    table.add_column("Positions", overflow="fold")
    for one in strategies:
        name = f"{one.name} (stopped: {one.stopped})" if one.stopped else one.name
        amounts = [one.cash, one.equity, one.pnl, one.day_pnl]
        cells = [name, *(f"{amount:,.2f}" for amount in amounts)]
        cells += [str(one.daily_trades), str(one.open_orders), _positions(one)]
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _positions(one: StrategyView) -> str:
    held = (f"{_quantity(qty)} {symbol}" for symbol, qty in one.positions.items() if qty)
    return ", ".join(held) or "-"


def _quantity(qty: Decimal) -> str:
    """Without an exponent or trailing zeros."""
    text = f"{qty:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _plain(value: object) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
