create function fsm.allowed_events(p_session_id text)
returns table (event text, to_state text, guard text, allowed boolean, reason text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_session record;
begin
  perform fsm_internal.check_common_arguments(p_session_id, null, null);
  -- The empty object unpacks a context that is stored compressed or out of line: once, not for each guard.
  select s.session_id, s.machine, s.machine_version, s.state, t.is_final, fsm_internal.read_context(s.session_id, s.context) || '{}' as context
  into v_session
  from fsm_internal.sessions s
  left join fsm_internal.machine_states t
    on t.machine = s.machine and t.machine_version = s.machine_version and t.state = s.state
  where s.session_id = p_session_id;
  if v_session.session_id is null then
    perform fsm_internal.refuse_unknown_session(p_session_id);
  end if;
  if v_session.is_final is null then
    perform fsm_internal.refuse_unknown_state(p_session_id, v_session.machine, v_session.machine_version, v_session.state);
  end if;
  return query
    with candidates as (
      select c.*, (c.guard is null or jsonb_path_match(v_session.context, c.guard, '{}', true) is true) as holds
      from fsm_internal.machine_candidates c
      where c.machine = v_session.machine and c.machine_version = v_session.machine_version and c.from_state = v_session.state
    ), ranked as (
      select c.*, min(c.candidate) filter (where c.holds) over (partition by c.event) as taken from candidates c
    )
    select r.event, r.to_state, r.guard_source, v.reason is null,
      coalesce(v.reason, case when r.guard is null then 'no guard' else 'the guard holds' end)
    from ranked r
    cross join lateral (select case
      when not r.holds then 'the guard does not hold'
      when r.candidate > r.taken then format('candidate %s of this event comes first and holds', r.taken)
      else fsm_internal.entry_obstacle(p_session_id, v_session.context, r.machine, r.machine_version, r.from_state, r.event, r.candidate) end) v(reason)
    order by r.event collate "C", r.candidate;
end
$$;
comment on function fsm.allowed_events(text) is
  'Every candidate of every event of the session''s present state, by event name (collate "C"), then in the order tried. allowed: fsm.send_event with this event and no patch would go there now; reason says why or why not (guard, an earlier candidate, a loop that would be blocked or diverted, schema or invariant of the target). No rows: the state is final or has no events. Errors: 22004, 22023, SM010 unknown session, SM060 the stored state is not one of its machine.';
