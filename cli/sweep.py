"""`multi-trader backtest` of a sweep: plays all variants, then the best again in detail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cli.faults import ANYTHING_ELSE, complain
from cli.progress import apart_from_output, progress
from cli.signals import StopSignals

if TYPE_CHECKING:
    from coordinator.backtest import BacktestOptions, Sweep
    from coordinator.config import CoordinatorConfig

KEPT, BY = 10, "net-pnl"
"""The defaults of --keep and --by."""
SHOWN = 20
"""Variants in the printed table."""
HEADINGS = (
    "Place",
    "Variant",
    "Net P&L",
    "Return",
    "Sharpe",
    "Drawdown",
    "Fees",
    "Fills",
    "Details",
)
RIGHT = (0, *range(2, 8))
"""The columns of numbers."""
SPARE = ("Details", "Fees", "Fills", "Return")
"""Columns that a narrow terminal leaves out, in this order, except the one that ranks."""


def sweep(
    options: BacktestOptions,
    config: CoordinatorConfig,
    place: Path | str,
    stop: StopSignals,
    *,
    keep: int | None,
    by: str | None,
    json: bool,
) -> bool:
    """Play a sweep into the warehouse and print its ranking; returns whether all was played."""
    from cli.loading import load_played
    from coordinator.backtest import Sweep

    test, by, keep = Sweep(options, config), by or BY, KEPT if keep is None else keep
    sessions = 0
    with progress(test.test.minutes) as advance:
        for session in test.play(advance, lambda: stop.requested):
            load_played(session, place)
            sessions += 1
    variants = _ranked(test, place, by) if sessions else []
    best = [str(one["strategy"]) for one in variants[:keep]]
    detailed = _detail(test, best, sessions, place, stop)
    if detailed:
        variants = _ranked(test, place, by)
    (_print_json if json else _print)(test, variants, sessions, by, place)
    complete = sessions == test.test.sessions and detailed == (sessions if best else 0)
    for warning in filter(None, (test.test.gaps, test.leaps.warning)):
        complain(f"Warning: {warning}")
    if test.failing:
        complain(f"Warning: {test.warning}")
        if complete:
            raise typer.Exit(ANYTHING_ELSE)
    return complete


def _detail(
    test: Sweep, best: list[str], sessions: int, place: Path | str, stop: StopSignals
) -> int:
    """Add the details of the best variants; returns the number of sessions that have them.

    A stop that already ended the sweep does not end this; a later one does.
    """
    from warehouse import LoadStatus, Store, add_details

    was_stopped = stop.requested
    detailed = 0
    with apart_from_output():
        for session in test.in_detail(best, sessions, lambda: stop.requested and not was_stopped):
            with Store.open(place) as store:
                result = add_details(store, session.session_id, best, session.rows())
            if result.status is LoadStatus.INCOMPLETE:
                complain(f"Warning: {result.message}")
            detailed += 1
    return detailed


def _ranked(test: Sweep, place: Path | str, by: str) -> list[dict[str, Any]]:
    from warehouse import Store, ranked

    with Store.open_read_only(place) as store:
        return ranked(store, test.test.account, by)


def _print(
    test: Sweep, variants: list[dict[str, Any]], sessions: int, by: str, place: Path | str
) -> None:
    from cli.tables import print_table

    left_out = print_table(
        HEADINGS,
        [_row(rank, one) for rank, one in enumerate(variants[:SHOWN], 1)],
        right=RIGHT,
        title=f"{len(test.names):,} variants, {sessions} of {test.test.sessions} sessions, by {by};"
        f" fills: {test.test.model}.",
        spare=[name for name in SPARE if name != by.title()],
    )
    if left_out:
        typer.echo(f"This terminal is too narrow for {', '.join(left_out)}; --json has all.")
    if len(variants) > SHOWN:
        typer.echo(f"{len(variants) - SHOWN:,} more in v_sweep; --json prints them all.")
    if variants and (caution := test.caution(sessions)):
        typer.echo(caution)
    if test.left_out:
        typer.echo(f"{test.left_out:,} combinations make no valid strategy and were left out.")
    typer.echo(f"Account {test.test.account} in the warehouse {place}")


def _row(rank: int, variant: Mapping[str, Any]) -> Sequence[str]:
    """A variant's cells under HEADINGS."""
    return (
        str(rank),
        str(variant["strategy"]),
        f"{variant['net_pnl']:z,.2f}",
        f"{variant['total_return']:+z.2%}",
        "" if variant["sharpe"] is None else f"{variant['sharpe']:z.2f}",
        f"{variant['max_drawdown']:.2%}",
        f"{variant['fees']:,.2f}",
        f"{variant['fills']:,}",
        "kept" if variant["days_in_detail"] else "",
    )


def _print_json(
    test: Sweep, variants: list[dict[str, Any]], sessions: int, by: str, place: Path | str
) -> None:
    import json

    from cli.tables import print_json

    document = {
        "account": test.test.account,
        "mode": "backtest",
        "fill_model": test.test.model,
        "sessions": sessions,
        "by": by,
        "left_out": test.left_out,
        "failing": [asdict(one) for one in test.failing.values()],
        "variants": [{**one, "swept": json.loads(one["swept"])} for one in variants],
        "warehouse": str(place),
    }
    print_json(document)
