create function fsm_internal.deadline_findings(p_definition jsonb)
returns table (severity text, code text, path text, message text)
language plpgsql
immutable
as $$
begin
  return query
    select 'error', v.code, d.path, v.message
    from fsm_internal.definition_deadlines(p_definition) d
    cross join lateral (values
      (case when d.delay ~ '^[1-9][0-9]{0,11}$' then d.delay::bigint > 315576000000 else true end,
        'bad_delay', 'a delay is written in whole milliseconds, from 1 to 315576000000 (ten years), without leading zeros'),
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
