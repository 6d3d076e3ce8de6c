create function fsm_internal.initial_state(p_machine text, p_machine_version integer)
returns fsm_internal.machine_states
language plpgsql
stable
as $$
declare
  v_state fsm_internal.machine_states;
begin
  select t.* into v_state
  from fsm_internal.machine_versions v
  join fsm_internal.machine_states t using (machine, machine_version)
  where v.machine = p_machine and not v.retired and t.is_initial
    and v.machine_version = coalesce(p_machine_version, v.machine_version)
  order by v.machine_version desc limit 1;
  if v_state.machine is null then
    perform fsm_internal.refuse_unknown_machine(p_machine, p_machine_version);
  end if;
  return v_state;
end
$$;
comment on function fsm_internal.initial_state(text, integer) is
  'The initial state of a machine version that takes new sessions; null version: the newest not retired. SM001 if there is none.';
