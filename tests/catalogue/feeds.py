"""Rows 1 to 14: what comes over the streams, and the clocks that it comes by."""

from __future__ import annotations

from tests.catalogue.row import SEEDS, Row, caught

_BARS = "tests/coordinator/test_bars.py"
_WIRE = "tests/coordinator/test_wire.py"
_STREAMS = "tests/coordinator/test_streams.py"
_BROKER = "tests/coordinator/test_broker.py"
_LIMITS = "tests/coordinator/test_limits.py"
_PLAN = "tests/coordinator/test_session_plan.py"
_SHARES = "tests/coordinator/test_attribution.py"
_CLOCK = "tests/coordinator/test_clock_and_gather.py"
_FRAMES = "tests/corpus/test_frames.py"
_SESSION = "tests/corpus/test_session.py"
_MUTATIONS, _ANSWERS = "tests/corpus/test_mutations.py", "tests/corpus/test_answers.py"
_GARBAGE = "tests/e2e/test_garbage.py"
_CORPUS_STREAMS = "tests/corpus/test_streams.py"
_E2E_FAULTS = "tests/e2e/test_faults.py"
_MOVES = "tests/e2e/test_account_moves.py"
_LOAD = "tests/warehouse/test_load.py"
_LOOKOUT = "tests/coordinator/test_watchdog.py"
_CONTROLS = "tests/coordinator/test_controls.py"
_YEARS = "tests/coordinator/test_ten_years.py"
_CUT = "tests/e2e/test_cut_frames.py"
_HARD = "tests/e2e/test_hard_days.py"
_QUESTIONS = "tests/coordinator/test_questions.py"
_CORPUS = "tests/corpus/test_corpus.py"

ROWS: dict[int, Row] = {
    1: Row(
        "a websocket is cut in mid-frame",
        "connect again, fetch what was missed by REST; each (symbol, minute) once and in order",
        (
            f"{_CUT}::test_bars_of_a_frame_that_breaks_off_at_any_byte_come_once_and_in_order",
            f"{_CUT}::test_fills_of_an_update_that_breaks_off_are_booked_once",
            f"{_FRAMES}::test_a_frame_that_breaks_off_gives_what_was_whole_at_every_byte",
            f"{_E2E_FAULTS}"
            "::test_bars_missed_while_the_stream_was_down_are_fetched_once_and_in_order",
            f"{_BARS}::test_a_bar_that_comes_twice_or_behind_a_newer_one_changes_nothing",
            *SEEDS,
        ),
    ),
    2: Row(
        "a stream is silent, its pings are answered",
        "known within 90 s of broker time; no entries on tickers whose bars do not come",
        (
            f"{_LOOKOUT}"
            "::test_a_stream_that_falls_mute_is_found_and_restarted_within_ninety_seconds",
            f"{_LOOKOUT}::test_a_mute_stream_is_blind_until_it_brings_a_bar_again",
            f"{_LOOKOUT}::test_a_quiet_ticker_is_asked_about_and_is_not_taken_for_a_mute_stream",
            f"{_CONTROLS}::test_nothing_is_bought_of_a_ticker_whose_stream_is_not_heard",
            f"{_CONTROLS}::test_an_exit_goes_out_in_every_state_in_which_an_entry_is_refused",
            f"{_STREAMS}::test_a_connection_that_is_made_anew_on_purpose_is_heard_again",
            *SEEDS,
        ),
    ),
    3: Row(
        "bars come twice, late, or out of order",
        "stored where they are news; no signal is acted on again",
        (
            f"{_BARS}::test_however_bars_come_each_is_seen_once_in_order_and_acted_on_at_most_once",
            caught("16-a-bar-counts-twice"),
            caught("15-a-gap-is-traded"),
            f"{_BARS}::test_a_bar_that_comes_twice_or_behind_a_newer_one_changes_nothing",
            f"{_BARS}::test_a_bar_later_than_ninety_seconds_opens_nothing",
            f"{_BARS}::test_a_late_bar_still_updates_marks_and_lets_the_strategy_out",
            f"{_BARS}::test_of_a_repaired_gap_only_the_newest_bar_is_decided_on",
            f"{_CLOCK}::test_of_two_bars_of_one_ticker_and_minute_the_later_counts",
            *SEEDS,
        ),
    ),
    4: Row(
        "a bar is corrected after it was decided on",
        "kept beside the first version; nothing is decided again",
        (
            f"{_BARS}::test_a_bar_that_is_corrected_later_is_kept_and_decides_nothing_again",
            f"{_BARS}::test_a_correction_of_what_never_came_is_no_bar",
            f"{_LOAD}::test_a_corrected_bar_beats_a_live_one_beats_a_backfilled_one",
            *SEEDS,
        ),
    ),
    5: Row(
        "a price is NaN, infinite, negative, zero or absurd",
        "the record is dropped and counted; no signal",
        (
            f"{_CORPUS}::test_each_case_becomes_exactly_what_its_table_says",
            f"{_SESSION}::test_a_bad_bar_is_counted_and_rest_is_asked_for_the_good_one",
            f"{_CONTROLS}::test_a_close_that_leaps_beyond_the_collar_freezes_the_ticker",
            f"{_WIRE}::test_a_broken_bar_is_refused",
            f"{_WIRE}::test_whatever_stands_in_a_field_it_is_understood_or_refused",
            "tests/coordinator/test_strategies.py"
            "::test_a_price_that_is_no_number_stops_the_strategy_instead_of_passing_for_one",
            f"{_CORPUS_STREAMS}::test_a_flood_of_garbage_is_counted_and_told_now_and_then",
            *SEEDS,
        ),
    ),
    6: Row(
        "one record of a frame is broken",
        "its neighbours are delivered",
        (
            f"{_FRAMES}"
            "::test_a_broken_record_is_dropped_wherever_it_stands_and_its_neighbours_are_heard",
            f"{_FRAMES}::test_all_broken_records_in_one_frame_are_each_dropped_once",
            f"{_CORPUS_STREAMS}::test_whatever_is_broken_on_a_market_stream_costs_only_itself",
            f"{_MUTATIONS}::test_a_bar_with_its_structure_spoiled_costs_no_neighbour",
            f"{_ANSWERS}::test_a_broken_row_is_left_out_and_counted_and_its_neighbours_are_read",
            f"{_GARBAGE}::test_a_session_amid_garbage_fills_exactly_what_it_fills_without",
        ),
    ),
    7: Row(
        "a price leaps by a split",
        "what nobody explains freezes the ticker; a SPLIT activity adjusts the books",
        (
            f"{_CONTROLS}::test_a_close_that_leaps_beyond_the_collar_freezes_the_ticker",
            f"{_CONTROLS}::test_a_split_that_the_broker_tells_of_ends_the_freeze_of_a_leap",
            f"{_CONTROLS}::test_a_split_that_was_known_before_its_first_bar_freezes_nothing",
            f"{_SHARES}::test_a_split_changes_quantities_and_the_mark_and_neither_cost_nor_cash",
            f"{_MOVES}::test_fees_dividends_and_splits_reach_those_they_belong_to",
        ),
    ),
    8: Row(
        "406: the one connection is taken",
        "told as waiting for the slot; tried again ever more rarely; no entries while blind",
        (
            f"{_STREAMS}::test_a_slot_that_is_taken_is_waited_for_and_had_once_it_is_free",
            f"{_LOOKOUT}::test_a_stream_that_is_not_up_is_blind_and_rest_is_asked_every_thirty_seconds",
            f"{_LOOKOUT}::test_order_states_are_known_for_ten_seconds_after_rest_has_told_them",
            f"{_CONTROLS}::test_while_order_states_are_not_known_neither_side_is_ordered",
            *SEEDS,
        ),
    ),
    9: Row(
        "the keys are refused",
        "at the start: an exit code; while it runs: no entries, and no hammering",
        (
            f"{_STREAMS}::test_wrong_keys_are_refused_and_not_waited_for",
            f"{_BROKER}::test_wrong_keys_are_refused_and_the_secret_is_in_no_trace_of_it",
            "tests/security/test_redaction.py::test_a_refusal_of_the_keys_tells_none_in_any_form",
            f"{_CORPUS_STREAMS}::test_a_refused_login_is_tried_again_ever_more_rarely",
            f"{_STREAMS}::test_keys_that_are_refused_again_and_again_are_told_once",
            f"{_LOOKOUT}::test_a_stream_that_is_not_up_is_blind_and_rest_is_asked_every_thirty_seconds",
            f"{_LOOKOUT}::test_order_states_are_known_for_ten_seconds_after_rest_has_told_them",
            f"{_LOOKOUT}"
            "::test_while_rest_refuses_our_keys_nothing_is_seen_though_the_stream_speaks",
            f"{_QUESTIONS}::test_a_look_whose_keys_are_refused_says_so_and_the_next_one_may_succeed",
        ),
        "REST's refusal is noticed by the next look at the account, at most 20 s later; an order"
        " that it refuses before that is REJECTED and decided anew on the next bar",
    ),
    10: Row(
        "we are too slow for a stream: 407",
        "handlers do nothing but enqueue; the connection lives on",
        (
            f"{_CORPUS_STREAMS}::test_an_error_that_ends_nothing_leaves_the_stream_live_and_is_told",
            "tests/security/test_frames.py"
            "::test_a_frame_may_hold_a_bar_of_each_ticker_and_little_more",
        ),
        "no metric of the lag is kept",
    ),
    11: Row(
        "garbage, huge and nested frames",
        "dropped and counted, the connection lives; on the order stream REST is asked",
        (
            f"{_CORPUS}::test_the_corpus_holds_more_than_a_thousand_different_cases",
            f"{_FRAMES}::test_a_frame_that_is_none_is_dropped",
            f"{_FRAMES}::test_a_frame_of_orders_that_cannot_be_read_is_refused_once",
            f"{_CORPUS_STREAMS}"
            "::test_whatever_is_broken_on_the_order_stream_costs_only_itself_and_is_told",
            f"{_SESSION}::test_what_may_have_been_a_fill_is_looked_for_at_rest",
            f"{_SESSION}"
            "::test_a_flood_of_garbage_floods_neither_the_log_nor_the_broker_and_hides_no_good_message",
            f"{_MUTATIONS}::test_a_frame_with_its_bytes_spoiled_costs_nothing_before_or_after_it",
            f"{_MUTATIONS}::test_a_report_with_its_bytes_spoiled_costs_no_other",
            f"{_ANSWERS}::test_what_is_not_json_proves_nothing",
            f"{_ANSWERS}::test_pages_that_lead_in_a_circle_end",
            "tests/security/test_frames.py"
            "::test_a_hostile_broker_costs_less_than_50_mb_and_both_streams_live_on",
            *SEEDS,
        ),
    ),
    12: Row(
        "a ticker is halted",
        "no bar, no decision; a price that leaps behind the halt opens nothing",
        (
            f"{_HARD}::test_nothing_is_decided_on_a_halted_ticker_and_the_others_trade_on",
            f"{_BARS}"
            "::test_a_halted_ticker_decides_nothing_and_its_leap_behind_the_halt_buys_nothing",
            f"{_CONTROLS}"
            "::test_the_collar_is_around_the_close_before_however_old_and_around_no_other_ticker",
            f"{_BARS}::test_a_leap_behind_a_halt_still_lets_a_strategy_out",
        ),
        "the feed's own word of a halt, on the statuses channel, is not listened to",
    ),
    13: Row(
        "early closes, holidays, the change of clocks, midnight",
        "the broker's calendar decides; a day's limits begin anew exactly once",
        (
            f"{_PLAN}::test_a_coordinator_trades_what_is_left_of_its_markets_today",
            f"{_PLAN}::test_bars_of_the_regular_session_count_and_the_last_one_decides_nothing",
            f"{_YEARS}::test_a_strategys_day_begins_anew_once_on_each_date_on_which_it_can_trade",
            f"{_YEARS}::test_the_ten_years_have_what_makes_them_hard",
            f"{_LIMITS}::test_a_day_rolls_once_at_the_open_or_at_midnight",
            f"{_LIMITS}::test_the_clock_alone_rolls_a_day_on_which_no_bar_comes",
        ),
    ),
    14: Row(
        "a clock is stepped",
        "time-outs are monotonic; a step of more than 2 s is told",
        (
            f"{_CLOCK}::test_what_was_true_earlier_does_not_turn_time_back",
            f"{_CLOCK}::test_at_real_speed_local_time_carries_the_brokers_forward",
            f"{_CLOCK}::test_a_step_of_the_brokers_clock_is_what_local_time_does_not_explain",
            "tests/structure/test_structure.py"
            "::test_a_session_knows_the_time_from_the_broker_and_measures_it_by_the_monotonic_clock",
        ),
    ),
}
