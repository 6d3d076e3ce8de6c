create function fsm_internal.schema_member_findings(p_schema jsonb, p_value jsonb, p_path text, p_limit int)
returns jsonb[]
language plpgsql
immutable
as $$
declare
  v_found jsonb[] := array[]::jsonb[];
  v_key text;
  v_child jsonb;
begin
  if p_schema ? 'required' then
    v_found := array(
      select jsonb_build_array('required', fsm_internal.schema_path(p_path, r.key), 'required, but missing')
      from jsonb_array_elements_text(p_schema -> 'required') r (key)
      where not p_value ? r.key
      order by r.key collate "C" limit p_limit);
  end if;
  if p_schema -> 'additionalProperties' = 'false' then
    v_found := v_found || array(
      select jsonb_build_array('additionalProperties', fsm_internal.schema_path(p_path, k.key), 'not allowed: no property of this name is defined')
      from jsonb_object_keys(p_value) k (key)
      where not coalesce(p_schema -> 'properties' ? k.key, false)
      order by k.key collate "C" limit p_limit);
  end if;
  if p_schema ? 'properties' then
    for v_key, v_child in
      select p.key, p.value from jsonb_each(p_schema -> 'properties') p where p_value ? p.key order by p.key collate "C"
    loop
      exit when cardinality(v_found) >= p_limit;
      v_found := v_found || fsm_internal.schema_node_findings(
        v_child, p_value -> v_key, fsm_internal.schema_path(p_path, v_key), p_limit - cardinality(v_found));
    end loop;
  end if;
  return v_found;
end
$$;
comment on function fsm_internal.schema_member_findings(jsonb, jsonb, text, int) is 'schema_node_findings of the keywords about an object''s members.';
