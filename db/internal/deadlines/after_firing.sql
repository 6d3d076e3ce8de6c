create function fsm_internal.settle_deadline(
  p_session fsm_internal.locked_session, p_outcome fsm_internal.outcome, p_hint fsm_internal.deadlines, p_delay_ms bigint)
returns void
language plpgsql
volatile
as $$
declare
  v_state text := coalesce(p_outcome.state, p_session.state);
  v_entered_at timestamptz := coalesce(p_outcome.entered_at, p_session.entered_at);
  v_fired_ms bigint := case
    when v_state <> p_session.state then null
    when p_delay_ms is not null then p_delay_ms
    when p_hint.fired_entered_at = v_entered_at then p_hint.fired_ms end;
  v_wake_at timestamptz := fsm_internal.next_deadline(p_session.machine, p_session.machine_version, v_state, v_entered_at, v_fired_ms);
begin
  if v_wake_at = 'infinity' and v_fired_ms is null then
    delete from fsm_internal.deadlines d where d.session_id = p_session.session_id;
    v_wake_at := null;
  else
    update fsm_internal.deadlines d
    set wake_at = v_wake_at, refusals = 0, fired_ms = v_fired_ms, fired_entered_at = case when v_fired_ms is not null then v_entered_at end
    where d.session_id = p_session.session_id;
  end if;
  update fsm_internal.sessions s set wake_at = v_wake_at where s.session_id = p_session.session_id;
end
$$;
comment on function fsm_internal.settle_deadline(fsm_internal.locked_session, fsm_internal.outcome, fsm_internal.deadlines, bigint) is
  'After a deadline was taken, or found not to be due: when to look at the session next. p_delay_ms: the one that was taken, to be remembered when the session stayed where it was.';

create function fsm_internal.postpone_deadline(
  p_session fsm_internal.locked_session, p_refusals integer, p_now timestamptz, p_refusal jsonb)
returns void
language plpgsql
volatile
as $$
declare
  v_refusals integer := least(p_refusals + 1, 20);
  -- 30 seconds, then twice as long each time, up to an hour. A held turn is waited for, and no longer.
  v_wake_at timestamptz := least(p_now + least(15 * 2 ^ v_refusals, 3600) * interval '1 second', (
    select t.expires_at from fsm_internal.turns t where t.session_id = p_session.session_id and t.expires_at > p_now));
begin
  perform fsm_internal.log_refusal(p_refusal);
  update fsm_internal.deadlines d set wake_at = v_wake_at, refusals = v_refusals where d.session_id = p_session.session_id;
  update fsm_internal.sessions s set wake_at = v_wake_at where s.session_id = p_session.session_id;
end
$$;
comment on function fsm_internal.postpone_deadline(fsm_internal.locked_session, integer, timestamptz, jsonb) is
  'After a deadline was refused: logs it, and puts the next try off, so that it does not hold up the others.';
