create function fsm_internal.session_metrics()
returns jsonb
language plpgsql
stable
as $$
begin
  return (
    select jsonb_build_object('total', coalesce(sum(g.sessions), 0), 'final', coalesce(sum(g.sessions) filter (where t.is_final), 0),
      'by_state', coalesce(jsonb_agg(jsonb_build_object('machine', g.machine, 'machine_version', g.machine_version, 'state', g.state,
        'sessions', g.sessions) order by g.machine collate "C", g.machine_version, g.state collate "C"), '[]'))
    from (
      select s.machine, s.machine_version, s.state, count(*) as sessions
      from fsm_internal.sessions s group by s.machine, s.machine_version, s.state) g
    left join fsm_internal.machine_states t
      on t.machine = g.machine and t.machine_version = g.machine_version and t.state = g.state);
end
$$;
comment on function fsm_internal.session_metrics() is 'The key sessions of fsm.metrics.';

create function fsm_internal.machine_metrics()
returns jsonb
language plpgsql
stable
as $$
begin
  return (
    select jsonb_build_object('names', count(distinct v.machine), 'versions', count(*), 'retired', count(*) filter (where v.retired))
    from fsm_internal.machine_versions v);
end
$$;
comment on function fsm_internal.machine_metrics() is 'The key machines of fsm.metrics.';

create function fsm_internal.recent_metrics(p_at timestamptz, p_most integer default 100000)
returns jsonb
language plpgsql
stable
as $$
begin
  return (
    with newest as materialized (
      select h.session_id, h.kind::text as kind, h.from_state, h.to_state, h.event, h.loop_detected, h.at
      from fsm_internal.history h order by h.feed_position desc limit p_most
    ), recent as materialized (
      select n.* from newest n where n.at > p_at - interval '300 seconds'
    ), facts as materialized (
      select count(*) as writes, count(*) filter (where r.loop_detected) as loops, min(r.at) as since,
        count(*) = p_most as capped from recent r
    ), spans as (
      select s.name, s.seconds,
        -- Before the oldest write seen nothing is known.
        case when f.capped then greatest(least(s.seconds, extract(epoch from p_at - f.since)), 0.001) else s.seconds end as known
      from facts f cross join (values ('minute', 60), ('five_minutes', 300)) s (name, seconds)
    ), by_kind as (
      select s.name, r.kind, round(count(*) / max(s.known)::numeric, 4) as rate
      from spans s join recent r on r.at > p_at - s.seconds * interval '1 second'
      group by s.name, r.kind
    ), moves as (
      select s.machine, r.from_state, r.to_state, r.event, count(*) as transitions
      from recent r join fsm_internal.sessions s on s.session_id = r.session_id
      where r.kind in ('transition', 'deadline')
      group by s.machine, r.from_state, r.to_state, r.event
    )
    select jsonb_build_object(
      'recent', jsonb_build_object('seconds', 300, 'writes', f.writes, 'loops', f.loops, 'since', f.since, 'capped', f.capped),
      'transitions', coalesce((
        select jsonb_agg(to_jsonb(m) order by m.transitions desc, m.machine collate "C", m.from_state collate "C", m.to_state collate "C",
          m.event collate "C") from moves m), '[]'),
      'rates', (
        select jsonb_object_agg(s.name, coalesce((select jsonb_object_agg(k.kind, k.rate) from by_kind k where k.name = s.name), '{}'))
        from spans s))
    from facts f);
end
$$;
comment on function fsm_internal.recent_metrics(timestamptz, integer) is
  'The keys recent, transitions and rates of fsm.metrics, from at most the newest p_most rows of history.';

create function fsm_internal.overdue_deadlines(p_at timestamptz, p_limit integer)
returns table (session_id text, due_at timestamptz)
language plpgsql
stable
as $$
begin
  -- wake_at only says when to look; what is due, the session's own stay in its state says.
  return query
    select d.session_id, n.due_at
    from (select l.* from fsm_internal.deadlines l where l.wake_at <= p_at order by l.wake_at limit p_limit) d
    join fsm_internal.sessions s on s.session_id = d.session_id
    cross join lateral (select fsm_internal.next_deadline(s.machine, s.machine_version, s.state, s.entered_at,
      case when d.fired_entered_at = s.entered_at then d.fired_ms end) as due_at offset 0) n
    where n.due_at <= p_at;
end
$$;
comment on function fsm_internal.overdue_deadlines(timestamptz, integer) is
  'Sessions whose deadline had passed at p_at, and when it was, among the p_limit rows of fsm_internal.deadlines that wait longest to be looked at.';

create function fsm_internal.deadline_metrics(p_at timestamptz)
returns jsonb
language plpgsql
stable
as $$
begin
  return (
    select jsonb_build_object('waiting', d.waiting, 'refused', d.refused, 'overdue', o.overdue,
      'oldest_overdue_seconds', round(extract(epoch from p_at - o.oldest)::numeric, 3))
    from (
      select count(*) filter (where w.wake_at < 'infinity') as waiting, count(*) filter (where w.refusals > 0) as refused
      from fsm_internal.deadlines w) d
    cross join (select count(*) as overdue, min(l.due_at) as oldest from fsm_internal.overdue_deadlines(p_at, 10000) l) o);
end
$$;
comment on function fsm_internal.deadline_metrics(timestamptz) is 'The key deadlines of fsm.metrics.';

create function fsm_internal.turn_metrics()
returns jsonb
language plpgsql
stable
as $$
begin
  -- A standby cannot read an unlogged table.
  if pg_is_in_recovery() then
    return null;
  end if;
  return (select jsonb_build_object('held', count(*)) from fsm_internal.turns t where t.expires_at > fsm_internal.clock());
end
$$;
comment on function fsm_internal.turn_metrics() is 'The key turns of fsm.metrics.';

create function fsm_internal.size_metrics()
returns jsonb
language plpgsql
stable
as $$
begin
  return (
    select jsonb_build_object(
      'sessions', pg_table_size('fsm_internal.sessions'), 'history', pg_table_size('fsm_internal.history'),
      'indexes', sum(pg_indexes_size(c.oid)), 'total', sum(pg_total_relation_size(c.oid)))
    from pg_class c where c.relnamespace = 'fsm_internal'::regnamespace and c.relkind = 'r');
end
$$;
comment on function fsm_internal.size_metrics() is 'The key bytes of fsm.metrics.';
