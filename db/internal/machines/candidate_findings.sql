create function fsm_internal.candidate_findings(p_definition jsonb)
returns table (severity text, code text, path text, message text)
language plpgsql
stable
as $$
begin
  return query
    select k.* from fsm_internal.definition_candidates(p_definition) c
    cross join lateral fsm_internal.key_findings('transition', c.body, c.path) k
    where c.body - fsm_internal.definition_keys('transition') <> '{}';
  return query
    select 'error', v.code, c.path || v.suffix, v.message
    from fsm_internal.definition_candidates(p_definition) c
    cross join lateral (values
      (c.body is null, 'wrong_type', '', 'an event leads to a target, to an object with one, or to a list of these'),
      (not c.body ? 'target', 'no_target', '', 'a transition needs a target; to stay, name the state itself, or use fsm.update_context without any event'),
      (jsonb_typeof(c.body -> 'guard') = 'object', 'wrong_type', '.guard',
        'named guards and guard objects are not supported: a guard is a jsonpath predicate as a string'),
      (jsonb_typeof(c.body -> 'guard') not in ('string', 'object'), 'wrong_type', '.guard', 'a guard is a jsonpath predicate as a string'),
      (jsonb_typeof(c.body -> 'reenter') <> 'boolean', 'wrong_type', '.reenter', '"reenter" is true or false'),
      (jsonb_typeof(c.body -> 'meta') <> 'object', 'wrong_type', '.meta', '"meta" must be a JSON object')
    ) v (applies, code, suffix, message)
    where v.applies;
  return query
    select m.* from fsm_internal.definition_candidates(p_definition) c
    cross join lateral (
      select k.* from fsm_internal.key_findings('meta of a transition', c.body -> 'meta', c.path || '.meta') k
      union all
      select l.* from fsm_internal.loop_findings(c.body #> '{meta,loop}', c.path || '.meta.loop') l) m
    where jsonb_typeof(c.body -> 'meta') = 'object';
end
$$;
comment on function fsm_internal.candidate_findings(jsonb) is 'What is wrong with candidates, apart from where they lead and whether their guards are predicates.';
