create function fsm_internal.judge_loop(
  p_session fsm_internal.locked_session, p_write fsm_internal.pending_write, p_rule fsm_internal.passage_rule)
returns boolean
language plpgsql
volatile
as $$
declare
  v_detail jsonb := jsonb_build_object('session_id', p_session.session_id, 'machine', p_session.machine,
    'machine_version', p_session.machine_version, 'from_state', p_session.state, 'to_state', p_write.to_state,
    'event', p_write.event, 'version', p_session.version, 'loop_limit', p_rule.loop_limit,
    'loop_window', fsm_internal.window_text(p_rule.loop_window), 'action', p_rule.loop_action, 'divert_to', p_rule.divert_to);
begin
  raise log 'fsm.loop %', v_detail;
  if p_rule.loop_action = 'block' then
    perform fsm_internal.refuse('SM040', 'loop blocked', v_detail,
      'Nothing was written. The session went this way too often within the window: take another transition, or wait until the window has passed.');
  end if;
  return p_rule.loop_action = 'divert';
end
$$;
comment on function fsm_internal.judge_loop(fsm_internal.locked_session, fsm_internal.pending_write, fsm_internal.passage_rule) is
  'What becomes of a transition that closes a loop: always a line fsm.loop in the server log; SM040 when its rule is block; true when it is to be diverted.';
