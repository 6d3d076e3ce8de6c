create function fsm_internal.schema_node_problems(p_node jsonb, p_path text)
returns table (code text, path text, message text)
language plpgsql
immutable
as $$
begin
  if jsonb_typeof(p_node) not in ('object', 'boolean') then
    return query select 'bad_value', p_path, format('a schema must be an object, true or false, not %s', fsm_internal.schema_sample(p_node));
  elsif jsonb_typeof(p_node) = 'object' then
    return query
      select p.code, fsm_internal.schema_path(p_path, k.key), p.message
      from jsonb_each(p_node - fsm_internal.schema_ignored()) k
      cross join lateral (
        select 'bad_value' as code, format('%s %s', k.key, fsm_internal.schema_value_problem(k.key, k.value)) as message
        where fsm_internal.schema_value_problem(k.key, k.value) is not null
        union all
        select 'bad_pattern', format('pattern is refused: %s', fsm_internal.schema_pattern_problem(k.value #>> '{}'))
        where k.key = 'pattern' and fsm_internal.schema_pattern_problem(case when jsonb_typeof(k.value) = 'string' then k.value #>> '{}' end) is not null
        union all
        select 'schema_too_large', format('%s has %s bytes; the limit is 65536', k.key, octet_length(k.value::text))
        where k.key in ('enum', 'const') and octet_length(k.value::text) > 65536
        union all
        select 'unknown_keyword', format('"%s" is not supported: %s', left(k.key, 60), fsm_internal.schema_keyword_hint(k.key))
        where k.key not in ('type', 'required', 'properties', 'additionalProperties', 'items', 'minItems', 'maxItems', 'enum', 'const', 'minimum',
          'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'minLength', 'maxLength', 'pattern', 'anyOf', '$ref', '$defs')
        union all
        select 'misplaced_defs', '$defs may stand only at the top of the schema, where #/$defs/Name finds it'
        where k.key = '$defs' and p_path <> '$'
      ) p;
  end if;
end
$$;
comment on function fsm_internal.schema_node_problems(jsonb, text) is 'What is wrong with one schema, apart from its subschemas and from what its $ref leads to.';
