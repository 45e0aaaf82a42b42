"""Rows 32 to 45: processes that die, files that break, strategies that misbehave."""

from __future__ import annotations

from tests.catalogue.row import CRASHES, REAL_KILLS, SEEDS, Row, caught

_BARS = "tests/coordinator/test_bars.py"
_STARTUP = "tests/coordinator/test_startup.py"
_JOURNAL = "tests/coordinator/test_journal.py"
_LEASE = "tests/coordinator/test_lease.py"
_LINE = "tests/coordinator/test_errand_queue.py"
_BUDGET = "tests/coordinator/test_budget.py"
_ISOLATION = "tests/coordinator/test_isolation.py"
_ALONE = "tests/coordinator/test_isolated_sessions.py"
_REPLAY = "tests/coordinator/test_replay.py"
_E2E = "tests/e2e/test_session.py"
_SIDE = "tests/e2e/test_side_by_side.py"
_LOAD_KILLED = "tests/warehouse/test_kill.py"
_SIGNALS = "tests/cli/test_signals.py"
_DAMAGE = "tests/coordinator/test_journal_damage.py"
_CONTROLS = "tests/coordinator/test_controls.py"
_HARD = "tests/e2e/test_hard_days.py"

ROWS: dict[int, Row] = {
    32: Row(
        "kill -9 between the journal and the order",
        "asked for; absent after a quiet minute, it is closed, and never sent late",
        (
            f"{_STARTUP}::test_an_order_that_never_left_is_closed_and_not_sent_late",
            f"{_STARTUP}"
            "::test_an_order_of_this_very_minute_that_never_left_may_still_be_sent_under_its_id",
            caught("01-sent-before-written"),
            caught("19-a-stale-order-is-sent-again"),
            *SEEDS,
            *CRASHES,
            *REAL_KILLS,
        ),
    ),
    33: Row(
        "kill -9 between the order and its answer",
        "found by its id and taken up",
        (
            f"{_STARTUP}::test_an_order_whose_answer_was_lost_is_found_and_its_fill_booked",
            f"{_E2E}"
            "::test_a_killed_session_resumes_with_the_same_books_and_the_same_later_decisions",
            *SEEDS,
            *CRASHES,
            *REAL_KILLS,
        ),
    ),
    34: Row(
        "kill -9 between a fill and the ledger",
        "one record is both: the books are a replay of the journal",
        (
            f"{_REPLAY}::test_whatever_happened_its_records_give_the_same_books_again",
            f"{_JOURNAL}::test_an_append_that_fails_leaves_nothing_behind_and_the_journal_usable",
            caught("28-half-a-commit"),
            *SEEDS,
            *CRASHES,
            *REAL_KILLS,
        ),
    ),
    35: Row(
        "kill -9 in recovery, or at the end of the day",
        "what was begun is done once",
        (
            f"{_LOAD_KILLED}::test_a_kill_at_any_point_leaves_the_old_state_or_the_new_one",
            f"{_STARTUP}::test_what_was_in_line_behind_an_order_that_ended_meanwhile_is_sent_once",
            caught("18-the-sequence-starts-again"),
            *SEEDS,
            *CRASHES,
            *REAL_KILLS,
        ),
    ),
    36: Row(
        "SIGTERM while an order is being sent",
        "no new orders, wait for the open ones, end the session in the journal",
        (
            f"{_HARD}::test_a_sigterm_while_orders_are_being_sent_leaves_none_of_unknown_fate",
            f"{_LINE}"
            "::test_what_is_in_line_when_it_closes_or_comes_later_is_known_never_to_have_been_sent",
            f"{_LINE}::test_a_stop_finishes_what_is_under_way_and_drops_the_line",
            f"{_SIGNALS}::test_one_signal_lets_the_session_end_in_good_order",
            f"{_SIGNALS}::test_a_second_sigterm_still_waits_for_the_flush",
            *SEEDS,
        ),
    ),
    37: Row(
        "two coordinators of one account and market, or of one strategy",
        "the second is refused before any network call",
        (
            f"{_LEASE}::test_a_second_process_is_refused_by_name_until_the_first_is_killed",
            f"{_LEASE}::test_a_strategy_runs_in_one_coordinator_at_a_time_whatever_its_market",
            f"{_E2E}::test_a_second_coordinator_is_refused_before_any_network_call",
            f"{_SIDE}::test_one_strategy_name_in_two_coordinators_is_refused",
        ),
    ),
    38: Row(
        "the disk is full, or fails",
        "no durable intent, no order; the session ends and says why",
        (
            f"{_JOURNAL}::test_a_full_disk_is_an_error_and_what_was_written_before_stays",
            caught("14-a-full-disk-is-ignored"),
            *SEEDS,
        ),
    ),
    39: Row(
        "the journal's tail is torn",
        "the last whole commit wins; a gap in the sequence is refused",
        (
            f"{_DAMAGE}::test_a_log_that_is_torn_anywhere_ends_at_a_whole_commit",
            f"{_DAMAGE}::test_a_file_that_was_cut_anywhere_is_refused_or_nothing_of_it_is_missing",
            f"{_DAMAGE}::test_a_file_that_was_emptied_beside_its_log_is_refused_and_the_log_is_kept",
            f"{_DAMAGE}::test_a_file_whose_table_is_gone_is_refused_and_not_begun_anew",
            f"{_JOURNAL}::test_a_torn_tail_loses_the_torn_commit_and_no_other",
            f"{_JOURNAL}::test_a_journal_that_was_changed_is_not_traded_on[a missing record]",
        ),
        "a file cut down to nothing, without a log beside it, is as one whose making was cut short:"
        " that is said, and the account is adopted as it is",
    ),
    40: Row(
        "a bit flips and nobody notices",
        "the chain of hashes does: nothing is traded on it",
        (
            f"{_JOURNAL}::test_a_journal_that_was_changed_is_not_traded_on",
            f"{_JOURNAL}::test_a_record_written_while_we_run_is_checked_too",
            f"{_DAMAGE}::test_a_bit_that_flips_anywhere_in_the_file_is_refused_or_means_nothing",
            f"{_DAMAGE}::test_a_bit_that_flips_in_the_log_costs_the_commits_behind_it_and_no_other",
            f"{_DAMAGE}::test_a_quantity_that_changed_is_not_read_out_into_the_warehouse_either",
            "tests/coordinator/test_journal_proof.py"
            "::test_a_bit_that_flips_in_an_index_hides_no_row_from_a_load",
        ),
        "a flip in the write-ahead log costs the commits behind it unseen: what the broker has of"
        " them is learned again at the start, and what it has not is gone",
    ),
    41: Row(
        "the journal of another account, mode or schema",
        "refused, and left as it is",
        (
            f"{_JOURNAL}::test_the_journal_of_another_account_is_refused_by_both_names",
            f"{_JOURNAL}::test_the_journal_of_a_newer_program_is_left_untouched",
            f"{_JOURNAL}::test_a_file_that_is_no_journal_is_refused_by_name",
            "tests/security/test_live_arming.py"
            "::test_the_allowance_must_be_the_number_that_the_account_answers",
        ),
        "a mode has no mark of its own in the file: paper and live are two account numbers",
    ),
    42: Row(
        "a strategy raises",
        "it alone is FAULTED; the others decide the same to the byte",
        (
            f"{_BARS}::test_a_strategy_that_raises_stops_alone",
            f"{_BARS}::test_a_strategy_that_raises_opens_nothing_more_and_says_where",
            f"{_ALONE}::test_the_others_journal_is_the_same_to_the_byte_whatever_one_does",
        ),
    ),
    43: Row(
        "a strategy hangs",
        "a watchdog ends its process; the streams are not touched",
        (
            f"{_ISOLATION}::test_one_that_goes_wrong_is_faulted_and_the_others_answer_on",
            f"{_ALONE}::test_the_others_journal_is_the_same_to_the_byte_whatever_one_does",
            "tests/e2e/test_isolation.py"
            "::test_the_others_orders_and_fills_are_those_of_a_session_in_which_it_answers",
        ),
        "the loop waits for it, once, for one second of its processor time: else a slow machine"
        " would decide differently",
    ),
    44: Row(
        "a strategy leaks memory",
        "its process has a limit; nothing of the others is lost",
        (
            f"{_ISOLATION}::test_memory_that_grows_from_bar_to_bar_is_noticed_too",
            f"{_ISOLATION}::test_what_it_loads_to_get_ready_is_no_leak",
            f"{_ALONE}::test_the_others_journal_is_the_same_to_the_byte_whatever_one_does",
        ),
        "it is not started again: what it had learned is lost, and it opens nothing more that day",
    ),
    45: Row(
        "a strategy floods the broker with orders",
        "throttled by strategy and by account; who breaks its rate is stopped",
        (
            f"{_CONTROLS}::test_orders_beyond_a_minutes_number_stop_their_strategy_for_the_day",
            f"{_CONTROLS}"
            "::test_a_strategy_that_floods_leaves_the_others_decisions_byte_for_byte_the_same",
            f"{_CONTROLS}::test_the_rate_is_each_strategys_own",
            f"{_CONTROLS}::test_an_order_that_is_told_of_again_is_no_flood",
            f"{_BUDGET}::test_entries_leave_some_of_the_limit_to_exits_and_questions_leave_more",
            f"{_ALONE}"
            "::test_one_that_changes_its_mind_at_every_bar_changes_nothing_that_the_others_decide",
        ),
    ),
}
