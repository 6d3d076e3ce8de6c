create function fsm_internal.schema_sample(p_value jsonb)
returns text
language plpgsql
immutable
as $$
declare
  v_text text;
begin
  case jsonb_typeof(p_value)
    when 'object' then
      return 'an object';
    when 'array' then
      return format('an array of %s', jsonb_array_length(p_value));
    when 'string' then
      v_text := p_value #>> '{}';
      return to_jsonb(case when length(v_text) > 60 then left(v_text, 57) || '...' else v_text end)::text;
    else
      v_text := p_value::text;
      return case when length(v_text) > 60 then left(v_text, 57) || '...' else v_text end;
  end case;
end
$$;
comment on function fsm_internal.schema_sample(jsonb) is 'A value as a message may show it: at most 60 characters of it, and of objects and arrays nothing.';
