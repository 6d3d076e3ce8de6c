"""Faults of the SQL that the model has to find. Each is planted into the database of a test."""

from __future__ import annotations

from .mutants import Change

NOTHING = "perform 1;"
FAULTS: dict[str, Change] = {
    # Versions and history.
    "upgrade_does_not_raise_the_version": Change(
        "settle_write", "version = s.version + 1,", "version = s.version + (p_write.kind <> 'upgrade')::integer,"
    ),
    "undo_lost": Change("settle_write", "v_entered_at, p_write.undo, v_hash", "v_entered_at, null, v_hash"),
    "time_follows_the_clock_back": Change(
        "settle_write",
        "greatest(fsm_internal.clock(), p_session.updated_at + interval '1 microsecond')",
        "fsm_internal.clock()",
    ),
    "history_outlives_its_session": Change(
        "delete_session", "delete from fsm_internal.history h where h.session_id = p_session_id;", NOTHING
    ),
    "request_of_any_session_is_replayed": Change(
        "replayed_version",
        "where h.session_id = p_session_id and h.request_id = p_request_id",
        "where h.request_id = p_request_id",
    ),
    "trim_takes_one_more": Change("cut_history", "where h.at < p_before", "where h.at <= p_before"),
    "fork_of_the_present": Change(
        "fork_session(text,text,bigint,uuid,text)",
        "fsm_internal.context_at(s.session_id, p_version)",
        "fsm_internal.context_at(s.session_id, s.version)",
    ),
    "rollback_into_a_final_state_only": Change(
        "rollback_session(text,bigint,bigint,text,uuid,bigint,text)",
        "fsm_internal.precondition_refusal(v_session, false,",
        "fsm_internal.precondition_refusal(v_session, true,",
    ),
    "atomic_batch_is_not": Change(
        "fsm.save_sessions",
        "perform fsm_internal.refuse(v_outcome.refusal);",
        "perform fsm_internal.log_refusal(v_outcome.refusal);",
    ),
    "upgrade_enters_anew": Change(
        "upgraded", "v_context, v_change.undo, false, null, null", "v_context, v_change.undo, true, null, null"
    ),
    "final_state_takes_events": Change("precondition_refusal", "when p_is_final then", "when false then"),
    # Loops.
    "loop_window_off_by_one": Change(
        "settle_write",
        "p_rule.passage_at >= v_at - p_rule.loop_window",
        "p_rule.passage_at > v_at - p_rule.loop_window",
    ),
    "loop_limit_off_by_one": Change("passage_at", "offset p_limit - 1", "offset p_limit"),
    "divert_counts": Change(
        "passage_at", "h.kind in ('transition', 'deadline')", "h.kind in ('transition', 'deadline', 'divert')"
    ),
    "young_sessions_never_loop": Change("may_loop", "(2 * (p_limit)::bigint)", "(2 * (p_limit + 1)::bigint)"),
    # Turns.
    "turns_never_expire": Change(
        "turn_refusal",
        "(v_begun.expires_at > fsm_internal.clock()) is true",
        "(v_begun.expires_at > '-infinity') is true",
    ),
    "turn_ends_a_moment_late": Change(
        "turn_refusal",
        "(v_begun.expires_at > fsm_internal.clock()) is true",
        "(v_begun.expires_at >= fsm_internal.clock()) is true",
    ),
    "stale_token_passes": Change(
        "turn_refusal",
        "if p_turn is not null and not (v_is_held and p_turn = v_begun.turn) then",
        "if p_turn is not null and v_is_held and p_turn <> v_begun.turn then",
    ),
    "same_request_begins_another_turn": Change(
        "begin_turn(text,text,numeric,uuid)", "if v_begun.request_id = p_request_id then", "if false then"
    ),
    # Deadlines.
    "longest_delay_first": Change("fire_deadline", "order by d.delay_ms", "order by d.delay_ms desc"),
    "least_overdue_first": Change("fsm.fire_deadlines", "order by d.wake_at", "order by d.wake_at desc"),
    "no_pause_after_a_refusal": Change("postpone_deadline", "least(15 * 2 ^ v_refusals, 3600)", "0"),
    "pause_does_not_double": Change("postpone_deadline", "least(15 * 2 ^ v_refusals, 3600)", "30"),
    "end_of_a_turn_wakes_nobody": Change(
        "end_turn(text,bigint)", "perform fsm_internal.wake_now(p_session_id);", NOTHING
    ),
    "fires_too_early": Change(
        "fire_deadline", "      and v_session.entered_at + d.delay_ms * interval '1 millisecond' <= v_now\n", ""
    ),
}
