create function fsm.fire_deadlines(p_limit integer default 100)
returns table (session_id text, from_state text, to_state text, version bigint, sqlstate text, message text)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_candidate record;
  v_due text;
  v_locked text[] := '{}'::text[];
  v_left integer := least(p_limit, 1000);
  v_wanted integer := v_left;
  v_fired record;
  v_now timestamptz := fsm_internal.clock();
begin
  perform fsm_internal.check_limit(p_limit);
  perform fsm_internal.make_durable();
  -- All locks before the first write: what others commit between it and a later lock would stand behind ours in fsm.changes.
  for v_candidate in
    select d.session_id, (
        select fsm_internal.next_deadline(s.machine, s.machine_version, s.state, s.entered_at,
          case when d.fired_entered_at = s.entered_at then d.fired_ms end) <= v_now
        from fsm_internal.sessions s where s.session_id = d.session_id) is true as looks_due
    from fsm_internal.deadlines d where d.wake_at <= v_now order by d.wake_at
  loop
    -- Whoever holds the lock is at work on the session: the next call finds what then is.
    continue when not fsm_internal.try_lock_session(v_candidate.session_id);
    v_locked := v_locked || v_candidate.session_id;
    -- What is only to be looked at does not count. Each look is a lock to the end of the transaction.
    v_wanted := v_wanted - v_candidate.looks_due::integer;
    exit when v_wanted = 0 or cardinality(v_locked) = 1000;
  end loop;
  foreach v_due in array v_locked loop
    for v_fired in select * from fsm_internal.fire_deadline(v_due) loop
      session_id := v_due; from_state := v_fired.from_state; to_state := v_fired.to_state; version := v_fired.version;
      sqlstate := v_fired.refusal ->> 'sqlstate'; message := v_fired.refusal ->> 'message';
      v_left := v_left - 1;
      return next;
    end loop;
    exit when v_left = 0;
  end loop;
end
$$;
comment on function fsm.fire_deadlines(integer) is
  'Takes deadlines ("after" of a state) that are due, those first that were to be looked at first, for at most p_limit sessions (null or above 1,000: 1,000 in one call); call it again while it returns rows. Any number of callers at once: each deadline is taken once, and a session that somebody is writing to is left for the next call. A row per session: version is the version that the deadline made, or null when it was refused, and then sqlstate and message say why (SM050 turn held, SM021 the target refuses the context, SM040 loop blocked, SM060 corrupt); a refused one is tried again after 30 seconds, then after twice as long each time up to an hour, at the end of the turn, or when the session is saved. A deadline is cancelled when the session leaves the state first. Errors: 22023 p_limit below 1; 40001 under REPEATABLE READ and SERIALIZABLE.';
