"""`multi-trader new-strategy`: writes a first strategy of your own, and its test."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.faults import plainly
from cli.options import AsJson
from cli.tables import print_json


@plainly
def new_strategy(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its type in a configuration.")],
    folder: Annotated[
        Path, typer.Option("--dir", metavar="DIR", help="Folder of your strategies.")
    ] = Path("strategies"),
    together: Annotated[
        bool, typer.Option("--together", help="A strategy that reads several tickers together.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Write a first strategy of your own, and its test.

    Both work as they are. Nothing is ever overwritten.

    \b
    Example:
      multi-trader new-strategy my_strategy
      multi-trader new-strategy my_ranking --together
    """
    from coordinator.commands.new_strategy import new_strategy as write

    strategy, test = write(name, folder, together=together)
    if json:
        print_json({"strategy_type": name, "strategy": strategy, "test": test, "folder": folder})
        return
    typer.echo(f"{strategy}: edit this.")
    typer.echo(f"{test}: run it with: pytest {folder}")
    typer.echo(f'Use it by "strategies_dir" or --strategies {folder}, as strategy_type "{name}".')
