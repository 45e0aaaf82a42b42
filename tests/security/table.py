"""The security table row by row: what each demands of us, and the tests that prove it.

Rule: a row has its proofs, or says honestly why there is nothing of ours to prove; it may have
both. tests/structure/test_proofs.py holds that each proof exists.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """What is demanded; node ids that prove it; and what of it is not proved here, and why."""

    what: str
    proofs: tuple[str, ...] = ()
    not_here: str = ""


_CANARY, _REDACTION = "tests/security/test_canary.py", "tests/security/test_redaction.py"
_PREFECT, _PRIVACY = "tests/security/test_prefect.py", "tests/security/test_privacy.py"
_NAMES, _HOSTS = "tests/security/test_names.py", "tests/security/test_hosts.py"
_FOLDER = "tests/coordinator/test_strategies_folder.py"
_LIVE, _CODE = "tests/security/test_live_arming.py", "tests/security/test_code.py"
_SUPPLY, _NETWORK = "tests/security/test_supply.py", "tests/security/test_network.py"
_LOOPBACK, _FRAMES = "tests/security/test_loopback.py", "tests/security/test_frames.py"
_CONTROL, _MEMORY = "tests/security/test_control.py", "tests/security/test_memory.py"
_WALLS = "tests/coordinator/test_walls.py"
_SETTINGS, _REFUSALS = "tests/coordinator/test_settings.py", "tests/cli/test_run_refusals.py"

ROWS: dict[int, Row] = {
    1: Row(
        "no canary in state, logs, warehouse, Prefect's home or the repository after a session"
        " with crashes and failed orders",
        (
            f"{_CANARY}::test_the_day_was_as_bad_as_it_should_be",
            f"{_CANARY}::test_no_command_says_the_key_or_the_secret",
            f"{_CANARY}::test_no_file_but_the_users_own_tells_them",
            f"{_CANARY}::test_what_holds_the_keys_is_kept_out_of_the_repository",
            f"{_PREFECT}::test_no_file_tells_the_keys_and_every_file_is_its_users",
            "tests/coordinator/test_lease.py"
            "::test_no_file_of_a_lease_tells_a_key_or_leaves_its_folder",
            "tests/coordinator/test_pace.py::test_no_file_is_named_after_a_key",
        ),
    ),
    2: Row(
        "no secret in DEBUG logs, reprs, tracebacks or pickles",
        (
            f"{_REDACTION}::test_every_logger_at_debug_sees_the_wire_and_no_key",
            f"{_REDACTION}::test_a_websocket_that_is_not_ours_would_have_told",
            f"{_REDACTION}::test_a_refusal_of_the_keys_tells_none_in_any_form",
            f"{_REDACTION}::test_no_text_of_the_settings_or_of_what_holds_them_tells",
            f"{_REDACTION}::test_settings_cannot_be_pickled_whoever_holds_them",
            "tests/cli/test_logs.py::test_a_frame_with_the_keys_is_never_logged",
            f"{_REFUSALS}::test_debug_shows_where_it_happened_and_no_key",
            "tests/coordinator/test_broker.py"
            "::test_wrong_keys_are_refused_and_the_secret_is_in_no_trace_of_it",
            "tests/coordinator/test_config_refused.py"
            "::test_a_secret_put_into_a_configuration_by_mistake_is_not_repeated",
        ),
    ),
    3: Row(
        "files 600 and folders 700: state, journal, warehouse, Prefect's database; `.env` or exit",
        (
            f"{_PRIVACY}"
            "::test_a_session_its_warehouse_and_its_report_are_private_under_the_usual_umask",
            f"{_PRIVACY}::test_a_warm_up_and_a_claimed_account_are_private_under_the_usual_umask",
            f"{_PRIVACY}::test_files_are_private_and_a_crash_dumps_nothing_in_all_that_we_start",
            f"{_SETTINGS}::test_a_file_of_keys_that_others_can_read_is_refused_with_the_cure",
            f"{_REFUSALS}::test_keys_that_others_can_read_are_refused",
            f"{_PREFECT}::test_no_file_tells_the_keys_and_every_file_is_its_users",
            f"{_PREFECT}::test_a_secret_block_is_in_the_database_only_encrypted",
        ),
    ),
    4: Row(
        "all that we start listens on loopback only",
        (
            f"{_LOOPBACK}::test_a_listener_is_seen_wherever_it_listens",
            f"{_LOOPBACK}::test_the_simulator_listens_on_loopback",
            f"{_LOOPBACK}::test_the_simulators_command_listens_on_loopback",
            f"{_PREFECT}::test_all_that_runs_listens_on_loopback",
        ),
    ),
    5: Row(
        "Prefect's server answers 401 without its password",
        (
            f"{_PREFECT}::test_everything_but_health_asks_for_the_password",
            f"{_PREFECT}::test_a_websocket_asks_for_the_password_too",
        ),
    ),
    6: Row(
        "no wildcard CORS",
        (f"{_PREFECT}::test_no_other_page_may_ask_it_in_a_users_browser",),
    ),
    7: Row(
        "Prefect's blocks, variables, parameters and logs hold no key",
        (
            f"{_PREFECT}::test_prefect_holds_no_key_in_any_block_variable_parameter_or_log",
            f"{_PREFECT}::test_the_worker_has_the_keys_and_the_server_has_not",
            "tests/flows/test_server.py::test_only_the_worker_is_given_the_brokers_keys",
            "tests/flows/test_deployments.py"
            "::test_no_key_or_secret_is_a_parameter_or_a_variable_of_the_job",
        ),
    ),
    8: Row(
        "the lock is hashed and complete, and Prefect is 3.6.22 or newer",
        (
            f"{_SUPPLY}::test_every_requirement_is_one_version_with_the_hash_of_each_file",
            f"{_SUPPLY}::test_the_lock_names_no_index_and_no_address",
            f"{_SUPPLY}::test_what_the_project_asks_for_is_locked_as_asked",
            f"{_SUPPLY}::test_prefect_is_one_without_the_known_hole",
            f"{_SUPPLY}::test_what_runs_here_is_what_is_locked",
            f"{_SUPPLY}::test_the_makefile_installs_by_hash_and_resolves_nothing",
        ),
        "pip-audit asks a database on the network, and tests are offline",
    ),
    9: Row(
        "Prefect's server can be imported in the locked environment",
        (f"{_SUPPLY}::test_prefects_server_can_be_imported_from_what_is_locked",),
    ),
    10: Row(
        "no pickle, eval, exec, unsafe YAML or formatted SQL; results as JSON",
        (
            f"{_CODE}::test_no_file_of_ours_runs_text_unpickles_or_formats_sql",
            f"{_CODE}::test_each_of_them_would_be_seen",
            f"{_CODE}::test_what_ruff_was_told_to_overlook_is_exactly_this",
            f"{_CODE}::test_prefect_keeps_no_result_of_ours",
            f"{_CODE}::test_what_prefect_might_keep_anyway_would_be_json",
        ),
    ),
    11: Row(
        "a strategy type is looked up and never imported",
        (
            f"{_NAMES}"
            "::test_a_strategy_type_that_nobody_offered_is_refused_and_nothing_is_imported",
            "tests/coordinator/test_strategies_registry.py"
            "::test_a_built_in_name_always_means_the_built_in_strategy",
            f"{_NAMES}::test_a_folder_of_strategies_offers_only_what_its_own_files_name",
            f"{_FOLDER}::test_a_folder_that_others_could_use_to_run_code_is_refused",
            f"{_FOLDER}::test_it_runs_in_a_process_of_its_own_and_says_where_it_failed",
        ),
    ),
    12: Row(
        "symbols and names by pattern; no schema changes",
        (
            f"{_NAMES}::test_a_name_that_is_sql_a_path_or_has_a_nul_is_refused",
            f"{_NAMES}::test_a_coordinators_name_names_files_and_stays_in_its_folder",
            f"{_NAMES}"
            "::test_a_session_asked_for_by_an_evil_name_is_not_found_and_no_schema_changes",
            f"{_NAMES}"
            "::test_a_session_whose_name_is_sql_is_kept_and_told_under_it_and_nothing_else_happens",
            f"{_NAMES}::test_an_account_number_names_a_folder_and_is_no_path",
            f"{_NAMES}::test_a_bar_of_no_ticker_is_dropped",
        ),
    ),
    13: Row(
        "live only by three words that agree with the account; paper by default",
        (
            f"{_LIVE}::test_only_three_agreeing_words_arm_a_run_for_real_money",
            f"{_LIVE}::test_the_allowance_must_be_the_number_that_the_account_answers",
            f"{_LIVE}::test_without_any_word_it_is_the_paper_host",
            f"{_LIVE}::test_a_python_program_is_armed_by_the_same_words",
        ),
    ),
    14: Row(
        "no test connects to another machine; attempts are refused and counted",
        (
            f"{_NETWORK}::test_whoever_tries_to_leave_this_machine_is_refused_and_counted",
            f"{_NETWORK}::test_only_loopback_is_here",
            f"{_NETWORK}::test_the_live_host_is_named_in_the_settings_alone",
        ),
        "the guard of tests/conftest.py sees the tests' own processes; those that they start are"
        " given loopback addresses",
    ),
    15: Row(
        "the keys go to Alpaca's hosts over TLS or to loopback; anything else is exit 2",
        (
            f"{_HOSTS}::test_an_address_that_could_be_read_as_another_host_is_refused",
            f"{_HOSTS}::test_the_live_host_is_known_as_such_however_it_is_written",
            f"{_HOSTS}::test_the_command_ends_with_exit_2_before_any_call",
            f"{_HOSTS}::test_a_rest_answer_that_leads_elsewhere_is_no_answer_and_is_not_followed",
            f"{_HOSTS}::test_a_stream_that_leads_elsewhere_is_not_followed",
            f"{_SETTINGS}::test_keys_go_to_alpaca_over_tls_or_to_this_machine_and_nowhere_else",
        ),
    ),
    16: Row(
        "the control socket is mode 600 in a folder of 700 and hears its own user alone",
        (
            f"{_CONTROL}::test_the_socket_is_600_in_a_folder_of_700_whatever_the_umask",
            f"{_CONTROL}"
            "::test_a_folder_that_others_could_enter_is_closed_before_the_socket_is_in_it",
            f"{_CONTROL}::test_another_user_who_reaches_the_socket_is_not_heard",
            f"{_CONTROL}::test_it_listens_in_the_file_system_and_on_no_port",
            f"{_CONTROL}::test_garbage_is_refused_in_a_sentence_and_changes_nothing",
            f"{_CONTROL}::test_a_request_that_is_too_long_is_hung_up_on",
            f"{_CONTROL}"
            "::test_of_a_flood_only_so_much_is_heard_in_a_second_and_the_user_is_answered_amid_it",
        ),
        "no token and no Host: a Unix socket is no port, and a page in a browser cannot reach it",
    ),
    17: Row(
        "strategy workers hold no keys; nothing dumps a core",
        (
            f"{_PRIVACY}::test_files_are_private_and_a_crash_dumps_nothing_in_all_that_we_start",
            f"{_PRIVACY}::test_a_flow_dumps_nothing_under_somebody_elses_worker",
            f"{_PREFECT}::test_the_worker_has_the_keys_and_the_server_has_not",
            f"{_MEMORY}"
            "::test_neither_keys_nor_the_webhook_are_anywhere_in_the_process_of_a_strategy",
            f"{_WALLS}::test_neither_it_nor_its_strategy_can_read_the_keys_in_its_environment",
            f"{_WALLS}::test_it_holds_no_file_of_the_coordinators_and_dumps_no_core",
        ),
        "the built-in strategies, which are ours, run in the coordinator's own process",
    ),
    18: Row(
        "large, nested and lying frames cost less than 50 MB",
        (
            f"{_FRAMES}::test_a_hostile_broker_costs_less_than_50_mb_and_both_streams_live_on",
            f"{_FRAMES}::test_a_frame_may_hold_a_bar_of_each_ticker_and_little_more",
        ),
        "the size of a REST answer is not bounded",
    ),
}
