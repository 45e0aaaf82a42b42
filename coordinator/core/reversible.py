"""Activities that the broker can call off after they were booked, and what takes them back."""

from __future__ import annotations

from dataclasses import dataclass, field

from coordinator.core.records import ActivityBooked, ActivityKind

REVERSED = ".reversed"
"""Ends the id of the postings that take an activity back."""
KINDS = (
    ActivityKind.DIVIDEND,
    ActivityKind.INTEREST,
    ActivityKind.FEE,
    ActivityKind.TRANSFER,
)
"""Those that an equal posting of the opposite sign takes back; a split is none."""


@dataclass(slots=True)
class Reversible:
    """The shares of activities that were booked and not taken back.

    A fee that was booked with its fills is not among them: its posting moved nothing.
    """

    _shares: dict[str, list[ActivityBooked]] = field(default_factory=dict)
    """By the last part of the activity's id."""

    def add(self, share: ActivityBooked) -> None:
        """Note that a share was booked, or taken back."""
        if share.activity_id.endswith(REVERSED):
            name = share.activity_id.removesuffix(REVERSED)
            left = [one for one in self.of(name) if one.strategy != share.strategy]
            self._shares[_unique(name)] = left
        elif share.kind in KINDS and not share.settles:
            self._shares.setdefault(_unique(share.activity_id), []).append(share)

    def of(self, activity_id: str) -> list[ActivityBooked]:
        """The shares of an activity. The id may lack the date that begins it in Alpaca's list."""
        return self._shares.get(_unique(activity_id), [])


def _unique(activity_id: str) -> str:
    """The part of an id behind its date."""
    return activity_id.rpartition("::")[2]
