"""What sessions that are not loaded have booked, for the end of day of another on their account.

Two coordinators share one account, so the broker lists the doings of both. Of one that is traded
now, or has only just ended, the warehouse has nothing; its journal tells what it has booked so far,
and it alone can have done what happened while it lasted. That is left for its own end of day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from warehouse.load import SessionSource
from warehouse.schemas import UNASSIGNED

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Underway:
    """One such session: the ids of its orders and fees are the broker's, and `unowned` are its
    executions of nobody's orders, by their ids. It is traded still where it was not closed."""

    account: str
    mode: str
    opened_at: datetime
    closed_at: datetime | None
    orders: frozenset[str]
    fees: frozenset[str]
    unowned: Mapping[str, Row]

    def lasts_at(self, moment: datetime) -> bool:
        """Whether it was traded then."""
        return self.opened_at <= moment and (self.closed_at is None or moment <= self.closed_at)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """All sessions of one account that are not loaded."""

    sessions: tuple[Underway, ...]

    @classmethod
    def on(cls, account: str, mode: str, sessions: Iterable[Underway]) -> Elsewhere:
        """Those of one account and mode."""
        return cls(tuple(s for s in sessions if (s.account, s.mode) == (account, mode)))

    @property
    def orders(self) -> set[str]:
        """The broker's ids of the orders that they moved."""
        return {order for session in self.sessions for order in session.orders}

    def unowned_since(self, since: datetime) -> dict[str, Row]:
        """Executions of nobody's orders that they booked and that are no older, by id."""
        booked = (item for session in self.sessions for item in session.unowned.items())
        return {name: row for name, row in booked if row["filled_at"] >= since}

    def may_move(self, order: Row) -> bool:
        """Whether an order of an earlier session is theirs now: moved, or found still open."""
        later = any(session.opened_at > order["opened_at"] for session in self.sessions)
        return order["id"] in self.orders or bool(order["rests"] and later)

    def is_outside(self, fill: Row) -> bool:
        """Whether an execution happened while none of them lasted."""
        return not any(session.lasts_at(fill["filled_at"]) for session in self.sessions)

    def may_book(self, fee: Row, known: Mapping[str, Row]) -> bool:
        """Whether a fee is in one of their books, or in nobody's and may still come into one."""
        name, unknown = fee["activity_id"], fee["activity_id"] not in known
        return any(
            name in session.fees
            or (unknown and session.closed_at is None and fee["day"] >= session.opened_at.date())
            for session in self.sessions
        )


def underway(source: SessionSource) -> Underway:
    """What a session's journal tells of it so far."""
    rows = {name: plain(table) for name, table in source.rows().items()}
    (session,) = rows["sessions"]
    own = {row["client_order_id"] for row in rows["orders"] if row["broker_order_id"]}
    return Underway(
        session["account"],
        session["mode"],
        session["opened_at"],
        session["closed_at"],
        frozenset(row["broker_order_id"] for row in rows["orders"] if row["broker_order_id"]),
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


def plain(rows: Any) -> Sequence[Row]:
    """Rows as mappings, however they were handed over."""
    return rows.to_pylist() if hasattr(rows, "to_pylist") else rows  # type: ignore[no-any-return]
