create function fsm.check_machine(p_definition jsonb)
returns table (severity text, code text, path text, message text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform fsm_internal.check_not_null('p_definition', p_definition);
  return query
    select f.severity, f.code, f.path, f.message from fsm_internal.machine_findings(p_definition) f;
end
$$;
comment on function fsm.check_machine(jsonb) is
  'What fsm.define_machine would say to this definition, without storing it. Rows: severity (error: it would be refused; warning), code (a short stable word), path (a jsonpath into the definition) and message; errors first, then by path. No rows: nothing to say. Raises for no JSON, however wrong. Errors: 22004 null.';
