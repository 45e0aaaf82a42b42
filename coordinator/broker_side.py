"""The broker's own lists of an account's fills and fees, which the end of day compares."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from coordinator.commands.accounts import Operator, Reach
from coordinator.core import records as r
from coordinator.core.attribution import KINDS
from coordinator.core.records import ActivityKind
from coordinator.errors import BrokerError, CredentialsError, OperatorError, SafetyRefusal
from coordinator.settings import home_folder
from coordinator.shell.fields import EARLIEST
from coordinator.shell.folders import JOURNAL
from coordinator.shell.journal_reading import read_kinds

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
    """The account's `fills` and `fees` since a time, as rows; or a sentence why they are unknown.

    Fills and fees from before the account's books began are left out.
    """
    if mode in NO_BROKER:
        return f"a {mode} session has no broker's account"
    try:
        broker = Reach.of(operator, account, mode).broker
        fills, activities = broker.fills(since), broker.activities(since.date())
    except CredentialsError:
        return "there are no keys in the environment"
    except (OperatorError, SafetyRefusal, BrokerError) as error:
        return str(error)
    before, adopted_at = _known_before(operator, account)
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
            if fill.execution.execution_id not in before and fill.execution.at >= adopted_at
        ],
        "fees": [
            {"activity_id": a.activity_id, "day": a.day, "amount": a.net_amount}
            for a in activities
            if KINDS.get(a.kind) is ActivityKind.FEE and a.activity_id not in before
        ],
    }


def _known_before(operator: Operator, account: str) -> tuple[set[str], datetime]:
    """The ids of the account's history when its books began, and that time."""
    entries = read_kinds(operator.home / account / JOURNAL, r.AccountAdopted)
    for record in (entry.record for entry in entries):
        if isinstance(record, r.AccountAdopted):
            return set(record.known), record.at
    return set(), EARLIEST
