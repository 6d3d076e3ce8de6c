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
    schema_rest := fsm_internal.schema_rest(v_resolved);
  end if;
  return next;
end
$$;
comment on function fsm_internal.compile_schema(jsonb) is
  'A context_schema without schema_problems, made ready for the hot path. A context is valid when jsonb_path_match(context, schema_check, ''{}'', true) is true, or schema_check null, and schema_findings(schema_rest, context, 1) gives no row, or schema_rest null.';
