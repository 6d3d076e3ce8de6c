create function fsm_internal.insert_session(
  p_session_id text, p_state fsm_internal.machine_states, p_write fsm_internal.pending_write)
returns fsm_internal.outcome
language plpgsql
volatile
as $$
declare
  v_at timestamptz := fsm_internal.clock();
  v_wake_at timestamptz;
begin
  if p_state.first_delay_ms is not null then
    v_wake_at := fsm_internal.wake(p_session_id, p_state.machine, p_state.machine_version, p_state.state, v_at,
      v_at + p_state.first_delay_ms * interval '1 millisecond', null);
  end if;
  insert into fsm_internal.sessions (session_id, machine, machine_version, state, version, context, entered_at, created_at, updated_at, wake_at)
  values (p_session_id, p_state.machine, p_state.machine_version, p_state.state, 1,
    fsm_internal.write_context(p_session_id, p_write.context), v_at, v_at, v_at, v_wake_at)
  on conflict do nothing;
  if not found then
    perform fsm_internal.refuse_existing_session(p_session_id, p_state.machine, null, null);
  end if;
  perform fsm_internal.insert_first_history(p_session_id, p_state, p_write, v_at);
  return (p_session_id, p_state.machine, p_state.machine_version, 1, p_state.state, null, true, false, false, p_state.is_final,
    p_state.context_version, v_at, v_at, v_at, null, null)::fsm_internal.outcome;
end
$$;
comment on function fsm_internal.insert_session(text, fsm_internal.machine_states, fsm_internal.pending_write) is
  'Version 1 of a session in a state, and its first row of history. SM011 when another transaction made it first.';

create function fsm_internal.insert_first_history(
  p_session_id text, p_state fsm_internal.machine_states, p_write fsm_internal.pending_write, p_at timestamptz)
returns void
language plpgsql
volatile
as $$
declare
  v_nothing fsm_internal.locked_session;  -- what was there before: no version, no state, no hash
  v_hash bytea;
begin
  if p_state.audit_chain then
    v_nothing.session_id := p_session_id;
    v_nothing.version := 0;
    v_nothing.machine_version := p_state.machine_version;
    v_hash := fsm_internal.next_chain_hash(v_nothing, p_write, false, p_at, p_at);
  end if;
  insert into fsm_internal.history (session_id, version, kind, machine_version, from_state, to_state, actor, db_user, note,
    request_id, loop_detected, at, entered_at, chain_hash)
  values (p_session_id, 1, p_write.kind, p_state.machine_version, null, p_state.state, p_write.actor, session_user, p_write.note,
    p_write.request_id, false, p_at, p_at, v_hash)
  on conflict on constraint history_pkey do nothing;
  if not found then
    perform fsm_internal.report_corrupt_session(p_session_id, 'history_without_session', jsonb_build_object('version', 1));
  end if;
end
$$;
comment on function fsm_internal.insert_first_history(text, fsm_internal.machine_states, fsm_internal.pending_write, timestamptz) is
  'The row of history of version 1. SM060 when history has rows of a session that is gone.';
