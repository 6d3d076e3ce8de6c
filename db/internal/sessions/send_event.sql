create function fsm_internal.send_event(
  p_session_id text, p_event text, p_patch jsonb, p_expected_version bigint, p_request_id uuid,
  p_turn bigint, p_actor text, p_note jsonb, p_append jsonb)
returns fsm_internal.outcome
language plpgsql
volatile
as $$
declare
  v_context jsonb;
  v_session fsm_internal.locked_session;
  v_replayed bigint;
  v_terms fsm_internal.admission;
  v_change fsm_internal.context_change;
  v_candidate record;
  v_outcome fsm_internal.outcome;
begin
  v_session := fsm_internal.read_locked_session(p_session_id);
  v_replayed := fsm_internal.replayed_version(p_session_id, p_request_id);
  if v_replayed is not null then
    v_outcome := fsm_internal.replay_result(p_session_id, v_replayed);
    v_outcome.context := fsm_internal.context_at(p_session_id, v_replayed);
    return v_outcome;
  end if;
  v_terms := fsm_internal.open_session(v_session, p_expected_version, p_turn);
  v_context := fsm_internal.changed_context(v_session, p_patch, p_append, v_terms.max_context_bytes);
  if p_patch ? 'session_id' then  -- current_state has to wait until the target is known
    perform fsm_internal.refuse(fsm_internal.agreement_refusal(p_session_id, v_session.state, jsonb_strip_nulls(p_patch) - 'current_state'));
  end if;
  v_change := fsm_internal.context_change(v_session.context, v_context);
  perform fsm_internal.refuse(fsm_internal.change_refusal(p_session_id, v_session.state, v_context, v_change));

  select c.to_state, c.candidate, c.reenter into v_candidate
  from fsm_internal.machine_candidates c
  where c.machine = v_session.machine and c.machine_version = v_session.machine_version
    and c.from_state = v_session.state and c.event = p_event
    and (c.guard is null or jsonb_path_match(v_context, c.guard, '{}', true) is true)
  order by c.candidate limit 1;
  if v_candidate.to_state is null then
    perform fsm_internal.refuse(fsm_internal.move_refusal(v_session, null, p_event, v_context));
  end if;
  if p_patch ?| array['current_state', 'session_id'] then
    perform fsm_internal.refuse(fsm_internal.agreement_refusal(p_session_id, v_candidate.to_state, jsonb_strip_nulls(p_patch)));
  end if;
  v_outcome := fsm_internal.settle_write(v_session,
    ('transition', v_candidate.to_state, p_event, v_context, v_change.undo, v_candidate.reenter,
      p_request_id, p_actor, p_note)::fsm_internal.pending_write,
    fsm_internal.candidate_rule(v_session, p_event, v_candidate.candidate),
    fsm_internal.admission_of(v_session.machine, v_session.machine_version, v_candidate.to_state));
  v_outcome.context := v_context;
  return v_outcome;
end
$$;
comment on function fsm_internal.send_event(text, text, jsonb, bigint, uuid, bigint, text, jsonb, jsonb) is
  'fsm.send_event behind its argument checks: everything it touches belongs to p_session_id or to the definitions.';
