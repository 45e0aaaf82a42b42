"""`multi-trader kill` and `multi-trader revive`: sell everything, and allow buying again."""

from __future__ import annotations

import typer

from cli.faults import ANYTHING_ELSE, plainly
from cli.logs import configure_logging
from cli.operator import operator
from cli.options import AsJson, BrokerSpeed, LogLevel
from cli.tables import print_json


@plainly
def kill(
    clock_speed: BrokerSpeed = 1.0, json: AsJson = False, log_level: LogLevel = "INFO"
) -> None:
    """Cancel and sell everything; buy nothing until `revive`.

    Works on every account under MULTI_TRADER_HOME, whether a coordinator runs or not. What no
    strategy owns stays. If a market is closed, orders are cancelled now and the next coordinator
    sells at the open. Exit 1 if something is left that could have been sold.

    \b
    Example:
      multi-trader kill
    """
    configure_logging(log_level)
    from coordinator.commands.kill import kill as kill_all
    from coordinator.commands.liquidation import what_became_of

    left = kill_all(operator(clock_speed))
    if json:
        print_json(
            [
                {"account": one.account, "flat": one.is_flat, "told": what_became_of(one)}
                for one in left
            ]
        )
    for account in () if json else left:
        typer.echo(what_became_of(account))
    if any(not (account.is_flat or account.closed) for account in left):
        raise typer.Exit(ANYTHING_ELSE)


@plainly
def revive(
    clock_speed: BrokerSpeed = 1.0, json: AsJson = False, log_level: LogLevel = "INFO"
) -> None:
    """End a kill: strategies may buy again.

    Refused (exit 3) while a strategy still holds something that could be sold.

    \b
    Example:
      multi-trader revive
    """
    configure_logging(log_level)
    from coordinator.commands.kill import revive as revive_all

    revivals = revive_all(operator(clock_speed))
    if json:
        print_json([{"account": one.account, "was_killed": one.was_killed} for one in revivals])
        return
    for one in revivals:
        was = "revived: strategies may buy again" if one.was_killed else "was not killed"
        typer.echo(f"{one.account}: {was}.")
    if not revivals:
        typer.echo("No account is killed.")
