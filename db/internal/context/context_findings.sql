create function fsm_internal.context_findings(p_machine text, p_machine_version integer, p_state text, p_context jsonb)
returns table (code text, path text, message text)
language plpgsql
stable
as $$
declare
  v_max_bytes bigint;
  v_bare jsonb;
begin
  select t.max_context_bytes into v_max_bytes from fsm_internal.machine_states t
  where t.machine = p_machine and t.machine_version = p_machine_version and t.state = p_state;
  if v_max_bytes is null then
    return query select 'unknown_state', '$', format('machine %s version %s has no state %s', p_machine, p_machine_version, p_state);
    return;
  end if;
  if jsonb_typeof(p_context) <> 'object' then
    return query select 'not_an_object', '$', format('a context is a JSON object, this is of type %s', jsonb_typeof(p_context));
    return;
  end if;
  if p_context -> 'current_state' <> to_jsonb(p_state) then
    return query select 'state_disagrees', '$.current_state',
      'current_state in the context is not the state that the session would have';
  end if;
  v_bare := p_context - array['current_state', 'session_id'];
  return query select f.code, f.path, f.message from fsm_internal.limit_findings(v_bare) f;
  if found then
    return;  -- neither the size nor the schema is tried on what breaks a limit
  end if;
  if fsm_internal.is_too_large(v_bare, v_max_bytes) then
    return query select 'too_large', '$', format('the context has more than the %s bytes of text that its machine allows', v_max_bytes);
  end if;
  return query select * from fsm_internal.admission_findings(p_machine, p_machine_version, p_state, v_bare);
end
$$;
comment on function fsm_internal.context_findings(text, integer, text, jsonb) is
  'Everything that a save of this context in this state would be refused for: form, size, limits, schema, invariants.';
