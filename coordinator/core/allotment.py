"""Divides an amount into shares that sum to it exactly."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal

from coordinator.core.values import UNASSIGNED, ZERO, exactly


@exactly
def shares(total: Decimal, weights: Mapping[str, Decimal], unit: Decimal) -> dict[str, Decimal]:
    """`total` in proportion to `weights`, in whole units that sum to it exactly.

    Units left over by rounding down go to the largest remainders, ties to the first name, and so
    does a rest below one unit. A negative weight, of a book that owes what is shared, gets a share
    of the opposite sign. If the weights sum to zero or less, all of it is UNASSIGNED's.
    """
    weights = {name: weight for name, weight in sorted(weights.items()) if weight}
    whole = sum(weights.values(), ZERO)
    if whole <= 0:
        return {UNASSIGNED: total} if total else {}
    exact = {name: total * weight / whole for name, weight in weights.items()}
    found = {name: share.quantize(unit, ROUND_DOWN) for name, share in exact.items()}
    left = total - sum(found.values(), ZERO)
    sign = Decimal(1).copy_sign(left)
    for name in sorted(exact, key=lambda n: (found[n] - exact[n]) * sign):
        part = unit * sign if abs(left) >= unit else left
        found[name] += part
        left -= part
    return {name: share for name, share in found.items() if share}
