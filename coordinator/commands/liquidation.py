"""Liquidates all strategies or some of them, at an operator's request.

A running coordinator sells its strategies' positions itself. Those of a coordinator that does not
run are sold here, in a session under its name and leases, as far as markets are open.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from coordinator.commands.accounts import Account, Operator, Reach, mode_of
from coordinator.core import records as r
from coordinator.core.flat import Held, sellable
from coordinator.core.operator import in_words
from coordinator.core.setup import Setup
from coordinator.core.values import exactly
from coordinator.errors import BrokerError, OperatorError, SafetyRefusal
from coordinator.settings import SIMULATED
from coordinator.shell.flatten import flatten
from coordinator.shell.lease import Leases, is_running
from coordinator.shell.run import Run

POLL_S = 0.25
AGAIN_S = 5.0
"""Local seconds between two attempts to sell in a session of our own."""
NEVER_RUN = (
    "no coordinator has run {} yet, so none keeps that book: start the one whose configuration"
    " names it, which sells and buys nothing, or take the shares back by `multi-trader"
    " import-account`"
)


@dataclass(frozen=True, slots=True)
class Remainder:
    """What an account, or some of its strategies, still holds while it is being liquidated.

    `orders` are the client order ids that may still be open; `closed` says that the markets of all
    that is held are closed. `frozen` are the open discrepancies. `problem` says why nothing could
    be done from here, or is ''.
    """

    account: str
    held: tuple[Held, ...] = ()
    orders: tuple[str, ...] = ()
    closed: bool = False
    frozen: tuple[str, ...] = ()
    problem: str = ""

    @property
    def is_flat(self) -> bool:
        """Whether nothing is held or open."""
        return not self.held and not self.orders


def liquidate(
    operator: Operator, path: Path, wait_s: float, only: Collection[str] | None = None
) -> Remainder:
    """Wait for running coordinators to sell, and sell the positions of those that do not run.

    `only` names the strategies to be liquidated; None is all. The journal must already say so.
    """
    reach, problem = find_reach(operator, path)
    until_s, again_s, said = time.monotonic() + wait_s, 0.0, ""
    with Account.open(path) as account:
        while True:
            account.catch_up()
            left = remainder_of(account, reach, problem, only)
            alone = reach is None and not is_running(account.number, operator.leases_folder)
            if left.is_flat or alone or time.monotonic() >= until_s:
                return left
            if (words := what_is_left(left)) != said:
                operator.say(f"{account.number}: {words}")
                said = words
            if reach is not None and time.monotonic() >= again_s:
                again_s = time.monotonic() + AGAIN_S
                problem = _act(operator, account, reach, left, until_s)
                account.catch_up()
                left = remainder_of(account, reach, problem, only)
                if not left.orders and _is_closed(reach, left):
                    return replace(left, closed=True)
            time.sleep(POLL_S)


def find_reach(operator: Operator, path: Path) -> tuple[Reach | None, str]:
    """The account's broker, or why it cannot be reached from here."""
    mode = mode_of(path)
    if mode == SIMULATED:
        return None, "its simulator is embedded in the coordinator that runs"
    try:
        reach = Reach.of(operator, path.parent.name, mode)
    except (BrokerError, OperatorError) as error:
        return None, str(error)
    if mode == "live" and reach.settings.allow_live != reach.account:
        return None, f"MULTI_TRADER_ALLOW_LIVE must equal {reach.account} to trade here"
    return reach, ""


@exactly
def remainder_of(
    account: Account, reach: Reach | None, problem: str, only: Collection[str] | None = None
) -> Remainder:
    """What the books hold; with `reach`, only what the broker would take an order for."""
    found = sellable(account.books, {}, only)
    if found and reach is not None:
        try:
            found = sellable(account.books, reach.assets([h.symbol for h in found]), only)
        except BrokerError as error:
            problem = str(error)
    books = account.books
    orders = books.neighbours.orders.open()
    ids = tuple(o.client_order_id for o in orders if only is None or o.strategy in only)
    frozen = tuple(sorted(books.frozen))
    return Remainder(account.number, tuple(found), ids, frozen=frozen, problem=problem)


def _is_closed(reach: Reach, left: Remainder) -> bool:
    try:
        return bool(left.held) and reach.closed([h.symbol for h in left.held])
    except BrokerError:
        return False


def _act(
    operator: Operator, account: Account, reach: Reach, left: Remainder, until_s: float
) -> str:
    """Sell in a session of our own for each coordinator with a remainder that does not run.

    Returns what prevented it, or ''.
    """
    strategies = {h.strategy for h in left.held}
    orders = account.books.neighbours.orders
    strategies |= {order.strategy for name in left.orders if (order := orders.get(name))}
    owners = {account.owners[name] for name in strategies if name in account.owners}
    nobodys = sorted(strategies - account.owners.keys())
    problem = NEVER_RUN.format(", ".join(nobodys)) if nobodys else ""
    for coordinator in sorted(owners):
        own = [name for name, owner in account.owners.items() if owner == coordinator]
        with Leases(operator.leases_folder) as leases:
            try:
                leases.take_for_coordinator(
                    account.number, coordinator, host=reach.settings.account_host
                )
                leases.take_for_strategies(account.number, own, host=reach.settings.account_host)
            except SafetyRefusal:
                problem = f"the coordinator {coordinator} runs, and has to get out by itself"
                continue
            run = _run(operator, reach, account.opened[coordinator])
            deadline_s = max(until_s - time.monotonic(), 1.0)
            try:
                asyncio.run(flatten(run, reach.ports, deadline_s=deadline_s))
            except BrokerError as error:
                problem = str(error)
    return problem


def _run(operator: Operator, reach: Reach, opened: r.SessionOpened) -> Run:
    def check(account: str) -> None:
        if account != reach.account:
            raise SafetyRefusal(
                f"nothing was sold: the keys, {reach.account}'s until now, are those of account"
                f" {account}. Perhaps the account was reset: look at Alpaca's dashboard."
            )

    return Run(
        setup=Setup(
            coordinator=opened.coordinator,
            mode=opened.mode,
            feed=opened.feed,
            config_hash=opened.config_hash,
            specs=(),
            crypto_fee_rate=opened.crypto_fee_rate,
        ),
        settings=reach.settings,
        speed=operator.speed,
        check_account=check,
    )


def what_became_of(left: Remainder, again: str = "multi-trader kill") -> str:
    """The outcome for an account in words, with the command to try `again`."""
    if left.is_flat:
        flat = f"{left.account}: flat. No strategy holds what could be sold, and nothing is open."
        differs = " But the books and the broker differ: see `multi-trader reconcile`."
        return flat + (differs if left.frozen else "")
    still = f"{left.account}: {what_is_left(left)}."
    if left.closed:
        return (
            f"{still} Its market is closed. It is sold at the open by the coordinator that runs"
            f" then; if none does, run `{again}` again."
        )
    why = left.problem.rstrip(".")
    from_here = f" From here nothing could be done: {why}." if why else ""
    return f"{still}{from_here} Look at `multi-trader status`, and run `{again}` again."


def what_is_left(left: Remainder) -> str:
    """The positions and the orders that are left, in words."""
    parts = [f"{h.strategy} holds {in_words(h)}" for h in left.held]
    if left.orders:
        parts.append(f"{_listed(left.orders)} may still be open")
    return ", ".join(parts)


def _listed(orders: Iterable[str]) -> str:
    names = list(orders)
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"order {shown}" if len(names) == 1 else f"orders {shown}"
