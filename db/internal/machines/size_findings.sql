create function fsm_internal.size_findings(p_definition jsonb)
returns table (severity text, code text, path text, message text)
language plpgsql
immutable
as $$
declare
  v_states bigint := (select count(*) from jsonb_object_keys(fsm_internal.definition_object(p_definition -> 'states')));
  v_written record;
begin
  if v_states > 1000 then
    return query select 'error', 'too_many_states', '$.states', format('the machine has %s states, the limit is 1000', v_states);
    return;
  end if;
  return query
    select 'error', 'too_many_candidates', e.path, format('the event has %s candidates, the limit is 100', jsonb_array_length(e.body))
    from fsm_internal.definition_events(p_definition) e
    where case when jsonb_typeof(e.body) = 'array' then jsonb_array_length(e.body) else 0 end > 100
    union all
    select 'error', 'too_many_invariants', s.path || '.meta.invariant',
      format('the state has %s invariants, the limit is 100', jsonb_array_length(s.body #> '{meta,invariant}'))
    from fsm_internal.definition_states(p_definition) s
    where case when jsonb_typeof(s.body #> '{meta,invariant}') = 'array' then jsonb_array_length(s.body #> '{meta,invariant}') else 0 end > 100;
  if found then
    return;
  end if;
  select * into v_written from fsm_internal.definition_weight(p_definition);
  if v_written.candidates > 20000 then
    return query select 'error', 'too_many_candidates', '$',
      format('with the events of the root in every state the machine has %s candidates, the limit is 20000', v_written.candidates);
  elsif v_written.bytes > 134217728 then
    return query select 'error', 'too_large', '$',
      format('guards, invariants and schema, written out for each pair of states, have up to %s bytes, the limit is 134217728', v_written.bytes);
  end if;
end
$$;
comment on function fsm_internal.size_findings(jsonb) is
  'Errors of a definition whose compiled form would be too large: more than 1,000 states, 100 candidates of one event, 100 invariants of a state, 20,000 candidates or 128 MiB in all. What comes after may then take the rest for granted.';

create function fsm_internal.definition_weight(p_definition jsonb)
returns table (candidates bigint, bytes bigint)
language plpgsql
immutable
as $$
declare
  -- What is checked on entering a state is kept beside every pair of states that leads there: at most so many bytes.
  v_terms integer := coalesce(octet_length((p_definition #> '{meta,context_schema}')::text), 0) + (
    select coalesce(max(octet_length((s.body #> '{meta,invariant}')::text)), 0) from fsm_internal.definition_states(p_definition) s);
begin
  return query
    with open_states as (
      select count(*) as states from fsm_internal.definition_states(p_definition) s where not s.is_final
    ), naming as (
      -- In these states the root's candidates of the event do not apply.
      select e.event, count(*) as states from fsm_internal.definition_events(p_definition) e
      join fsm_internal.definition_states(p_definition) s using (state) where not s.is_final group by e.event
    ), lists as (
      -- A save reads guards by pair of states: they are written once more for each target of their list.
      select c.state, c.event, count(*) as candidates, count(distinct c.body -> 'target') as targets,
        sum(octet_length(c.event) + coalesce(octet_length(c.body ->> 'guard'), 0)) as bytes
      from fsm_internal.definition_candidates(p_definition) c group by c.state, c.event
    ), written as (
      select l.candidates, l.bytes * (1 + l.targets) + l.targets * v_terms as bytes,
        case when l.state is null then o.states - coalesce(n.states, 0) else 1 end as copies
      from lists l cross join open_states o left join naming n on n.event = l.event
    )
    select coalesce(sum(w.candidates * w.copies), 0)::bigint,
      (coalesce(sum(w.bytes * w.copies), 0)
        + 2 * v_terms * (select count(*) from fsm_internal.definition_states(p_definition)))::bigint
    from written w;
end
$$;
comment on function fsm_internal.definition_weight(jsonb) is
  'How much a definition is once the root''s events, guards, invariants and the schema stand beside each pair of states, without writing them out: candidates, and at most about how many bytes.';
