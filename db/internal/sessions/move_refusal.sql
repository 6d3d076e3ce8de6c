create function fsm_internal.move_refusal(
  p_session fsm_internal.locked_session, p_to_state text, p_event text, p_context jsonb)
returns jsonb
language plpgsql
volatile
as $$
declare
  v_allowed jsonb;
  v_tried jsonb;
  v_detail jsonb;
begin
  select coalesce(jsonb_agg(distinct c.event), '[]'),
    jsonb_agg(jsonb_build_object('event', c.event, 'candidate', c.candidate, 'to_state', c.to_state, 'guard', c.guard_source,
        'holds', c.guard is null or jsonb_path_match(p_context, c.guard, '{}', true) is true)
      order by c.event collate "C", c.candidate)
      filter (where c.event = p_event or (p_event is null and exists (
        select from fsm_internal.machine_candidates o
        where o.machine = c.machine and o.machine_version = c.machine_version and o.from_state = c.from_state
          and o.event = c.event and o.to_state = p_to_state)))
  into v_allowed, v_tried
  from fsm_internal.machine_candidates c
  where c.machine = p_session.machine and c.machine_version = p_session.machine_version and c.from_state = p_session.state;

  v_detail := jsonb_build_object('session_id', p_session.session_id, 'machine', p_session.machine,
    'machine_version', p_session.machine_version, 'state', p_session.state, 'to_state', p_to_state, 'event', p_event,
    'version', p_session.version, 'allowed_events', v_allowed);
  if v_tried is null
    or (p_to_state is not null and not jsonb_path_exists(v_tried, '$[*] ? (@.to_state == $to)', jsonb_build_object('to', p_to_state))) then
    return fsm_internal.refusal('SM020', 'no such transition from this state', v_detail,
      'Nothing was written. Send one of allowed_events, or save in a state that one of them leads to; fsm.allowed_events says where each goes.');
  end if;
  return fsm_internal.refusal('SM022', 'guard does not hold', v_detail || jsonb_build_object('candidates', v_tried),
    'Nothing was written. candidates says which guards held for this context, in the order tried: change the context, or go where the first that holds leads.');
end
$$;
comment on function fsm_internal.move_refusal(fsm_internal.locked_session, text, text, jsonb) is
  'The refusal SM020 when no event (p_event given: not that one) has a candidate for p_to_state (null: any), SM022 when one has but a guard keeps it from it.';
