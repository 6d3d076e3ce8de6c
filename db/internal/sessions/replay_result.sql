create function fsm_internal.replay_result(p_session_id text, p_version bigint)
returns fsm_internal.outcome
language plpgsql
stable
as $$
declare
  v_result fsm_internal.outcome;
begin
  select h.session_id, s.machine, h.machine_version, h.version, h.to_state, h.from_state,
    h.to_state is distinct from h.from_state, h.loop_detected, true, t.is_final, t.context_version,
    h.entered_at, s.created_at, h.at, null::jsonb, null::jsonb
  into v_result
  from fsm_internal.history h
  join fsm_internal.sessions s using (session_id)
  left join fsm_internal.machine_states t
    on t.machine = s.machine and t.machine_version = h.machine_version and t.state = h.to_state
  where h.session_id = p_session_id and h.version = p_version;
  return v_result;
end
$$;
comment on function fsm_internal.replay_result(text, bigint) is
  'What the write that made this version answered, with replayed true.';
