create function fsm.session_as_of(p_session_id text, p_at timestamptz)
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
  perform fsm_internal.check_not_null('p_at', p_at);
  return query select a.* from fsm_internal.session_at(p_session_id, (
    select h.version from fsm_internal.history h
    join fsm_internal.sessions s on s.session_id = h.session_id and h.version <= s.version
    where h.session_id = p_session_id and h.at <= p_at
    order by h.version desc limit 1)) a;
end
$$;
comment on function fsm.session_as_of(text, timestamptz) is
  'The session as it was at a moment: the newest version saved at or before p_at, exactly as fsm.load_session_at gives it. One session_row, or none when the session does not exist, did not exist then, or that far back nothing is retained. Errors: 22004, 22023, SM060 history is incomplete.';
