create function fsm_internal.fire_deadline(p_session_id text)
returns table (from_state text, to_state text, version bigint, refusal jsonb)
language plpgsql
volatile
as $$
declare
  v_hint fsm_internal.deadlines;
  v_session fsm_internal.locked_session;
  v_delay fsm_internal.machine_delays;
  v_outcome fsm_internal.outcome;
  v_taken_ms bigint;
  v_now timestamptz := fsm_internal.clock();
begin
  select d.* into v_hint from fsm_internal.deadlines d
  where d.session_id = p_session_id and d.wake_at <= v_now
    and exists (select from fsm_internal.sessions s where s.session_id = p_session_id);
  if v_hint.session_id is null then
    return;  -- another caller was here since
  end if;
  v_session := fsm_internal.read_locked_session(p_session_id);
  from_state := v_session.state;
  if (fsm_internal.admission_of(v_session.machine, v_session.machine_version, v_session.state)).is_final is null then
    refusal := fsm_internal.unknown_state_refusal(p_session_id, v_session.machine, v_session.machine_version, v_session.state);
  end if;
  -- In the order of their delays; when one is refused, the next that is due may still be taken.
  for v_delay in
    select d.* from fsm_internal.machine_delays d
    where d.machine = v_session.machine and d.machine_version = v_session.machine_version and d.state = v_session.state
      and d.delay_ms > coalesce(case when v_hint.fired_entered_at = v_session.entered_at then v_hint.fired_ms end, 0)
      and v_session.entered_at + d.delay_ms * interval '1 millisecond' <= v_now
    order by d.delay_ms
  loop
    v_outcome := fsm_internal.take_deadline(v_session, v_delay);
    if v_outcome.refusal is null then
      to_state := v_outcome.state; version := v_outcome.version; refusal := null; v_taken_ms := v_delay.delay_ms;
      exit;
    elsif refusal is null then
      to_state := v_delay.to_state; refusal := v_outcome.refusal;
    end if;
  end loop;
  if refusal is not null then
    perform fsm_internal.postpone_deadline(v_session, v_hint.refusals, v_now, refusal);
  else
    perform fsm_internal.settle_deadline(v_session, v_outcome, v_hint, v_taken_ms);
  end if;
  if version is not null or refusal is not null then
    return next;
  end if;
end
$$;
comment on function fsm_internal.fire_deadline(text) is
  'Takes the deadline of one session if one is due now: a row with the version it made, or with what refused it. No row: nothing is due (the session went on meanwhile). Its lock must be held; afterwards wake_at is the time of its next deadline, or of the next try.';

create function fsm_internal.take_deadline(p_session fsm_internal.locked_session, p_delay fsm_internal.machine_delays)
returns fsm_internal.outcome
language plpgsql
volatile
as $$
declare
  v_refusal jsonb := coalesce(
    fsm_internal.ahead_refusal(p_session), case when p_session.turn is not null then fsm_internal.turn_refusal(p_session.session_id, null) end);
begin
  if v_refusal is not null then
    return fsm_internal.refused(v_refusal);
  end if;
  return fsm_internal.settle_write(p_session,
    ('deadline', p_delay.to_state, null, p_session.context, null, false, null, null, jsonb_build_object('delay_ms', p_delay.delay_ms))::fsm_internal.pending_write,
    (p_delay.loop_limit, p_delay.loop_window, p_delay.loop_action, p_delay.divert_to,
      case when fsm_internal.may_loop(p_session.version, p_session.state = p_delay.to_state, p_delay.loop_limit)
        then fsm_internal.passage_at(p_session.session_id, p_session.state, p_delay.to_state, p_delay.loop_limit) end, false)::fsm_internal.passage_rule,
    fsm_internal.admission_of(p_session.machine, p_session.machine_version, p_delay.to_state));
end
$$;
comment on function fsm_internal.take_deadline(fsm_internal.locked_session, fsm_internal.machine_delays) is
  'Writes the transition of a deadline, unless a turn is held (SM050) or history runs ahead of the session (SM060): loop rule, schema and invariants of its target decide as for every write.';
