create function fsm.create_session(
  p_session_id text, p_machine text, p_context jsonb default '{}', p_machine_version integer default null,
  p_request_id uuid default null, p_actor text default null, p_note jsonb default null)
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
  perform fsm_internal.check_text('p_machine', p_machine, 512);
  perform fsm_internal.check_not_null('p_context', p_context);
  v_outcome := fsm_internal.create_session(p_session_id, p_machine, p_context, p_machine_version, p_request_id, p_actor, p_note);
  perform fsm_internal.refuse(v_outcome.refusal);
  return query select v_outcome.session_id, v_outcome.machine, v_outcome.machine_version, v_outcome.version, v_outcome.state,
    v_outcome.previous_state, v_outcome.changed_state, v_outcome.loop_detected, v_outcome.replayed, v_outcome.is_final,
    v_outcome.context_version, v_outcome.entered_at, v_outcome.created_at, v_outcome.saved_at;
end
$$;
comment on function fsm.create_session(text, text, jsonb, integer, uuid, text, jsonb) is
  'Creates a session as version 1 in the initial state of its machine. p_machine_version null: the newest not retired. p_request_id: a retry with the same id gives the first answer again (replayed true). p_actor (at most 512 bytes) and p_note (at most 65,536 bytes of text) go to history. Returns one row, the save_result. Errors: 22004, 22023, SM011 exists already, SM001 no such machine or version or it is retired, SM021 context rejected by form, limits, schema or the invariant of the initial state.';
