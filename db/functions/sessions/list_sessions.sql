create function fsm.list_sessions(
  p_machine text default null, p_state text default null, p_after_session_id text default null, p_limit integer default 100)
returns table (
  session_id text, machine text, machine_version integer, state text, version bigint, context_version integer,
  is_final boolean, entered_at timestamptz, created_at timestamptz, updated_at timestamptz)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform fsm_internal.refuse(coalesce(
    case when p_machine is not null then fsm_internal.text_refusal('p_machine', p_machine, 512) end,
    case when p_state is not null then fsm_internal.text_refusal('p_state', p_state, 128) end,
    fsm_internal.at_most_refusal('p_after_session_id', octet_length(p_after_session_id), 512, 'bytes')));
  perform fsm_internal.check_limit(p_limit);
  return query
    select s.session_id, s.machine, s.machine_version, s.state, s.version, t.context_version, t.is_final,
      s.entered_at, s.created_at, s.updated_at
    from fsm_internal.sessions s
    left join fsm_internal.machine_states t
      on t.machine = s.machine and t.machine_version = s.machine_version and t.state = s.state
    where s.session_id > coalesce(p_after_session_id, '') collate "C"
      and (p_machine is null or s.machine = p_machine) and (p_state is null or s.state = p_state)
    order by s.session_id
    limit p_limit;
end
$$;
comment on function fsm.list_sessions(text, text, text, integer) is
  'Sessions without their contexts, by session_id (byte order): those of a machine, in a state, of both, or all where null. p_limit rows (null: all); only ids after p_after_session_id if given, so the next page starts at the last id of the one before. An unknown machine or state has no rows. A session in a state that its machine version lacks is listed too, with context_version and is_final null: loading it is SM060. Errors: 22023 p_limit below 1, a name empty or too long.';
