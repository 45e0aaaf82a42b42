"""`multi-trader pause`, `resume` and `flatten`: act on one strategy, running or not."""

from __future__ import annotations

from dataclasses import asdict

import typer

from cli.faults import ANYTHING_ELSE, plainly
from cli.logs import configure_logging
from cli.operator import operator
from cli.options import (
    AccountNumber,
    AsJson,
    BrokerSpeed,
    CoordinatorName,
    LogLevel,
    StrategyName,
)
from cli.tables import print_json


@plainly
def pause(
    name: StrategyName,
    account: AccountNumber = None,
    coordinator: CoordinatorName = None,
    json: AsJson = False,
    log_level: LogLevel = "WARNING",
) -> None:
    """Let a strategy open nothing until `resume`.

    Its exits, stops and targets go on, and its indicators stay warm. It stays paused across
    restarts and days. If no coordinator runs, it takes effect at the next start.

    \b
    Example:
      multi-trader pause SPY_Adaptive
    """
    _control("pause", name, account, coordinator, json=json, log_level=log_level)


@plainly
def resume(
    name: StrategyName,
    account: AccountNumber = None,
    coordinator: CoordinatorName = None,
    json: AsJson = False,
    log_level: LogLevel = "WARNING",
) -> None:
    """Let a paused or flattened strategy open positions again.

    \b
    Example:
      multi-trader resume SPY_Adaptive
    """
    _control("resume", name, account, coordinator, json=json, log_level=log_level)


@plainly
def flatten(
    name: StrategyName,
    account: AccountNumber = None,
    coordinator: CoordinatorName = None,
    json: AsJson = False,
    clock_speed: BrokerSpeed = 1.0,
    log_level: LogLevel = "WARNING",
) -> None:
    """Sell what a strategy holds, cancel its buys, and pause it.

    It buys nothing until `resume`. If its market is closed, it sells at the next open. If no
    coordinator runs, the command itself sells. Exit 1 if something is left that could have been
    sold.

    \b
    Example:
      multi-trader flatten SPY_Adaptive
    """
    _control(
        "flatten",
        name,
        account,
        coordinator,
        json=json,
        log_level=log_level,
        clock_speed=clock_speed,
    )


def _control(
    act: str,
    name: str,
    account: str | None,
    coordinator: str | None,
    *,
    json: bool,
    log_level: str,
    clock_speed: float = 1.0,
) -> None:
    configure_logging(log_level)
    from coordinator.commands.control import control
    from coordinator.core.messages import Act

    by = operator(clock_speed)
    result = control(by, Act(act), name, account=account, coordinator=coordinator)
    if json:
        print_json(asdict(result))
    else:
        typer.echo(result.sentences())
    if not result.is_whole:
        raise typer.Exit(ANYTHING_ELSE)
