"""`kill` and `revive`: everything out, whoever runs; and the way back once everything is out.

The kill is in the journal before anything else is tried, so that it holds whether a coordinator
runs, the broker answers, or a market is open. Those that run are told at once over their sockets;
they would hear of it from the journal within half a second.
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
    look,
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
"""Local seconds for which the broker's clock is waited for, before the kill is written without."""
HURRY_S = 1.0
"""Local seconds for which a coordinator's answer is waited for; what it says is not needed."""
WAIT_S = 90.0
"""Local seconds in which everything should be out while its markets are open."""


@dataclass(frozen=True, slots=True)
class Revival:
    """Whether an account was killed, and so was revived."""

    account: str
    was_killed: bool


def kill(operator: Operator, *, wait_s: float = WAIT_S) -> list[Remainder]:
    """Kill every account that matters, and wait until it is out, or cannot be any sooner.

    Raises:
        OperatorError: there is no account to kill.
        MultiTraderError: an account could not be killed or looked at; all others are, and are out
            as far as they can be, which is said.
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
        SafetyRefusal: naming what is still held or open; accounts that are flat are revived.
        MultiTraderError: an account could not be looked at; all others are revived, or refused.
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
    """Make the kill durable, before anything that could take long."""
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
    _hurry(operator, path)
    operator.say(f"{path.parent.name}: killed{since}. Nothing is bought until it is revived.")


def _hurry(operator: Operator, path: Path) -> None:
    """Tell the coordinators that run; the journal tells those that do not hear."""
    asked = Request(do="kill", by=operator.by)
    for address in addresses(path.parent):
        with suppress(NoAnswer):
            ask(address, asked, patience_s=HURRY_S)


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
    """Revive an account if it is flat; what is left if it is not."""
    with Account.open(path) as account:
        left = look(account, None, "")
        reach, problem = find_reach(operator, path) if left.held else (None, "")
        left = look(account, reach, problem)  # asks the broker what it must, before the lock
        at = broker_time(operator, path)

        def decided() -> list[r.Record]:
            nonlocal left
            left = look(account, reach, problem)
            return [r.Revived(at, operator.by)] if left.is_flat else []

        account.decide("", decided)
        return left


def _why_not(left: Remainder) -> str:
    why = left.problem.rstrip(".")
    crumbs = f" Whether it could be ordered nobody can say: {why}." if why else ""
    return (
        f"{left.account} is not revived: {what_is_left(left)}.{crumbs} Run `multi-trader kill`"
        " again, which gets out what is left, and then `multi-trader revive`."
    )
