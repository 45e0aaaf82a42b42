"""A million doubled, reordered, split fills end in exactly the same books; here some of them."""

from __future__ import annotations

import os
from dataclasses import replace
from decimal import Decimal

import pytest

from coordinator.core import records as r
from tests.proof.million import Million

FILLS = int(os.environ.get("FILLS", "20000"))


@pytest.mark.thorough
def test_doubled_reordered_and_split_fills_end_in_exactly_the_books_of_a_straight_sum() -> None:
    million = Million(1, replays=True)
    million.run(FILLS)
    assert million.differences() == []
    assert million.messages > 3 * million.sum.executions, "each is told more than three times"


@pytest.mark.thorough
@pytest.mark.parametrize("seed", [2, 3])
def test_another_seed_is_another_story_with_the_same_end(seed: int) -> None:
    million, first = Million(seed), Million(1)
    million.run(2_000)
    first.run(2_000)
    assert million.differences() == first.differences() == []
    assert million.sum.cash != first.sum.cash


def test_one_execution_too_many_or_too_few_by_the_last_digit_is_a_difference() -> None:
    million = Million(1)
    million.run(1_000)
    fill = next(x for x in million.bench.engine.books.orders if x.booked_qty)
    one = fill.executions.postings[0]
    doubled = r.FillBooked(
        one.at, "doubled", fill.client_order_id, fill.strategy, fill.symbol, fill.side,
        Decimal("0.000000001"), one.price, Decimal(0), Decimal(0), fill.qty + 1,
    )  # fmt: skip
    million.bench.books.apply_all([doubled])
    wrong = " ".join(million.differences())
    assert all(f"{what} of {fill.strategy}" in wrong for what in ("cash", fill.symbol))
    assert "executions" in wrong
    million.bench.books.apply_all(
        [replace(doubled, execution_id="x", reverses="doubled", qty=-doubled.qty)]
    )
    assert len(million.differences()) == 1, "taken back, it is one execution too many and no more"
