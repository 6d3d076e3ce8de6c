create function fsm.audit_head(p_session_id text, p_version bigint default null)
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
    from (
      select coalesce(p_version, o.version) as version from fsm_internal.sessions o where o.session_id = p_session_id) s
    left join fsm_internal.history h on h.session_id = p_session_id and h.version = s.version
    where p_version is null or h.version is not null;
end
$$;
comment on function fsm.audit_head(text, bigint) is
  'A version of a session (p_version null: the present one) and its hash, 64 hexadecimal digits, which covers every version before it; null when the machine keeps no audit chain. Keep version and hash outside: as long as that version is retained, the same question must give the same hash, and fsm.verify_sessions must find nothing; otherwise something up to that version was changed. No row: that version was never made or is no longer retained. Errors: 22004, 22023, SM010 unknown session.';
