create function fsm_internal.unknown_session_refusal(p_session_id text)
returns jsonb
language sql
stable
return fsm_internal.refusal('SM010', 'session not found', jsonb_build_object('session_id', p_session_id),
  'Create it with fsm.create_session, or check the id: ids are compared byte for byte.');
comment on function fsm_internal.unknown_session_refusal(text) is 'The refusal SM010.';

create function fsm_internal.refuse_unknown_session(p_session_id text)
returns void
language plpgsql
volatile
as $$
begin
  perform fsm_internal.refuse(fsm_internal.unknown_session_refusal(p_session_id));
end
$$;
comment on function fsm_internal.refuse_unknown_session(text) is 'Raises SM010.';

create function fsm_internal.check_session_exists(p_session_id text)
returns void
language plpgsql
stable
as $$
begin
  if not exists (select from fsm_internal.sessions s where s.session_id = p_session_id) then
    perform fsm_internal.refuse_unknown_session(p_session_id);
  end if;
end
$$;
comment on function fsm_internal.check_session_exists(text) is 'Raises SM010 unless there is such a session.';

create function fsm_internal.version_refusal(p_session_id text, p_version bigint, p_expected_version bigint, p_state text)
returns jsonb
language sql
stable
return fsm_internal.refusal('SM030', 'version conflict',
  jsonb_build_object('session_id', p_session_id, 'version', p_version, 'expected_version', p_expected_version, 'state', p_state),
  'Another writer was faster and nothing was written. Load the session, decide anew on what it says, and save with its version.');
comment on function fsm_internal.version_refusal(text, bigint, bigint, text) is 'The refusal SM030; version is what is stored.';

create function fsm_internal.final_refusal(p_session fsm_internal.locked_session)
returns jsonb
language sql
stable
return fsm_internal.refusal('SM012', 'session is in a final state',
  jsonb_build_object('session_id', p_session.session_id, 'state', p_session.state, 'version', p_session.version),
  'A finished session takes no more saves or events. Start a new session, or roll this one back to an open state.');
comment on function fsm_internal.final_refusal(fsm_internal.locked_session) is 'The refusal SM012.';

create function fsm_internal.refuse_lost_write(p_session fsm_internal.locked_session)
returns void
language plpgsql
volatile
as $$
begin
  perform fsm_internal.refuse(fsm_internal.version_refusal(p_session.session_id, p_session.version + 1, p_session.version, p_session.state));
end
$$;
comment on function fsm_internal.refuse_lost_write(fsm_internal.locked_session) is
  'Raises SM030 when the version that a write was based on was taken in spite of the lock. Never answered as a row: half of the write may be done, and only an error undoes it.';

create function fsm_internal.corrupt_refusal(p_session_id text, p_code text, p_facts jsonb)
returns jsonb
language sql
stable
return fsm_internal.refusal('SM060', 'stored session corrupt', jsonb_build_object('session_id', p_session_id, 'code', p_code) || p_facts,
  'Nothing was written. Somebody changed the tables by hand, or storage failed: compare with a backup before you repair the row. fsm.verify_sessions lists all that is wrong.');
comment on function fsm_internal.corrupt_refusal(text, text, jsonb) is
  'The refusal SM060. p_code: what is wrong, a slug; p_facts: more of the DETAIL object.';

create function fsm_internal.unknown_state_refusal(p_session_id text, p_machine text, p_machine_version integer, p_state text)
returns jsonb
language sql
stable
return fsm_internal.corrupt_refusal(p_session_id, 'unknown_state',
  jsonb_build_object('machine', p_machine, 'machine_version', p_machine_version, 'state', p_state));
comment on function fsm_internal.unknown_state_refusal(text, text, integer, text) is
  'The refusal SM060 of a session in a state that its machine version does not have.';

create function fsm_internal.ahead_refusal(p_session fsm_internal.locked_session)
returns jsonb
language plpgsql
volatile
as $$
begin
  if exists (select from fsm_internal.history h where h.session_id = p_session.session_id and h.version > p_session.version) then
    return fsm_internal.corrupt_refusal(p_session.session_id, 'row_disagrees_with_history', jsonb_build_object('version', p_session.version));
  end if;
  return null;
end
$$;
comment on function fsm_internal.ahead_refusal(fsm_internal.locked_session) is
  'The refusal SM060 of a session whose history has newer versions than its row; null: it has none. A write over it is an error, which would take the other sessions of the same call back with it.';

create function fsm_internal.ahead_refusal(p_session_id text)
returns jsonb
language plpgsql
volatile
as $$
declare
  v_session fsm_internal.locked_session;
begin
  select s.session_id, s.version into v_session.session_id, v_session.version
  from fsm_internal.sessions s where s.session_id = p_session_id;
  return fsm_internal.ahead_refusal(v_session);
end
$$;
comment on function fsm_internal.ahead_refusal(text) is 'The same of a session that is not read yet; its lock is held.';

create function fsm_internal.report_corrupt_session(p_session_id text, p_code text, p_facts jsonb)
returns void
language plpgsql
volatile
as $$
begin
  perform fsm_internal.refuse(fsm_internal.corrupt_refusal(p_session_id, p_code, p_facts));
end
$$;
comment on function fsm_internal.report_corrupt_session(text, text, jsonb) is
  'Writes the line fsm.corrupt to the server log and raises SM060.';

create function fsm_internal.refuse_unknown_state(p_session_id text, p_machine text, p_machine_version integer, p_state text)
returns boolean
language plpgsql
volatile
as $$
begin
  perform fsm_internal.refuse(fsm_internal.unknown_state_refusal(p_session_id, p_machine, p_machine_version, p_state));
  return null;
end
$$;
comment on function fsm_internal.refuse_unknown_state(text, text, integer, text) is
  'Raises SM060 for a session in a state that its machine version does not have. Boolean only so that it can stand where is_final is missing.';

create function fsm_internal.refused(p_refusal jsonb)
returns fsm_internal.outcome
language plpgsql
immutable
as $$
declare
  v_outcome fsm_internal.outcome;
begin
  v_outcome.refusal := p_refusal;
  return v_outcome;
end
$$;
comment on function fsm_internal.refused(jsonb) is 'The outcome of a write that was refused.';
