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
  v_version := fsm_internal.chosen_version(p_machine, p_machine_version);
  return query select f.code, f.path, f.message from fsm_internal.context_findings(p_machine, v_version, p_state, p_context) f;
end
$$;
comment on function fsm.validate_context(text, text, jsonb, integer) is
  'Whether a session of this machine could be saved in this state with this context; nothing is stored. One row per finding, with a code (a slug), the path in the context as jsonpath, and a sentence; no rows: valid. p_machine_version null: the newest not retired. Errors: 22004, 22023, SM001 no such machine or version.';
