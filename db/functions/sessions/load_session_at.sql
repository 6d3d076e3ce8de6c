create function fsm.load_session_at(p_session_id text, p_version bigint)
returns table (
  session_id text, machine text, machine_version integer, state text, version bigint, context jsonb, context_version integer,
  is_final boolean, entered_at timestamptz, created_at timestamptz, updated_at timestamptz)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform fsm_internal.check_common_arguments(p_session_id, null, null);
  perform fsm_internal.check_not_null('p_version', p_version);
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
comment on function fsm.load_session_at(text, bigint) is
  'The session as it was when that version was saved: state, context, machine version and times exactly, updated_at being the time of that save. One session_row, or none when the session or the version does not exist or is no longer retained. Errors: 22004, 22023, SM060 history is incomplete.';
