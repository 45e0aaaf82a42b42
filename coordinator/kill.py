"""`kill` and `revive`: everything out, whoever runs; and the way back once everything is out.

The kill is in the journal before anything else is tried, so that it holds whether a coordinator
runs, the broker answers, or a market is open. A coordinator that runs gets its own books out; what
nobody runs is got out here, under the leases of those whose books it is.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from coordinator.accounts import OPERATOR, Account, Operator, Reach, mode_of
from coordinator.core import records as r
from coordinator.core.flat import Held, held
from coordinator.core.values import exactly
from coordinator.errors import BrokerError, MultiTraderError, OperatorError, SafetyRefusal
from coordinator.shell.alpaca_rest import AlpacaRest
from coordinator.shell.broker import Broker
from coordinator.shell.flatten import flatten
from coordinator.shell.journal import Entry, Journal, read_newest
from coordinator.shell.lease import Leases, is_running
from coordinator.shell.session import Run

CLOCK_S = 0.7
"""Local seconds for which the broker's clock is waited for, before the kill is written without."""
WAIT_S = 90.0
"""Local seconds in which everything should be out while its markets are open."""
POLL_S = 0.25
AGAIN_S = 5.0
"""Local seconds between two looks at the broker's clock, and two tries with one's own session."""


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of an account after a kill.

    `orders` are the client order ids that may still be open; `closed` says that all that is held
    waits for its market to open. `frozen` are the discrepancies that stand. `problem` is why
    nothing could be done from here, if that is so.
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


@dataclass(frozen=True, slots=True)
class Revival:
    """Whether an account was killed, and so was revived."""

    account: str
    was_killed: bool


def kill(operator: Operator, *, wait_s: float = WAIT_S) -> list[Left]:
    """Kill every account that matters, and wait until it is out, or cannot be any sooner.

    Raises:
        OperatorError: there is no account to kill.
        MultiTraderError: an account could not be killed; all others are.
    """
    paths = operator.journals()
    if not paths:
        raise OperatorError(
            f"No account has books under {operator.home}, so nothing was killed. Does"
            " MULTI_TRADER_HOME name the folder of the coordinator that runs?"
        )
    failure: MultiTraderError | None = None
    for path in list(paths):
        try:
            _write_kill(operator, path)
        except MultiTraderError as error:
            operator.say(f"{path.parent.name}: NOT KILLED: {error}")
            paths.remove(path)
            failure = error
    left = [_get_out(operator, path, wait_s) for path in paths]
    if failure is not None:
        raise failure
    return left


def revive(operator: Operator) -> list[Revival]:
    """End the kill of every account.

    Raises:
        SafetyRefusal: naming what is still held or open; accounts that are flat are revived.
    """
    revived, refused = [], []
    for path in operator.journals():
        killed = _standing_kill(path) is not None
        left = _revive(operator, path) if killed else None
        if left is None or left.is_flat:
            revived.append(Revival(path.parent.name, killed))
        else:
            refused.append(left)
    if refused:
        raise SafetyRefusal("\n".join(map(_why_not, refused)))
    return revived


def _standing_kill(path: Path) -> r.Killed | None:
    newest = read_newest(path, r.Killed, r.Revived)
    return newest.record if newest and isinstance(newest.record, r.Killed) else None


def _write_kill(operator: Operator, path: Path) -> None:
    """Make the kill durable, before anything that could take long."""
    at = _time(operator, path)
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
    operator.say(f"{path.parent.name}: killed{since}. Nothing is bought until it is revived.")


def _time(operator: Operator, path: Path) -> datetime:
    """The broker's time if it answers at once, else the journal's, else this machine's."""
    newest = read_newest(path)
    known = newest.record.at if newest else datetime.now(UTC)
    mode = mode_of(path)
    if mode == "simulated":
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


def _get_out(operator: Operator, path: Path, wait_s: float) -> Left:
    """Wait for the coordinators that run, and get out what is nobody's to get out."""
    reach, problem = _reach(operator, path)
    until_s, again_s, told = time.monotonic() + wait_s, 0.0, ""
    with Account.open(path) as account:
        while True:
            account.catch_up()
            left = _left(account, reach, problem)
            alone = reach is None and not is_running(account.number, operator.leases_folder)
            if left.is_flat or alone or time.monotonic() >= until_s:
                return left
            if (words := what_is_left(left)) != told:
                operator.say(f"{account.number}: {words}")
                told = words
            if reach is not None and time.monotonic() >= again_s:
                again_s = time.monotonic() + AGAIN_S
                problem = _act(operator, account, reach, left, until_s)
                account.catch_up()
                left = _left(account, reach, problem)
                if not left.orders and _is_closed(reach, left):
                    return replace(left, closed=True)
            time.sleep(POLL_S)


def _reach(operator: Operator, path: Path) -> tuple[Reach | None, str]:
    """The account's broker, or why it cannot be reached from here."""
    mode = mode_of(path)
    if mode == "simulated":
        return None, "its simulator is embedded in the coordinator that runs"
    try:
        reach = Reach.of(operator, path.parent.name, mode)
    except (BrokerError, OperatorError) as error:
        return None, str(error)
    if mode == "live" and reach.settings.allow_live != reach.account:
        return None, f"MULTI_TRADER_ALLOW_LIVE must equal {reach.account} to trade here"
    return reach, ""


@exactly
def _left(account: Account, reach: Reach | None, problem: str) -> Left:
    """What the books say is held; the broker tells which crumbs could not be ordered."""
    found = held(account.books, {})
    if found and reach is not None:
        try:
            found = held(account.books, reach.assets([h.symbol for h in found]))
        except BrokerError as error:
            problem = str(error)
    books = account.books
    orders, frozen = tuple(books.elsewhere), tuple(sorted(books.frozen))
    return Left(account.number, tuple(found), orders, frozen=frozen, problem=problem)


def _is_closed(reach: Reach, left: Left) -> bool:
    try:
        return bool(left.held) and reach.closed([h.symbol for h in left.held])
    except BrokerError:
        return False


def _act(operator: Operator, account: Account, reach: Reach, left: Left, until_s: float) -> str:
    """Run a session of our own for each coordinator that left something and does not run.

    Returns what stands in the way, if anything does.
    """
    problem = ""
    strategies = {h.strategy for h in left.held} | {o.partition(".")[0] for o in left.orders}
    owners = {account.owners[name] for name in strategies if name in account.owners}
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
            raise SafetyRefusal(f"the keys are those of account {account} all at once")

    return Run(
        (),
        opened.coordinator,
        opened.mode,
        opened.feed,
        opened.config_hash,
        reach.settings,
        operator.speed,
        check,
    )


def _revive(operator: Operator, path: Path) -> Left:
    """Revive an account if it is flat; what is left if it is not."""
    with Account.open(path) as account:
        left = _left(account, None, "")
        reach, problem = _reach(operator, path) if left.held else (None, "")
        left = _left(account, reach, problem)  # asks the broker what it must, before the lock
        at = _time(operator, path)

        def decided() -> list[r.Record]:
            nonlocal left
            left = _left(account, reach, problem)
            return [r.Revived(at, operator.by)] if left.is_flat else []

        account.decide("", decided)
        return left


def _why_not(left: Left) -> str:
    crumbs = f" Whether it could be ordered nobody can say: {left.problem}." if left.problem else ""
    return (
        f"{left.account} is not revived: {what_is_left(left)}.{crumbs} Run `multi-trader kill`"
        " again, which gets out what is left, and then `multi-trader revive`."
    )


def what_is_left(left: Left) -> str:
    """The positions and the orders that are left, in words."""
    parts = [f"{h.strategy} holds {_plain(h)} {h.symbol}" for h in left.held]
    if left.orders:
        parts.append(f"{_listed(left.orders)} may still be open")
    return ", ".join(parts)


def _plain(position: Held) -> str:
    text = f"{position.qty:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _listed(orders: Iterable[str]) -> str:
    names = list(orders)
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"order {shown}" if len(names) == 1 else f"orders {shown}"
