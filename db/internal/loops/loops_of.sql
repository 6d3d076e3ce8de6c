create function fsm_internal.loops_of(p_session_id text, p_at timestamptz)
returns table (
  from_state text, to_state text, occurrences integer, loop_limit integer, loop_window interval,
  first_at timestamptz, last_at timestamptz)
language plpgsql
stable
as $$
begin
  return query
    with pairs as (
      select distinct on (h.from_state, h.to_state)
        h.from_state, h.to_state, h.event, h.machine_version
      from fsm_internal.history h
      where h.session_id = p_session_id and h.kind in ('transition', 'deadline')
      order by h.from_state, h.to_state, h.version desc
    ), rules as (
      select p.from_state, p.to_state, r.loop_limit, r.loop_window
      from pairs p
      join fsm_internal.sessions s on s.session_id = p_session_id
      cross join lateral (
        (select c.loop_limit, c.loop_window from fsm_internal.machine_candidates c
        where c.machine = s.machine and c.machine_version = p.machine_version and c.from_state = p.from_state
          and c.event = p.event and c.to_state = p.to_state
        order by c.candidate limit 1)
        union all
        -- A passage without an event is one of a deadline.
        (select d.loop_limit, d.loop_window from fsm_internal.machine_delays d
        where p.event is null and d.machine = s.machine and d.machine_version = p.machine_version and d.state = p.from_state
          and d.to_state = p.to_state
        order by d.delay_ms limit 1)) r
      where r.loop_limit is not null
    )
    select r.from_state, r.to_state, count(*)::integer, r.loop_limit, r.loop_window, min(h.at), max(h.at)
    from rules r
    join fsm_internal.history h on h.session_id = p_session_id and h.from_state = r.from_state and h.to_state = r.to_state
      and h.kind in ('transition', 'deadline') and h.at >= p_at - r.loop_window
    group by r.from_state, r.to_state, r.loop_limit, r.loop_window
    having count(*) > r.loop_limit
    order by max(h.version) desc;
end
$$;
comment on function fsm_internal.loops_of(text, timestamptz) is
  'The loops of one session at a moment, the newest first, by its history and the rules of its machine.';
