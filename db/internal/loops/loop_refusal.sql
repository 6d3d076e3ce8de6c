create function fsm_internal.loop_refusal(
  p_session fsm_internal.locked_session, p_write fsm_internal.pending_write, p_rule fsm_internal.passage_rule)
returns jsonb
language plpgsql
volatile
as $$
declare
  v_detail jsonb := fsm_internal.loop_detail(p_session, p_write.to_state, p_write.event, p_rule) || jsonb_build_object(
    'machine', p_session.machine, 'machine_version', p_session.machine_version);
begin
  raise log 'fsm.loop %', v_detail;
  if p_rule.loop_action = 'block' then
    return fsm_internal.refusal('SM040', 'loop blocked', v_detail,
      'Nothing was written. The session went this way too often within the window: take another transition, or wait until the window has passed.');
  end if;
  return null;
end
$$;
comment on function fsm_internal.loop_refusal(fsm_internal.locked_session, fsm_internal.pending_write, fsm_internal.passage_rule) is
  'For a transition that closes a loop: writes the line fsm.loop to the server log. SM040 when its rule is block, else null.';

create function fsm_internal.loop_detail(
  p_session fsm_internal.locked_session, p_to_state text, p_event text, p_rule fsm_internal.passage_rule)
returns jsonb
language sql
stable
return jsonb_build_object('session_id', p_session.session_id, 'from_state', p_session.state, 'to_state', p_to_state,
  'event', p_event, 'version', p_session.version, 'loop_limit', p_rule.loop_limit,
  'loop_window', fsm_internal.window_text(p_rule.loop_window), 'action', p_rule.loop_action, 'divert_to', p_rule.divert_to);
comment on function fsm_internal.loop_detail(fsm_internal.locked_session, text, text, fsm_internal.passage_rule) is
  'What the log and DETAIL say of a loop.';
