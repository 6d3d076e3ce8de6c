create function fsm_internal.settle_write(
  p_session fsm_internal.locked_session, p_write fsm_internal.pending_write,
  p_rule fsm_internal.passage_rule, p_target fsm_internal.admission)
returns fsm_internal.outcome
language plpgsql
volatile
as $$
declare
  -- Never at or below the time of the version before, whatever the clock does.
  v_at timestamptz := greatest(fsm_internal.clock(), p_session.updated_at + interval '1 microsecond');
  v_loop boolean;
  v_wanted text;
  v_entered_at timestamptz;
  v_wake_at timestamptz;
  v_hash bytea;
  v_refusal jsonb;
begin
  if p_rule.passage_at >= v_at - p_rule.loop_window then
    v_loop := true;
    v_refusal := fsm_internal.loop_refusal(p_session, p_write, p_rule);
    if v_refusal is not null then
      return fsm_internal.refused(v_refusal);
    end if;
    if p_rule.loop_action = 'divert' then
      v_wanted := p_write.to_state;
      p_write.kind := 'divert';
      p_write.to_state := p_rule.divert_to;
      p_write.reenter := false;
      p_target := fsm_internal.admission_of(p_session.machine, p_session.machine_version, p_rule.divert_to);
    end if;
  end if;
  if not fsm_internal.admits(p_write.context, p_target.schema_check, p_target.schema_rest, p_target.invariants) then
    return fsm_internal.refused(fsm_internal.admission_refusal(p_session, p_write, p_rule, v_wanted));
  end if;
  v_entered_at := case when p_write.reenter or p_write.to_state <> p_session.state then v_at else p_session.entered_at end;
  if p_target.first_delay_ms is not null and (p_session.wake_at <= v_entered_at + p_target.first_delay_ms * interval '1 millisecond') is not true then
    v_wake_at := fsm_internal.wake(p_session.session_id, p_session.machine, p_session.machine_version, p_write.to_state, v_entered_at,
      v_entered_at + p_target.first_delay_ms * interval '1 millisecond', p_session.wake_at);
  end if;
  if p_target.audit_chain then
    v_hash := fsm_internal.next_chain_hash(p_session, p_write, v_loop is true, v_entered_at, v_at);
  end if;
  -- Lock or no lock, the version decides: on a sharded engine the lock may have been taken on another node.
  update fsm_internal.sessions s
  set state = p_write.to_state, version = s.version + 1, machine_version = p_session.machine_version, entered_at = v_entered_at,
    updated_at = v_at, wake_at = coalesce(v_wake_at, s.wake_at),
    -- An unchanged context keeps its place out of line instead of being written again.
    context = case when p_write.undo is null then s.context else fsm_internal.write_context(s.session_id, p_write.context) end
  where s.session_id = p_session.session_id and s.version = p_session.version;
  insert into fsm_internal.history (session_id, version, kind, machine_version, from_state, to_state, event, actor,
    db_user, note, request_id, loop_detected, at, entered_at, undo, chain_hash)
  select p_session.session_id, p_session.version + 1, p_write.kind, p_session.machine_version, p_session.state,
    p_write.to_state, p_write.event, p_write.actor, session_user, p_write.note, p_write.request_id, v_loop is true, v_at,
    v_entered_at, p_write.undo, v_hash
  where found  -- that is, the row was updated
  on conflict on constraint history_pkey do nothing;
  if not found then
    perform fsm_internal.refuse_lost_write(p_session);
  end if;
  return (p_session.session_id, p_session.machine, p_session.machine_version, p_session.version + 1, p_write.to_state,
    p_session.state, p_write.to_state <> p_session.state, v_loop is true, false, p_target.is_final, p_target.context_version,
    v_entered_at, p_session.created_at, v_at, null, null)::fsm_internal.outcome;
end
$$;
comment on function fsm_internal.settle_write(fsm_internal.locked_session, fsm_internal.pending_write, fsm_internal.passage_rule, fsm_internal.admission) is
  'The end of every write of a session that is there: loop rule (SM040, or the divert state), schema and invariants of the state finally entered (SM021; SM040 when that is the divert state), then the session''s row moves to its next version, on p_session.machine_version, and history gains one row (SM030 when either did not happen).';
