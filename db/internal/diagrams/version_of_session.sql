create function fsm_internal.version_of_session(p_session_id text, p_machine text)
returns integer
language plpgsql
stable
as $$
declare
  v_session record;
begin
  select s.machine, s.machine_version into v_session from fsm_internal.sessions s where s.session_id = p_session_id;
  if not found then
    perform fsm_internal.refuse_unknown_session(p_session_id);
  elsif v_session.machine <> p_machine then
    perform fsm_internal.refuse(fsm_internal.argument_refusal('p_session_id', 'session of another machine',
      jsonb_build_object('session_id', p_session_id, 'machine', v_session.machine), 'Give the machine of the session as p_machine.'));
  end if;
  return v_session.machine_version;
end
$$;
comment on function fsm_internal.version_of_session(text, text) is
  'The machine version that a session is on. SM010 when there is no such session, 22023 when it is of another machine.';
