create function fsm_internal.update_context(
  p_session_id text, p_patch jsonb, p_append jsonb, p_expected_version bigint, p_request_id uuid,
  p_turn bigint, p_actor text, p_note jsonb)
returns fsm_internal.outcome
language plpgsql
volatile
as $$
declare
  v_session fsm_internal.locked_session;
  v_replayed bigint;
  v_terms fsm_internal.admission;
  v_context jsonb;
  v_change fsm_internal.context_change;
begin
  v_session := fsm_internal.read_locked_session(p_session_id);
  v_replayed := fsm_internal.replayed_version(p_session_id, p_request_id);
  if v_replayed is not null then
    return fsm_internal.replay_result(p_session_id, v_replayed);
  end if;
  v_terms := fsm_internal.open_session(v_session, p_expected_version, p_turn);
  v_context := fsm_internal.changed_context(v_session, p_patch, p_append, v_terms.max_context_bytes);
  if p_patch ?| array['current_state', 'session_id'] then
    perform fsm_internal.refuse(fsm_internal.agreement_refusal(p_session_id, v_session.state, jsonb_strip_nulls(p_patch)));
  end if;
  v_change := fsm_internal.context_change(v_session.context, v_context);
  perform fsm_internal.refuse(fsm_internal.change_refusal(p_session_id, v_session.state, v_context, v_change));
  return fsm_internal.settle_write(v_session,
    ('update', v_session.state, null, v_context, v_change.undo, false, p_request_id, p_actor, p_note)::fsm_internal.pending_write,
    null, v_terms);
end
$$;
comment on function fsm_internal.update_context(text, jsonb, jsonb, bigint, uuid, bigint, text, jsonb) is
  'fsm.update_context behind its argument checks: everything it touches belongs to p_session_id or to the definitions.';
