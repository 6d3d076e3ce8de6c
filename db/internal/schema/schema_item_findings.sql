create function fsm_internal.schema_item_findings(p_schema jsonb, p_value jsonb, p_path text, p_limit int)
returns jsonb[]
language plpgsql
immutable
as $$
declare
  v_found jsonb[] := array[]::jsonb[];
  v_index bigint;
  v_item jsonb;
begin
  for v_item, v_index in
    select a.value, a.ordinality - 1 from jsonb_array_elements(p_value) with ordinality a
  loop
    v_found := v_found || fsm_internal.schema_node_findings(
      p_schema -> 'items', v_item, p_path || '[' || v_index || ']', p_limit - cardinality(v_found));
    exit when cardinality(v_found) >= p_limit;
  end loop;
  return v_found;
end
$$;
comment on function fsm_internal.schema_item_findings(jsonb, jsonb, text, int) is 'schema_node_findings of the items of an array, in their order.';
