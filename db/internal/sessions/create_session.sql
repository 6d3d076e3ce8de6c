create function fsm_internal.create_session(
  p_session_id text, p_machine text, p_context jsonb, p_machine_version integer, p_request_id uuid, p_actor text, p_note jsonb)
returns fsm_internal.outcome
language plpgsql
volatile
as $$
declare
  v_replay fsm_internal.outcome := fsm_internal.claim_id(p_session_id, p_request_id);
  v_initial fsm_internal.machine_states;
begin
  if v_replay.session_id is not null then
    return v_replay;
  end if;
  v_initial := fsm_internal.initial_state(p_machine, p_machine_version);
  perform fsm_internal.refuse(fsm_internal.form_refusal(p_session_id, v_initial.state, p_context, v_initial.max_context_bytes));
  p_context := fsm_internal.bare_context(p_context);
  perform fsm_internal.refuse(fsm_internal.limit_refusal(p_session_id, v_initial.state, p_context, array(select jsonb_object_keys(p_context))));
  if not fsm_internal.admits(p_context, v_initial.schema_check, v_initial.schema_rest, v_initial.invariants) then
    perform fsm_internal.refuse_findings(p_session_id, v_initial.state, (
      select jsonb_agg(jsonb_build_object('code', f.code, 'path', f.path, 'message', f.message))
      from fsm_internal.admission_findings(p_machine, v_initial.machine_version, v_initial.state, p_context) f));
  end if;
  return fsm_internal.insert_session(p_session_id, v_initial,
    ('create', v_initial.state, null, p_context, null, false, p_request_id, p_actor, p_note)::fsm_internal.pending_write);
end
$$;
comment on function fsm_internal.create_session(text, text, jsonb, integer, uuid, text, jsonb) is
  'fsm.create_session behind its argument checks: everything it touches belongs to p_session_id or to the definitions.';

create function fsm_internal.claim_id(p_session_id text, p_request_id uuid)
returns fsm_internal.outcome
language plpgsql
volatile
as $$
declare
  v_existing record;
begin
  perform fsm_internal.make_durable();
  perform fsm_internal.lock_session(p_session_id);
  select s.machine, s.state, s.version, h.version as replayed_version into v_existing
  from fsm_internal.sessions s
  left join fsm_internal.history h on h.session_id = s.session_id and h.request_id = p_request_id
  where s.session_id = p_session_id
  -- A row lock makes this a writing transaction, whose end waits for the standby: so a replay, too, is not answered before what it tells is safe.
  for no key update of s;
  if v_existing.replayed_version is not null then
    return fsm_internal.replay_result(p_session_id, v_existing.replayed_version);
  end if;
  if v_existing.version is not null then
    perform fsm_internal.refuse_existing_session(p_session_id, v_existing.machine, v_existing.state, v_existing.version);
  end if;
  return null;
end
$$;
comment on function fsm_internal.claim_id(text, uuid) is
  'Locks an id that a new session is to have. Null: it is free; the first answer if this request made the session; SM011 if it exists otherwise.';

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
