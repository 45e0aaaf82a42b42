"""`multi-trader explain`: says why a strategy did or did not trade on its last bar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from cli.faults import complain, plainly
from cli.operator import user
from cli.options import AccountNumber, CoordinatorName, StrategyName
from cli.tables import print_json, show, utc_time

if TYPE_CHECKING:
    from rich.console import RenderableType

    from coordinator.core.explanation import Explanation

Ticker = Annotated[
    str, typer.Argument(metavar="[TICKER]", help="One of its tickers; all without it.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON: a list, one for each ticker.")]


@plainly
def explain(
    name: StrategyName,
    ticker: Ticker = "",
    account: AccountNumber = None,
    coordinator: CoordinatorName = None,
    json: Json = False,
) -> None:
    """Say why a strategy did or did not trade on its last bar.

    Asks the running coordinator for the strategy's indicators, signal, position and remaining
    limits, and for what holds it back. Exit 1 if no coordinator runs.

    \b
    Example:
      multi-trader explain SPY_Adaptive SPY
    """
    from coordinator.commands import running
    from coordinator.core.explanation import without_values
    from coordinator.settings import home_folder

    which = running.RunningCoordinators(home_folder(), account, coordinator)
    found = running.explain(which, user(), name, ticker.upper())
    if json:
        print_json([asdict(one) for one in found])
        return
    for one in found:
        show(table_of(one))
    for silent in without_values(found):
        complain(f"Warning: {name} did not say what it saw {silent}.")


def table_of(one: Explanation) -> RenderableType:
    """An explanation as a table of two columns under its title."""
    from rich.table import Table
    from rich.text import Text

    title = f"{one.strategy} ({one.strategy_type}) on {one.ticker}, at {utc_time(one.at)}"
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.show_header = False
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in _lines(one):
        table.add_row(label, Text(text, style="bold" if label == "Decision" else ""))
    table.add_row("", "")
    return table


def _lines(one: Explanation) -> Iterator[tuple[str, str]]:
    from coordinator.core.amounts import signed

    bar = f"ended {utc_time(one.bar_end)}, close {one.close}" if one.bar_end else "none yet"
    yield "Last bar", bar
    yield "Parameters", _pairs(one.params, "=") or "none"
    yield "Indicators", _pairs(one.values, " ") or "it tells none (an explain() of its own would)"
    yield "Signal", signed(one.signal)
    yield "Bars", f"{one.bars_seen} seen, {one.bars_needed} needed"
    yield "Position", one.position or "none"
    yield from one.limits.items()
    yield "Decision", f"{one.did}: {one.because}"
    yield "Held back by", "\n".join(one.held_back) or "nothing"


def _pairs(values: Mapping[str, str], between: str) -> str:
    return ", ".join(f"{name}{between}{value}" for name, value in values.items())
