create function fsm_internal.schema_violated_keywords(p_schema jsonb, p_value jsonb)
returns text[]
language plpgsql
immutable
as $$
declare
  v_kind text := jsonb_typeof(p_value);
  v_number numeric := case when v_kind = 'number' then p_value::numeric end;
  v_length int := case when v_kind = 'string' then length(p_value #>> '{}') end;
  v_items int := case when v_kind = 'array' then jsonb_array_length(p_value) end;
begin
  -- A keyword that is absent, or is not about this type, compares to null.
  return array_remove(array[
    case when not fsm_internal.schema_type_fits(p_schema -> 'type', p_value) then 'type' end,
    case when p_value <> p_schema -> 'const' then 'const' end,
    case when p_schema ? 'enum' and not fsm_internal.schema_enum_has(p_schema -> 'enum', p_value) then 'enum' end,
    case when v_length < (p_schema -> 'minLength')::numeric then 'minLength' end,
    case when v_length > (p_schema -> 'maxLength')::numeric then 'maxLength' end,
    case when v_kind = 'string' and p_schema ? 'pattern'
      and not jsonb_path_match(p_value, ('strict $ like_regex ' || (p_schema -> 'pattern')::text)::jsonpath) then 'pattern' end,
    case when v_number < (p_schema -> 'minimum')::numeric then 'minimum' end,
    case when v_number > (p_schema -> 'maximum')::numeric then 'maximum' end,
    case when v_number <= (p_schema -> 'exclusiveMinimum')::numeric then 'exclusiveMinimum' end,
    case when v_number >= (p_schema -> 'exclusiveMaximum')::numeric then 'exclusiveMaximum' end,
    case when v_items < (p_schema -> 'minItems')::numeric then 'minItems' end,
    case when v_items > (p_schema -> 'maxItems')::numeric then 'maxItems' end
  ], null);
end
$$;
comment on function fsm_internal.schema_violated_keywords(jsonb, jsonb) is
  'The keywords that a value violates, in the order in which they are reported; of those that look at the value itself, not at what it contains.';
