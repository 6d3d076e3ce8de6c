create function fsm_internal.check_upgrade(p_machine text, p_from_version integer, p_to_version integer, p_state_map jsonb, p_patch jsonb)
returns void
language plpgsql
stable
as $$
declare
  v_wrong record;
begin
  perform fsm_internal.check_text('p_machine', p_machine, 512);
  perform fsm_internal.check_not_null('p_from_version', p_from_version);
  perform fsm_internal.check_not_null('p_to_version', p_to_version);
  perform fsm_internal.chosen_version(p_machine, v.version) from (values (p_from_version), (p_to_version)) v (version);
  if p_from_version = p_to_version then
    perform fsm_internal.refuse(fsm_internal.argument_refusal('p_to_version', 'upgrade to the same version', jsonb_build_object('machine_version', p_to_version),
      'Give two different versions of the machine.'));
  end if;
  select w.path, w.message into v_wrong
  from (values
    ('p_state_map', jsonb_typeof(p_state_map) <> 'object', 'a state map is a JSON object'),
    ('p_patch', jsonb_typeof(p_patch) <> 'object', 'a patch is a JSON object'),
    ('p_patch', p_patch ?| array['current_state', 'session_id'], 'state and id are not part of a context: map states with p_state_map'),
    ('p_patch', jsonb_path_exists(p_patch, 'strict $.**{100} ? (@.type() == "object" || @.type() == "array")'), 'the patch is nested more than 100 deep')
  ) w (path, is_wrong, message) where w.is_wrong limit 1;
  if found then
    perform fsm_internal.refuse_context(null, null, 'not_an_object', v_wrong.path, v_wrong.message);
  end if;
  select m.key, m.value, case when f.state is null then p_from_version else p_to_version end as machine_version into v_wrong
  from jsonb_each(p_state_map) m
  left join fsm_internal.machine_states f on f.machine = p_machine and f.machine_version = p_from_version and f.state = m.key
  left join fsm_internal.machine_states t on t.machine = p_machine and t.machine_version = p_to_version and to_jsonb(t.state) = m.value
  where f.state is null or t.state is null
  order by m.key collate "C" limit 1;
  if found then
    perform fsm_internal.refuse(fsm_internal.argument_refusal('p_state_map', 'unknown state in the state map',
      jsonb_build_object('machine', p_machine, 'machine_version', v_wrong.machine_version, 'from_state', v_wrong.key,
        'to_state', case when jsonb_typeof(v_wrong.value) = 'string' then v_wrong.value end),
      'Map states of p_from_version (keys) to states of p_to_version (strings); fsm.machine_definition shows them.'));
  end if;
end
$$;
comment on function fsm_internal.check_upgrade(text, integer, integer, jsonb, jsonb) is
  'What fsm.upgrade_sessions checks before it looks at any session: 22004, 22023, SM001, SM021.';
