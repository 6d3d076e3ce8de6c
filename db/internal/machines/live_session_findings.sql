create function fsm_internal.live_session_findings(p_machine text, p_machine_version integer)
returns jsonb
language plpgsql
stable
as $$
declare
  v_limit constant integer := 100000;
  v_findings jsonb;
  v_seen bigint;
begin
  -- Sessions have no index on the machine. Most new versions drop no state: then there is nothing to look for.
  if not exists (
    select from fsm_internal.states_missing_in(p_machine, p_machine_version)) then
    return '[]'::jsonb;
  end if;
  with looked_at as materialized (
    select s.machine, s.machine_version, s.state from fsm_internal.sessions s limit v_limit
  ), missing as (
    select l.state, count(*) as sessions
    from looked_at l
    join fsm_internal.states_missing_in(p_machine, p_machine_version) m using (machine_version, state)
    where l.machine = p_machine group by l.state
  )
  select (select count(*) from looked_at), coalesce(jsonb_agg(jsonb_build_object(
      'severity', 'warning', 'code', 'live_sessions_in_missing_state', 'path', '$.states', 'state', m.state, 'sessions', m.sessions,
      'message', format('%s sessions of other versions are in state %s, which this version lacks', m.sessions, to_jsonb(m.state)))
      order by m.state collate "C"), '[]')
    into v_seen, v_findings
  from missing m;
  if v_seen = v_limit then
    v_findings := v_findings || jsonb_build_object('severity', 'warning', 'code', 'live_sessions_not_all_counted', 'path', '$.states',
      'message', format('only %s sessions were looked at; there may be more in states that this version lacks', v_limit));
  end if;
  return v_findings;
end
$$;
comment on function fsm_internal.live_session_findings(text, integer) is
  'Warnings for the states, not final, of other versions of the machine that this version lacks and that sessions are in, with their number. Looks at 100,000 sessions at most and says so when there are more.';

create function fsm_internal.states_missing_in(p_machine text, p_machine_version integer)
returns table (machine_version integer, state text)
language sql
stable
begin atomic
  select o.machine_version, o.state
  from fsm_internal.machine_states o
  where o.machine = p_machine and o.machine_version <> p_machine_version and not o.is_final
    and not exists (
      select from fsm_internal.machine_states n
      where n.machine = p_machine and n.machine_version = p_machine_version and n.state = o.state);
end;
comment on function fsm_internal.states_missing_in(text, integer) is
  'The states, not final, of the other versions of a machine that this version does not have.';
