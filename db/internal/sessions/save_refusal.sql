create function fsm_internal.save_refusal(
  p_session_id text, p_session fsm_internal.locked_session, p_has_move boolean, p_to_state text, p_context jsonb, p_expected_version bigint, p_event text,
  p_turn bigint)
returns jsonb
language plpgsql
volatile
as $$
declare
  v_terms fsm_internal.admission;
  v_refusal jsonb;
begin
  if p_session.machine is null then
    return fsm_internal.unknown_session_refusal(p_session_id);
  end if;
  v_terms := fsm_internal.admission_of(p_session.machine, p_session.machine_version, p_session.state);
  v_refusal := fsm_internal.precondition_refusal(p_session, v_terms.is_final, p_expected_version, p_turn);
  if v_refusal is not null or p_has_move then
    return v_refusal;
  end if;
  v_refusal := fsm_internal.form_refusal(p_session.session_id, p_to_state, p_context, v_terms.max_context_bytes);
  if v_refusal is null then
    p_context := fsm_internal.bare_context(p_context);
    v_refusal := fsm_internal.limit_refusal(p_session.session_id, p_to_state, p_context, array(select jsonb_object_keys(p_context)));
  end if;
  return coalesce(v_refusal, fsm_internal.move_refusal(p_session, p_to_state, p_event, p_context));
end
$$;
comment on function fsm_internal.save_refusal(text, fsm_internal.locked_session, boolean, text, jsonb, bigint, text, bigint) is
  'What a save without a move, in a session with turns, or with another version is refused for, in the order of checking: SM010, SM060, SM050, SM051, SM030, SM012, SM021 form, SM020. Null: the move is there and may be tried.';
