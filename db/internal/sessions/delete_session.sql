create function fsm_internal.delete_session(p_session_id text)
returns boolean
language plpgsql
volatile
as $$
declare
  v_session record;
begin
  perform fsm_internal.make_durable();
  perform fsm_internal.lock_session(p_session_id);
  -- Also without a session: what was quarantined never became one.
  delete from fsm_internal.import_items i where i.target = p_session_id or left(i.session_id, 600) = p_session_id;
  delete from fsm_internal.sessions s where s.session_id = p_session_id
  returning s.version, s.state, s.updated_at, s.turn into v_session;
  if v_session.version is null then
    return false;
  end if;
  delete from fsm_internal.history h where h.session_id = p_session_id;
  delete from fsm_internal.history_cuts c where c.session_id = p_session_id;
  delete from fsm_internal.turns t where t.session_id = p_session_id;
  delete from fsm_internal.deadlines d where d.session_id = p_session_id;
  insert into fsm_internal.deleted_sessions (session_id, at, version, state, turn)
  values (p_session_id, greatest(fsm_internal.clock(), v_session.updated_at + interval '1 microsecond', (
      select max(d.at) + interval '1 microsecond' from fsm_internal.deleted_sessions d where d.session_id = p_session_id)),
    v_session.version, v_session.state, v_session.turn);
  return true;
end
$$;
comment on function fsm_internal.delete_session(text) is
  'Erases a session under its lock with all that belongs to it, the originals that it was imported from too, and leaves a row of deleted_sessions; false if there is none.';
