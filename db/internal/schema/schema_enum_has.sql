create function fsm_internal.schema_enum_has(p_values jsonb, p_value jsonb)
returns boolean
language plpgsql
immutable
as $$
begin
  if jsonb_typeof(p_value) in ('object', 'array') then
    return exists (select from jsonb_array_elements(p_values) e where e.value = p_value);
  end if;
  return p_values @> p_value;
end
$$;
comment on function fsm_internal.schema_enum_has(jsonb, jsonb) is 'Whether a value equals one of the list, numbers as numbers.';
