create function fsm_internal.compile_schema(p_schema jsonb)
returns table (schema_check jsonpath, schema_rest jsonb)
language plpgsql
immutable
as $$
declare
  v_resolved jsonb;
begin
  if p_schema is not null then
    v_resolved := fsm_internal.schema_resolve(fsm_internal.schema_definitions(p_schema), p_schema);
    schema_check := ('strict !exists($?(' || fsm_internal.schema_violation(v_resolved) || '))')::jsonpath;
    schema_rest := nullif(fsm_internal.schema_rest_below('strict $', fsm_internal.schema_rest(v_resolved)), '[]');
  end if;
  return next;
end
$$;
comment on function fsm_internal.compile_schema(jsonb) is
  'A context_schema without schema_problems, made ready for the hot path. A context is valid when schema_check is null or jsonb_path_match(context, schema_check, ''{}'', true) is true, and schema_rest is null or schema_rest_holds(schema_rest, context). The first is false or null, never an error, for any other.';
