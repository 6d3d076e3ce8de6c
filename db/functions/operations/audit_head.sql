create function fsm.audit_head(p_session_id text)
returns table (version bigint, hash text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform fsm_internal.check_common_arguments(p_session_id, null, null);
  perform fsm_internal.check_session_exists(p_session_id);
  return query
    select s.version, encode(h.chain_hash, 'hex')
    from fsm_internal.sessions s
    left join fsm_internal.history h on h.session_id = s.session_id and h.version = s.version
    where s.session_id = p_session_id;
end
$$;
comment on function fsm.audit_head(text) is
  'The present version of a session and its hash, 64 hexadecimal digits, which covers every version before it; null when the machine keeps no audit chain. Kept outside, it proves later that nothing up to that version was changed. Errors: 22004, 22023, SM010 unknown session.';
