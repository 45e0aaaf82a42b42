"""A few state machines; `make prove` runs a thousand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.proof.machines import STEPS, Machine, run


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_happens_to_a_session_its_books_are_what_an_independent_witness_saw(
    seed: int,
) -> None:
    run(6, STEPS, seed, shrinks=False)


def an_execution_is_corrected_while_a_coordinator_that_starts_books_a_split(
    state: Machine,
) -> None:
    state.open_the_account(crossing=True, cents=True)
    state.a_minute_passes_in_which_all_goes_well(
        said={("B", "SPY"): 1, ("A", "SPY"): -1}, price=87132431
    )
    state.an_execution_is_corrected(which=0, price=116162888)
    state.a_process_dies(who=1, dies="idle")
    state.an_answer_comes_back(who=0, which=2)
    state.the_account_moves_by_itself(kind="SPLIT", cents=76)


def a_purchase_that_an_exit_waits_for_is_replaced_by_hand(state: Machine) -> None:
    state.open_the_account(crossing=False, cents=False)
    prices = {"SPY": 80000000, "QQQ": 80000000}
    state.a_minute_passes(said={("A", "SPY"): 1, ("A", "QQQ"): 1, ("B", "SPY"): 1}, moves=prices)
    state.a_request_arrives(who=0, which=0, how="ack")
    state.all_orders_are_executed(price=80000000)
    state.a_request_arrives(who=0, which=0, how="lost")
    state.all_requests_are_answered()
    state.a_lost_order_arrives_after_all(which=0)
    state.a_minute_passes(said={("A", "SPY"): -1, ("A", "QQQ"): 1}, moves=prices)
    state.an_order_is_replaced_by_hand(which=0, part=1)
    state.all_updates_are_delivered(who=0)
    state.all_requests_are_answered()


def another_coordinator_adopts_an_order_that_this_one_never_knew(state: Machine) -> None:
    state.open_the_account(crossing=False, cents=False)
    state.a_minute_passes(
        said={("A", "SPY"): 1, ("A", "QQQ"): 1}, moves={"SPY": 80000000, "QQQ": 80000000}
    )
    state.all_requests_are_answered()
    state.an_order_is_replaced_by_hand(which=0, part=1)


@pytest.mark.parametrize(
    "story",
    [
        an_execution_is_corrected_while_a_coordinator_that_starts_books_a_split,
        a_purchase_that_an_exit_waits_for_is_replaced_by_hand,
        another_coordinator_adopts_an_order_that_this_one_never_knew,
    ],
    ids=lambda story: story.__name__,
)
def test_a_story_that_chance_once_wrote_ends_with_true_books(
    story: Callable[[Machine], None],
) -> None:
    state = Machine()
    try:
        story(state)
        state.the_records_are_true_and_the_books_their_sum()
    finally:
        state.teardown()
