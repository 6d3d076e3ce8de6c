create function fsm_internal.schema_value_problem(p_keyword text, p_value jsonb)
returns text
language plpgsql
immutable
as $$
declare
  v_kind text := jsonb_typeof(p_value);
  v_number numeric := case when v_kind = 'number' then p_value::numeric end;
  v_texts jsonb := case when v_kind = 'array' then p_value else jsonb_build_array(p_value) end;
begin
  if p_keyword in ('type', 'required') then
    if p_keyword = 'type' and not v_texts <@ '["null", "boolean", "object", "array", "number", "integer", "string"]' then
      return 'must be null, boolean, object, array, number, integer, string, or a list of these';
    elsif p_keyword = 'type' and v_texts = '[]' then
      return 'must name at least one type';
    elsif p_keyword = 'required' and (v_kind <> 'array' or v_texts @? 'strict $[*] ? (@.type() != "string")') then
      return 'must be a list of strings';
    elsif (select count(*) > count(distinct t.value) from jsonb_array_elements(v_texts) t) then
      return 'must not name anything twice';
    end if;
  elsif p_keyword in ('properties', '$defs') and v_kind <> 'object' then
    return 'must be an object of schemas';
  elsif p_keyword = 'additionalProperties' and v_kind <> 'boolean' then
    return 'must be true or false; a schema is not supported here';
  elsif p_keyword in ('minItems', 'maxItems', 'minLength', 'maxLength')
    and (v_number is null or v_number < 0 or v_number <> trunc(v_number)) then
    return 'must be a whole number, 0 or more';
  elsif p_keyword in ('minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum') and v_kind <> 'number' then
    return 'must be a number';
  elsif p_keyword = 'anyOf' and (v_kind <> 'array' or v_texts = '[]') then
    return 'must be a list of at least one schema';
  elsif p_keyword in ('pattern', '$ref') and v_kind <> 'string' then
    return 'must be a string';
  elsif p_keyword = 'enum' and v_kind <> 'array' then
    return 'must be a list of values';
  elsif p_keyword in ('enum', 'const') and jsonb_path_exists(p_value, 'strict $.**{64}', '{}', true) then
    return 'must not nest deeper than 64 levels';
  end if;
  return null;
end
$$;
comment on function fsm_internal.schema_value_problem(text, jsonb) is 'What is wrong with the value of a supported keyword, apart from subschemas, patterns and references; null if nothing.';
