create function fsm.machine_definition(p_machine text, p_machine_version integer default null)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_definition jsonb;
begin
  perform fsm_internal.check_text('p_machine', p_machine, 512);
  select v.definition into v_definition
  from fsm_internal.machine_versions v
  where v.machine = p_machine
    and case when p_machine_version is null then not v.retired else v.machine_version = p_machine_version end
  order by v.machine_version desc limit 1;
  if not found then
    perform fsm_internal.refuse_unknown_machine(p_machine, p_machine_version);
  end if;
  return v_definition;
end
$$;
comment on function fsm.machine_definition(text, integer) is
  'The definition of a machine version as it was given to fsm.define_machine, retired or not. p_machine_version null: the newest version that is not retired. Errors: 22004 null name, 22023 name empty or over 512 bytes, SM001 no such version, or all are retired (versions in DETAIL).';
