create function fsm_internal.save_session(
  p_session_id text, p_state text, p_context jsonb, p_expected_version bigint, p_event text,
  p_request_id uuid, p_turn bigint, p_actor text, p_note jsonb)
returns fsm_internal.save_result
language plpgsql
volatile
as $$
declare
  v_found record;
  v_session fsm_internal.locked_session;
  v_change fsm_internal.context_change;
  v_chosen integer;
  v_rule fsm_internal.passage_rule;
  v_reenter boolean := false;
begin
  -- In an expression, because PERFORM runs a query of its own. Both are always true.
  if not (fsm_internal.make_durable() and fsm_internal.lock_session(p_session_id)) then
    return null;
  end if;
  -- All that a save needs in one statement: the session, its move, and the target's terms.
  select s.machine, s.machine_version, s.state, s.version, s.entered_at, s.created_at, s.updated_at,
    fsm_internal.read_context(s.session_id, s.context) as context, h.version as replayed_version,
    m.events, m.candidates, m.hits, m.guards, m.same_rule, m.loop_limit, m.loop_window, m.loop_action, m.divert_to, m.target
  into v_found
  from fsm_internal.sessions s
  left join fsm_internal.machine_moves m
    on m.machine = s.machine and m.machine_version = s.machine_version and m.from_state = s.state and m.to_state = p_state
  left join fsm_internal.history h on h.session_id = s.session_id and h.request_id = p_request_id
  where s.session_id = p_session_id for no key update of s;

  if v_found.replayed_version is not null then
    return fsm_internal.replay_result(p_session_id, v_found.replayed_version);
  end if;
  v_session := (p_session_id, v_found.machine, v_found.machine_version, v_found.state, v_found.version, v_found.context,
    v_found.entered_at, v_found.created_at, v_found.updated_at);
  if v_found.events is null or p_turn is not null or v_found.version <> p_expected_version then
    perform fsm_internal.refuse_save(v_session, p_state, p_context, p_expected_version, p_event, p_turn);
  end if;
  p_context := case when fsm_internal.is_plain_context(p_context, (v_found.target).max_context_bytes) then p_context
    else fsm_internal.bare_context(p_session_id, p_state, p_context, (v_found.target).max_context_bytes) end;
  v_change := fsm_internal.context_change(v_session.context, p_context);
  if v_change.undo is not null and not fsm_internal.surely_keeps_limits(p_context) then
    perform fsm_internal.check_limits(p_session_id, p_state, p_context, v_change.keys);
  end if;
  if p_state <> v_session.state or p_event is not null then
    v_chosen := case
      when p_event is null and v_found.hits[1] and (v_found.guards[1] is null or jsonb_path_match(p_context, v_found.guards[1], '{}', true) is true) then 1
      else fsm_internal.choose_move(v_found.events, v_found.hits, v_found.guards, p_event, p_context) end;
    if v_chosen is null then
      perform fsm_internal.refuse_move(v_session, p_state, p_event, p_context);
    end if;
    p_event := v_found.events[v_chosen];
    if v_found.same_rule then
      v_rule := (v_found.loop_limit, v_found.loop_window, v_found.loop_action, v_found.divert_to,
        case when fsm_internal.may_loop(v_session.version, v_session.state = p_state, v_found.loop_limit)
          then fsm_internal.passage_at(p_session_id, v_session.state, p_state, v_found.loop_limit) end);
    else
      v_rule := fsm_internal.candidate_rule(v_session, p_event, v_found.candidates[v_chosen]);
      v_reenter := fsm_internal.candidate_reenters(v_session, p_event, v_found.candidates[v_chosen]);
    end if;
  end if;
  return fsm_internal.settle_write(v_session,
    (case when v_chosen is null then 'update' else 'transition' end, p_state, p_event, p_context, v_change.undo, v_reenter,
      p_request_id, p_actor, p_note)::fsm_internal.pending_write,
    v_rule, v_found.target);
end
$$;
comment on function fsm_internal.save_session(text, text, jsonb, bigint, text, uuid, bigint, text, jsonb) is
  'fsm.save_session behind its argument checks: everything it touches belongs to p_session_id or to the definitions.';
