create function fsm_internal.schema_path(p_path text, p_key text)
returns text
language plpgsql
immutable
as $$
begin
  return p_path || '.' || case when p_key ~ '^[A-Za-z_][A-Za-z0-9_]*$' then p_key else to_jsonb(p_key)::text end;
end
$$;
comment on function fsm_internal.schema_path(text, text) is 'The jsonpath of a member of the object at p_path. A key that is no plain identifier is quoted.';
