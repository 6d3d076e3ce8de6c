create function fsm_internal.schema_rest_below(p_path text, p_rest jsonb)
returns jsonb
language plpgsql
immutable
as $$
begin
  return (
    select coalesce(jsonb_agg(jsonb_set(r.value, '{path}', to_jsonb(p_path || (r.value ->> 'path'))) order by r.ordinality), '[]')
    from jsonb_array_elements(p_rest) with ordinality r);
end
$$;
comment on function fsm_internal.schema_rest_below(text, jsonb) is 'A schema_rest with another path in front of its paths.';
