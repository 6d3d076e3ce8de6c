create function fsm_internal.save_session(
  p_session_id text, p_state text, p_context jsonb, p_expected_version bigint, p_event text,
  p_request_id uuid, p_turn bigint, p_actor text, p_note jsonb)
returns fsm_internal.outcome
language plpgsql
volatile
as $$
declare
  v_session fsm_internal.locked_session;
  v_replayed bigint;
  v_move fsm_internal.machine_moves;
  v_change fsm_internal.context_change;
  v_chosen integer;
  v_rule fsm_internal.passage_rule;
  v_refusal jsonb;
begin
  -- In an expression, because PERFORM runs a query of its own. Both are always true.
  if not (fsm_internal.make_durable() and fsm_internal.lock_session(p_session_id)) then
    return null;
  end if;
  -- Three lookups by key: joined into one statement they cost half as much again.
  select s.session_id, s.machine, s.machine_version, s.state, s.version, fsm_internal.read_context(s.session_id, s.context),
    s.entered_at, s.created_at, s.updated_at, s.turn, s.wake_at
  into v_session
  from fsm_internal.sessions s where s.session_id = p_session_id for no key update;
  if p_request_id is not null then
    select h.version into v_replayed from fsm_internal.history h where h.session_id = p_session_id and h.request_id = p_request_id;
    if found then
      return fsm_internal.replay_result(p_session_id, v_replayed);
    end if;
  end if;
  select m.* into v_move from fsm_internal.machine_moves m
  where m.machine = v_session.machine and m.machine_version = v_session.machine_version
    and m.from_state = v_session.state and m.to_state = p_state;
  if not found or coalesce(p_turn, v_session.turn) is not null or v_session.version <> p_expected_version then
    v_refusal := fsm_internal.save_refusal(p_session_id, v_session, v_move.events is not null, p_state, p_context, p_expected_version, p_event, p_turn);
  end if;
  if v_refusal is null and not fsm_internal.is_plain_context(p_context, (v_move.target).max_context_bytes) then
    v_refusal := fsm_internal.form_refusal(p_session_id, p_state, p_context, (v_move.target).max_context_bytes);
    p_context := fsm_internal.bare_context(p_context);
  end if;
  if v_refusal is null then
    v_change := fsm_internal.context_change(v_session.context, p_context);
    v_refusal := fsm_internal.change_refusal(p_session_id, p_state, p_context, v_change);
  end if;
  if v_refusal is not null then
    return fsm_internal.refused(v_refusal);
  end if;
  if p_state <> v_session.state or p_event is not null then
    v_chosen := case
      when p_event is null and v_move.hits[1] and (v_move.guards[1] is null or jsonb_path_match(p_context, v_move.guards[1], '{}', true) is true) then 1
      else fsm_internal.choose_move(v_move.events, v_move.hits, v_move.guards, p_event, p_context) end;
    if v_chosen is null then
      return fsm_internal.refused(fsm_internal.move_refusal(v_session, p_state, p_event, p_context));
    end if;
    p_event := v_move.events[v_chosen];
    v_rule := case when v_move.same_rule then (v_move.loop_limit, v_move.loop_window, v_move.loop_action, v_move.divert_to,
        case when fsm_internal.may_loop(v_session.version, v_session.state = p_state, v_move.loop_limit)
          then fsm_internal.passage_at(p_session_id, v_session.state, p_state, v_move.loop_limit) end, false)::fsm_internal.passage_rule
      else fsm_internal.candidate_rule(v_session, p_event, v_move.candidates[v_chosen]) end;
  end if;
  return fsm_internal.settle_write(v_session,
    (case when v_chosen is null then 'update' else 'transition' end, p_state, p_event, p_context, v_change.undo, v_rule.reenter,
      p_request_id, p_actor, p_note)::fsm_internal.pending_write,
    v_rule, v_move.target);
end
$$;
comment on function fsm_internal.save_session(text, text, jsonb, bigint, text, uuid, bigint, text, jsonb) is
  'fsm.save_session behind its argument checks, a refusal being its answer: everything it touches belongs to p_session_id or to the definitions.';
