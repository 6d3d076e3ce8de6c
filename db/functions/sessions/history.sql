create function fsm.history(p_session_id text, p_limit integer default 100, p_before_version bigint default null)
returns table (
  version bigint, kind text, from_state text, to_state text, event text, actor text, db_user text, note jsonb,
  loop_detected boolean, at timestamptz)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform fsm_internal.check_common_arguments(p_session_id, null, null);
  perform fsm_internal.check_limit(p_limit);
  perform fsm_internal.check_session_exists(p_session_id);
  return query
    select h.version, h.kind::text, h.from_state, h.to_state, h.event, h.actor, h.db_user, h.note, h.loop_detected, h.at
    from fsm_internal.history h
    where h.session_id = p_session_id and h.version < coalesce(p_before_version, 9223372036854775807)
    order by h.version desc
    limit p_limit;
end
$$;
comment on function fsm.history(text, integer, bigint) is
  'What happened to a session, newest first, a row per version: kind create, transition, update, rollback, upgrade, import, deadline, divert or fork. p_limit rows (null: all), only versions below p_before_version if given: the next page starts at the last version of the one before. actor is the caller''s claim, db_user the session user who made the call. Errors: 22004, 22023, SM010 unknown session.';
