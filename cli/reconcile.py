"""`multi-trader reconcile`: compares the broker's account with the books."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from cli.faults import ANYTHING_ELSE, complain, plainly
from cli.logs import configure_logging
from cli.operator import operator
from cli.options import AccountNumber, BrokerSpeed, LogLevel
from cli.tables import print_json, print_table, quantity

if TYPE_CHECKING:
    from coordinator.commands.reconcile import Difference, Reconciliation

Accept = Annotated[
    str | None,
    typer.Option("--accept", metavar="ID", help="Accept the difference with this id."),
]


@plainly
def reconcile(
    accept: Accept = None,
    account: AccountNumber = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    clock_speed: BrokerSpeed = 1.0,
    log_level: LogLevel = "WARNING",
) -> None:
    """Compare the books with the broker's account.

    Exit 0 if they agree, or will once a coordinator has booked what the broker's lists explain,
    such as a trade by hand; 1 on a discrepancy. Comparing changes nothing, and a coordinator may
    run meanwhile. --accept books the difference, as it is shown, to or from UNASSIGNED. Then
    entries on its ticker are allowed again, and the journal records who accepted it.

    The account is the one that the keys belong to; that of a running simulated session is compared
    with --account SIM0001, or without keys.

    \b
    Example:
      multi-trader reconcile
      multi-trader reconcile --accept position.SPY
    """
    configure_logging(log_level)
    from coordinator.commands.reconcile import reconcile as compare

    found = compare(operator(clock_speed), accepted=accept, account=account)
    if json:
        print_json(_document(found))
    else:
        _show(found)
    if found.differences:
        raise typer.Exit(ANYTHING_ELSE)


def _show(found: Reconciliation) -> None:
    if found.accepted is not None:
        typer.echo(f"{found.account}: {found.accepted.id} is accepted.")
    for line in found.explained:
        typer.echo(f"{found.account}: explained, and booked by a coordinator's next look: {line}")
    if not found.differences:
        agree = "will agree once that is booked" if found.explained else "agree"
        at = f"{found.at:%Y-%m-%d %H:%M:%S} UTC"
        typer.echo(f"{found.account}: books and broker {agree}, at {at}.")
        return
    headings = ("Id", "Ours", "Broker's", "Difference", "State")
    rows = [
        (d.id, quantity(d.ours), quantity(d.brokers), quantity(d.off), _state(d))
        for d in found.differences
    ]
    print_table(headings, rows, right=range(1, 4))
    complain(
        f"{found.account}: the books and the broker differ. Find out why; where the broker is"
        " right, accept its figure with --accept ID."
    )


def _state(difference: Difference) -> str:
    states = []
    if difference.frozen_at is not None:
        states.append(f"frozen since {difference.frozen_at:%Y-%m-%d %H:%M:%S}")
    if difference.in_flight:
        states.append("an order is open")
    return ", ".join(states) or "-"


def _document(found: Reconciliation) -> dict[str, object]:
    """The result as JSON values; amounts become strings, so that no digit is lost."""
    document = asdict(found)
    document["differences"] = [{**asdict(one), "difference": one.off} for one in found.differences]
    return document
