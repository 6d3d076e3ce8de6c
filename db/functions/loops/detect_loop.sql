create function fsm.detect_loop(p_session_id text)
returns table (
  from_state text, to_state text, occurrences integer, loop_limit integer, loop_window interval,
  first_at timestamptz, last_at timestamptz)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform fsm_internal.check_common_arguments(p_session_id, null, null);
  perform fsm_internal.check_session_exists(p_session_id);
  return query select l.* from fsm_internal.loops_of(p_session_id, fsm_internal.clock()) l;
end
$$;
comment on function fsm.detect_loop(text) is
  'The transitions (from_state, to_state) that this session has made more often than their limit within their window before now, by committed history. No rows: no loop. loop_limit and loop_window are those of the candidate that the newest passage took. Errors: 22004, 22023, SM010 unknown session.';
