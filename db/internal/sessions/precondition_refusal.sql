create function fsm_internal.precondition_refusal(
  p_session fsm_internal.locked_session, p_is_final boolean, p_expected_version bigint, p_turn bigint)
returns jsonb
language plpgsql
volatile
as $$
declare
  v_refusal jsonb;
begin
  if p_is_final is null then
    return fsm_internal.unknown_state_refusal(p_session.session_id, p_session.machine, p_session.machine_version, p_session.state);
  end if;
  if p_turn is not null or p_session.turn is not null then
    v_refusal := fsm_internal.turn_refusal(p_session.session_id, p_turn);
    if v_refusal is not null then
      return v_refusal;
    end if;
  end if;
  return case
    when p_session.version <> p_expected_version then
      fsm_internal.version_refusal(p_session.session_id, p_session.version, p_expected_version, p_session.state)
    when p_is_final then fsm_internal.final_refusal(p_session) end;
end
$$;
comment on function fsm_internal.precondition_refusal(fsm_internal.locked_session, boolean, bigint, bigint) is
  'What holds for every write once the session is read: SM060 a state its machine does not have (p_is_final null), SM050 and SM051 turn, SM030 version (p_expected_version null: any), SM012 final state, in this order. Null: nothing against it.';
