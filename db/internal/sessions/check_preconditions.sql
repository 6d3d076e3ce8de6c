create function fsm_internal.check_preconditions(
  p_session fsm_internal.locked_session, p_is_final boolean, p_expected_version bigint, p_turn bigint)
returns void
language plpgsql
volatile
as $$
begin
  if p_turn is not null then
    -- No turn can be held in this release, so no token can be the held one.
    perform fsm_internal.refuse('SM051', 'turn token stale',
      jsonb_build_object('session_id', p_session.session_id, 'turn', p_turn, 'held_turn', null),
      'No turn is held on this session. Leave p_turn out, or begin a turn and use its token.');
  end if;
  if p_session.version <> p_expected_version then
    perform fsm_internal.refuse_version(p_session.session_id, p_session.version, p_expected_version, p_session.state);
  end if;
  if p_is_final then
    perform fsm_internal.refuse('SM012', 'session is in a final state',
      jsonb_build_object('session_id', p_session.session_id, 'state', p_session.state, 'version', p_session.version),
      'A finished session takes no more saves or events. Start a new session, or roll this one back to an open state.');
  end if;
end
$$;
comment on function fsm_internal.check_preconditions(fsm_internal.locked_session, boolean, bigint, bigint) is
  'What holds for every write once the session is read: SM051 turn token, SM030 version (p_expected_version null: any), SM012 final state, in this order.';
