"""`multi-trader compare`: shows two strategies of the warehouse side by side."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from cli.faults import complain, plainly
from cli.options import AsJson, a_date, strategy_names
from cli.tables import print_json, print_table

if TYPE_CHECKING:
    from warehouse.compare import Comparison, Figures

MOST_SHOWN = 10
"""Differing decisions that are listed; --json lists all of them."""
Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME[@MODE]",
        help="A strategy; @shadow, @backtest or @ACCOUNT chooses one of its histories.",
        autocompletion=strategy_names,
    ),
]


@plainly
def compare(
    a: Name,
    b: Name,
    start: Annotated[
        datetime.date | None,
        typer.Option("--from", parser=a_date, metavar="YYYY-MM-DD", help="First day, included."),
    ] = None,
    end: Annotated[
        datetime.date | None,
        typer.Option("--to", parser=a_date, metavar="YYYY-MM-DD", help="Last day, included."),
    ] = None,
    json: AsJson = False,
) -> None:
    """Compare two strategies over the days that both have.

    Compare a live strategy with a shadow before you promote it, or any two in the warehouse. If a
    name has several histories, the two with the newest day in common are compared.

    \b
    Example:
      multi-trader compare SPY_Adaptive SPY_Faster
      multi-trader compare SPY_Adaptive SPY_Adaptive@backtest --from 2026-03-01
    """
    from coordinator.settings import warehouse_path
    from warehouse.compare import compare as side_by_side

    found = side_by_side(warehouse_path(), a, b, start=start, end=end)
    if json:
        print_json(asdict(found))
    else:
        show(found)
    for one in found.failed:
        complain(
            f"Warning: {one.history.title} failed on {len(one.days)} of these {len(found.days)}"
            f" days and opened nothing more on them; first on {one.days[0]}: {one.reason}. Repair"
            " it, and compare days on which it did not: --from and --to name them."
        )


def show(found: Comparison) -> None:
    """Print a comparison."""
    days = f"{len(found.days)} day{'s' * (len(found.days) != 1)}"
    print_table(
        ("", found.a.title, found.b.title),
        _rows(found.of_a, found.of_b),
        right=(1, 2),
        title=f"{days} in common, {found.days[0]} to {found.days[-1]}",
    )
    typer.echo(f"Correlation of daily P&L: {_number(found.correlation)}")
    both = (found.a, found.of_a), (found.b, found.of_b)
    if without := [history.title for history, figures in both if figures.round_trips is None]:
        typer.echo(
            f"Decisions: no details kept of {' and '.join(without)}; sweep with a larger --keep."
        )
        return
    if not found.symbols:
        typer.echo("Decisions: they traded no ticker in common.")
        return
    typer.echo(
        f"Decisions on {', '.join(found.symbols)}: {found.agreed} the same,"
        f" {len(found.differing)} differ."
    )
    if found.differing:
        rows = [(f"{one.at:%Y-%m-%d %H:%M}", one.symbol, one.a, one.b) for one in found.differing]
        print_table(("Minute (UTC)", "Ticker", "A", "B"), rows[:MOST_SHOWN])
    if len(found.differing) > MOST_SHOWN:
        typer.echo(f"and {len(found.differing) - MOST_SHOWN} more; --json lists all.")


def _rows(a: Figures, b: Figures) -> Iterator[tuple[str, str, str]]:
    for heading, name, shown in _LINES:
        yield heading, shown(getattr(a, name)), shown(getattr(b, name))


def _dollars(value: Decimal | None) -> str:
    return "-" if value is None else f"{value:z,.2f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:z.2f}%"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:z.2f}"


def _kept(value: int | None) -> str:
    return "no details kept (--keep)" if value is None else str(value)


_LINES = (
    ("Round trips", "round_trips", _kept),
    ("Fills", "fills", str),
    ("Net P&L", "net_pnl", _dollars),
    ("Return", "total_return", _percent),
    ("Hit rate", "hit_rate", _percent),
    ("Max drawdown, of days", "max_drawdown", _percent),
    ("Max drawdown, within a day", "max_intraday_drawdown", _percent),
    ("Sharpe", "sharpe", _number),
    ("Fees", "fees", _dollars),
    ("Slippage, bps", "slippage_bps", _number),
    ("Slippage, dollars", "slippage_cost", _dollars),
    ("Exposure, average", "average_exposure", _percent),
    ("Exposure, highest", "highest_exposure", _percent),
)
