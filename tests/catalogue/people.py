"""Rows 46 to 60: limits and people, money that moves by itself, and what is read afterwards."""

from __future__ import annotations

from tests.catalogue.row import SEEDS, Row, caught

_WIRE = "tests/coordinator/test_wire.py"
_ORDERS_READ = "tests/coordinator/test_wire_orders.py"
_REPORTS = "tests/coordinator/test_reports.py"
_ORDERS = "tests/coordinator/test_orders.py"
_STARTUP = "tests/coordinator/test_startup.py"
_OPENING = "tests/coordinator/test_opening.py"
_ENTRIES = "tests/coordinator/test_entries.py"
_LEDGER = "tests/coordinator/test_ledger.py"
_SHARES = "tests/coordinator/test_attribution.py"
_REPLAY = "tests/coordinator/test_replay.py"
_REFUSED = "tests/coordinator/test_config_refused.py"
_FRAMES = "tests/corpus/test_frames.py"
_E2E = "tests/e2e/test_session.py"
_MOVES = "tests/e2e/test_account_moves.py"
_LOAD = "tests/warehouse/test_load.py"
_QUARANTINE = "tests/warehouse/test_quarantine.py"
_STORE = "tests/warehouse/test_store.py"
_LOAD_KILLED = "tests/warehouse/test_kill.py"
_REFUSALS = "tests/cli/test_run_refusals.py"
_AFTER = "tests/cli/test_after_a_session.py"
_VALIDATE = "tests/cli/test_validate.py"
_STOPPING = "tests/flows/test_stopping.py"
_FLOW = "tests/flows/test_coordinator_flow.py"
_CONTROLS = "tests/coordinator/test_controls.py"
_KILL = "tests/coordinator/test_kill.py"
_KILL_COMMAND = "tests/cli/test_kill.py"
_RECONCILER = "tests/coordinator/test_reconciler.py"
_HARD = "tests/e2e/test_hard_days.py"

ROWS: dict[int, Row] = {
    46: Row(
        "limits while orders are in flight",
        "what counts is position, open orders and UNKNOWN ones together",
        (
            f"{_CONTROLS}::test_a_tickers_limit_counts_what_all_hold_and_have_ordered",
            f"{_CONTROLS}::test_no_more_is_bought_than_the_account_has_free_of_open_orders",
            f"{_CONTROLS}::test_beside_an_order_that_shows_up_after_all_no_second_one_is_sent",
            f"{_ENTRIES}::test_an_open_order_holds_its_cash_until_it_ends",
            f"{_ENTRIES}::test_an_order_of_unknown_fate_keeps_its_hold",
            f"{_ORDERS}::test_a_buy_uses_up_an_entry_while_it_may_fill_and_once_it_has",
            f"{_REPLAY}::test_whatever_happened_the_books_sum_and_no_limit_is_overdrawn",
        ),
    ),
    47: Row(
        "the kill switch",
        "heard within a second; cancels and flattens; survives a restart",
        (
            f"{_CONTROLS}"
            "::test_a_kill_cancels_what_is_open_and_sells_what_is_held_and_leaves_the_rest_alone",
            f"{_CONTROLS}"
            "::test_a_kill_before_the_open_cancels_at_once_and_sells_when_the_market_opens",
            f"{_KILL}::test_nothing_is_bought_until_the_revival_and_then_it_is_again",
            f"{_KILL}::test_an_open_buy_is_cancelled_and_what_it_filled_is_sold_at_its_end",
            f"{_KILL}::test_a_buy_of_unknown_fate_is_cancelled_by_its_own_id_and_sold_once_it_shows",
            f"{_KILL}::test_the_next_session_sells_at_the_open_what_a_kill_after_the_close_could_not",
            f"{_KILL}::test_a_restart_while_killed_sends_no_buy_that_had_not_left",
            f"{_KILL}::test_a_restart_while_killed_sends_again_the_sale_that_had_not_left",
            f"{_KILL_COMMAND}"
            "::test_where_nobody_runs_the_command_itself_sells_what_strategies_hold_and_nothing_else",
            f"{_KILL_COMMAND}"
            "::test_after_the_close_the_kill_stands_and_revive_is_refused_until_all_is_sold",
            f"{_KILL_COMMAND}"
            "::test_a_running_coordinator_hears_it_gets_everything_out_and_buys_nothing_more",
        ),
    ),
    48: Row(
        "an operator overrides a control",
        "there is no override but `reconcile --accept`, which is a record with a name in it",
        (
            f"{_RECONCILER}::test_a_human_may_take_a_difference_as_it_is",
            f"{_RECONCILER}::test_a_leap_of_a_price_that_is_taken_as_it_is_moves_nothing",
            "tests/cli/test_reconcile.py::test_what_changed_since_it_was_looked_at_is_not_accepted",
            f"{_E2E}::test_controls_of_the_configuration_hold_for_every_strategy",
            "tests/cli/test_help.py::test_every_option_of_the_contract_is_there",
        ),
        "nothing expires, because no limit can be lifted while a session runs",
    ),
    49: Row(
        "a human trades on the account",
        "what an order or a FILL proves is UNASSIGNED, with an alarm, and freezes nothing; what"
        " nothing proves freezes entries on the symbol",
        (
            f"{_MOVES}::test_a_trade_by_hand_is_unassigned_and_freezes_nothing",
            f"{_REPORTS}::test_a_trade_by_hand_goes_to_unassigned",
            f"{_RECONCILER}"
            "::test_a_trade_by_hand_that_a_look_brings_is_unassigneds_and_freezes_nothing",
            f"{_RECONCILER}"
            "::test_a_difference_in_cash_freezes_every_ticker_and_one_in_a_position_its_own",
            f"{_RECONCILER}::test_nothing_is_ever_invented_to_make_the_books_match",
            f"{_MOVES}::test_what_nobody_can_explain_freezes_entries_and_is_told_at_the_end",
            caught("12-a-human-trades-for-a-strategy"),
            *SEEDS,
        ),
    ),
    50: Row(
        "the paper account is reset",
        "entries are frozen; books of another account or history are refused",
        (
            f"{_HARD}"
            "::test_an_account_that_is_reset_is_bought_on_no_more_and_its_next_start_begins_new_books",
            f"{_RECONCILER}::test_keys_of_another_account_freeze_everything_and_book_nothing",
            f"{_E2E}::test_books_that_do_not_sum_to_the_account_are_refused",
            f"{_STARTUP}::test_books_that_do_not_sum_are_refused_with_both_figures",
        ),
    ),
    51: Row(
        "dividends, fees and interest",
        "posted to those who caused them, so that cash is exact",
        (
            f"{_SHARES}::test_a_dividend_goes_to_those_who_hold_the_stock",
            f"{_SHARES}::test_a_fee_of_the_account_is_split_over_its_dates_sales",
            f"{_SHARES}::test_deposits_interest_and_what_is_not_known_are_unassigned",
            f"{_SHARES}::test_whatever_moves_the_account_moves_the_sum_of_the_books_by_as_much",
            f"{_MOVES}::test_fees_dividends_and_splits_reach_those_they_belong_to",
        ),
    ),
    52: Row(
        "a crypto fee is taken in coin, and posted at the end of the day",
        "accrued with the fill, settled by the posting",
        (
            f"{_SHARES}"
            "::test_a_coin_fee_settles_what_fills_were_booked_with_and_takes_what_goes_beyond",
            f"{_SHARES}::test_a_crypto_sales_dollar_fee_settles_what_was_booked_with_the_sale",
            f"{_RECONCILER}::test_a_coin_fee_is_trued_up_for_those_who_caused_it",
            f"{_RECONCILER}"
            "::test_a_fee_that_was_trued_up_is_not_taken_again_when_the_broker_posts_it",
            f"{_REPORTS}::test_the_crypto_fee_is_coin_on_a_buy_and_dollars_on_a_sale",
            caught("13-the-coin-fee-stays"),
            caught("26-the-coin-fee-is-rounded-down"),
        ),
        "at what moment the real broker posts it is an assumption of ours",
    ),
    53: Row(
        "floats and rounding drift",
        "decimals from the wire's own text; any number of fills is exact",
        (
            f"{_WIRE}::test_a_bar_keeps_every_digit_of_the_wire",
            f"{_FRAMES}::test_a_number_without_quotes_keeps_every_digit",
            f"{_LEDGER}::test_whatever_is_booked_every_dollar_is_accounted_for",
            f"{_REPORTS}::test_split_doubled_and_shuffled_executions_end_in_the_same_book",
            "tests/coordinator/test_statement.py"
            "::test_whatever_happens_every_dollar_is_accounted_for",
            "tests/proof/test_million.py"
            "::test_doubled_reordered_and_split_fills_end_in_exactly_the_books_of_a_straight_sum",
            caught("25-prices-pass-through-a-float"),
        ),
    ),
    54: Row(
        "Prefect's server is down",
        "the running session does not notice",
        (
            f"{_STOPPING}"
            "::test_a_server_that_is_away_ends_nothing_and_its_cancellation_is_seen_when_it_is_back",
        ),
        "Prefect's server is not killed under a running flow here; the session, its journal and"
        " its orders know nothing of Prefect, which tests/structure holds",
    ),
    55: Row(
        "Prefect runs a session twice, or again",
        "the lease and the session's id: there is no second session",
        (
            f"{_FLOW}::test_a_second_start_at_noon_does_not_wait_for_the_lease",
            f"{_OPENING}::test_a_restart_on_the_same_date_resumes_the_same_session",
            f"{_E2E}::test_a_second_coordinator_is_refused_before_any_network_call",
        ),
    ),
    56: Row(
        "a reader holds the warehouse",
        "the writer waits, and says so; the journal stays the source",
        (
            f"{_STORE}::test_who_finds_it_in_use_says_so_waits_and_gets_it",
            f"{_STORE}::test_who_waits_in_vain_is_told_that_nothing_is_lost",
            f"{_AFTER}::test_a_warehouse_in_use_is_told_and_fails_nothing",
            f"{_AFTER}::test_end_of_day_loads_what_no_load_left_and_repeats_to_the_same",
        ),
    ),
    57: Row(
        "the end of day dies, or runs again",
        "one transaction; a session loaded again is the same",
        (
            f"{_LOAD_KILLED}::test_a_kill_at_any_point_leaves_the_old_state_or_the_new_one",
            f"{_LOAD}::test_the_same_session_loaded_again_changes_nothing",
            f"{_LOAD}::test_a_load_that_fails_leaves_the_old_state",
            f"{_AFTER}::test_end_of_day_loads_what_no_load_left_and_repeats_to_the_same",
        ),
    ),
    58: Row(
        "the broker's schema drifts; an unknown word",
        "tolerated; a fill is never dropped",
        (
            f"{_HARD}::test_words_that_nobody_knows_lose_no_fill",
            f"{_ORDERS_READ}::test_a_state_that_is_not_alpacas_counts_as_accepted_and_is_told",
            f"{_ORDERS_READ}::test_what_is_new_or_missing_and_does_not_matter_is_let_through",
            f"{_FRAMES}::test_what_is_new_is_no_garbage",
            "tests/corpus/test_corpus.py::test_each_case_becomes_exactly_what_its_table_says",
            "tests/corpus/test_session.py::test_what_may_have_been_a_fill_is_looked_for_at_rest",
            "tests/corpus/test_golden.py"
            "::test_a_recorded_message_with_a_spoiled_key_is_refused_or_says_what_it_said",
        ),
    ),
    59: Row(
        "pandera lets infinity, extra columns and empty frames pass",
        "strict schemas, finite numbers, as many rows as the journal has",
        (
            f"{_QUARANTINE}"
            "::test_a_corrupted_row_is_quarantined_with_its_reason_and_nothing_is_dropped",
            f"{_QUARANTINE}::test_whatever_stands_in_a_cell_the_load_goes_on_and_every_row_is_kept",
            f"{_LOAD}::test_a_load_that_stored_too_little_is_undone_and_reported",
            f"{_LOAD}::test_what_is_no_session_is_refused_whole",
        ),
    ),
    60: Row(
        "a bad configuration",
        "every error at once, exit 2, before any call",
        (
            f"{_REFUSED}::test_a_bad_configuration_yields_all_its_errors_with_their_paths",
            f"{_REFUSALS}::test_a_bad_configuration_is_told_whole_before_any_call",
            f"{_VALIDATE}::test_every_error_comes_at_once_with_its_path",
        ),
    ),
}
