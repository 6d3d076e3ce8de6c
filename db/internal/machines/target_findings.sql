create function fsm_internal.target_findings(p_definition jsonb)
returns table (severity text, code text, path text, message text)
language plpgsql
immutable
as $$
begin
  return query
    with targets as (
      select c.body -> 'target' as target, c.target_path as path from fsm_internal.definition_candidates(p_definition) c
      union all
      select d.body -> 'target', d.target_path from fsm_internal.definition_deadlines(p_definition) d
      union all
      select c.body #> '{meta,loop,action,divert}', c.path || '.meta.loop.action.divert' from fsm_internal.definition_candidates(p_definition) c
      union all
      select p_definition #> '{meta,loop,action,divert}', '$.meta.loop.action.divert'
    ), named as (
      select t.path, t.target, fsm_internal.definition_target(p_definition ->> 'id', fsm_internal.definition_text(t.target)) as state
      from targets t where t.target is not null
    )
    select 'error', case when n.state is null then 'wrong_type' else 'unknown_target' end, n.path,
      case when n.state is null then format('a target is the name of a state, not %s', jsonb_typeof(n.target))
        else format('there is no state %s', to_jsonb(left(n.state, 128))) end
    from named n
    left join jsonb_object_keys(fsm_internal.definition_object(p_definition -> 'states')) s (state) on s.state = n.state
    where s.state is null;
end
$$;
comment on function fsm_internal.target_findings(jsonb) is
  'Every target of a transition, a deadline or a diverted loop that is no state of the machine.';
