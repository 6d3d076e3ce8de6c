create function fsm.trim_history(p_keep_versions integer, p_limit integer default 1000, p_keep_for interval default '1 day')
returns bigint
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_keep_for interval := fsm_internal.seconds_of('p_keep_for', p_keep_for, 3155760000) * interval '1 second';
  v_now timestamptz := fsm_internal.clock();
  v_session record;
  v_sessions integer := 0;
  v_removed bigint := 0;
begin
  perform fsm_internal.check_limit(p_limit);
  perform fsm_internal.check_not_null('p_keep_versions', p_keep_versions);
  if p_keep_versions < 1 then
    perform fsm_internal.refuse(fsm_internal.argument_refusal('p_keep_versions', 'limit below 1', jsonb_build_object('value', p_keep_versions),
      'Give p_keep_versions 1 or more: the newest version is the session as it is.'));
  end if;
  for v_session in
    select s.session_id, v_now - greatest(v_keep_for, w.longest) as before
    from fsm_internal.sessions s
    left join fsm_internal.loop_windows() w using (machine)
    where s.version > p_keep_versions and exists (
      select from fsm_internal.history h
      where h.session_id = s.session_id and h.version <= s.version - p_keep_versions and h.at < v_now - greatest(v_keep_for, w.longest))
  loop
    continue when not fsm_internal.try_lock_session(v_session.session_id);
    v_removed := v_removed + fsm_internal.cut_history(v_session.session_id, p_keep_versions, v_session.before, p_limit - v_removed);
    v_sessions := v_sessions + 1;
    exit when v_removed >= p_limit or v_sessions = 1000;
  end loop;
  return v_removed;
end
$$;
comment on function fsm.trim_history(integer, integer, interval) is
  'Removes the oldest versions from history: of each session the newest p_keep_versions (1 or more) stay, and whatever is younger than p_keep_for (0 to 100 years) or than the longest loop window of its machine. What stays is whole: every retained version can be loaded, rolled back to and verified. Request ids go with their versions, and fsm.changes no longer shows what was removed: keep more than its slowest reader is behind. At most p_limit rows (null: no limit) of at most 1,000 sessions in one call; sessions that somebody is writing to are left for the next. Returns the number of rows removed, so call it until it returns 0. Errors: 22004, 22023.';
