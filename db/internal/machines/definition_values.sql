create function fsm_internal.definition_object(p_value jsonb)
returns jsonb
language sql
immutable
return case when jsonb_typeof(p_value) = 'object' then p_value else '{}'::jsonb end;
comment on function fsm_internal.definition_object(jsonb) is
  'The value if it is an object, else an empty object: so that a part of the wrong type can be walked through, and is reported once.';

create function fsm_internal.definition_text(p_value jsonb)
returns text
language sql
immutable
return case when jsonb_typeof(p_value) = 'string' then p_value #>> '{}' end;
comment on function fsm_internal.definition_text(jsonb) is 'The text of a JSON string; null for anything else.';

create function fsm_internal.definition_integer(p_value jsonb, p_min bigint, p_max bigint)
returns bigint
language sql
immutable
return case when jsonb_typeof(p_value) = 'number' then
    case when (p_value #>> '{}')::numeric between p_min and p_max then
      case when (p_value #>> '{}')::numeric = trunc((p_value #>> '{}')::numeric) then (p_value #>> '{}')::numeric::bigint end
    end
  end;
comment on function fsm_internal.definition_integer(jsonb, bigint, bigint) is
  'The whole number (2.0 is one) if it is between p_min and p_max; null for anything else. Raises for nothing.';

create function fsm_internal.definition_target(p_machine text, p_target text)
returns text
language sql
immutable
return case
  when starts_with(p_target, '#' || p_machine || '.') then substr(p_target, length(p_machine) + 3)
  when starts_with(p_target, '.') then substr(p_target, 2)
  else p_target
end;
comment on function fsm_internal.definition_target(text, text) is
  'The state that a target means: name, .name and #id.name are the same. Whether there is such a state is not looked at.';
