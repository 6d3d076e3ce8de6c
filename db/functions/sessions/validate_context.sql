create function fsm.validate_context(
  p_machine text, p_state text, p_context jsonb, p_machine_version integer default null)
returns table (code text, path text, message text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_version integer;
begin
  perform fsm_internal.check_text('p_machine', p_machine, 512);
  perform fsm_internal.check_text('p_state', p_state, 128);
  perform fsm_internal.check_not_null('p_context', p_context);
  select v.machine_version into v_version
  from fsm_internal.machine_versions v
  where v.machine = p_machine and (v.machine_version = p_machine_version or (p_machine_version is null and not v.retired))
  order by v.machine_version desc limit 1;
  if v_version is null then
    perform fsm_internal.refuse_unknown_machine(p_machine, p_machine_version);
  end if;
  return query select f.code, f.path, f.message from fsm_internal.context_findings(p_machine, v_version, p_state, p_context) f;
end
$$;
comment on function fsm.validate_context(text, text, jsonb, integer) is
  'Whether a session of this machine could be saved in this state with this context; nothing is stored. One row per finding, with a code (a slug), the path in the context as jsonpath, and a sentence; no rows: valid. p_machine_version null: the newest not retired. Errors: 22004, 22023, SM001 no such machine or version.';
