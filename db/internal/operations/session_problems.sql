create function fsm_internal.orphaned_histories(p_after_session_id text)
returns table (session_id text)
language sql
stable
begin atomic
  select h.session_id from fsm_internal.history h
  where h.session_id > coalesce(p_after_session_id, '')
    and not exists (select from fsm_internal.sessions s where s.session_id = h.session_id)
  group by h.session_id;
end;
comment on function fsm_internal.orphaned_histories(text) is 'The ids after p_after_session_id (null: all) that have history but no session.';

create function fsm_internal.session_problems(p_session_id text)
returns table (code text, detail jsonb)
language plpgsql
stable
as $$
begin
  return query select f.code, f.detail from fsm_internal.row_problems(p_session_id) f;
  return query select f.code, f.detail from fsm_internal.history_problems(p_session_id) f;
  return query select f.code, f.detail from fsm_internal.past_problems(p_session_id) f;
end
$$;
comment on function fsm_internal.session_problems(text) is 'All that fsm.verify_sessions finds in one session.';

create function fsm_internal.row_problems(p_session_id text)
returns table (code text, detail jsonb)
language plpgsql
stable
as $$
begin
  return query
    with looked_at as (
      select s.*, t.is_final, t.first_delay_ms, h.version as head, d.wake_at as hint, d.refusals,
        case when d.fired_entered_at = s.entered_at then d.fired_ms end as fired_ms,
        array_remove(array[
          case when s.version <> h.version then 'version' end, case when s.state <> h.to_state then 'state' end,
          case when s.machine_version <> h.machine_version then 'machine_version' end,
          case when s.updated_at <> h.at then 'updated_at' end, case when s.entered_at <> h.entered_at then 'entered_at' end], null) as columns
      from fsm_internal.sessions s
      left join fsm_internal.machine_states t on t.machine = s.machine and t.machine_version = s.machine_version and t.state = s.state
      left join lateral (
        select * from fsm_internal.history o where o.session_id = s.session_id order by o.version desc limit 1) h on true
      left join fsm_internal.deadlines d on d.session_id = s.session_id
      where s.session_id = p_session_id
    )
    select v.code, v.detail from looked_at l
    cross join lateral (values
      (l.is_final is null, 'unknown_state', jsonb_build_object('machine', l.machine, 'machine_version', l.machine_version, 'state', l.state)),
      (l.head is null, 'history_missing', jsonb_build_object('version', l.version)),
      (cardinality(l.columns) > 0, 'row_disagrees_with_history', jsonb_build_object('columns', l.columns, 'version', l.version, 'newest_version', l.head)),
      (l.wake_at is distinct from l.hint or (l.first_delay_ms is not null and coalesce(l.refusals, 0) = 0
          and (l.wake_at <= greatest(fsm_internal.clock(),
            fsm_internal.next_deadline(l.machine, l.machine_version, l.state, l.entered_at, l.fired_ms))) is not true),
        'deadline_lost', jsonb_build_object('state', l.state, 'entered_at', l.entered_at, 'wake_at', l.wake_at))
    ) v (applies, code, detail)
    where v.applies;
  if not pg_is_in_recovery() then  -- an unlogged table cannot be read there
    return query
      select 'turn_behind', jsonb_build_object('turn', s.turn, 'begun', t.turn)
      from fsm_internal.turns t join fsm_internal.sessions s using (session_id)
      where t.session_id = p_session_id and t.turn > coalesce(s.turn, 0);
  end if;
  if not exists (select from fsm_internal.sessions s where s.session_id = p_session_id) then
    return query
      select 'history_without_session', jsonb_build_object('versions', count(*), 'newest_version', max(h.version))
      from fsm_internal.history h where h.session_id = p_session_id;
  end if;
end
$$;
comment on function fsm_internal.row_problems(text) is 'What is wrong with the row of a session by itself and beside its newest history, its deadline and its turn.';

create function fsm_internal.history_problems(p_session_id text)
returns table (code text, detail jsonb)
language plpgsql
stable
as $$
begin
  return query
    with rows_of as (
      select h.version, h.kind, h.from_state, h.to_state, h.machine_version, h.at, s.machine, c.version as cut,
        lag(h.version) over w as before, lag(h.to_state) over w as state_before, lag(h.at) over w as at_before
      from fsm_internal.history h
      left join fsm_internal.sessions s on s.session_id = h.session_id
      left join fsm_internal.history_cuts c on c.session_id = h.session_id
      where h.session_id = p_session_id
      window w as (order by h.version)
    )
    select v.code, jsonb_build_object('version', r.version) || v.detail
    from rows_of r
    left join fsm_internal.machine_states t on t.machine = r.machine and t.machine_version = r.machine_version and t.state = r.to_state
    cross join lateral (values
      (r.before <> r.version - 1, 'version_gap', jsonb_build_object('after', r.before)),
      (r.before is null and r.version <> coalesce(r.cut, 0) + 1, 'history_cut', jsonb_build_object('cut_version', r.cut)),
      (r.before is null and (r.version = 1) <> (r.kind in ('create', 'import', 'fork') and r.from_state is null), 'bad_first_row',
        jsonb_build_object('kind', r.kind, 'from_state', r.from_state)),
      (r.before = r.version - 1 and r.from_state is distinct from r.state_before, 'from_state_mismatch',
        jsonb_build_object('from_state', r.from_state, 'to_state_before', r.state_before)),
      (r.at <= r.at_before, 'time_not_increasing', jsonb_build_object('at', r.at, 'at_before', r.at_before)),
      (r.machine is not null and t.state is null, 'unknown_state_in_history',
        jsonb_build_object('machine_version', r.machine_version, 'to_state', r.to_state))
    ) v (applies, code, detail)
    where v.applies
    order by r.version;
end
$$;
comment on function fsm_internal.history_problems(text) is 'What is wrong with the rows of a session''s history beside each other.';
