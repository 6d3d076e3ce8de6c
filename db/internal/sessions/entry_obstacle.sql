create function fsm_internal.entry_obstacle(
  p_session_id text, p_context jsonb, p_machine text, p_machine_version integer, p_from_state text, p_event text, p_candidate integer)
returns text
language plpgsql
volatile
as $$
declare
  v_candidate fsm_internal.machine_candidates;
  v_loop boolean;
  v_finding text;
begin
  select c.* into v_candidate from fsm_internal.machine_candidates c
  where c.machine = p_machine and c.machine_version = p_machine_version and c.from_state = p_from_state
    and c.event = p_event and c.candidate = p_candidate;
  v_loop := fsm_internal.passage_at(p_session_id, p_from_state, v_candidate.to_state, v_candidate.loop_limit)
    >= fsm_internal.clock() - v_candidate.loop_window;
  if v_loop and v_candidate.loop_action in ('block', 'divert') then
    return format('loop: more than %s passages within %s are %s', v_candidate.loop_limit, fsm_internal.window_text(v_candidate.loop_window),
      case v_candidate.loop_action when 'block' then 'blocked' else 'diverted to state ' || v_candidate.divert_to end);
  end if;
  select format('state %s refuses the present context: %s %s', v_candidate.to_state, f.path, f.message) into v_finding
  from fsm_internal.admission_findings(p_machine, p_machine_version, v_candidate.to_state, p_context) f limit 1;
  return v_finding;
end
$$;
comment on function fsm_internal.entry_obstacle(text, jsonb, text, integer, text, text, integer) is
  'Why a candidate whose guard holds would not lead to its target now: a loop that is blocked or diverted, or a target that does not admit the context. Null: it would.';
