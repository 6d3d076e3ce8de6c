create function fsm_internal.schema_findings(p_schema jsonb, p_value jsonb, p_limit int default 20)
returns table (code text, path text, message text)
language plpgsql
immutable
as $$
declare
  v_schema jsonb := p_schema;
begin
  if p_schema is null or p_limit < 1 then
    return;
  elsif p_value is null then
    return query select 'type', '$', 'there is no value';
    return;
  end if;
  -- What has no $defs has no $ref to be resolved.
  if p_schema ? '$defs' then
    v_schema := fsm_internal.schema_resolve(fsm_internal.schema_definitions(p_schema), p_schema);
  end if;
  if jsonb_typeof(p_schema) = 'array' then
    return query select 'schema', '$', 'the rest of the schema does not hold' where not fsm_internal.schema_rest_holds(p_schema, p_value);
    return;
  end if;
  return query
    select f ->> 0, f ->> 1, f ->> 2
    from unnest(fsm_internal.schema_node_findings(v_schema, p_value, '$', coalesce(p_limit, 2147483647))) f;
end
$$;
comment on function fsm_internal.schema_findings(jsonb, jsonb, int) is
  'Why a value violates a context_schema that has no schema_problems: the keyword that fails, the jsonpath of the value (of a missing key: its place), and a sentence. No rows: valid. p_limit null: all. For a schema_rest there is one row, without details, unless schema_rest_holds.';
