create function fsm_internal.refuse_admission(
  p_session fsm_internal.locked_session, p_write fsm_internal.pending_write, p_rule fsm_internal.passage_rule, p_wanted_state text)
returns void
language plpgsql
volatile
as $$
declare
  v_findings jsonb := (
    select jsonb_agg(jsonb_build_object('code', f.code, 'path', f.path, 'message', f.message))
    from fsm_internal.admission_findings(p_session.machine, p_session.machine_version, p_write.to_state, p_write.context) f);
begin
  if p_write.kind = 'divert' then
    perform fsm_internal.refuse('SM040', 'loop blocked',
      jsonb_build_object('session_id', p_session.session_id, 'from_state', p_session.state, 'to_state', p_wanted_state,
        'event', p_write.event, 'version', p_session.version, 'loop_limit', p_rule.loop_limit,
        'loop_window', fsm_internal.window_text(p_rule.loop_window), 'action', p_rule.loop_action, 'divert_to', p_rule.divert_to, 'findings', v_findings),
      'Nothing was written. The loop should have been left for divert_to, which refuses this context as the findings say.');
  end if;
  perform fsm_internal.refuse_findings(p_session.session_id, p_write.to_state, v_findings);
end
$$;
comment on function fsm_internal.refuse_admission(fsm_internal.locked_session, fsm_internal.pending_write, fsm_internal.passage_rule, text) is
  'Raises SM021 with the findings, or SM040 when the state that refuses is the one a loop was diverted to.';

create function fsm_internal.refuse_lost_write(p_session fsm_internal.locked_session)
returns void
language plpgsql
volatile
as $$
begin
  perform fsm_internal.refuse_version(p_session.session_id, p_session.version + 1, p_session.version, p_session.state);
end
$$;
comment on function fsm_internal.refuse_lost_write(fsm_internal.locked_session) is
  'Raises SM030 when the version that a write was based on was taken in spite of the lock.';
