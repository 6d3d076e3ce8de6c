create function fsm_internal.open_session(
  p_session fsm_internal.locked_session, p_expected_version bigint, p_turn bigint)
returns fsm_internal.admission
language plpgsql
volatile
as $$
declare
  v_terms fsm_internal.admission := fsm_internal.admission_of(p_session.machine, p_session.machine_version, p_session.state);
begin
  perform fsm_internal.refuse(fsm_internal.precondition_refusal(p_session, v_terms.is_final, p_expected_version, p_turn));
  return v_terms;
end
$$;
comment on function fsm_internal.open_session(fsm_internal.locked_session, bigint, bigint) is
  'The terms of the present state of a session that takes writes. Raises what fsm_internal.precondition_refusal finds.';

create function fsm_internal.changed_context(
  p_session fsm_internal.locked_session, p_patch jsonb, p_append jsonb, p_max_context_bytes bigint)
returns jsonb
language plpgsql
volatile
as $$
declare
  v_context jsonb := fsm_internal.patched_context(p_session.session_id, p_session.state, p_session.context, p_patch, p_append);
begin
  perform fsm_internal.refuse(fsm_internal.form_refusal(p_session.session_id, p_session.state, v_context, p_max_context_bytes));
  return v_context || '{}';
end
$$;
comment on function fsm_internal.changed_context(fsm_internal.locked_session, jsonb, jsonb, bigint) is
  'The context of a session after a merge patch and an append, in the form that is stored. SM021 for the form of patch, append or result.';
