create function fsm_internal.is_idle(p_session fsm_internal.sessions, p_before timestamptz, p_only_final boolean)
returns boolean
language sql
stable
return p_session.updated_at < p_before and (not p_only_final or exists (
  select from fsm_internal.machine_states t
  where t.machine = p_session.machine and t.machine_version = p_session.machine_version and t.state = p_session.state and t.is_final));
comment on function fsm_internal.is_idle(fsm_internal.sessions, timestamptz, boolean) is
  'True for a session that was last written before p_before and, if p_only_final, is in a final state.';
