"""The mutants, by name."""

from __future__ import annotations

from .mutants import Change, Mutant

RACES = "tests/concurrency/test_same_session.py"
GUARDS = "tests/concurrency/test_guards_behind_the_lock.py"
VERSIONS = "tests/db/sessions/test_versions_and_request_ids.py"
NOTHING = "perform 1;"


def _mutant(name: str, tests: str | tuple[str, ...], *changes: tuple[str, str, str]) -> Mutant:
    targets = (tests,) if isinstance(tests, str) else tests
    return Mutant(name, tuple(Change(*change) for change in changes), targets)


_ALL = [
    # The lock, and what is read under it.
    _mutant("no_lock", (RACES, "tests/catalogue/test_functions.py"),
            ("lock_session", "pg_advisory_xact_lock(hashtextextended(('fsm:session:'::text || p_session_id), (0)::bigint)) IS NOT NULL", "true")),
    _mutant("lock_of_the_session_not_the_transaction", "tests/catalogue/test_functions.py",
            ("lock_session", "pg_advisory_xact_lock(", "pg_advisory_lock(")),
    _mutant("narrow_lock_key", "tests/catalogue/test_functions.py",
            ("lock_session", "hashtextextended(('fsm:session:'::text || p_session_id), (0)::bigint)", "hashtext('fsm:session:'::text || p_session_id)::bigint")),
    _mutant("save_does_not_lock", RACES,
            ("save_session", "if not (fsm_internal.make_durable() and fsm_internal.lock_session(p_session_id)) then", "if not fsm_internal.make_durable() then")),
    _mutant("row_read_without_its_lock", ("tests/concurrency/test_isolation_levels.py", GUARDS),
            ("read_locked_session", "where s.session_id = p_session_id\n  for no key update;", "where s.session_id = p_session_id;")),
    _mutant("save_reads_the_row_without_its_lock", ("tests/concurrency/test_isolation_levels.py", GUARDS),
            ("save_session(text,text,jsonb,bigint,text,uuid,bigint,text,jsonb)", "where s.session_id = p_session_id for no key update;", "where s.session_id = p_session_id;")),
    _mutant("version_not_compared_in_the_update", GUARDS,
            ("settle_write", "where s.session_id = p_session.session_id and s.version = p_session.version;", "where s.session_id = p_session.session_id;")),
    _mutant("update_that_hit_nothing_is_not_noticed", GUARDS,
            ("settle_write", "  where found  -- that is, the row was updated\n", "")),
    _mutant("history_row_that_is_there_is_not_noticed", GUARDS,
            ("settle_write", "if not found then\n    perform fsm_internal.refuse_lost_write(p_session);\n  end if;", "")),
    _mutant("stable_where_it_reads_under_the_lock", ("tests/catalogue/test_functions.py",),
            ("read_locked_session", "LANGUAGE plpgsql\n", "LANGUAGE plpgsql\n STABLE\n")),
    _mutant("not_durable", "tests/db/sessions/test_durability.py",
            ("make_durable", "(set_config('synchronous_commit'::text, 'on'::text, true) = 'on'::text)", "true")),
    # Versions and retries.
    _mutant("expected_version_ignored", VERSIONS,
            ("precondition_refusal", "when p_session.version <> p_expected_version then", "when false then")),
    _mutant("save_does_not_ask_for_the_version", VERSIONS,
            ("save_session(text,text,jsonb,bigint,text,uuid,bigint,text,jsonb)", " or v_session.version <> p_expected_version then", " then")),
    _mutant("replay_not_found", VERSIONS,
            ("replayed_version", "return (select h.version from", "return (select h.version - h.version + null from")),
    _mutant("save_does_not_replay", VERSIONS,
            ("save_session(text,text,jsonb,bigint,text,uuid,bigint,text,jsonb)", "if p_request_id is not null then", "if false then")),
    _mutant("request_of_another_session_replayed", VERSIONS,
            ("replayed_version", "where h.session_id = p_session_id and h.request_id = p_request_id", "where h.request_id = p_request_id")),
    _mutant("time_may_stand_still", "tests/db/sessions/test_times.py",
            ("settle_write", "greatest(fsm_internal.clock(), p_session.updated_at + interval '1 microsecond')", "now()")),
    # Guards, invariants, schema, limits.
    _mutant("guard_that_is_null_passes", "tests/db/sessions/test_predicates_decide.py",
            ("choose_move", "jsonb_path_match(p_context, p_guards[v_index], '{}', true) is true then", "jsonb_path_match(p_context, p_guards[v_index], '{}', true) is not false then")),
    _mutant("first_guard_not_asked_in_a_save", "tests/db/sessions/test_save_session.py",
            ("save_session(text,text,jsonb,bigint,text,uuid,bigint,text,jsonb)", "and (v_move.guards[1] is null or jsonb_path_match(p_context, v_move.guards[1], '{}', true) is true) then 1", "then 1")),
    _mutant("guard_not_asked_in_an_event", "tests/db/sessions/test_send_event.py",
            ("send_event(text,text,jsonb,bigint,uuid,bigint,text,jsonb,jsonb)", "and (c.guard is null or jsonb_path_match(v_context, c.guard, '{}', true) is true)", "")),
    _mutant("a_later_candidate_wins", "tests/db/sessions/test_send_event.py",
            ("send_event(text,text,jsonb,bigint,uuid,bigint,text,jsonb,jsonb)", "order by c.candidate limit 1", "order by c.candidate desc limit 1")),
    _mutant("invariant_that_is_null_passes", "tests/db/sessions/test_predicates_decide.py",
            ("admits", "(jsonb_path_match(p_context, (p_invariants)[1], '{}'::jsonb, true) IS TRUE)", "(jsonb_path_match(p_context, (p_invariants)[1], '{}'::jsonb, true) IS NOT FALSE)")),
    _mutant("schema_not_asked", "tests/db/sessions/test_update_context.py",
            ("admits", "(jsonb_path_match(p_context, p_schema_check, '{}'::jsonb, true) IS TRUE)", "true")),
    _mutant("second_invariant_not_asked", ("tests/db/sessions/test_predicates_decide.py", "tests/db/sessions/test_save_session.py"),
            ("admits_the_rest", "if jsonb_path_match(p_context, v_invariant, '{}', true) is not true then", "if false then")),
    _mutant("size_not_asked", "tests/db/sessions/test_context_limits.py",
            ("form_refusal", "and fsm_internal.is_too_large(v_bare, p_max_context_bytes) then", "and false then")),
    _mutant("state_in_the_context_believed", "tests/db/sessions/test_state_and_id_in_the_context.py",
            ("agreement_refusal", "((p_context -> 'current_state'::text) <> to_jsonb(p_state))", "false")),
    _mutant("final_states_can_be_left", "tests/db/sessions/test_final_states_and_deadlines.py",
            ("precondition_refusal", "when p_is_final then fsm_internal.final_refusal(p_session) end", "end")),
    # Loops.
    _mutant("one_passage_more", "tests/db/loops/test_counting.py",
            ("passage_at", "offset p_limit - 1 limit 1", "offset p_limit limit 1")),
    _mutant("loops_counted_since_ever", "tests/db/loops",
            ("settle_write", "if p_rule.passage_at >= v_at - p_rule.loop_window then", "if p_rule.passage_at is not null then")),
    _mutant("blocked_loops_go_on", "tests/db/loops/test_actions.py",
            ("loop_refusal", "if p_rule.loop_action = 'block' then", "if false then")),
    _mutant("divert_counts_as_a_passage", "tests/db/loops",
            ("settle_write", "p_write.kind := 'divert';", "p_write.kind := 'transition';")),
    # History.
    _mutant("no_undo_record", "tests/db/sessions/test_load_session_at.py",
            ("settle_write", "v_entered_at, p_write.undo, v_hash", "v_entered_at, null, v_hash")),
    _mutant("same_value_other_spelling_is_the_same", ("tests/db/sessions/test_load_session_at.py", "tests/db/sessions/test_save_session.py"),
            ("context_change", "continue when record_image_eq(row(p_before -> v_key), row(p_after -> v_key));", "continue when p_before -> v_key = p_after -> v_key;")),
    _mutant("chain_forgets_the_one_before", "tests/db/sessions/test_audit_chain.py",
            ("next_chain_hash", "h.version = p_session.version)", "h.version = p_session.version - 1)")),
    _mutant("rollback_takes_any_version", "tests/db/sessions/test_rollback_session.py",
            ("rollback_session(text,bigint,bigint,text,uuid,bigint,text)", "fsm_internal.precondition_refusal(v_session, false, p_expected_version, p_turn)", "fsm_internal.precondition_refusal(v_session, false, null, p_turn)")),
    # Batches.
    _mutant("batch_takes_no_locks_first", ("tests/concurrency/test_batches.py",),
            ("fsm.save_sessions", "perform fsm_internal.lock_sessions(array(select fsm_internal.batch_session_id(i.value) from jsonb_array_elements(p_items) i));", NOTHING)),
    _mutant("locks_in_the_order_of_the_batch", ("tests/concurrency/test_batches.py",),
            ("lock_sessions", "order by key", "order by random()")),
    _mutant("atomic_batch_is_not", "tests/db/batches/test_save_sessions.py",
            ("fsm.save_sessions", "perform fsm_internal.refuse(v_outcome.refusal);", "perform fsm_internal.log_refusal(v_outcome.refusal);")),
    # Turns.
    _mutant("turn_not_asked", "tests/db/turns/test_writes_and_turns.py",
            ("precondition_refusal", "if p_turn is not null or p_session.turn is not null then", "if p_turn is not null then")),
    _mutant("save_does_not_ask_for_the_turn", "tests/db/turns/test_writes_and_turns.py",
            ("save_session(text,text,jsonb,bigint,text,uuid,bigint,text,jsonb)", "coalesce(p_turn, v_session.turn) is not null", "p_turn is not null")),
    _mutant("turns_never_expire", "tests/db/turns/test_writes_and_turns.py",
            ("turn_refusal", "(v_begun.expires_at > fsm_internal.clock()) is true", "(v_begun.expires_at > '-infinity') is true")),
    _mutant("stale_token_passes", "tests/db/turns/test_writes_and_turns.py",
            ("turn_refusal", "if p_turn is not null and not (v_is_held and p_turn = v_begun.turn) then", "if p_turn is not null and v_is_held and p_turn <> v_begun.turn then")),
    _mutant("turn_taken_from_its_holder", "tests/db/turns/test_begin_turn.py",
            ("begin_turn(text,text,numeric,uuid)", "if v_begun.expires_at > v_now then", "if false then")),
    _mutant("tokens_begin_anew_after_an_erasure", "tests/db/turns",
            ("begin_turn(text,text,numeric,uuid)", "greatest(extract(epoch from v_session.created_at) * 1000000, (", "greatest(0, (")),
    # Deadlines.
    _mutant("deadline_fired_twice", "tests/db/deadlines",
            ("fire_deadline", "d.delay_ms > coalesce(case when v_hint.fired_entered_at = v_session.entered_at then v_hint.fired_ms end, 0)", "d.delay_ms > 0")),
    _mutant("deadline_fired_too_early", "tests/db/deadlines",
            ("fire_deadline", "      and v_session.entered_at + d.delay_ms * interval '1 millisecond' <= v_now\n", "")),
    _mutant("refused_deadlines_hold_up_the_rest", "tests/db/deadlines/test_refused_deadlines.py",
            ("postpone_deadline", "least(15 * 2 ^ v_refusals, 3600)", "0")),
    _mutant("firing_waits_for_writers", ("tests/concurrency/test_deadlines.py",),
            ("fsm.fire_deadlines", "continue when not fsm_internal.try_lock_session(v_candidate.session_id);", "perform fsm_internal.lock_session(v_candidate.session_id);")),
    # Operations.
    _mutant("feed_shows_what_may_still_be_overtaken", "tests/db/operations/test_changes.py",
            ("feed_horizon", "pg_snapshot_xmin(pg_current_snapshot())", "pg_snapshot_xmax(pg_current_snapshot())")),
    _mutant("cursor_shows_its_row_again", "tests/db/operations/test_changes.py",
            ("fsm.changes", "where (c.feed_position, c.at, c.session_id) > (", "where (c.feed_position, c.at, c.session_id) >= (")),
    _mutant("trim_keeps_one_less", "tests/db/operations/test_trim_history.py",
            ("cut_history", "select s.version - p_keep_versions from", "select s.version - p_keep_versions + 1 from")),
    _mutant("purge_takes_what_is_held", "tests/db/operations/test_purge_sessions.py",
            ("fsm.purge_sessions", "and not exists (select from fsm_internal.turns t where t.session_id = s.session_id and t.expires_at > fsm_internal.clock())", "")),
    _mutant("upgrade_without_locks", ("tests/db/operations/test_upgrade_sessions.py", "tests/concurrency/test_batches.py"),
            ("fsm.upgrade_sessions", "perform fsm_internal.lock_sessions(v_ids);", NOTHING)),
    _mutant("erasure_leaves_the_past", "tests/db/sessions/test_delete_session.py",
            ("erase_sessions", "delete from fsm_internal.history h where h.session_id = any (p_session_ids);", NOTHING)),
    _mutant("verify_does_not_look_at_the_head", "tests/db/operations/test_verify_sessions.py",
            ("past_problems", "fsm_internal.admits(v_context,", "true or fsm_internal.admits(v_context,")),
    # Imports.
    _mutant("import_overwrites_what_was_changed", "tests/db/imports/test_import_sessions.py",
            ("import_obstacle", "elsif not v_session.is_unchanged then", "elsif false then")),
    _mutant("import_forgets_earlier_calls", "tests/db/imports/test_import_conflicts.py",
            ("import_items_of", "where i.batch = p_batch and i.target = p_target and not i.undone", "where i.batch = p_batch and i.target = p_target and i.undone")),
    _mutant("import_without_locks", "tests/concurrency/test_imports.py",
            ("fsm.import_sessions", "perform fsm_internal.lock_sessions(array(select distinct i.target from unnest(v_items) i where i.target is not null));", NOTHING)),
    _mutant("undo_takes_what_was_changed", "tests/db/imports/test_undo_import.py",
            ("is_as_imported", "and h.kind = 'import' and h.note ->> 'batch' = p_batch::text", "")),
    _mutant("equal_times_let_the_file_store_win", "tests/db/imports/test_import_conflicts.py",
            ("merged_source", "p_other.context_at > p_merged.changed_at", "p_other.context_at >= p_merged.changed_at")),
    _mutant("stale_confirmation_revived", "tests/db/imports/test_import_codes.py",
            ("legacy_value", "and p_has_contract is not true then", "and p_has_contract is null then")),
    # Who may do what.
    _mutant("search_path_without_pg_temp", "tests/roles/test_who_owns_and_who_runs.py",
            ("fsm.save_session", " SET search_path TO 'pg_catalog', 'pg_temp'\n", " SET search_path TO 'pg_catalog'\n")),
    _mutant("runs_as_its_caller", "tests/roles/test_who_owns_and_who_runs.py",
            ("fsm.save_session", " SECURITY DEFINER\n", "")),
    _mutant("errors_without_their_line_in_the_log", "tests/db/log",
            ("refuse(jsonb)", "perform fsm_internal.log_refusal(p_refusal);", NOTHING)),
]  # fmt: skip
MUTANTS = {one.name: one for one in _ALL}
assert len(MUTANTS) == len(_ALL)
