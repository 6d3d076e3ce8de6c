create function fsm_internal.meta_findings(p_definition jsonb)
returns table (severity text, code text, path text, message text)
language plpgsql
stable
as $$
declare
  v_meta jsonb := fsm_internal.definition_object(p_definition -> 'meta');
begin
  return query
    select k.* from fsm_internal.key_findings('meta of the machine', v_meta, '$.meta') k
    union all
    select l.* from fsm_internal.loop_findings(v_meta -> 'loop', '$.meta.loop') l;
  return query
    select 'error', 'bad_value', '$.meta.' || v.key, v.message
    from (values
      ('context_version', fsm_internal.definition_integer(v_meta -> 'context_version', 1, 2147483647) is null,
        'the version of the context''s form is a whole number from 1 to 2147483647'),
      ('max_context_bytes', fsm_internal.definition_integer(v_meta -> 'max_context_bytes', 2, 251658240) is null,
        'the limit of a context is a whole number of bytes from 2 to 251658240 (240 MiB)'),
      ('audit', v_meta -> 'audit' not in ('"none"', '"chain"'), 'audit is "none" or "chain"')
    ) v (key, is_bad, message)
    where v_meta ? v.key and v.is_bad;
  if v_meta ? 'context_schema' then
    return query
      select 'error', s.code, '$.meta.context_schema' || substr(s.path, 2), s.message
      from fsm_internal.schema_problems(v_meta -> 'context_schema') s;
  end if;
end
$$;
comment on function fsm_internal.meta_findings(jsonb) is 'What is wrong with "meta" of the machine: keys, values, the schema of the context, the loop rule.';
