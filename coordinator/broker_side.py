"""The broker's own lists of an account's fills and fees, which the end of day compares."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from coordinator.commands.accounts import Operator, Reach
from coordinator.core import records as r
from coordinator.core.attribution import KINDS
from coordinator.core.records import ActivityKind
from coordinator.errors import BrokerError, CredentialsError, OperatorError, SafetyRefusal
from coordinator.settings import home_folder
from coordinator.shell.broker import Broker
from coordinator.shell.fields import EARLIEST
from coordinator.shell.folders import JOURNAL
from coordinator.shell.journal_reading import read_outside_sessions

AskBroker = Callable[[str, str, datetime], "Rows | str"]
NO_BROKER = ("simulated", "backtest", "shadow")
Rows = Mapping[str, list[dict[str, Any]]]

log = logging.getLogger("coordinator")


def ask_broker(environment: Mapping[str, str] = os.environ, *, speed: float = 1.0) -> AskBroker:
    """A function (account, mode, since) -> `broker_side`, with the environment's credentials.

    `speed` is how many times as fast as the local clock the broker's clock may run.
    """
    operator = Operator(home_folder(environment), environment, "end of day", log.info, speed)
    return lambda account, mode, since: broker_side(operator, account, mode, since)


def broker_side(operator: Operator, account: str, mode: str, since: datetime) -> Rows | str:
    """The account's `fills` and `fees` since a time as rows, or a sentence why they are unknown."""
    if mode in NO_BROKER:
        return f"a {mode} session has no broker's account"
    try:
        broker = Reach.of(operator, account, mode).broker
        return listed(broker, operator.home / account / JOURNAL, since)
    except CredentialsError:
        return "there are no keys in the environment"
    except (OperatorError, SafetyRefusal, BrokerError) as error:
        return str(error)


def listed(broker: Broker, journal: Path, since: datetime) -> Rows:
    """The account's `fills` and `fees` since a time, as rows; those no session has are left out.

    Raises:
        BrokerError: the lists could not be read.
    """
    fills, activities = broker.fills(since), broker.activities(since.date())
    before, began_at = _outside_sessions(journal)
    return {
        "fills": [
            {
                "order_id": fill.order_id,
                "symbol": fill.symbol,
                "side": fill.side.value,
                "qty": fill.execution.qty,
                "price": fill.execution.price,
                "filled_at": fill.execution.at,
            }
            for fill in fills
            if fill.execution.execution_id not in before and fill.execution.at >= began_at
        ],
        "fees": [
            {"activity_id": a.activity_id, "day": a.day, "amount": a.net_amount}
            for a in activities
            if KINDS.get(a.kind) is ActivityKind.FEE
            and not a.is_void
            and a.activity_id not in before
        ],
    }


def _outside_sessions(journal: Path) -> tuple[set[str], datetime]:
    """The ids of what no session has to show, and when the account's books began.

    That is the account's history from before, and what was booked before its first session.
    """
    known, began_at = set[str](), EARLIEST
    for entry in read_outside_sessions(journal):
        match entry.record:
            case r.AccountAdopted() as adopted:
                known.update(adopted.known)
                began_at = adopted.at
            case r.FillBooked() as fill:
                known.add(fill.execution_id)
            case r.ActivityBooked() as activity:
                known.add(activity.activity_id)
            case _:
                pass
    return known, began_at
