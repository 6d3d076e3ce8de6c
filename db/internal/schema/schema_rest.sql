create function fsm_internal.schema_rest(p_schema jsonb)
returns jsonb
language plpgsql
immutable
as $$
declare
  v_rest jsonb := jsonb '[]';
  v_part jsonb;
begin
  select jsonb_object_agg(k.key, p_schema -> k.key) into v_part
  from unnest(array['minLength', 'maxLength']) k (key)
  where (p_schema -> k.key)::numeric > fsm_internal.schema_length_limit();
  if v_part is not null then
    v_rest := v_rest || jsonb_build_array(v_part || jsonb_build_object('path', '?(@.type()=="string")'));
  end if;
  for v_part in
    select fsm_internal.schema_rest_below('?(exists(@.' || to_jsonb(p.key)::text || ')).' || to_jsonb(p.key)::text, fsm_internal.schema_rest(p.value))
    from jsonb_each(p_schema -> 'properties') p
    order by p.key collate "C"
  loop
    v_rest := v_rest || v_part;
  end loop;
  if p_schema ? 'items' then
    v_rest := v_rest || fsm_internal.schema_rest_below('?(@.type()=="array")[*]', fsm_internal.schema_rest(p_schema -> 'items'));
  end if;
  if p_schema ? '$ref' then
    v_rest := v_rest || fsm_internal.schema_rest(p_schema -> '$ref');
  end if;
  if p_schema ? 'anyOf' then
    v_rest := v_rest || fsm_internal.schema_rest_of_alternatives(p_schema -> 'anyOf');
  end if;
  return v_rest;
end
$$;
comment on function fsm_internal.schema_rest(jsonb) is
  'What of a resolved schema schema_violation leaves out, lengths beyond schema_length_limit: a list of objects with "path", which leads in strict jsonpath from the value to the values concerned, and minLength, maxLength or anyOf, which each of these must satisfy.';
