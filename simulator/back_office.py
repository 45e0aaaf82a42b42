"""What happens to the account without the client: activities, busts and a human's orders.

Rule: each act is done at once, and the exchange publishes what follows from it. What cannot be done
(nothing to bust, a human's order refused) is logged and changes nothing.
"""

import logging
from typing import assert_never

from simulator.activities import Activity
from simulator.amends import bust, correct
from simulator.errors import Rejection
from simulator.faults import OfficeFault
from simulator.faults.account import (
    Bust,
    CashDrift,
    Correct,
    HandCancel,
    HandOrder,
    HandReplace,
    PositionDrift,
    PostActivity,
)
from simulator.hands import cancel_all, place, replace_one
from simulator.ledger import Move
from simulator.market import Market
from simulator.money import ZERO
from simulator.postings import post
from simulator.venue import Venue

log = logging.getLogger("simulator")


class BackOffice:
    """The broker's and other people's acts on one account.

    posted: activities so far, in order. silent: ids of orders that the stream never reports.
    """

    def __init__(self, venue: Venue) -> None:
        self.posted: list[Activity] = []
        self.silent: set[str] = set()
        self._venue = venue

    def carry_out(self, fault: OfficeFault, market: Market) -> None:
        """Carry out a fault of the script; one that cannot be is logged."""
        try:
            done = self._carry_out(fault, market)
        except Rejection as refusal:
            log.warning("%s at %s was refused: %s", type(fault).__name__, market.now, refusal)
        else:
            if not done:
                log.warning("%s at %s found nothing to act on", type(fault).__name__, market.now)

    def _carry_out(self, fault: OfficeFault, market: Market) -> bool:
        venue = self._venue
        match fault:
            case PostActivity():
                posted = post(venue.ledger, fault, market, venue.ids)
                self.posted += posted
                return bool(posted)
            case HandOrder():
                order = place(venue, market, fault.symbol, fault.side, fault.qty)
                if fault.silent:
                    self.silent.add(order.id)
                return True
            case HandCancel():
                return cancel_all(venue, market, fault.symbol)
            case HandReplace():
                return replace_one(venue, market, fault.symbol, fault.qty)
            case Bust():
                return bust(venue, fault.symbol, market.now)
            case Correct():
                return correct(venue, fault.symbol, fault.price, fault.qty, market.now)
            case CashDrift():
                venue.ledger.pay(fault.amount)
                return True
            case PositionDrift():
                bar = market.last(fault.symbol)
                venue.ledger.move(fault.symbol, Move(fault.qty, bar.close if bar else ZERO))
                return True
            case _:
                assert_never(fault)


def next_number(account_number: str) -> str:
    """Another account number of the same form."""
    name = account_number.rstrip("0123456789")
    digits = account_number.removeprefix(name)
    return f"{name}{int(digits or 1) + 1:0{len(digits)}d}"
