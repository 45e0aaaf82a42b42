"""`kill` sells every strategy's positions, whether coordinators run or not; `revive` ends it.

The kill is written to the journal before anything else, so that it holds whether or not a
coordinator runs, the broker answers or a market is open. Running coordinators are told over their
sockets; otherwise they would read it in the journal within half a second.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from coordinator.commands.accounts import OPERATOR, Account, Operator, mode_of
from coordinator.commands.liquidation import (
    Remainder,
    find_reach,
    liquidate,
    remainder_of,
    what_became_of,
    what_is_left,
)
from coordinator.core import records as r
from coordinator.errors import BrokerError, MultiTraderError, OperatorError, SafetyRefusal
from coordinator.settings import SIMULATED
from coordinator.shell.alpaca_rest import AlpacaRest
from coordinator.shell.broker import Broker
from coordinator.shell.control_client import NoAnswer, ask
from coordinator.shell.control_protocol import Request, addresses
from coordinator.shell.journal import Journal
from coordinator.shell.journal_reading import read_newest
from coordinator.shell.journal_rows import Entry

CLOCK_S = 0.7
"""Local seconds to wait for the broker's clock; then the kill is written without it."""
NOTIFY_S = 1.0
"""Local seconds to wait for a coordinator's answer, whose content is not needed."""
WAIT_S = 90.0
"""Local seconds in which everything should be sold if its markets are open."""


@dataclass(frozen=True, slots=True)
class Revival:
    """An account that is not killed any more; `was_killed` says whether it had been."""

    account: str
    was_killed: bool


def kill(operator: Operator, *, wait_s: float = WAIT_S) -> list[Remainder]:
    """Kill every account, and wait until it is flat or nothing more can be sold from here.

    Raises:
        OperatorError: there is no account to kill.
        MultiTraderError: an account could not be killed or read; all others are killed and sold as
            far as possible, and `operator.say` has got what is left of them.
    """
    paths = operator.journals()
    if not paths:
        raise OperatorError(
            f"No account has books under {operator.home}, so nothing was killed; a simulated one"
            " counts while it runs. Does MULTI_TRADER_HOME name the folder of the coordinator?"
        )
    failure: MultiTraderError | None = None
    for path in list(paths):
        try:
            _write_kill(operator, path)
        except MultiTraderError as error:
            operator.say(f"{path.parent.name}: NOT KILLED: {error}")
            paths.remove(path)
            failure = error
    left = []
    for path in paths:
        try:
            left.append(liquidate(operator, path, wait_s))
        except MultiTraderError as error:
            operator.say(f"{path.parent.name}: killed, but nothing is sold from here: {error}")
            failure = error
    if failure is not None:
        for one in left:
            operator.say(what_became_of(one))
        raise failure
    return left


def revive(operator: Operator) -> list[Revival]:
    """End the kill of every account.

    Raises:
        SafetyRefusal: naming what is still held or open; flat accounts are revived nevertheless.
        MultiTraderError: an account could not be read; all others are revived or refused.
    """
    revived, refused = [], []
    failure: MultiTraderError | None = None
    for path in operator.journals():
        try:
            killed = _standing_kill(path) is not None
            left = _revive(operator, path) if killed else None
        except MultiTraderError as error:
            operator.say(f"{path.parent.name}: NOT REVIVED: {error}")
            failure = error
            continue
        if left is None or left.is_flat:
            revived.append(Revival(path.parent.name, killed))
        else:
            refused.append(left)
    if refused:
        raise SafetyRefusal("\n".join(map(_why_not, refused)))
    if failure is not None:
        for one in revived:
            operator.say(f"{one.account}: revived: strategies may buy again.")
        raise failure
    return revived


def _standing_kill(path: Path) -> r.Killed | None:
    newest = read_newest(path, r.Killed, r.Revived)
    return newest.record if newest and isinstance(newest.record, r.Killed) else None


def _write_kill(operator: Operator, path: Path) -> None:
    """Write the kill to the journal, unless it is in force, and tell running coordinators."""
    at = broker_time(operator, path)
    journal = Journal(path, path.parent.name, OPERATOR)
    standing: r.Killed | None = None

    def decided(others: Iterable[Entry]) -> list[r.Record]:
        nonlocal standing
        for entry in others:
            match entry.record:
                case r.Killed() as killed:
                    standing = killed
                case r.Revived():
                    standing = None
        return [] if standing else [r.Killed(at, operator.by)]

    try:
        journal.skip_to_end()
        standing = _standing_kill(path)
        journal.append_decided("", decided)
    finally:
        journal.close()
    since = f" already, at {standing.at:%Y-%m-%d %H:%M:%S} UTC by {standing.by}" if standing else ""
    _notify(operator, path)
    operator.say(f"{path.parent.name}: killed{since}. Nothing is bought until it is revived.")


def _notify(operator: Operator, path: Path) -> None:
    """Tell the running coordinators; those that do not answer read it in the journal."""
    request = Request(do="kill", by=operator.by)
    for address in addresses(path.parent):
        with suppress(NoAnswer):
            ask(address, request, patience_s=NOTIFY_S)


def broker_time(operator: Operator, path: Path) -> datetime:
    """The broker's time if it answers at once, else the journal's, else this machine's."""
    newest = read_newest(path)
    known = newest.record.at if newest else datetime.now(UTC)
    mode = mode_of(path)
    if mode == SIMULATED:
        return known
    answers: list[datetime] = []

    def ask() -> None:
        try:
            rest = AlpacaRest(operator.settings(mode), timeout_s=CLOCK_S)
            answers.append(Broker(rest, feed="iex").clock())
        except (BrokerError, OperatorError):
            return  # the journal's time will do

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(CLOCK_S)
    return answers[0] if answers else known


def _revive(operator: Operator, path: Path) -> Remainder:
    """Revive an account if it is flat; returns what is left in it."""
    with Account.open(path) as account:
        left = remainder_of(account, None, "")
        reach, problem = find_reach(operator, path) if left.held else (None, "")
        left = remainder_of(account, reach, problem)  # fetches the assets before taking the lock
        at = broker_time(operator, path)

        def decided() -> list[r.Record]:
            nonlocal left
            left = remainder_of(account, reach, problem)
            return [r.Revived(at, operator.by)] if left.is_flat else []

        account.decide("", decided)
        return left


def _why_not(left: Remainder) -> str:
    why = left.problem.rstrip(".")
    crumbs = f" Whether it could be ordered nobody can say: {why}." if why else ""
    return (
        f"{left.account} is not revived: {what_is_left(left)}.{crumbs} Run `multi-trader kill`"
        " again while its market is open, which gets out what is left, and then `multi-trader"
        " revive`."
    )
