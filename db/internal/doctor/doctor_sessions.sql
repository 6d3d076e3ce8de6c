create function fsm_internal.doctor_sessions(p_pages integer default 2000)
returns table (severity text, check_name text, message text, hint text)
language plpgsql
stable
as $$
declare
  v_pages bigint := pg_relation_size('fsm_internal.sessions') / 8192;
  v_idle timestamptz := fsm_internal.clock() - interval '30 days';
  v_seen record;
begin
  select count(*) as all_of_them, count(*) filter (where t.state is null) as unknown,
    min(s.session_id) filter (where t.state is null) as first_unknown,
    count(*) filter (where t.is_final = false and s.updated_at < v_idle) as stuck
  into v_seen
  from fsm_internal.sessions s tablesample system (least(100, 100.0 * p_pages / greatest(v_pages, 1)))
  left join fsm_internal.machine_states t
    on t.machine = s.machine and t.machine_version = s.machine_version and t.state = s.state;
  return query
    select v.severity, v.check_name, v.message, v.hint
    from (values
      (v_seen.unknown, 'error', 'unknown_state',
        format('%s of %s sessions looked at are in a state that their machine version does not have, the first is %s', v_seen.unknown,
          v_seen.all_of_them, to_jsonb(v_seen.first_unknown)),
        'Somebody changed the tables by hand. fsm.verify_sessions lists all that is wrong; compare with a backup.'),
      (v_seen.stuck, 'info', 'stuck_sessions',
        format('%s of %s sessions looked at are in no final state and were not written for 30 days', v_seen.stuck, v_seen.all_of_them),
        'fsm.stuck_sessions(interval ''30 days'') lists them. A deadline ("after") would end such sessions, fsm.purge_sessions removes them.')
    ) v (found, severity, check_name, message, hint)
    where v.found > 0;
end
$$;
comment on function fsm_internal.doctor_sessions(integer) is
  'Findings of fsm.doctor: sessions that are corrupt or forgotten, among those in about p_pages pages of the table chosen at random, or all.';
