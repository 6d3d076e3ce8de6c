create function fsm_internal.schema_message(p_keyword text, p_schema jsonb, p_value jsonb)
returns text
language plpgsql
immutable
as $$
declare
  v_expected text := case
    when p_keyword in ('type', 'const', 'enum') then fsm_internal.schema_expected(jsonb_build_object(p_keyword, p_schema -> p_keyword))
    else fsm_internal.schema_sample(p_schema -> p_keyword) end;
  v_found text := fsm_internal.schema_sample(p_value);
begin
  if p_keyword = 'type' and jsonb_typeof(p_value) in ('number', 'string', 'boolean') then
    v_found := jsonb_typeof(p_value) || ' ' || v_found;
  elsif p_keyword in ('minLength', 'maxLength') then
    v_found := length(p_value #>> '{}') || ': ' || v_found;
  elsif p_keyword in ('minItems', 'maxItems') then
    v_found := jsonb_array_length(p_value)::text;
  end if;
  return format(case p_keyword
    when 'pattern' then 'expected a string that matches %s, found %s'
    when 'minLength' then 'expected at least %s characters, found %s'
    when 'maxLength' then 'expected at most %s characters, found %s'
    when 'minItems' then 'expected at least %s items, found %s'
    when 'maxItems' then 'expected at most %s items, found %s'
    when 'minimum' then 'expected at least %s, found %s'
    when 'maximum' then 'expected at most %s, found %s'
    when 'exclusiveMinimum' then 'expected more than %s, found %s'
    when 'exclusiveMaximum' then 'expected less than %s, found %s'
    else 'expected %s, found %s' end, v_expected, v_found);
end
$$;
comment on function fsm_internal.schema_message(text, jsonb, jsonb) is 'What a keyword of schema_violated_keywords asks for, and what the value is, in one sentence.';
