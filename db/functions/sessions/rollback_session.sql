create function fsm.rollback_session(
  p_session_id text, p_to_version bigint, p_expected_version bigint, p_reason text default null,
  p_request_id uuid default null, p_turn bigint default null, p_actor text default null)
returns table (
  session_id text, machine text, machine_version integer, version bigint, state text, previous_state text, changed_state boolean,
  loop_detected boolean, replayed boolean, is_final boolean, context_version integer, entered_at timestamptz,
  created_at timestamptz, saved_at timestamptz, context jsonb)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_outcome fsm_internal.outcome;
begin
  perform fsm_internal.check_common_arguments(p_session_id, p_actor, null);
  perform fsm_internal.check_not_null('p_to_version', p_to_version);
  perform fsm_internal.check_at_most('p_reason', octet_length(p_reason), 4096, 'bytes');
  v_outcome := fsm_internal.rollback_session(p_session_id, p_to_version, p_expected_version, p_reason, p_request_id, p_turn, p_actor);
  perform fsm_internal.refuse(v_outcome.refusal);
  return query select v_outcome.session_id, v_outcome.machine, v_outcome.machine_version, v_outcome.version, v_outcome.state,
    v_outcome.previous_state, v_outcome.changed_state, v_outcome.loop_detected, v_outcome.replayed, v_outcome.is_final,
    v_outcome.context_version, v_outcome.entered_at, v_outcome.created_at, v_outcome.saved_at, v_outcome.context;
end
$$;
comment on function fsm.rollback_session(text, bigint, bigint, text, uuid, bigint, text) is
  'Brings back state and context of a retained version, as a new version of kind rollback on the present machine version; nothing is taken out of history, and its note says {"to_version", "reason"} (p_reason at most 4,096 bytes). Schema, size and the state''s invariants are checked as in a save, edges, guards and loops are not; a session in a final state is open again if that version was. p_expected_version null: whatever is stored. p_request_id: a retry with the same id gives the first answer again (replayed true). Returns one row, the save_result and the context as saved (replayed: null if no longer retained). Errors in the order of checking: 22004, 22023 empty or too long, SM010 unknown session, SM050 turn held by another, SM051 turn token stale, SM030 version conflict, 22023 version never made or no longer retained (oldest_version in DETAIL), SM060 history incomplete, SM020 the present machine version has no such state, SM021 size, schema or invariant; 40001 under REPEATABLE READ and SERIALIZABLE.';
