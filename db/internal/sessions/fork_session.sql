create function fsm_internal.fork_session(
  p_session_id text, p_source_session_id text, p_version bigint, p_request_id uuid, p_actor text)
returns fsm_internal.outcome
language plpgsql
volatile
as $$
declare
  v_replay fsm_internal.outcome := fsm_internal.claim_id(p_session_id, p_request_id);
  v_source record;
  v_state fsm_internal.machine_states;
begin
  if v_replay.session_id is not null then
    return v_replay;
  end if;
  -- The source is not locked: whatever is told of it is read here, at one moment.
  select s.machine, h.machine_version, h.to_state, v.retired, fsm_internal.context_at(s.session_id, p_version) as context,
    fsm_internal.retained_versions(s.session_id) as retained
  into v_source
  from fsm_internal.sessions s
  left join fsm_internal.history h on h.session_id = s.session_id and h.version = p_version
  left join fsm_internal.machine_versions v on v.machine = s.machine and v.machine_version = h.machine_version
  where s.session_id = p_source_session_id;
  if v_source.machine is null then
    perform fsm_internal.refuse_unknown_session(p_source_session_id);
  elsif v_source.to_state is null then
    perform fsm_internal.refuse_version_not_retained(p_source_session_id, 'p_version', p_version, v_source.retained);
  end if;
  if v_source.context is null then
    perform fsm_internal.report_corrupt_session(p_source_session_id, 'row_disagrees_with_history', jsonb_build_object('version', p_version));
  end if;
  select t.* into v_state from fsm_internal.machine_states t
  where t.machine = v_source.machine and t.machine_version = v_source.machine_version and t.state = v_source.to_state;
  if v_state.state is null then
    perform fsm_internal.refuse_unknown_state(p_source_session_id, v_source.machine, v_source.machine_version, v_source.to_state);
  end if;
  if v_source.retired then
    perform fsm_internal.refuse_unknown_machine(v_source.machine, v_source.machine_version);
  end if;
  return fsm_internal.insert_session(p_session_id, v_state,
    ('fork', v_source.to_state, null, v_source.context, null, false, p_request_id, p_actor,
      jsonb_build_object('session_id', p_source_session_id, 'version', p_version))::fsm_internal.pending_write);
end
$$;
comment on function fsm_internal.fork_session(text, text, bigint, uuid, text) is
  'fsm.fork_session behind its argument checks. It locks and writes the new session only; the version of the source that it copies can no longer change.';

create function fsm_internal.retained_versions(p_session_id text)
returns jsonb
language plpgsql
stable
as $$
begin
  return (
    select jsonb_build_object('oldest_version', min(h.version), 'newest_version', max(h.version))
    from fsm_internal.history h where h.session_id = p_session_id);
end
$$;
comment on function fsm_internal.retained_versions(text) is 'The first and the last version of a session that its history has.';

create function fsm_internal.refuse_version_not_retained(p_session_id text, p_argument text, p_version bigint, p_retained jsonb)
returns void
language plpgsql
volatile
as $$
begin
  perform fsm_internal.refuse(fsm_internal.argument_refusal(p_argument, 'version never made or no longer retained',
    jsonb_build_object('session_id', p_session_id, 'version', p_version) || p_retained,
    'Give a version from oldest_version to newest_version; fsm.history lists them.'));
end
$$;
comment on function fsm_internal.refuse_version_not_retained(text, text, bigint, jsonb) is 'Raises 22023 for a version that a session does not have.';
