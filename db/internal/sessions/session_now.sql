create function fsm_internal.session_now(p_session_id text)
returns table (
  session_id text, machine text, machine_version integer, state text, version bigint, context jsonb, context_version integer,
  is_final boolean, entered_at timestamptz, created_at timestamptz, updated_at timestamptz)
language plpgsql
volatile
as $$
begin
  return query
    select r.session_id, r.machine, r.machine_version, r.state, r.version, fsm_internal.read_context(r.session_id, r.context), t.context_version,
      coalesce(t.is_final, fsm_internal.refuse_unknown_state(r.session_id, r.machine, r.machine_version, r.state)),
      r.entered_at, r.created_at, r.updated_at
    from fsm_internal.sessions r
    left join fsm_internal.machine_states t
      on t.machine = r.machine and t.machine_version = r.machine_version and t.state = r.state
    where r.session_id = p_session_id;
end
$$;
comment on function fsm_internal.session_now(text) is
  'The session_row as this transaction sees it now, its own changes included. SM060 the stored state is not one of its machine.';
