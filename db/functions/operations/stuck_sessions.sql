create function fsm.stuck_sessions(p_idle interval, p_limit integer default 100)
returns table (session_id text, machine text, state text, version bigint, updated_at timestamptz)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_before timestamptz := fsm_internal.clock() - fsm_internal.seconds_of('p_idle', p_idle, 3155760000) * interval '1 second';
begin
  perform fsm_internal.check_limit(p_limit);
  return query
    select s.session_id, s.machine, s.state, s.version, s.updated_at
    from fsm_internal.sessions s
    left join fsm_internal.machine_states t
      on t.machine = s.machine and t.machine_version = s.machine_version and t.state = s.state
    where t.is_final is not true and s.updated_at < v_before
    order by s.updated_at, s.session_id
    limit p_limit;
end
$$;
comment on function fsm.stuck_sessions(interval, integer) is
  'Sessions in no final state that nobody has written to for p_idle, the longest idle first; p_limit rows (null: all). A month of p_idle is 30 days. Errors: 22004 null p_idle, 22023 p_idle negative or over 100 years, p_limit below 1.';
