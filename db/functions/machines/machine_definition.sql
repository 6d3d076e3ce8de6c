create function fsm.machine_definition(p_machine text, p_machine_version integer default null)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform fsm_internal.check_text('p_machine', p_machine, 512);
  return (
    select v.definition from fsm_internal.machine_versions v
    where v.machine = p_machine and v.machine_version = fsm_internal.chosen_version(p_machine, p_machine_version));
end
$$;
comment on function fsm.machine_definition(text, integer) is
  'The definition of a machine version as it was given to fsm.define_machine, retired or not. p_machine_version null: the newest version that is not retired. Errors: 22004 null name, 22023 name empty or over 512 bytes, SM001 no such version, or all are retired (versions in DETAIL).';
