"""Rare misfortunes as switches: each seed turns some of them on, at a rate of its own.

A switch stands at a point of the world where something can go wrong and is asked each time
whether it does now. Most seeds have few switches on and those often: faults then meet each other.
"""

from __future__ import annotations

import random
from collections import Counter

RATES: dict[str, tuple[float, float]] = {
    # of the order stream, per message
    "update lost": (0.02, 0.4),
    "update doubled": (0.05, 0.4),
    "update delayed": (0.05, 0.4),
    "update garbled": (0.01, 0.1),
    # of any stream, per minute
    "stream dropped": (0.02, 0.15),
    "stream mute": (0.02, 0.1),
    "stream ended": (0.003, 0.02),
    "slot taken": (0.1, 0.5),
    # of REST, per request
    "refused by a gateway": (0.01, 0.04),
    "too many requests": (0.01, 0.04),
    "hung": (0.005, 0.05),
    "slow": (0.02, 0.3),
    # of REST, per order or cancellation
    "answer lost": (0.03, 0.3),
    "answer 504": (0.03, 0.3),
    "answer garbled": (0.02, 0.2),
    "arrived late": (0.02, 0.2),
    # of the broker
    "fill list lags": (0.1, 0.6),
    "cancelled by the broker": (0.02, 0.2),
    "rejected later": (0.01, 0.1),
    "fills slowly": (0.1, 0.7),
    "fills in parts": (0.2, 0.8),
    "fills at once": (0.1, 0.6),
    # of bars, per bar
    "bar late": (0.02, 0.2),
    "bar doubled": (0.02, 0.3),
    "bar missing": (0.01, 0.1),
    "bar corrected": (0.02, 0.2),
    "bar garbled": (0.01, 0.1),
    # of people and machines, per minute
    "hand order": (0.01, 0.1),
    "activity": (0.02, 0.2),
    "bust": (0.02, 0.15),
    "correction": (0.02, 0.15),
    "drift": (0.005, 0.04),
    "kill switch": (0.005, 0.03),
    "stopped": (0.004, 0.03),
    "disk full": (0.01, 0.06),
    # per step of an order's way
    "killed on an order's way": (0.003, 0.03),
    # of REST, per order that is asked for in its first seconds
    "order shown late": (0.2, 0.9),
}
"""Each switch's rate where it is on: between these two, by the seed."""


class Faults:
    """The switches of one seed, and how often each has struck."""

    def __init__(self, rng: random.Random, *, calm: bool) -> None:
        self._rng, self.calm = rng, calm
        share = 0.0 if calm else rng.choice((0.1, 0.3, 0.6, 0.9))
        self.rates = {
            kind: rng.uniform(low, high) if rng.random() < 0.5 else low
            for kind, (low, high) in RATES.items()
            if rng.random() < share
        }
        self.struck: Counter[str] = Counter()
        self.over = False

    def strikes(self, kind: str) -> bool:
        """Whether this goes wrong now."""
        rate = self.rates.get(kind)
        if rate is None or self.over or self._rng.random() >= rate:
            assert kind in RATES, kind
            return False
        self.struck[kind] += 1
        return True
