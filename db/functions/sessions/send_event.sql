create function fsm.send_event(
  p_session_id text, p_event text, p_patch jsonb default '{}', p_expected_version bigint default null,
  p_request_id uuid default null, p_turn bigint default null, p_actor text default null, p_note jsonb default null,
  p_append jsonb default '{}')
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
  perform fsm_internal.check_common_arguments(p_session_id, p_actor, p_note);
  perform fsm_internal.check_text('p_event', p_event, 128);
  v_outcome := fsm_internal.send_event(p_session_id, p_event, coalesce(p_patch, '{}'), p_expected_version, p_request_id, p_turn, p_actor, p_note,
    coalesce(p_append, '{}'));
  perform fsm_internal.refuse(v_outcome.refusal);
  return query select v_outcome.session_id, v_outcome.machine, v_outcome.machine_version, v_outcome.version, v_outcome.state,
    v_outcome.previous_state, v_outcome.changed_state, v_outcome.loop_detected, v_outcome.replayed, v_outcome.is_final,
    v_outcome.context_version, v_outcome.entered_at, v_outcome.created_at, v_outcome.saved_at, v_outcome.context;
end
$$;
comment on function fsm.send_event(text, text, jsonb, bigint, uuid, bigint, text, jsonb, jsonb) is
  'Sends an event: the machine picks the target, by the first candidate whose guard holds for the context after p_patch (RFC 7396 merge patch: null removes a key) and p_append ({"key": [elements]}: added to the end of a top-level array, made if missing). Null p_patch or p_append is {}. Returns one row, the save_result and the context as saved (replayed: that of the version then made, null if no longer retained). Errors in the order of checking: 22004, 22023, SM010 unknown session, SM050 turn held by another, SM051 turn token stale, SM030 version conflict, SM012 final state, SM021 form of patch or append, size or limits, SM020 event unknown here, SM022 no guard holds, SM040 loop blocked, SM021 schema or invariant; 40001 under REPEATABLE READ and SERIALIZABLE.';
