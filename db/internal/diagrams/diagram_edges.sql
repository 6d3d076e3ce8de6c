create function fsm_internal.diagram_edges(p_definition jsonb, p_machine_version integer)
returns table (nth bigint, from_state text, to_state text, kind text, event text, label text)
language plpgsql
stable
as $$
declare
  v_machine text := p_definition ->> 'id';
begin
  return query
    with named as materialized (
      select e.event, string_agg(e.state, ', ' order by e.state collate "C") as states
      from fsm_internal.definition_events(p_definition) e where e.state is not null group by e.event
    ), every_edge as (
      select 1 as place, c.state as from_state, fsm_internal.definition_target(v_machine, c.body ->> 'target') as to_state,
        'transition' as kind, c.event, c.candidate::bigint as nth,
        c.event || coalesce(' [' || fsm_internal.shortened(c.body ->> 'guard', 60) || ']', '')
          || coalesce(' (not from ' || case when c.state is null then fsm_internal.shortened(n.states, 100) end || ')', '') as label
      from fsm_internal.definition_candidates(p_definition) c
      left join named n on n.event = c.event
      union all
      select 2, d.state, d.to_state, 'deadline', null, d.delay_ms, 'after ' || fsm_internal.delay_text(d.delay_ms)
      from fsm_internal.machine_delays d where d.machine = v_machine and d.machine_version = p_machine_version
      union all
      select 3, l.from_state, l.divert_to, 'divert', null, null,
        'loop of ' || fsm_internal.shortened(string_agg(distinct l.name, ', ' order by l.name), 100)
      from (
        select c.from_state, c.divert_to, c.event collate "C" as name from fsm_internal.machine_candidates c
        where c.machine = v_machine and c.machine_version = p_machine_version and c.divert_to is not null
        union all
        select d.state, d.divert_to, 'after ' || fsm_internal.delay_text(d.delay_ms) from fsm_internal.machine_delays d
        where d.machine = v_machine and d.machine_version = p_machine_version and d.divert_to is not null) l
      group by l.from_state, l.divert_to
    )
    select row_number() over (order by e.place, e.event collate "C", e.nth, e.to_state collate "C"),
      e.from_state, e.to_state, e.kind, e.event, e.label
    from every_edge e;
end
$$;
comment on function fsm_internal.diagram_edges(jsonb, integer) is
  'What leads from state to state in a stored definition, in the order of the drawing: kind transition (from_state null: from every open state, by the machine''s own "on"), deadline, or divert for where a loop is sent instead.';

create function fsm_internal.shortened(p_text text, p_characters integer)
returns text
language sql
immutable
return case when length(p_text) > p_characters then left(p_text, p_characters - 1) || '…' else p_text end;
comment on function fsm_internal.shortened(text, integer) is 'A text, cut to p_characters with an ellipsis.';

create function fsm_internal.delay_text(p_ms bigint)
returns text
language sql
immutable
return case
  when p_ms % 86400000 = 0 then (p_ms / 86400000)::text || ' d'
  when p_ms % 3600000 = 0 then (p_ms / 3600000)::text || ' h'
  when p_ms % 60000 = 0 then (p_ms / 60000)::text || ' min'
  when p_ms % 1000 = 0 then (p_ms / 1000)::text || ' s'
  else p_ms::text || ' ms'
end;
comment on function fsm_internal.delay_text(bigint) is 'A number of milliseconds in the largest unit that divides it.';
