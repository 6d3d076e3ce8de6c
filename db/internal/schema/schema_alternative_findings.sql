create function fsm_internal.schema_alternative_findings(p_schema jsonb, p_value jsonb, p_path text, p_limit int)
returns jsonb[]
language plpgsql
immutable
as $$
declare
  v_alternatives jsonb := p_schema -> 'anyOf';
  v_found jsonb[];
  v_close jsonb[];
  v_count int := 0;
begin
  for i in 0 .. jsonb_array_length(v_alternatives) - 1 loop
    v_found := fsm_internal.schema_node_findings(v_alternatives -> i, p_value, p_path, p_limit);
    if v_found = '{}' then
      return v_found;
    elsif not (v_found[1] ->> 0 in ('type', 'const', 'enum', 'false_schema') and v_found[1] ->> 1 = p_path) then
      v_close := v_found;
      v_count := v_count + 1;
    end if;
  end loop;
  -- When only one alternative is for such a value at all, what it misses is said rather than that none holds.
  if v_count = 1 then
    return v_close;
  end if;
  return array[jsonb_build_array('anyOf', p_path, format('matches none of the %s alternatives (%s), found %s',
    jsonb_array_length(v_alternatives),
    (select string_agg(fsm_internal.schema_expected(a.value), '; ' order by a.ordinality)
     from jsonb_array_elements(v_alternatives) with ordinality a where a.ordinality <= 6),
    fsm_internal.schema_sample(p_value)))];
end
$$;
comment on function fsm_internal.schema_alternative_findings(jsonb, jsonb, text, int) is 'schema_node_findings of anyOf.';
