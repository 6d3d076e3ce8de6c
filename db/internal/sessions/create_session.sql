create function fsm_internal.create_session(
  p_session_id text, p_machine text, p_context jsonb, p_machine_version integer, p_request_id uuid, p_actor text, p_note jsonb)
returns fsm_internal.save_result
language plpgsql
volatile
as $$
declare
  v_existing record;
  v_initial fsm_internal.machine_states;
  v_at timestamptz;
  v_write fsm_internal.pending_write;
begin
  perform fsm_internal.make_durable();
  perform fsm_internal.lock_session(p_session_id);
  select s.machine, s.state, s.version, h.version as replayed_version into v_existing
  from fsm_internal.sessions s
  left join fsm_internal.history h on h.session_id = s.session_id and h.request_id = p_request_id
  where s.session_id = p_session_id;
  if v_existing.replayed_version is not null then
    return fsm_internal.replay_result(p_session_id, v_existing.replayed_version);
  end if;
  if v_existing.version is not null then
    perform fsm_internal.refuse_existing_session(p_session_id, v_existing.machine, v_existing.state, v_existing.version);
  end if;
  v_initial := fsm_internal.initial_state(p_machine, p_machine_version);
  p_context := fsm_internal.bare_context(p_session_id, v_initial.state, p_context, v_initial.max_context_bytes);
  perform fsm_internal.check_limits(p_session_id, v_initial.state, p_context, array(select jsonb_object_keys(p_context)));
  if not fsm_internal.admits(p_context, v_initial.schema_check, v_initial.schema_rest, v_initial.invariants) then
    perform fsm_internal.refuse_findings(p_session_id, v_initial.state, (
      select jsonb_agg(jsonb_build_object('code', f.code, 'path', f.path, 'message', f.message))
      from fsm_internal.admission_findings(p_machine, v_initial.machine_version, v_initial.state, p_context) f));
  end if;
  v_at := clock_timestamp();
  v_write := ('create', v_initial.state, null, p_context, null, false, p_request_id, p_actor, p_note);
  perform fsm_internal.insert_session(p_session_id, v_initial, v_write, v_at);
  return row(p_session_id, p_machine, v_initial.machine_version, 1, v_initial.state, null, true, false, false, false,
    v_initial.context_version, v_at, v_at, v_at)::fsm_internal.save_result;
end
$$;
comment on function fsm_internal.create_session(text, text, jsonb, integer, uuid, text, jsonb) is
  'fsm.create_session behind its argument checks: everything it touches belongs to p_session_id or to the definitions.';

create function fsm_internal.refuse_existing_session(p_session_id text, p_machine text, p_state text, p_version bigint)
returns void
language plpgsql
volatile
as $$
begin
  perform fsm_internal.refuse('SM011', 'session exists',
    jsonb_build_object('session_id', p_session_id, 'machine', p_machine, 'state', p_state, 'version', p_version),
    'Load it and go on from there, or choose another id. A retry of the same creation gives the same p_request_id.');
end
$$;
comment on function fsm_internal.refuse_existing_session(text, text, text, bigint) is 'Raises SM011.';

create function fsm_internal.insert_session(
  p_session_id text, p_initial fsm_internal.machine_states, p_write fsm_internal.pending_write, p_at timestamptz)
returns void
language plpgsql
volatile
as $$
declare
  v_nothing fsm_internal.locked_session;  -- what was there before: no version, no state, no hash
  v_hash bytea;
begin
  insert into fsm_internal.sessions (session_id, machine, machine_version, state, version, context, entered_at, created_at, updated_at)
  values (p_session_id, p_initial.machine, p_initial.machine_version, p_initial.state, 1,
    fsm_internal.write_context(p_session_id, p_write.context), p_at, p_at, p_at)
  on conflict do nothing;
  if not found then
    perform fsm_internal.refuse_existing_session(p_session_id, p_initial.machine, null, null);
  end if;
  if p_initial.audit_chain then
    v_nothing.session_id := p_session_id;
    v_nothing.version := 0;
    v_nothing.machine_version := p_initial.machine_version;
    v_hash := fsm_internal.next_chain_hash(v_nothing, p_write, false, p_at, p_at);
  end if;
  insert into fsm_internal.history (session_id, version, kind, machine_version, from_state, to_state, actor, db_user, note,
    request_id, loop_detected, at, entered_at, chain_hash)
  values (p_session_id, 1, p_write.kind, p_initial.machine_version, null, p_initial.state, p_write.actor, session_user, p_write.note,
    p_write.request_id, false, p_at, p_at, v_hash)
  on conflict on constraint history_pkey do nothing;
  if not found then
    perform fsm_internal.report_corrupt_session(p_session_id, 'history_without_session', jsonb_build_object('version', 1));
  end if;
end
$$;
comment on function fsm_internal.insert_session(text, fsm_internal.machine_states, fsm_internal.pending_write, timestamptz) is
  'Version 1 of a session and its first row of history. SM011 when another transaction made it first, SM060 when history has rows of a session that is gone.';
