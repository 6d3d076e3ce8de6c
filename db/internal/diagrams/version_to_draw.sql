create function fsm_internal.version_to_draw(p_machine text, p_machine_version integer)
returns integer
language plpgsql
stable
as $$
declare
  v_version integer := (
    select v.machine_version from fsm_internal.machine_versions v
    where v.machine = p_machine
      and case when p_machine_version is null then not v.retired else v.machine_version = p_machine_version end
    order by v.machine_version desc limit 1);
begin
  if v_version is null then
    perform fsm_internal.refuse_unknown_machine(p_machine, p_machine_version);
  end if;
  return v_version;
end
$$;
comment on function fsm_internal.version_to_draw(text, integer) is
  'p_machine_version, or the newest that is not retired when that is null. SM001 when there is none.';

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
