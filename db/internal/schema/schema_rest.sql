create function fsm_internal.schema_rest(p_schema jsonb)
returns jsonb
language plpgsql
immutable
as $$
declare
  v_limit int := fsm_internal.schema_length_limit();
  v_rest jsonb := jsonb '{}';
  v_part jsonb;
begin
  if p_schema is null then
    return null;
  end if;
  if (p_schema -> 'minLength')::numeric > v_limit then
    v_rest := jsonb_build_object('minLength', p_schema -> 'minLength');
  end if;
  if (p_schema -> 'maxLength')::numeric > v_limit then
    v_rest := v_rest || jsonb_build_object('maxLength', p_schema -> 'maxLength');
  end if;
  select jsonb_build_object('properties', jsonb_object_agg(p.key, p.rest)) into v_part
  from (select q.key, fsm_internal.schema_rest(q.value) as rest from jsonb_each(p_schema -> 'properties') q) p
  where p.rest is not null
  having count(*) > 0;
  v_rest := v_rest || coalesce(v_part, '{}');
  v_part := fsm_internal.schema_rest(p_schema -> 'items');
  if v_part is not null then
    v_rest := v_rest || jsonb_build_object('items', v_part);
  end if;
  v_part := fsm_internal.schema_rest(p_schema -> '$ref');
  if v_part is not null then
    v_rest := v_rest || jsonb_build_object('$ref', v_part);
  end if;
  -- Whether one alternative holds is decided as a whole.
  if exists (select from jsonb_array_elements(p_schema -> 'anyOf') a where fsm_internal.schema_rest(a.value) is not null) then
    v_rest := v_rest || jsonb_build_object('anyOf', p_schema -> 'anyOf');
  end if;
  return nullif(v_rest, '{}');
end
$$;
comment on function fsm_internal.schema_rest(jsonb) is
  'What of a resolved schema schema_violation leaves out, as a schema again: lengths beyond schema_length_limit. Null if nothing.';
