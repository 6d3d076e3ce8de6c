create function fsm_internal.schema_alternative_findings(p_schema jsonb, p_value jsonb, p_path text, p_limit int)
returns jsonb[]
language plpgsql
immutable
as $$
declare
  v_alternatives jsonb := p_schema -> 'anyOf';
  v_found jsonb[];
  v_meant jsonb[];
  v_count int := 0;
begin
  for i in 0 .. jsonb_array_length(v_alternatives) - 1 loop
    v_found := fsm_internal.schema_node_findings(v_alternatives -> i, p_value, p_path, p_limit);
    if v_found = '{}' then
      return v_found;
    elsif not exists (
      -- One of another type, or with another constant in a member such as "kind", is not meant.
      select from unnest(v_found) f
      where f ->> 0 in ('type', 'const', 'enum', 'false_schema') and f ->> 1 = p_path
        or f ->> 0 in ('const', 'enum') and substr(f ->> 1, length(p_path) + 1) ~ E'^\\.[A-Za-z0-9_]+$') then
      v_meant := v_found;
      v_count := v_count + 1;
    end if;
  end loop;
  -- When only one is meant, what that one misses says more than that none holds.
  if v_count = 1 then
    return v_meant;
  end if;
  return array[jsonb_build_array('anyOf', p_path, format('matches none of the %s alternatives (%s), found %s',
    jsonb_array_length(v_alternatives),
    (select string_agg(fsm_internal.schema_expected(a.value), '; ' order by a.ordinality)
     from jsonb_array_elements(v_alternatives) with ordinality a where a.ordinality <= 6),
    fsm_internal.schema_sample(p_value)))];
end
$$;
comment on function fsm_internal.schema_alternative_findings(jsonb, jsonb, text, int) is 'schema_node_findings of anyOf.';
