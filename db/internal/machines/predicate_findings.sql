create function fsm_internal.predicate_findings(p_definition jsonb)
returns table (severity text, code text, path text, message text)
language plpgsql
stable
as $$
begin
  return query
    with predicates as (
      select fsm_internal.definition_text(c.body -> 'guard') as predicate, c.path || '.guard' as path
      from fsm_internal.definition_candidates(p_definition) c
      union all
      select fsm_internal.definition_text(i.predicate), i.path from fsm_internal.definition_invariants(p_definition) i
    ), judged as materialized (
      select d.predicate, j.severity, j.code, j.message
      from (select distinct p.predicate from predicates p where p.predicate is not null) d
      cross join lateral fsm_internal.predicate_problems(d.predicate) j
    )
    select j.severity, j.code, p.path, j.message
    from predicates p join judged j using (predicate);
end
$$;
comment on function fsm_internal.predicate_findings(jsonb) is
  'What is wrong with guards and invariants as predicates. One that is written often is judged once.';
