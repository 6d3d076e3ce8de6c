create function fsm_internal.chosen_version(p_machine text, p_machine_version integer)
returns integer
language plpgsql
stable
as $$
declare
  v_version integer := (
    select v.machine_version from fsm_internal.machine_versions v
    where v.machine = p_machine
      and case when p_machine_version is null then not v.retired else v.machine_version = p_machine_version end
    order by v.machine_version desc limit 1);
begin
  if v_version is null then
    perform fsm_internal.refuse_unknown_machine(p_machine, p_machine_version);
  end if;
  return v_version;
end
$$;
comment on function fsm_internal.chosen_version(text, integer) is
  'p_machine_version, or the newest that is not retired when that is null. SM001 when there is none.';
