"""Sharing an amount out so that the parts sum to it exactly."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal

from coordinator.core.values import UNASSIGNED, ZERO, exactly


@exactly
def shares(total: Decimal, weights: Mapping[str, Decimal], unit: Decimal) -> dict[str, Decimal]:
    """`total` in proportion to `weights`, in whole units, summing to it exactly.

    The last units go to the largest remainders, of equal ones to the first name; what is left
    below one unit too. A weight below zero, of who owes what is shared out, has a share of the
    other sign. Where the weights come to nothing, all of it is UNASSIGNED's.
    """
    weights = {name: weight for name, weight in sorted(weights.items()) if weight}
    whole = sum(weights.values(), ZERO)
    if whole <= 0:
        return {UNASSIGNED: total} if total else {}
    exact = {name: total * weight / whole for name, weight in weights.items()}
    found = {name: share.quantize(unit, ROUND_DOWN) for name, share in exact.items()}
    left = total - sum(found.values(), ZERO)
    way = Decimal(1).copy_sign(left)
    for name in sorted(exact, key=lambda n: (found[n] - exact[n]) * way):
        part = unit * way if abs(left) >= unit else left
        found[name] += part
        left -= part
    return {name: share for name, share in found.items() if share}
