create function fsm.extend_turn(p_session_id text, p_turn bigint, p_ttl interval)
returns timestamptz
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform fsm_internal.check_common_arguments(p_session_id, null, null);
  perform fsm_internal.check_not_null('p_turn', p_turn);
  return fsm_internal.extend_turn(p_session_id, p_turn, fsm_internal.seconds_of('p_ttl', p_ttl, 3600, p_above_zero => true));
end
$$;
comment on function fsm.extend_turn(text, bigint, interval) is
  'Lets a held turn expire p_ttl from now (above 0, at most 1 hour), and returns when that is. Errors: 22004, 22023, SM010 unknown session, SM051 the token is not that of a turn that is held: ended, expired, taken over, or void after a crash; 40001 under REPEATABLE READ and SERIALIZABLE.';
