create function fsm_internal.deadline_findings(p_definition jsonb)
returns table (severity text, code text, path text, message text)
language plpgsql
immutable
as $$
begin
  return query
    select 'error', 'bad_delay', fsm_internal.schema_path(s.path || '.after', a.delay),
      'a delay is written in whole milliseconds, from 1 to 315576000000 (ten years), without leading zeros'
    from fsm_internal.definition_states(p_definition) s
    cross join lateral jsonb_object_keys(fsm_internal.definition_object(s.body -> 'after')) a (delay)
    where case when a.delay ~ '^[1-9][0-9]{0,11}$' then a.delay::bigint > 315576000000 else true end;
  return query
    select 'error', v.code, d.path, v.message
    from fsm_internal.definition_deadlines(p_definition) d
    cross join lateral (values
      (d.body is null, 'wrong_type', 'a deadline leads to one target: a state, or an object with "target"'),
      (not d.body ? 'target', 'no_target', 'a deadline needs a target')
    ) v (applies, code, message)
    where v.applies;
  return query
    select k.* from fsm_internal.definition_deadlines(p_definition) d
    cross join lateral fsm_internal.key_findings('deadline', d.body, d.path) k
    where d.body - fsm_internal.definition_keys('deadline') <> '{}';
end
$$;
comment on function fsm_internal.deadline_findings(jsonb) is 'What is wrong with the entries of "after", apart from where they lead.';
