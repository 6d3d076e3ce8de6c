create function fsm_internal.session_at(p_session_id text, p_version bigint)
returns table (
  session_id text, machine text, machine_version integer, state text, version bigint, context jsonb, context_version integer,
  is_final boolean, entered_at timestamptz, created_at timestamptz, updated_at timestamptz)
language plpgsql
stable
as $$
begin
  return query
    select r.session_id, r.machine, h.machine_version, h.to_state, h.version, fsm_internal.context_at(r.session_id, h.version),
      t.context_version,
      coalesce(t.is_final, fsm_internal.refuse_unknown_state(r.session_id, r.machine, h.machine_version, h.to_state)),
      h.entered_at, r.created_at, h.at
    from fsm_internal.sessions r
    join fsm_internal.history h on h.session_id = r.session_id
    left join fsm_internal.machine_states t
      on t.machine = r.machine and t.machine_version = h.machine_version and t.state = h.to_state
    where r.session_id = p_session_id and h.version = p_version and h.version <= r.version;
end
$$;
comment on function fsm_internal.session_at(text, bigint) is
  'The session_row of a version exactly as it was saved; no row for one that does not exist or is no longer retained. SM060 when history is incomplete.';
