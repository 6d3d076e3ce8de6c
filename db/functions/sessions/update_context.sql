create function fsm.update_context(
  p_session_id text, p_patch jsonb default '{}', p_append jsonb default '{}', p_expected_version bigint default null,
  p_request_id uuid default null, p_turn bigint default null, p_actor text default null, p_note jsonb default null)
returns table (
  session_id text, machine text, machine_version integer, version bigint, state text, previous_state text, changed_state boolean,
  loop_detected boolean, replayed boolean, is_final boolean, context_version integer, entered_at timestamptz,
  created_at timestamptz, saved_at timestamptz)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_outcome fsm_internal.outcome;
begin
  perform fsm_internal.check_common_arguments(p_session_id, p_actor, p_note);
  v_outcome := fsm_internal.update_context(p_session_id, coalesce(p_patch, '{}'), coalesce(p_append, '{}'), p_expected_version, p_request_id,
    p_turn, p_actor, p_note);
  perform fsm_internal.refuse(v_outcome.refusal);
  return query select v_outcome.session_id, v_outcome.machine, v_outcome.machine_version, v_outcome.version, v_outcome.state,
    v_outcome.previous_state, v_outcome.changed_state, v_outcome.loop_detected, v_outcome.replayed, v_outcome.is_final,
    v_outcome.context_version, v_outcome.entered_at, v_outcome.created_at, v_outcome.saved_at;
end
$$;
comment on function fsm.update_context(text, jsonb, jsonb, bigint, uuid, bigint, text, jsonb) is
  'Changes the context alone, without a transition: p_patch (RFC 7396 merge patch), then p_append ({"key": [elements]}), so that a message costs a message and not the whole conversation. Null p_patch or p_append is {}. Returns one row, the save_result. Errors in the order of checking: 22004, 22023, SM010 unknown session, SM050 turn held by another, SM051 turn token stale, SM030 version conflict, SM012 final state, SM021 form of patch or append, size, limits, schema or invariant; 40001 under REPEATABLE READ and SERIALIZABLE.';
