create function fsm_internal.diagram_parts(p_machine text, p_machine_version integer, p_session_id text)
returns jsonb
language plpgsql
stable
as $$
declare
  v_definition jsonb := (
    select v.definition from fsm_internal.machine_versions v where v.machine = p_machine and v.machine_version = p_machine_version);
  v_order text[] := fsm_internal.diagram_order(p_machine, p_machine_version);
begin
  return (
    with path as materialized (
      select p.* from fsm_internal.diagram_path(p_session_id) p
    ), drawn as materialized (
      select e.* from fsm_internal.diagram_edges(v_definition, p_machine_version) e
    ), edges as (
      select d.from_state, d.to_state, d.kind, d.event, d.label, d.nth, p.times
      from drawn d
      left join path p on (p.from_state, p.to_state, p.kind) = (d.from_state, d.to_state, d.kind) and p.event is not distinct from d.event
      union all
      -- Ways that the session went and the diagram so far does not show.
      select p.from_state, p.to_state, p.kind, p.event, coalesce(p.event, p.kind), null, p.times
      from path p
      where p.from_state = any (v_order) and p.to_state = any (v_order) and not exists (
        select from drawn d
        where (p.from_state, p.to_state, p.kind) = (d.from_state, d.to_state, d.kind) and p.event is not distinct from d.event)
    )
    select jsonb_build_object(
      'states', (
        select jsonb_agg(jsonb_build_object('state', t.state, 'is_initial', t.is_initial, 'is_final', t.is_final,
          'is_present', coalesce(s.state = t.state, false),
          'is_visited', exists (select from path p where t.state in (p.from_state, p.to_state))) order by array_position(v_order, t.state))
        from fsm_internal.machine_states t left join fsm_internal.sessions s on s.session_id = p_session_id
        where t.machine = p_machine and t.machine_version = p_machine_version),
      'edges', coalesce((
        select jsonb_agg(jsonb_build_object('from', array_position(v_order, e.from_state), 'to', array_position(v_order, e.to_state),
          'kind', e.kind, 'label', e.label, 'times', e.times)
          order by array_position(v_order, e.from_state), e.nth, array_position(v_order, e.to_state), e.kind, e.event collate "C")
        from edges e), '[]')));
end
$$;
comment on function fsm_internal.diagram_parts(text, integer, text) is
  'What a diagram shows, whatever its format: states in the order of the drawing with is_initial, is_final, is_present and is_visited; edges with from and to (numbers of states from 1, from null for every open state), kind, label, and times when the session went there.';

create function fsm_internal.diagram_order(p_machine text, p_machine_version integer)
returns text[]
language plpgsql
stable
as $$
declare
  v_order text[] := array[(
    select t.state from fsm_internal.machine_states t
    where t.machine = p_machine and t.machine_version = p_machine_version and t.is_initial)];
  v_next text[] := v_order;
begin
  while v_next is not null loop
    v_next := (
      select array_agg(t.state order by t.state collate "C")
      from (
        select c.to_state as state from fsm_internal.machine_candidates c
        where c.machine = p_machine and c.machine_version = p_machine_version and c.from_state = any (v_next)
        union
        select d.to_state from fsm_internal.machine_delays d
        where d.machine = p_machine and d.machine_version = p_machine_version and d.state = any (v_next)) t
      join fsm_internal.machine_states s using (state)
      where s.machine = p_machine and s.machine_version = p_machine_version and not s.is_final and t.state <> all (v_order));
    v_order := v_order || v_next;
  end loop;
  return v_order || (
    select array_agg(t.state order by t.is_final, t.state collate "C") from fsm_internal.machine_states t
    where t.machine = p_machine and t.machine_version = p_machine_version and t.state <> all (v_order));
end
$$;
comment on function fsm_internal.diagram_order(text, integer) is
  'All states of a machine version, breadth first from the initial one, then those that are unreachable, then final ones: a stored definition does not keep the order in which it was written.';

create function fsm_internal.diagram_path(p_session_id text)
returns table (from_state text, to_state text, kind text, event text, times bigint)
language plpgsql
stable
as $$
begin
  -- The present state is there even if no history is. A change of version that kept the state leads nowhere.
  return query
    select h.from_state, h.to_state, h.kind::text, case when h.kind = 'transition' then h.event end, count(*)
    from fsm_internal.history h
    where h.session_id = p_session_id and (h.kind in ('transition', 'deadline', 'divert') or h.from_state is distinct from h.to_state)
    group by 1, 2, 3, 4
    union all
    select null, s.state, 'present', null, 1 from fsm_internal.sessions s where s.session_id = p_session_id;
end
$$;
comment on function fsm_internal.diagram_path(text) is
  'The ways that a session went, and how often, by retained history; from_state null where it began. No rows for null.';
