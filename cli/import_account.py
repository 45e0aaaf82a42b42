"""`multi-trader import-account`: moves what no strategy owns to strategies, or back, by a plan."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.faults import ANYTHING_ELSE, complain, plainly
from cli.logs import configure_logging
from cli.operator import agreed, operator
from cli.options import AccountNumber, BrokerSpeed, LogLevel, StrategiesDir
from cli.tables import print_json, print_table, quantity

if TYPE_CHECKING:
    from coordinator.commands.import_account import Importing
    from coordinator.core.adoption import Move, Plan, Unowned

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Configuration with the strategies that may receive something.",
    ),
]
PlanFile = Annotated[
    Path | None, typer.Option("--plan", metavar="FILE", help="Carry out this plan.")
]
FormFile = Annotated[
    Path | None,
    typer.Option("--write-plan", metavar="FILE", help="Write a plan to fill in; moves nothing."),
]


@plainly
def import_account(
    config: Config = None,
    strategies: StrategiesDir = None,
    plan: PlanFile = None,
    write_plan: FormFile = None,
    account: AccountNumber = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before moving.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    clock_speed: BrokerSpeed = 1.0,
    log_level: LogLevel = "WARNING",
) -> None:
    """Give strategies what the account holds, or take it back.

    Without a plan, it shows the positions and the cash that no strategy owns, and changes nothing.
    With a plan, it shows what would move, asks, and moves it in the books; at the broker nothing
    happens. A negative amount takes from a strategy's book: shares that you sold by hand, or the
    cash of a strategy that you no longer run. A plan is carried out completely or not at all, and
    only once. A coordinator may run meanwhile. Exit 1 if you say no, 3 if the plan cannot be
    carried out.

    The account is the one that the keys belong to; that of a running simulated session is used
    with --account SIM0001, or without keys.

    \b
    Example:
      multi-trader import-account --config my.json --write-plan plan.json
      multi-trader import-account --config my.json --plan plan.json
    """
    if plan is not None and write_plan is not None:
        raise typer.BadParameter("--plan carries a plan out and --write-plan writes one: take one.")
    configure_logging(log_level)
    from coordinator.commands.import_account import importing
    from coordinator.commands.import_plan import read_plan
    from coordinator.config import load_config
    from coordinator.errors import OperatorError

    if write_plan is not None and write_plan.exists():
        raise OperatorError(f"{write_plan}: exists, and is left as it is; choose another name.")
    known = None if config is None else load_config(config, strategies)
    wanted = None if plan is None else read_plan(plan)
    with importing(operator(clock_speed), known, account) as found:
        if wanted is not None:
            _carry_out(found, wanted, sure=yes)
            return
        _show(found, as_json=json)
        if write_plan is not None:
            with write_plan.open("x", encoding="utf-8") as file:
                file.write(found.form())
            complain(
                f"{write_plan}: fill in each position's strategy, then carry it out with --plan."
            )


def _carry_out(account: Importing, plan: Plan, *, sure: bool) -> None:
    if account.is_done(plan):
        typer.echo(f"Plan {plan.id} was carried out before; nothing is moved again.")
        return
    account.check(plan)
    rows = [_row(move, account.price(move.symbol)) for move in plan.moves]
    print_table(("Strategy", "What", "Qty", "Price", "Value"), rows, right=range(2, 5))
    if not sure and not agreed("Move this in the books?"):
        complain("Nothing was moved.")
        raise typer.Exit(ANYTHING_ELSE)
    if account.carry_out(plan):
        typer.echo(f"Plan {plan.id} is carried out: {len(plan.moves)} moved.")
    else:
        typer.echo(f"Plan {plan.id} was carried out before; nothing is moved again.")


def _row(move: Move, price: Decimal | None) -> tuple[str, ...]:
    if not move.symbol or price is None:
        return move.strategy, "cash", "", "", _dollars(move.cash)
    worth = _dollars(move.qty * price)
    return move.strategy, move.symbol, quantity(move.qty), _dollars(price), worth


def _show(account: Importing, *, as_json: bool) -> None:
    held, number = account.unowned(), account.reach.account
    if as_json:
        document = {
            "account": number,
            "cash": account.cash,
            "positions": list(_entries(held)),
            "left_behind": account.left_behind,
        }
        print_json(document)
        return
    if held:
        rows = [
            (
                one.symbol,
                quantity(one.qty),
                _dollars(one.avg_price),
                _dollars(one.price),
                _dollars(one.value),
            )
            for one in held
        ]
        headings = ("Symbol", "Qty", "Average price", "Price", "Market value")
        print_table(headings, rows, right=range(1, 5), title=f"{number}: owned by no strategy")
    else:
        typer.echo(f"{number}: every position is some strategy's.")
    for one in held:
        if one.held_by:
            theirs = ", ".join(f"{name} {quantity(qty)}" for name, qty in one.held_by.items())
            typer.echo(f"{one.symbol} left the account without an order of its holders: {theirs}")
    typer.echo(f"Cash that no strategy owns: {_dollars(account.cash)}")
    if account.left_behind:
        theirs = ", ".join(f"{name} {_dollars(cash)}" for name, cash in account.left_behind.items())
        typer.echo(f"Cash of strategies that the configuration does not run: {theirs}")


def _entries(held: Iterable[Unowned]) -> Iterable[dict[str, object]]:
    for one in held:
        yield {
            "symbol": one.symbol,
            "qty": one.qty,
            "avg_price": one.avg_price,
            "price": one.price,
            "market_value": one.value,
            "held_by": one.held_by,
        }


def _dollars(amount: Decimal | None) -> str:
    from coordinator.core.amounts import dollars

    return "unknown" if amount is None else dollars(amount)
