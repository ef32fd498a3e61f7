"""The attempts a sandbox must withstand, and the rules of release, each with the tests that show it.

The lists are those the clean room was built after. A name without a test fails here; so does a test that was renamed.
What nothing can show is a promise nobody made: docs/threat-model.md says so in words.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent

ATTEMPTS: dict[str, tuple[str, ...]] = {
    # The battery, as root and (test_plain_user) as an ordinary user with the system's Python.
    "TCP out, TCP loopback, UDP, unix sockets, vsock, netlink, raw packets": ("test_no_socket_of_any_family",),
    "DNS, and a listener that nothing reaches": ("test_nothing_reached_a_listener",),
    "/etc/shadow, /root, /home, /run": ("test_files_of_the_host_are_not_there",),
    "another tenant's file": ("test_a_home_cannot_be_read",),
    "/proc/1/environ, /proc/*/mem, mountinfo": ("test_there_is_no_proc", "test_it_sees_its_own_things_only"),
    "inherited descriptors and environment": ("test_nothing_is_inherited",),
    "writing the data or the environment; symlink, hard link, FIFO, device": ("test_nothing_can_be_written",),
    "sparse or over-cap output, a flood of it": ("test_output_over_the_cap_is_cut_off", "test_forbidden_system_calls"),
    "extra column, metadata, malformed offsets, compressed bomb, pickle": ("test_malformed_output_is_refused",),
    "NaN and its payload": ("test_not_a_number_carries_no_payload", "test_what_is_not_finite_is_refused"),
    "fork bomb, daemonised child": ("test_processes_and_terminals",),
    "threads, higher limits": ("test_no_threads_and_no_higher_limits",),
    "memory": ("test_memory_is_limited", "test_memory_of_the_whole_job_is_limited"),
    "temporary files, /dev/shm": ("test_nothing_can_be_written", "test_files_of_the_host_are_not_there"),
    "processor": ("test_spinning_past_the_cpu_limit",),
    "sleeping past the wall": ("test_sleeping_past_the_wall_clock",),
    "killed launcher": ("test_the_job_dies_with_whoever_started_it",),
    "unshare … SysV, by the number of the call": ("test_forbidden_system_calls",),
    "TIOCSTI, signals": ("test_processes_and_terminals",),
    "code made or loaded": (
        "test_a_model_starts_nothing_and_makes_nothing_code", "test_no_code_is_loaded_once_a_model_is_there",
    ),
    "the same from a plain user": ("test_the_battery_as_an_ordinary_user_of_the_system_s_python",),
    # Models.
    "pickle, joblib, archives, PMML with an external entity": ("test_refused_for_what_it_is",),
    "ONNX external data, unknown operator, EPContext's domain, 16 GB": (
        "test_what_an_onnx_file_may_not_hold", "test_what_is_refused_outside_is_refused_inside_too",
    ),
    "endless loop": ("test_endless_work_ends_at_the_clock", "test_a_tree_with_a_loop_ends_at_the_clock_all_the_same"),
    "memory bomb": ("test_a_memory_bomb_ends_at_its_limit",),
    "another number of rows": ("test_another_number_of_scores_than_rows",),
    "wrong inputs": ("test_a_card_that_does_not_fit", "test_a_table_that_does_not_fit", "test_values_the_card_refuses"),
    "NaN, out of range": ("test_scores_that_are_none", "test_sql_out_of_its_range"),
    "one row's value in other rows' scores": (
        "test_a_graph_that_mixes_rows_is_given_one_at_a_time", "test_in_the_sandbox_nobody_gets_the_value_of_another",
        "test_what_is_shown_to_keep_rows_apart_does_so_in_the_runtime", "test_statements_that_are_not_taken",
        "test_one_rows_value_in_every_score_does_not_reach_the_buyer",
    ),
    # Channels.
    "size of the output by a secret": ("test_the_size_of_the_output_says_nothing",),
    "text of an error by a secret": ("test_error_text_and_exit_status_end_alike",),
    "what a receipt says of the sandbox": ("test_the_receipt_s_account_of_the_sandbox_does_not_depend_on_the_job",),
    "a file left for the next job": ("test_nothing_is_left_for_the_next_job",),
    "two runs of the same": ("test_the_same_job_gives_the_same_bytes_as_many_as_its_rows_need",),
    # Machines that cannot hold a model.
    "no user namespaces, no seccomp, no Landlock, no bubblewrap": ("test_no_model_runs_and_the_reason_is_said",),
}  # fmt: skip

RULES: dict[str, tuple[str, ...]] = {
    "1 distinct entities, not rows": ("test_entities_are_counted_not_rows", "test_people_are_counted_not_rows"),
    "1 a remainder that itself qualifies": ("test_a_small_remainder_takes_in_the_smallest_group",),
    "2 dominance": ("test_a_group_that_two_entities_dominate_is_not_shown_alone",),
    "2 no minimum, no maximum": ("test_the_schema_hangs_on_no_value",),
    "3 complementary suppression, attacked": ("test_margins_and_earlier_releases_give_no_small_group_away",),
    "4 differencing, across buyers": (
        "test_two_buyers_do_not_get_one_persons_score_by_subtracting", "test_the_guard_finds_what_brute_force_finds",
        "test_a_second_buyer_gets_no_cell_the_first_ones_would_give_away",
    ),
    "5 groups by listed columns, never the key": ("test_only_agreed_categories_may_group",),
    "6 exact schema, no free text": ("test_free_text_does_not_leave_and_is_not_in_the_message",),
    "6 three significant digits": ("test_means_have_three_significant_digits",),
    "7 caps": ("test_a_release_over_its_caps_is_refused", "test_so_many_releases_a_day"),
    "8 refusals look alike": ("test_suppression_and_refusal_look_alike", "test_evidence_is_counts_only"),
    "9 unknown is held; approvals end": (
        "test_a_graph_too_large_to_finish_is_not_called_safe", "test_an_approval_holds_thirty_days",
    ),
    "one policy file; the strictest wins": (
        "test_the_policy_is_one_file_that_gives_each_rule_a_value_and_a_reason",
        "test_the_strictest_of_all_wins_in_every_rule", "test_what_the_stricter_policy_lets_out_each_would",
    ),
    "singling out by a model's points": ("test_points_for_one_rare_value_do_not_show_who_holds_it",),
}  # fmt: skip


@cache
def known() -> frozenset[str]:
    """Every test of this room."""
    return frozenset(
        node.name
        for file in HERE.rglob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


@pytest.mark.parametrize("attempt", [*ATTEMPTS, *RULES])
def test_each_has_its_tests(attempt: str) -> None:
    named = {**ATTEMPTS, **RULES}[attempt]
    assert named
    assert set(named) <= known()
