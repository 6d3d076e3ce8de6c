create function fsm.purge_sessions(p_idle interval, p_limit integer default 1000, p_only_final boolean default true)
returns bigint
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_before timestamptz := fsm_internal.clock() - fsm_internal.seconds_of('p_idle', p_idle, 3155760000) * interval '1 second';
  v_limit integer := least(p_limit, 1000);
  v_session_id text;
  v_purged bigint := 0;
begin
  perform fsm_internal.check_limit(p_limit);
  perform fsm_internal.check_not_null('p_only_final', p_only_final);
  for v_session_id in
    select s.session_id from fsm_internal.sessions s
    left join fsm_internal.machine_states t using (machine, machine_version, state)
    where s.updated_at < v_before and (t.is_final or not p_only_final)
  loop
    continue when not fsm_internal.try_lock_session(v_session_id);
    -- Looked at again under the lock, in a statement of its own: one that also takes the lock would see what was before.
    if exists (
      select from fsm_internal.sessions s
      left join fsm_internal.machine_states t using (machine, machine_version, state)
      where s.session_id = v_session_id and s.updated_at < v_before and (t.is_final or not p_only_final)
        and not exists (select from fsm_internal.turns t where t.session_id = s.session_id and t.expires_at > fsm_internal.clock()))
    then
      perform fsm_internal.delete_session(v_session_id);
      v_purged := v_purged + 1;
      exit when v_purged = v_limit;
    end if;
  end loop;
  return v_purged;
end
$$;
comment on function fsm.purge_sessions(interval, integer, boolean) is
  'Erases, as fsm.delete_session does (originals of imports included), sessions that were not written to for p_idle (0 to 100 years): only those in a final state, or with p_only_final false all. Sessions whose turn is held, or that somebody is writing to, are left. At most p_limit (null or above 1,000: 1,000) in one call; returns how many, so call it until it returns 0. Errors: 22004, 22023.';
