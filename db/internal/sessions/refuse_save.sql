create function fsm_internal.refuse_save(
  p_session fsm_internal.locked_session, p_to_state text, p_context jsonb, p_expected_version bigint, p_event text, p_turn bigint)
returns void
language plpgsql
volatile
as $$
declare
  v_terms record;
begin
  if p_session.machine is null then
    perform fsm_internal.refuse_unknown_session(p_session.session_id);
  end if;
  select t.is_final, t.max_context_bytes into v_terms
  from fsm_internal.machine_states t
  where t.machine = p_session.machine and t.machine_version = p_session.machine_version and t.state = p_session.state;
  if v_terms.is_final is null then
    perform fsm_internal.refuse_unknown_state(p_session.session_id, p_session.machine, p_session.machine_version, p_session.state);
  end if;
  perform fsm_internal.check_preconditions(p_session, v_terms.is_final, p_expected_version, p_turn);
  p_context := fsm_internal.bare_context(p_session.session_id, p_to_state, p_context, v_terms.max_context_bytes);
  perform fsm_internal.check_limits(p_session.session_id, p_to_state, p_context, array(select jsonb_object_keys(p_context)));
  perform fsm_internal.refuse_move(p_session, p_to_state, p_event, p_context);
end
$$;
comment on function fsm_internal.refuse_save(fsm_internal.locked_session, text, jsonb, bigint, text, bigint) is
  'Raises what a save without a move, with a turn token or with another version is refused for, in the order of checking: SM010, SM060, SM051, SM030, SM012, SM021 form, SM020.';
