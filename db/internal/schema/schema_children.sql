create function fsm_internal.schema_children(p_schema jsonb, p_path text)
returns table (child jsonb, path text)
language plpgsql
immutable
as $$
begin
  if jsonb_typeof(p_schema -> 'properties') = 'object' then
    return query
      select p.value, fsm_internal.schema_path(p_path || '.properties', p.key)
      from jsonb_each(p_schema -> 'properties') p;
  end if;
  if p_schema ? 'items' then
    return query select p_schema -> 'items', p_path || '.items';
  end if;
  if jsonb_typeof(p_schema -> 'anyOf') = 'array' then
    return query
      select a.value, format('%s.anyOf[%s]', p_path, a.ordinality - 1)
      from jsonb_array_elements(p_schema -> 'anyOf') with ordinality a;
  end if;
  if jsonb_typeof(p_schema -> '$ref') in ('object', 'boolean') then
    return query select p_schema -> '$ref', p_path || '."$ref"';
  end if;
end
$$;
comment on function fsm_internal.schema_children(jsonb, text) is
  'The subschemas that stand directly in a schema, with their paths; of $ref only one that schema_resolve put in place.';
