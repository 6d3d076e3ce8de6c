create function fsm_internal.admission_of(p_machine text, p_machine_version integer, p_state text)
returns fsm_internal.admission
language plpgsql
stable
as $$
declare
  v_admission fsm_internal.admission;
begin
  select t.is_final, t.context_version, t.max_context_bytes, t.audit_chain, t.first_delay_ms, t.schema_check, t.schema_rest, t.invariants
  into v_admission
  from fsm_internal.machine_states t
  where t.machine = p_machine and t.machine_version = p_machine_version and t.state = p_state;
  return v_admission;
end
$$;
comment on function fsm_internal.admission_of(text, integer, text) is 'What entering a state of a machine version asks; all null if it has no such state.';
