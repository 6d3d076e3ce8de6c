create function fsm.fork_session(
  p_session_id text, p_version bigint, p_new_session_id text, p_request_id uuid default null, p_actor text default null)
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
  perform fsm_internal.check_common_arguments(p_session_id, p_actor, null);
  perform fsm_internal.check_not_null('p_version', p_version);
  perform fsm_internal.check_text('p_new_session_id', p_new_session_id, 512);
  v_outcome := fsm_internal.fork_session(p_new_session_id, p_session_id, p_version, p_request_id, p_actor);
  perform fsm_internal.refuse(v_outcome.refusal);
  return query select v_outcome.session_id, v_outcome.machine, v_outcome.machine_version, v_outcome.version, v_outcome.state,
    v_outcome.previous_state, v_outcome.changed_state, v_outcome.loop_detected, v_outcome.replayed, v_outcome.is_final,
    v_outcome.context_version, v_outcome.entered_at, v_outcome.created_at, v_outcome.saved_at;
end
$$;
comment on function fsm.fork_session(text, bigint, text, uuid, text) is
  'Creates session p_new_session_id as a copy of what p_session_id was at a retained version: state, context and machine version. Its history begins with version 1 of kind fork, whose note says {"session_id", "version"} of the source; entered_at and created_at are the time of the fork. The source is read, not locked and not changed. p_request_id: a retry with the same id gives the first answer again (replayed true). Returns one row, the save_result. Errors in the order of checking: 22004, 22023 empty or too long, SM011 p_new_session_id exists already, SM010 no source session, 22023 version never made or no longer retained (oldest_version in DETAIL), SM060 source corrupt, SM001 the machine version of that version is retired and takes no new sessions.';
