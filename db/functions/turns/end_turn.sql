create function fsm.end_turn(p_session_id text, p_turn bigint)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform fsm_internal.check_common_arguments(p_session_id, null, null);
  perform fsm_internal.check_not_null('p_turn', p_turn);
  return fsm_internal.end_turn(p_session_id, p_turn);
end
$$;
comment on function fsm.end_turn(text, bigint) is
  'Ends a turn, so that others may write at once. True: it was held; false: the token is stale (ended, expired, taken over, or void after a crash) and nothing changed. Errors: 22004, 22023, SM010 unknown session; 40001 under REPEATABLE READ and SERIALIZABLE.';
