create function fsm_internal.rollback_session(
  p_session_id text, p_to_version bigint, p_expected_version bigint, p_reason text, p_request_id uuid, p_turn bigint, p_actor text)
returns fsm_internal.outcome
language plpgsql
volatile
as $$
declare
  v_session fsm_internal.locked_session;
  v_replayed bigint;
  v_context jsonb;
  v_state text;
  v_terms fsm_internal.admission;
  v_outcome fsm_internal.outcome;
begin
  v_session := fsm_internal.read_locked_session(p_session_id);
  v_replayed := fsm_internal.replayed_version(p_session_id, p_request_id);
  if v_replayed is not null then
    v_outcome := fsm_internal.replay_result(p_session_id, v_replayed);
    v_outcome.context := fsm_internal.context_at(p_session_id, v_replayed);
    return v_outcome;
  end if;
  -- A final state may be left by a rollback, and a state that its machine does not have may be mended by one.
  perform fsm_internal.refuse(fsm_internal.precondition_refusal(v_session, false, p_expected_version, p_turn));
  select h.to_state into v_state from fsm_internal.history h where h.session_id = p_session_id and h.version = p_to_version;
  if v_state is null then
    perform fsm_internal.refuse_version_not_retained(p_session_id, 'p_to_version', p_to_version, fsm_internal.retained_versions(p_session_id));
  end if;
  v_context := fsm_internal.context_at(p_session_id, p_to_version) || '{}';
  if v_context is null then
    perform fsm_internal.report_corrupt_session(p_session_id, 'row_disagrees_with_history', jsonb_build_object('version', p_to_version));
  end if;
  v_terms := fsm_internal.admission_of(v_session.machine, v_session.machine_version, v_state);
  if v_terms.is_final is null then
    perform fsm_internal.refuse('SM020', 'no such transition from this state',
      jsonb_build_object('session_id', p_session_id, 'machine', v_session.machine, 'machine_version', v_session.machine_version,
        'state', v_session.state, 'to_state', v_state, 'version', v_session.version, 'to_version', p_to_version),
      'Nothing was written. The machine version that the session is on now does not have the state of that version: choose a version with a state that it has.');
  end if;
  perform fsm_internal.refuse(fsm_internal.form_refusal(p_session_id, v_state, v_context, v_terms.max_context_bytes));
  v_outcome := fsm_internal.settle_write(v_session,
    ('rollback', v_state, null, v_context, (fsm_internal.context_change(v_session.context, v_context)).undo, false, p_request_id, p_actor,
      jsonb_build_object('to_version', p_to_version, 'reason', p_reason))::fsm_internal.pending_write,
    null, v_terms);
  v_outcome.context := v_context;
  return v_outcome;
end
$$;
comment on function fsm_internal.rollback_session(text, bigint, bigint, text, uuid, bigint, text) is
  'fsm.rollback_session behind its argument checks: everything it touches belongs to p_session_id or to the definitions.';
