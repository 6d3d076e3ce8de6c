create function fsm_internal.read_locked_session(p_session_id text)
returns fsm_internal.locked_session
language plpgsql
volatile
as $$
declare
  v_session fsm_internal.locked_session;
begin
  perform fsm_internal.make_durable();
  perform fsm_internal.lock_session(p_session_id);
  -- The empty object unpacks a context that is stored compressed or out of line: once, not at each use.
  select s.session_id, s.machine, s.machine_version, s.state, s.version, fsm_internal.read_context(s.session_id, s.context) || '{}',
    s.entered_at, s.created_at, s.updated_at, s.turn, s.wake_at
  into v_session
  from fsm_internal.sessions s
  where s.session_id = p_session_id
  for no key update;
  if v_session.session_id is null then
    perform fsm_internal.refuse_unknown_session(p_session_id);
  end if;
  return v_session;
end
$$;
comment on function fsm_internal.read_locked_session(text) is
  'Locks the session and reads it as last committed. SM010 unknown session; 40001 under REPEATABLE READ and SERIALIZABLE when it changed since the snapshot.';

create function fsm_internal.replayed_version(p_session_id text, p_request_id uuid)
returns bigint
language plpgsql
volatile
as $$
begin
  if p_request_id is null then
    return null;
  end if;
  return (select h.version from fsm_internal.history h where h.session_id = p_session_id and h.request_id = p_request_id);
end
$$;
comment on function fsm_internal.replayed_version(text, uuid) is
  'The version that a request id made of this session, null if none. Asked under the session''s lock.';
