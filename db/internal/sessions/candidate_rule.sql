create function fsm_internal.candidate_rule(p_session fsm_internal.locked_session, p_event text, p_candidate integer)
returns fsm_internal.passage_rule
language plpgsql
volatile
as $$
declare
  v_rule fsm_internal.passage_rule;
begin
  select c.loop_limit, c.loop_window, c.loop_action, c.divert_to,
    case when fsm_internal.may_loop(p_session.version, c.from_state = c.to_state, c.loop_limit)
      then fsm_internal.passage_at(p_session.session_id, p_session.state, c.to_state, c.loop_limit) end, c.reenter
  into v_rule
  from fsm_internal.machine_candidates c
  where c.machine = p_session.machine and c.machine_version = p_session.machine_version
    and c.from_state = p_session.state and c.event = p_event and c.candidate = p_candidate;
  return v_rule;
end
$$;
comment on function fsm_internal.candidate_rule(fsm_internal.locked_session, text, integer) is
  'The loop rule of one candidate of an event of the session''s state, with the passage that decides.';
