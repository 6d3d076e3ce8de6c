create function fsm_internal.schema_rest_holds(p_rest jsonb, p_value jsonb)
returns boolean
language plpgsql
immutable
as $$
begin
  return not exists (
    select
    from jsonb_array_elements(p_rest) r
    cross join lateral jsonb_path_query(p_value, (r.value ->> 'path')::jsonpath, '{}', true) v (value)
    where case
      when r.value ? 'anyOf' then fsm_internal.schema_node_findings(r.value, v.value, '', 1) <> '{}'
      else length(v.value #>> '{}') > (r.value -> 'maxLength')::numeric or length(v.value #>> '{}') < (r.value -> 'minLength')::numeric
    end);
end
$$;
comment on function fsm_internal.schema_rest_holds(jsonb, jsonb) is 'Whether a value satisfies a schema_rest of compile_schema. Together with schema_check: whether it is valid.';
