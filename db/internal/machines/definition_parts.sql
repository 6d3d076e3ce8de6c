create function fsm_internal.definition_states(p_definition jsonb)
returns table (state text, body jsonb, path text, is_final boolean)
language sql
immutable
begin atomic
  select s.key, fsm_internal.definition_object(s.value), fsm_internal.schema_path('$.states', s.key),
    coalesce(fsm_internal.definition_text(fsm_internal.definition_object(s.value) -> 'type') = 'final', false)
  from jsonb_each(fsm_internal.definition_object(p_definition -> 'states')) s
  where octet_length(s.key) between 1 and 128;
end;
comment on function fsm_internal.definition_states(jsonb) is
  'The states of a definition whose names have a valid length, with where they stand. A state that is no object is empty.';

create function fsm_internal.definition_events(p_definition jsonb)
returns table (state text, event text, body jsonb, path text)
language sql
immutable
begin atomic
  select o.state, e.key, e.value, fsm_internal.schema_path(o.path, e.key)
  from (
    select null::text as state, p_definition -> 'on' as events, '$.on'::text as path
    union all
    select s.state, s.body -> 'on', s.path || '.on' from fsm_internal.definition_states(p_definition) s) o
  cross join lateral jsonb_each(fsm_internal.definition_object(o.events)) e;
end;
comment on function fsm_internal.definition_events(jsonb) is
  'The events of every state, and of the root (state null), with what stands beside them.';

create function fsm_internal.definition_candidates(p_definition jsonb)
returns table (state text, event text, candidate integer, body jsonb, path text, target_path text)
language sql
immutable
begin atomic
  select e.state, e.event, c.candidate,
    case jsonb_typeof(c.value) when 'object' then c.value when 'string' then jsonb_build_object('target', c.value) end,
    c.path, c.path || case when jsonb_typeof(c.value) = 'object' then '.target' else '' end
  from fsm_internal.definition_events(p_definition) e
  cross join lateral (
    select 1 as candidate, e.body as value, e.path where jsonb_typeof(e.body) <> 'array'
    union all
    select i.nth::integer, i.value, e.path || '[' || (i.nth - 1)::text || ']'
    from jsonb_array_elements(case when jsonb_typeof(e.body) = 'array' then e.body else '[]'::jsonb end) with ordinality i (value, nth)) c
  where octet_length(e.event) between 1 and 128;
end;
comment on function fsm_internal.definition_candidates(jsonb) is
  'Every candidate as it is written (the root''s once, with state null), counted from 1 in its list, as an object. body is null for what is neither string nor object.';

create function fsm_internal.definition_deadlines(p_definition jsonb)
returns table (state text, delay text, body jsonb, path text, target_path text)
language sql
immutable
begin atomic
  select s.state, a.key,
    case jsonb_typeof(a.value) when 'object' then a.value when 'string' then jsonb_build_object('target', a.value) end,
    fsm_internal.schema_path(s.path || '.after', a.key),
    fsm_internal.schema_path(s.path || '.after', a.key) || case when jsonb_typeof(a.value) = 'object' then '.target' else '' end
  from fsm_internal.definition_states(p_definition) s
  cross join lateral jsonb_each(fsm_internal.definition_object(s.body -> 'after')) a
  where octet_length(a.key) <= 128;
end;
comment on function fsm_internal.definition_deadlines(jsonb) is
  'Every entry of an "after" whose key has at most 128 bytes, its target as an object. body is null for what is neither string nor object.';

create function fsm_internal.definition_invariants(p_definition jsonb)
returns table (state text, nth integer, predicate jsonb, path text)
language sql
immutable
begin atomic
  select s.state, i.nth::integer, i.value,
    s.path || '.meta.invariant' || case when jsonb_typeof(s.body #> '{meta,invariant}') = 'array' then '[' || (i.nth - 1)::text || ']' else '' end
  from fsm_internal.definition_states(p_definition) s
  cross join lateral jsonb_array_elements(case
    when jsonb_typeof(s.body #> '{meta,invariant}') = 'array' then s.body #> '{meta,invariant}'
    when s.body #> '{meta,invariant}' is not null then jsonb_build_array(s.body #> '{meta,invariant}')
    else '[]'::jsonb end) with ordinality i (value, nth);
end;
comment on function fsm_internal.definition_invariants(jsonb) is 'The invariants of every state, in their order, whatever their type.';

create function fsm_internal.definition_transitions(p_definition jsonb)
returns table (from_state text, event text, candidate integer, to_state text, guard text, reenter boolean, loop jsonb)
language sql
immutable
begin atomic
  with written as materialized (
    select c.state, c.event, c.candidate, c.body from fsm_internal.definition_candidates(p_definition) c
  ), named as materialized (
    select e.state, e.event from fsm_internal.definition_events(p_definition) e where e.state is not null
  ), open_states as materialized (
    select s.state from fsm_internal.definition_states(p_definition) s where not s.is_final
  ), everywhere as (
    select s.state, w.event, w.candidate, w.body from open_states s join written w on w.state = s.state
    union all
    select s.state, w.event, w.candidate, w.body from open_states s join written w on w.state is null
    where (s.state, w.event) not in (select n.state, n.event from named n)
  )
  select e.state, e.event, e.candidate,
    fsm_internal.definition_target(p_definition ->> 'id', fsm_internal.definition_text(e.body -> 'target')),
    fsm_internal.definition_text(e.body -> 'guard'), coalesce(e.body -> 'reenter' = 'true', false),
    coalesce(e.body #> '{meta,loop}', p_definition #> '{meta,loop}')
  from everywhere e;
end;
comment on function fsm_internal.definition_transitions(jsonb) is
  'The candidates of every state that is not final; those of the root''s "on" are written out for each state that does not name the event. loop: the rule as it is written, null where there is none, JSON null where it is turned off.';
