create function fsm_internal.refuse_unknown_session(p_session_id text)
returns void
language plpgsql
volatile
as $$
begin
  perform fsm_internal.refuse('SM010', 'session not found', jsonb_build_object('session_id', p_session_id),
    'Create it with fsm.create_session, or check the id: ids are compared byte for byte.');
end
$$;
comment on function fsm_internal.refuse_unknown_session(text) is 'Raises SM010.';

create function fsm_internal.refuse_version(p_session_id text, p_version bigint, p_expected_version bigint, p_state text)
returns void
language plpgsql
volatile
as $$
begin
  perform fsm_internal.refuse('SM030', 'version conflict',
    jsonb_build_object('session_id', p_session_id, 'version', p_version, 'expected_version', p_expected_version, 'state', p_state),
    'Another writer was faster and nothing was written. Load the session, decide anew on what it says, and save with its version.');
end
$$;
comment on function fsm_internal.refuse_version(text, bigint, bigint, text) is 'Raises SM030; version is what is stored.';

create function fsm_internal.report_corrupt_session(p_session_id text, p_code text, p_facts jsonb)
returns void
language plpgsql
volatile
as $$
declare
  v_detail jsonb := jsonb_build_object('session_id', p_session_id, 'code', p_code) || p_facts;
begin
  raise log 'fsm.corrupt %', v_detail;
  raise exception using errcode = 'SM060', message = 'stored session corrupt', detail = v_detail::text,
    hint = 'Nothing was written. Somebody changed the tables by hand, or storage failed: compare with a backup before you repair the row.';
end
$$;
comment on function fsm_internal.report_corrupt_session(text, text, jsonb) is
  'Writes the line fsm.corrupt to the server log and raises SM060. p_code: what is wrong, a slug; p_facts: more of the DETAIL object.';

create function fsm_internal.refuse_unknown_state(p_session_id text, p_machine text, p_machine_version integer, p_state text)
returns boolean
language plpgsql
volatile
as $$
begin
  perform fsm_internal.report_corrupt_session(p_session_id, 'unknown_state',
    jsonb_build_object('machine', p_machine, 'machine_version', p_machine_version, 'state', p_state));
  return null;
end
$$;
comment on function fsm_internal.refuse_unknown_state(text, text, integer, text) is
  'Raises SM060 for a session in a state that its machine version does not have. Boolean only so that it can stand where is_final is missing.';
