create function fsm_internal.schema_length_terms(p_schema jsonb)
returns text[]
language plpgsql
immutable
as $$
declare
  v_min numeric := (p_schema -> 'minLength')::numeric;
  v_max numeric := (p_schema -> 'maxLength')::numeric;
  v_limit int := fsm_internal.schema_length_limit();
begin
  return array[
    case
      when v_min = 1 then '@==""'
      when v_min between 2 and v_limit then '@ like_regex "^.{0,' || trunc(v_min) - 1 || '}$" flag "s"'
    end,
    case
      when v_max = 0 then '@>""'
      when v_max <= v_limit then '@ like_regex "^.{' || trunc(v_max) + 1 || '}" flag "s"'
    end];
end
$$;
comment on function fsm_internal.schema_length_terms(jsonb) is
  'The violations of minLength and maxLength up to schema_length_limit: jsonpath predicates on @, true exactly for a string that is too short or too long.';
