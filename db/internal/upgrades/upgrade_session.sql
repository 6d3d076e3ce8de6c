create function fsm_internal.sessions_to_upgrade(p_machine text, p_machine_version integer, p_after_session_id text, p_limit integer)
returns text[]
language plpgsql
volatile
as $$
begin
  return array(
    select s.session_id from fsm_internal.sessions s
    where s.machine = p_machine and s.machine_version = p_machine_version and s.session_id > coalesce(p_after_session_id, '')
      and not exists (
        select from fsm_internal.machine_states t
        where t.machine = s.machine and t.machine_version = s.machine_version and t.state = s.state and t.is_final)
    order by s.session_id limit p_limit);
end
$$;
comment on function fsm_internal.sessions_to_upgrade(text, integer, text, integer) is
  'The next sessions of a machine version that are not in a final state, in session_id order.';

create function fsm_internal.upgrade_session(
  p_session_id text, p_machine text, p_from_version integer, p_to_version integer, p_state_map jsonb, p_patch jsonb, p_dry_run boolean)
returns table (from_state text, to_state text, code text, message text)
language plpgsql
volatile
as $$
declare
  v_session fsm_internal.locked_session;
  v_outcome fsm_internal.outcome;
  v_is_final boolean;
begin
  select s.session_id, s.machine, s.machine_version, s.state, s.version, fsm_internal.read_context(s.session_id, s.context) || '{}',
    s.entered_at, s.created_at, s.updated_at, s.turn, s.wake_at
  into v_session
  from fsm_internal.sessions s
  where s.session_id = p_session_id and s.machine = p_machine and s.machine_version = p_from_version;
  if not p_dry_run and v_session.session_id is not null then
    v_session := fsm_internal.read_locked_session(p_session_id);  -- the lock is held; this takes the row
  end if;
  from_state := v_session.state;
  to_state := coalesce(p_state_map ->> v_session.state, v_session.state);
  v_is_final := (fsm_internal.admission_of(p_machine, p_from_version, from_state)).is_final;
  if v_session.session_id is null or v_is_final then
    return;  -- erased, moved or finished since it was listed
  end if;
  v_outcome := case
    when v_is_final is null then fsm_internal.refused(fsm_internal.unknown_state_refusal(p_session_id, p_machine, p_from_version, from_state))
    else fsm_internal.upgraded(v_session, p_to_version, to_state, p_patch, p_dry_run) end;
  if v_outcome.refusal is not null then
    perform fsm_internal.log_refusal(v_outcome.refusal) where not p_dry_run;
    code := case v_outcome.refusal ->> 'sqlstate'
      when 'SM020' then 'unmapped_state' when 'SM021' then 'context_rejected' when 'SM060' then 'corrupt' else 'turn_held' end;
    message := coalesce(v_outcome.refusal #>> '{detail,findings,0,message}', v_outcome.refusal #>> '{detail,reason}', v_outcome.refusal ->> 'message');
  end if;
  return next;
end
$$;
comment on function fsm_internal.upgrade_session(text, text, integer, integer, jsonb, jsonb, boolean) is
  'Upgrades one session, whose lock is held unless it is a dry run: one row of the report, or none when it is no longer what it was listed as.';

create function fsm_internal.upgraded(
  p_session fsm_internal.locked_session, p_to_version integer, p_to_state text, p_patch jsonb, p_dry_run boolean)
returns fsm_internal.outcome
language plpgsql
volatile
as $$
declare
  v_terms fsm_internal.admission := fsm_internal.admission_of(p_session.machine, p_to_version, p_to_state);
  v_context jsonb := fsm_internal.merge_patch(p_session.context, p_patch);
  v_change fsm_internal.context_change := fsm_internal.context_change(p_session.context, v_context);
  v_write fsm_internal.pending_write;
  v_refusal jsonb;
begin
  if v_terms.is_final is null then
    return fsm_internal.refused(fsm_internal.refusal('SM020', 'no such transition from this state',
      jsonb_build_object('session_id', p_session.session_id, 'machine', p_session.machine, 'machine_version', p_to_version,
        'state', p_session.state, 'to_state', p_to_state, 'reason', format('version %s has no state %s', p_to_version, p_to_state)),
      'Map the state to one that the new version has.'));
  end if;
  v_refusal := coalesce(
    fsm_internal.ahead_refusal(p_session),
    case
      when p_dry_run then (  -- without a lock: it would wait for batches, and they for it
        select fsm_internal.held_turn_refusal(t) from fsm_internal.turns t
        where t.session_id = p_session.session_id and t.expires_at > fsm_internal.clock())
      when p_session.turn is not null then fsm_internal.turn_refusal(p_session.session_id, null) end,
    fsm_internal.form_refusal(p_session.session_id, p_to_state, v_context, v_terms.max_context_bytes),
    fsm_internal.change_refusal(p_session.session_id, p_to_state, v_context, v_change));
  if v_refusal is not null then
    return fsm_internal.refused(v_refusal);
  end if;
  v_write := ('upgrade', p_to_state, null, v_context, v_change.undo, false, null, null,
    jsonb_build_object('from_machine_version', p_session.machine_version))::fsm_internal.pending_write;
  p_session.machine_version := p_to_version;
  if not p_dry_run then
    return fsm_internal.settle_write(p_session, v_write, null, v_terms);
  end if;
  if not fsm_internal.admits(v_context, v_terms.schema_check, v_terms.schema_rest, v_terms.invariants) then
    v_refusal := fsm_internal.admission_refusal(p_session, v_write, null, null);
  end if;
  return fsm_internal.refused(v_refusal);
end
$$;
comment on function fsm_internal.upgraded(fsm_internal.locked_session, integer, text, jsonb, boolean) is
  'The write of an upgrade, or what refuses it; a dry run answers only the latter.';
