create function fsm_internal.array_head(p_array jsonb, p_length integer)
returns jsonb
language sql
immutable
return case when p_length = 0 then jsonb '[]'
  else jsonb_path_query_array(p_array, 'strict $[0 to $last]', ('{"last": ' || (p_length - 1)::text || '}')::jsonb) end;
comment on function fsm_internal.array_head(jsonb, integer) is 'The first p_length elements of an array.';

create function fsm_internal.array_only_grew(p_before jsonb, p_after jsonb)
returns boolean
language sql
immutable
return case
  when jsonb_typeof(p_before) <> 'array' or jsonb_typeof(p_after) <> 'array' then false
  when jsonb_array_length(p_after) <= jsonb_array_length(p_before) then false
  else record_image_eq(row(fsm_internal.array_head(p_after, jsonb_array_length(p_before))), row(p_before)) end;
comment on function fsm_internal.array_only_grew(jsonb, jsonb) is
  'True when both are arrays and p_after is p_before with at least one element more at its end.';
