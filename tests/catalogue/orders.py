"""Rows 15 to 31: orders and their fills, on their way there and back."""

from __future__ import annotations

from tests.catalogue.row import SEEDS, Row, caught

_ERRANDS = "tests/coordinator/test_errands.py"
_QUESTIONS = "tests/coordinator/test_questions.py"
_REPORTS = "tests/coordinator/test_reports.py"
_ORDERS = "tests/coordinator/test_orders.py"
_STARTUP = "tests/coordinator/test_startup.py"
_BROKER = "tests/coordinator/test_broker.py"
_LINE = "tests/coordinator/test_errand_queue.py"
_BUDGET = "tests/coordinator/test_budget.py"
_LIMITS = "tests/coordinator/test_limits.py"
_ENTRIES = "tests/coordinator/test_entries.py"
_EXITS = "tests/coordinator/test_exits.py"
_OPPOSITE = "tests/coordinator/test_opposite_orders.py"
_E2E_FAULTS = "tests/e2e/test_faults.py"
_MOVES = "tests/e2e/test_account_moves.py"
_BUSTS = "tests/coordinator/test_busts.py"
_RECONCILER = "tests/coordinator/test_reconciler.py"
_LOOKOUT = "tests/coordinator/test_watchdog.py"
_HARD = "tests/e2e/test_hard_days.py"

ROWS: dict[int, Row] = {
    15: Row(
        "429: too many requests",
        "a budget that the account's processes share; an order is sent again under its own id",
        (
            f"{_ERRANDS}"
            "::test_an_order_that_was_answered_with_429_is_sent_again_under_its_id_until_it_is_taken",
            f"{_BROKER}::test_an_answer_that_proves_nothing_is_not_asked_for_again_behind_our_back",
            f"{_BUDGET}::test_however_processes_take_turns_no_minute_has_more_than_the_limit",
            f"{_BUDGET}::test_after_a_429_nothing_but_exits_goes_out_until_the_broker_says",
            "tests/e2e/test_request_budget.py"
            "::test_orders_go_out_beside_a_hungry_neighbour_and_nobody_is_told_too_many_requests",
            *SEEDS,
        ),
    ),
    16: Row(
        "an order is accepted, its answer is lost",
        "UNKNOWN, asked for by its id; whatever is sent again has the same id",
        (
            f"{_BROKER}::test_an_order_whose_answer_was_lost_is_unclear_and_was_sent_once",
            f"{_ERRANDS}::test_an_answer_that_was_lost_is_unclear_and_the_look_up_finds_the_order",
            f"{_ENTRIES}::test_an_order_of_unknown_fate_keeps_its_hold",
            f"{_E2E_FAULTS}"
            "::test_the_books_sum_to_the_account_after[an order accepted behind a 504]",
            caught("03-time-out-is-a-refusal"),
            caught("09-no-hold-while-unclear"),
            *SEEDS,
        ),
    ),
    17: Row(
        "504, sent again, 422: the id exists",
        "that means that the order exists: it is fetched and taken up",
        (
            f"{_ERRANDS}::test_an_id_that_exists_already_is_unclear_not_refused",
            f"{_QUESTIONS}::test_another_order_under_our_id_is_not_adopted",
            "tests/simulator/test_lost_answers.py"
            "::test_a_late_order_whose_id_was_sent_again_is_refused",
            caught("04-sent-again-under-a-new-id"),
            *SEEDS,
        ),
    ),
    18: Row(
        "an order arrives after it was not found",
        "UNKNOWN through a quiet minute; late evidence is still ours: no id is ever forgotten",
        (
            f"{_QUESTIONS}"
            "::test_an_order_that_is_not_there_is_absent_after_several_looks_and_a_quiet_minute",
            f"{_REPORTS}::test_what_was_thought_never_to_have_arrived_is_taken_up_when_it_shows",
            f"{_ERRANDS}"
            "::test_the_quiet_minute_of_an_order_that_stood_in_line_begins_when_it_was_sent",
            *SEEDS,
        ),
        "how late an order can arrive at the real broker is an assumption of ours",
    ),
    19: Row(
        "a fill comes before the answer to its order",
        "booked by its client order id",
        (
            f"{_REPORTS}"
            "::test_a_fill_before_the_answer_to_the_order_counts_and_the_answer_changes_nothing",
            caught("06-fill-before-its-answer-is-nobodys"),
            *SEEDS,
        ),
    ),
    20: Row(
        "an order update comes twice",
        "one posting",
        (
            f"{_REPORTS}::test_the_same_execution_is_booked_once_however_often_it_comes",
            f"{_REPORTS}::test_split_doubled_and_shuffled_executions_end_in_the_same_book",
            f"{_E2E_FAULTS}::test_the_books_sum_to_the_account_after[every update told twice]",
            *SEEDS,
        ),
    ),
    21: Row(
        "the stream and REST tell of the same fill",
        "one posting, known by execution id or by the order's quantity after it",
        (
            f"{_REPORTS}::test_the_same_fill_by_stream_and_rest_is_one_though_its_ids_differ",
            f"{_REPORTS}::test_a_trade_by_hand_that_two_coordinators_saw_is_booked_once",
            caught("05-known-by-execution-id-alone"),
            *SEEDS,
        ),
    ),
    22: Row(
        "fills of one millisecond come in no order",
        "lists are asked for with an overlap; an order's quantity so far orders its fills",
        (
            f"{_REPORTS}::test_executions_in_the_wrong_order_are_all_booked",
            f"{_REPORTS}::test_split_doubled_and_shuffled_executions_end_in_the_same_book",
            f"{_ORDERS}::test_less_reported_than_before_is_an_older_report",
            caught("20-a-late-report-reopens"),
            caught("27-quantities-by-difference"),
            *SEEDS,
        ),
    ),
    23: Row(
        "an order fills in part, and is cancelled or expires",
        "its fills stay; its hold ends once",
        (
            f"{_REPORTS}::test_a_fill_after_the_cancellation_is_booked",
            f"{_REPORTS}::test_every_step_of_a_filling_order_is_recorded_with_what_it_came_to",
            f"{_ORDERS}::test_whatever_is_reported_an_order_goes_forward_only",
            f"{_LIMITS}::test_an_entry_that_never_filled_is_given_back",
            f"{_EXITS}::test_an_exit_ends_the_own_open_buy_first_and_sells_what_filled",
            caught("07-a-fill-after-the-end-is-dropped"),
            caught("08-a-hold-is-never-released"),
            *SEEDS,
        ),
    ),
    24: Row(
        "a fill while we are disconnected",
        "booked before strategies go on",
        (
            f"{_REPORTS}::test_a_status_that_tells_of_an_unseen_fill_sends_for_it",
            f"{_STARTUP}::test_an_order_whose_answer_was_lost_is_found_and_its_fill_booked",
            f"{_E2E_FAULTS}::test_the_books_sum_to_the_account_after[the order stream dropped]",
            *SEEDS,
        ),
    ),
    25: Row(
        "a single message is missing from a healthy stream",
        "found by looking at the account within 60 s of broker time",
        (
            "tests/proof/test_detection.py"
            "::test_a_fill_that_a_healthy_stream_lost_is_booked_within_a_minute",
            f"{_RECONCILER}::test_a_fill_that_the_stream_lost_is_booked_by_the_next_look",
            f"{_LOOKOUT}"
            "::test_the_account_is_looked_at_every_twenty_seconds_and_in_full_every_ten_minutes",
            f"{_E2E_FAULTS}"
            "::test_the_books_sum_to_the_account_after[fills that the stream never tells of]",
            *SEEDS,
        ),
    ),
    26: Row(
        "an execution is busted or corrected",
        "reversed by a posting of its own; profit is stated anew",
        (
            f"{_BUSTS}::test_cash_and_quantities_are_as_if_the_busted_execution_had_never_been",
            f"{_BUSTS}::test_the_day_of_a_bust_adds_up_to_the_last_digit_and_is_replayed_the_same",
            f"{_BUSTS}::test_a_correction_books_what_it_says_in_place_of_what_was_wrong",
            f"{_BUSTS}"
            "::test_whichever_executions_are_busted_in_whatever_order_the_rest_is_what_is_booked",
            f"{_MOVES}::test_a_busted_execution_is_taken_back_from_the_book_that_had_it",
            "tests/warehouse/test_views.py::test_a_busted_execution_makes_no_round_trip",
        ),
        "how the real broker words a bust is an assumption of ours",
    ),
    27: Row(
        "403: a wash trade",
        "opposite orders of two strategies never stand at the broker together",
        (
            f"{_OPPOSITE}::test_whatever_strategies_want_the_broker_never_sees_both_sides",
            f"{_OPPOSITE}::test_an_entry_waits_for_the_exit_of_another_strategy_and_follows_it",
            f"{_OPPOSITE}::test_an_exit_waits_for_an_entry_and_is_not_dropped",
            caught("11-opposite-orders-go-out"),
            *SEEDS,
        ),
    ),
    28: Row(
        "refused for buying power, quantity or day trading",
        "the hold ends, the strategy goes on, nothing is sent again blindly",
        (
            f"{_BROKER}::test_a_definite_no_is_a_rejection_in_the_brokers_words",
            f"{_ERRANDS}::test_a_definite_no_comes_back_as_a_refusal",
            f"{_LIMITS}::test_an_entry_that_never_filled_is_given_back",
            f"{_EXITS}::test_a_rejected_exit_is_tried_again_on_the_next_bar",
        ),
    ),
    29: Row(
        "an order is stuck in pending_new or pending_cancel",
        "told by its age, asked for, never taken for dead",
        (
            f"{_QUESTIONS}::test_an_order_that_is_stuck_is_told_of_once_and_asked_for_until_it_ends",
            f"{_QUESTIONS}::test_an_order_is_pursued_for_days_without_a_number_too_large",
            f"{_REPORTS}::test_absence_says_nothing_of_an_order_that_the_broker_has_confirmed",
            f"{_ENTRIES}::test_an_open_order_holds_its_cash_until_it_ends",
        ),
    ),
    30: Row(
        "an order is replaced by hand while it fills",
        "the order in its place is ours; no quantity counts twice",
        (
            f"{_HARD}::test_an_order_that_a_human_replaces_while_it_fills_stays_its_strategys",
            f"{_BUSTS}::test_an_order_replaced_by_hand_is_still_its_strategys_and_holds_its_money",
            f"{_BUSTS}::test_an_order_replaced_by_hand_is_the_days_entry_in_place_of_the_old_one",
            f"{_BUSTS}"
            "::test_an_order_replaced_by_one_not_heard_of_keeps_its_money_over_the_sessions_end",
            f"{_BUSTS}"
            "::test_fills_seen_before_it_was_known_whose_the_replacing_order_is_are_not_booked_twice",
        ),
    ),
    31: Row(
        "a REST request hangs",
        "a deadline of our own; the loop goes on",
        (
            f"{_BROKER}::test_a_request_that_hangs_ends_with_our_own_deadline",
            f"{_ERRANDS}::test_a_request_that_hangs_holds_up_neither_the_loop_nor_the_other_worker",
            f"{_LINE}::test_on_a_real_thread_an_exit_is_sent_while_an_entry_waits_for_the_budget",
            *SEEDS,
        ),
    ),
}
