create function fsm.looping_sessions(p_limit integer default 100)
returns table (
  session_id text, from_state text, to_state text, occurrences integer, loop_limit integer, loop_window interval,
  first_at timestamptz, last_at timestamptz)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := fsm_internal.clock();
begin
  perform fsm_internal.check_limit(p_limit);
  return query
    select s.session_id, l.*
    from (
      -- Nobody else can be in a loop now: a passage is a write.
      select w.session_id
      from fsm_internal.sessions w
      join fsm_internal.loop_windows() m on m.machine = w.machine
      where w.updated_at >= v_now - m.longest and w.version > m.smallest_limit
      order by w.updated_at desc, w.session_id) s
    cross join lateral fsm_internal.loops_of(s.session_id, v_now) l
    limit p_limit;
end
$$;
comment on function fsm.looping_sessions(integer) is
  'What fsm.detect_loop reports, for all sessions: those written last come first, the newest loop of each first; p_limit rows (null: all). Looks at the history only of sessions that were written within the longest loop window of their machine. Errors: 22023 p_limit below 1.';
