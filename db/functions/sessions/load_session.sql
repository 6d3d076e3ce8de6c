create function fsm.load_session(
  p_session_id text, p_known_version bigint default null, p_known_updated_at timestamptz default null)
returns table (
  session_id text, machine text, machine_version integer, state text, version bigint, context jsonb, context_version integer,
  is_final boolean, entered_at timestamptz, created_at timestamptz, updated_at timestamptz, unchanged boolean)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform fsm_internal.check_common_arguments(p_session_id, null, null);
  return query
    select r.session_id, r.machine, r.machine_version, r.state, r.version,
      case when r.version = p_known_version and r.updated_at = p_known_updated_at then null
        else fsm_internal.read_context(r.session_id, r.context) end,
      t.context_version,
      coalesce(t.is_final, fsm_internal.refuse_unknown_state(r.session_id, r.machine, r.machine_version, r.state)),
      r.entered_at, r.created_at, r.updated_at,
      (r.version = p_known_version and r.updated_at = p_known_updated_at) is true
    from fsm_internal.sessions r
    left join fsm_internal.machine_states t
      on t.machine = r.machine and t.machine_version = r.machine_version and t.state = r.state
    where r.session_id = p_session_id;
end
$$;
comment on function fsm.load_session(text, bigint, timestamptz) is
  'The session as last committed: one session_row, or no row if there is none. When p_known_version and p_known_updated_at are both given and both match, unchanged is true and context is null: whoever holds that version need not be sent it again. Errors: 22004, 22023, SM060 the stored state is not one of its machine.';
