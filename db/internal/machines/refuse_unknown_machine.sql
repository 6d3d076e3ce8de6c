create function fsm_internal.refuse_unknown_machine(p_machine text, p_machine_version integer)
returns void
language plpgsql
volatile
as $$
declare
  v_versions jsonb := (
    select jsonb_agg(jsonb_build_object('machine_version', v.machine_version, 'retired', v.retired) order by v.machine_version desc)
    from fsm_internal.machine_versions v where v.machine = p_machine);
begin
  perform fsm_internal.refuse('SM001', 'machine not found',
    jsonb_build_object('machine', p_machine, 'machine_version', p_machine_version, 'versions', coalesce(v_versions, '[]')),
    case when v_versions is null then 'Define it with fsm.define_machine, or check the name: names are compared byte for byte.'
      else 'Name one of versions that is not retired, define a new one, or bring one back with fsm.retire_machine(machine, version, false).' end);
end
$$;
comment on function fsm_internal.refuse_unknown_machine(text, integer) is
  'Raises SM001; versions in DETAIL lists what there is of the machine, the newest first.';
