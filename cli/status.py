"""`multi-trader status`: shows sessions, from running coordinators or from their journals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from cli.faults import ANYTHING_ELSE, complain, plainly
from cli.tables import print_json, print_table, quantity, utc_time

if TYPE_CHECKING:
    from coordinator.bootstrap import StatusView, StrategyView

SHADOW = "shadow"
"""Marks a strategy whose book is simulated."""
SPARE = ("Orders", "Entries", "Cash", "PnL", "Positions")
"""Columns that a narrow terminal leaves out, in this order."""


@plainly
def status(
    json: Annotated[bool, typer.Option("--json", help="Print JSON: a list of sessions.")] = False,
) -> None:
    """Show the sessions: cash, positions, open orders, P&L.

    The column Entries counts those of the day, the column Orders the open ones. Running
    coordinators are asked, and also report their streams. Other sessions are read from the journals
    under MULTI_TRADER_HOME; of a coordinator's simulated sessions only the newest is shown. Exit 1
    if a journal cannot be read; all others are shown.

    \b
    Example:
      multi-trader status
    """
    from coordinator.errors import MultiTraderError
    from coordinator.settings import home_folder
    from coordinator.status import read_status

    home = home_folder()
    unreadable: list[MultiTraderError] = []
    views = read_status(home, unreadable=unreadable.append)
    if json:
        print_json([asdict(view) for view in views])
    elif views:
        show(views)
    elif not unreadable:
        typer.echo(f"No session under {home} yet. Start one with: multi-trader run")
    for error in unreadable:
        complain(f"Not shown: {error}")
    if unreadable:
        raise typer.Exit(ANYTHING_ELSE)


def show(views: Sequence[StatusView]) -> None:
    """Print a table per session on stdout; running ones come last, nearest to the prompt.

    Each simulated session has its own account; only a coordinator's newest is shown.
    """
    shown = _worth_showing(views)
    if left_out := len(views) - len(shown):
        several = "sessions are" if left_out > 1 else "session is"
        typer.echo(f"{left_out} older simulated {several} left out; --json has all.")
    headings = ("Strategy", "Cash", "Equity", "PnL", "Day PnL", "Entries", "Orders")
    absent: set[str] = set()
    for view in sorted(shown, key=lambda view: view.is_running):
        heading = f"{view.account}  {view.coordinator}  {view.session_id}  {view.mode}"
        absent |= set(
            print_table(
                (*headings, "Positions"),
                [*_rows(view.strategies), *(_row(one, SHADOW) for one in view.shadows)],
                right=range(1, 7),
                title="\n".join([f"{heading}  {_state(view)}", *_streams(view), *_warnings(view)]),
                spare=SPARE,
            )
        )
    if absent:
        columns = ", ".join(name for name in SPARE if name in absent)
        typer.echo(f"This terminal is too narrow for {columns}; --json has all.")


def _worth_showing(views: Sequence[StatusView]) -> list[StatusView]:
    """All views, but of each coordinator's simulated sessions only running ones and the newest."""
    from coordinator.settings import SIMULATED

    newest = {view.coordinator: view for view in views if view.mode == SIMULATED}
    return [
        view
        for view in views
        if view.mode != SIMULATED or view.is_running or view is newest[view.coordinator]
    ]


def _state(view: StatusView) -> str:
    from coordinator.settings import SIMULATED
    from coordinator.status import Unended

    if view.state is Unended.NOT_RUNNING and view.last_at is not None:
        go_on = "its simulator ended with it: a new run begins a new account"
        if view.mode != SIMULATED:
            go_on = "start it again to go on"
        return f"not running (nothing since {utc_time(view.last_at)}); {go_on}"
    silent = view.is_running and view.live is None
    return "running (no answer: it starts, ends, or is busy)" if silent else view.state


def _streams(view: StatusView) -> Iterator[str]:
    """The streams of a running session, its last bar, its delay and the time of its close."""
    if view.live is None:
        return
    streams = ", ".join(f"{name} {state}" for name, state in view.live.streams.items())
    last = f"last bar {utc_time(view.live.last_bar)}" if view.live.last_bar else "no bar yet"
    yield f"Streams: {streams}; {last}; closes at {utc_time(view.live.closes_at)}."
    yield f"Its loop was at most {view.live.lag_s * 1000:.0f} ms late in the last minute."
    if view.live.blind:
        yield f"No bars come of {', '.join(sorted(view.live.blind))}: nothing is bought of them."


def _warnings(view: StatusView) -> Iterator[str]:
    """What keeps the whole account from buying."""
    if view.killed:
        yield "KILLED: nothing is bought until `multi-trader revive`."
    for name, note in view.frozen.items():
        yield f"{name}: {note}. Nothing is bought of it; see `multi-trader reconcile`."


def _rows(strategies: Sequence[StrategyView]) -> Iterator[tuple[str, ...]]:
    """A row for each strategy, and below several the sums of all."""
    yield from map(_row, strategies)
    if len(strategies) > 1:
        amounts = ("cash", "equity", "pnl", "day_pnl")
        sums = [sum(getattr(one, name) for one in strategies) for name in amounts]
        counts = [
            sum(one.daily_trades for one in strategies),
            sum(o.open_orders for o in strategies),
        ]
        held = sum(1 for one in strategies for qty in one.positions.values() if qty)
        yield (
            f"All {len(strategies)}",
            *(f"{amount:z,.2f}" for amount in sums),
            *map(str, counts),
            str(held or "-"),
        )


def _row(one: StrategyView, *more: str) -> tuple[str, ...]:
    notes = [*more, one.halted] if one.halted else [*more]
    notes += [f"stopped: {one.stopped}"] if one.stopped else []
    name = f"{one.name} ({', '.join(notes)})" if notes else one.name
    amounts = (f"{amount:z,.2f}" for amount in (one.cash, one.equity, one.pnl, one.day_pnl))
    return (name, *amounts, str(one.daily_trades), str(one.open_orders), _positions(one))


def _positions(one: StrategyView) -> str:
    held = (f"{quantity(qty)} {symbol}" for symbol, qty in one.positions.items() if qty)
    return ", ".join(held) or "-"
