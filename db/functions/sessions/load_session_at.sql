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
  return query select a.* from fsm_internal.session_at(p_session_id, p_version) a;
end
$$;
comment on function fsm.load_session_at(text, bigint) is
  'The session as it was when that version was saved: state, context, machine version and times exactly, updated_at being the time of that save. One session_row, or none when the session or the version does not exist or is no longer retained. Errors: 22004, 22023, SM060 history is incomplete.';
