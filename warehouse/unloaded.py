"""The bookings of sessions that are not loaded, for the end of day of another on their account.

Coordinators may share an account, so the broker's lists contain the executions and fees of all. A
session that still runs, or has only just ended, is not in the warehouse; its journal has what it
has booked so far. Whatever it booked, or may have done while it ran, is left to its own end of day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from warehouse.frames import Row, as_mappings
from warehouse.load import SessionSource
from warehouse.schemas import UNASSIGNED


@dataclass(frozen=True, slots=True)
class Unloaded:
    """Such a session: the broker's ids of its orders and fees, and its `unowned` executions by id.

    Unowned executions are of orders that no strategy sent. An open session has no `closed_at`.
    """

    account: str
    mode: str
    opened_at: datetime
    closed_at: datetime | None
    orders: frozenset[str]
    fees: frozenset[str]
    unowned: Mapping[str, Row]

    def lasts_at(self, moment: datetime) -> bool:
        """Whether it was running then."""
        return self.opened_at <= moment and (self.closed_at is None or moment <= self.closed_at)


@dataclass(frozen=True, slots=True)
class UnloadedSessions:
    """The sessions of one account that are not loaded."""

    sessions: tuple[Unloaded, ...]

    @classmethod
    def on(cls, account: str, mode: str, sessions: Iterable[Unloaded]) -> UnloadedSessions:
        """Those of one account and mode."""
        return cls(tuple(s for s in sessions if (s.account, s.mode) == (account, mode)))

    @property
    def orders(self) -> set[str]:
        """The broker's ids of their orders."""
        return {order for session in self.sessions for order in session.orders}

    def unowned_since(self, since: datetime) -> dict[str, Row]:
        """Their unowned executions from `since` on, by id."""
        booked = (item for session in self.sessions for item in session.unowned.items())
        return {name: row for name, row in booked if row["filled_at"] >= since}

    def may_move(self, order: Row) -> bool:
        """Whether they may have moved an earlier session's order: theirs now, or still open."""
        later = any(session.opened_at > order["opened_at"] for session in self.sessions)
        return order["id"] in self.orders or bool(order["rests"] and later)

    def is_outside(self, fill: Row) -> bool:
        """Whether an execution happened while none of them was running."""
        return not any(session.lasts_at(fill["filled_at"]) for session in self.sessions)

    def may_book(self, fee: Row, known: Mapping[str, Row]) -> bool:
        """Whether one of them has booked a fee, or may still book one that is not `known`."""
        name, unknown = fee["activity_id"], fee["activity_id"] not in known
        return any(
            name in session.fees
            or (unknown and session.closed_at is None and fee["day"] >= session.opened_at.date())
            for session in self.sessions
        )


def read_unloaded(source: SessionSource) -> Unloaded:
    """A session's bookings so far, from its journal."""
    rows = {name: as_mappings(table) for name, table in source.rows().items()}
    (session,) = rows["sessions"]
    own = {
        row["client_order_id"]: row["broker_order_id"]
        for row in rows["orders"]
        if row["broker_order_id"] and row["strategy"] != UNASSIGNED
    }
    return Unloaded(
        session["account"],
        session["mode"],
        session["opened_at"],
        session["closed_at"],
        frozenset(own.values()),
        frozenset(
            row["activity_id"].removesuffix(".beyond")
            for row in rows["activities"]
            if row["kind"] == "fee"
        ),
        {
            row["execution_id"]: row
            for row in rows["fills"]
            if row["strategy"] == UNASSIGNED and row["client_order_id"] not in own
        },
    )
