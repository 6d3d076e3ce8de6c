create function fsm_internal.schema_node_findings(p_schema jsonb, p_value jsonb, p_path text, p_limit int)
returns jsonb[]
language plpgsql
immutable
as $$
declare
  v_found jsonb[] := array[]::jsonb[];
  v_keyword text;
begin
  if p_schema = 'false' then
    return array[jsonb_build_array('false_schema', p_path, 'no value is allowed here, found ' || fsm_internal.schema_sample(p_value))];
  end if;
  foreach v_keyword in array fsm_internal.schema_violated_keywords(p_schema, p_value) loop
    v_found := v_found || jsonb_build_array(v_keyword, p_path, fsm_internal.schema_message(v_keyword, p_schema, p_value));
  end loop;
  if jsonb_typeof(p_value) = 'object' and cardinality(v_found) < p_limit then
    v_found := v_found || fsm_internal.schema_member_findings(p_schema, p_value, p_path, p_limit - cardinality(v_found));
  elsif p_schema ? 'items' and jsonb_typeof(p_value) = 'array' and cardinality(v_found) < p_limit then
    v_found := v_found || fsm_internal.schema_item_findings(p_schema, p_value, p_path, p_limit - cardinality(v_found));
  end if;
  if p_schema ? 'anyOf' and cardinality(v_found) < p_limit then
    v_found := v_found || fsm_internal.schema_alternative_findings(p_schema, p_value, p_path, p_limit - cardinality(v_found));
  end if;
  if p_schema ? '$ref' and cardinality(v_found) < p_limit then
    v_found := v_found || fsm_internal.schema_node_findings(p_schema -> '$ref', p_value, p_path, p_limit - cardinality(v_found));
  end if;
  return v_found[:p_limit];
end
$$;
comment on function fsm_internal.schema_node_findings(jsonb, jsonb, text, int) is
  'Why the value at p_path violates a resolved schema: arrays [code, path, message], at most p_limit, which is at least 1; empty if it does not.';
