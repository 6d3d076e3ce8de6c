create function fsm.retire_machine(p_machine text, p_machine_version integer, p_retired boolean default true)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform fsm_internal.check_text('p_machine', p_machine, 512);
  perform fsm_internal.check_not_null('p_machine_version', p_machine_version);
  perform fsm_internal.check_not_null('p_retired', p_retired);
  perform fsm_internal.make_durable();
  update fsm_internal.machine_versions v set retired = p_retired
  where v.machine = p_machine and v.machine_version = p_machine_version and v.retired <> p_retired;
  if found then
    return true;
  end if;
  if not exists (
    select from fsm_internal.machine_versions v where v.machine = p_machine and v.machine_version = p_machine_version) then
    perform fsm_internal.refuse_unknown_machine(p_machine, p_machine_version);
  end if;
  return false;
end
$$;
comment on function fsm.retire_machine(text, integer, boolean) is
  'Retires a machine version: no new sessions start on it, running ones go on. p_retired false brings it back. True: it changed; false: it was so already. Errors: 22004 null, 22023 name empty or over 512 bytes, SM001 no such version.';
