create function fsm_internal.admission_refusal(
  p_session fsm_internal.locked_session, p_write fsm_internal.pending_write, p_rule fsm_internal.passage_rule, p_wanted_state text)
returns jsonb
language plpgsql
volatile
as $$
declare
  v_findings jsonb := (
    select jsonb_agg(jsonb_build_object('code', f.code, 'path', f.path, 'message', f.message))
    from fsm_internal.admission_findings(p_session.machine, p_session.machine_version, p_write.to_state, p_write.context) f);
begin
  if p_write.kind = 'divert' then
    return fsm_internal.refusal('SM040', 'loop blocked',
      fsm_internal.loop_detail(p_session, p_wanted_state, p_write.event, p_rule) || jsonb_build_object('findings', v_findings),
      'Nothing was written. The loop should have been left for divert_to, which refuses this context as the findings say.');
  end if;
  return fsm_internal.findings_refusal(p_session.session_id, p_write.to_state, v_findings);
end
$$;
comment on function fsm_internal.admission_refusal(fsm_internal.locked_session, fsm_internal.pending_write, fsm_internal.passage_rule, text) is
  'The refusal SM021 with the findings, or SM040 when the state that refuses is the one a loop was diverted to.';
