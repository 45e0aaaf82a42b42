"""The numbers of order ids, `<strategy>.<session date>.<sequence>`, none of which is used twice."""

from __future__ import annotations

LONGEST = 18
"""Digits: a longer number was never ours, and past it an id would grow too long for the broker."""


def pass_over(sequences: dict[str, int], client_order_id: str) -> None:
    """Let the next id come after this one, which somebody has used.

    `sequences` has the last number used by '<strategy>.<session date>'. An id of another
    form changes nothing.
    """
    key, _, number = client_order_id.rpartition(".")
    if number.isdecimal() and len(number) <= LONGEST:
        sequences[key] = max(sequences.get(key, 0), int(number))


def strategy_of(client_order_id: str) -> str:
    """The strategy of an order, by its id: '<strategy>.<session date>.<sequence>'."""
    return client_order_id.partition(".")[0]
