create function fsm_internal.schema_type_fits(p_type jsonb, p_value jsonb)
returns boolean
language plpgsql
immutable
as $$
begin
  return p_type is null or p_type ? jsonb_typeof(p_value)
    or p_type ? 'integer' and case when jsonb_typeof(p_value) = 'number' then trunc(p_value::numeric) = p_value::numeric else false end;
end
$$;
comment on function fsm_internal.schema_type_fits(jsonb, jsonb) is 'Whether a value has the type, or one of the list of types; null: any. 2.0 is an integer.';
