create function fsm.begin_turn(
  p_session_id text, p_holder text, p_ttl interval default '60 seconds', p_request_id uuid default null)
returns table (
  turn bigint, expires_at timestamptz,
  session_id text, machine text, machine_version integer, state text, version bigint, context jsonb, context_version integer,
  is_final boolean, entered_at timestamptz, created_at timestamptz, updated_at timestamptz)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_begun fsm_internal.turns;
begin
  perform fsm_internal.check_common_arguments(p_session_id, null, null);
  perform fsm_internal.check_text('p_holder', p_holder, 512);
  v_begun := fsm_internal.begin_turn(p_session_id, p_holder, fsm_internal.seconds_of('p_ttl', p_ttl, 3600, p_above_zero => true), p_request_id);
  return query
    select v_begun.turn, nullif(v_begun.expires_at, '-infinity'), s.session_id, s.machine, s.machine_version, s.state, s.version, s.context, s.context_version,
      s.is_final, s.entered_at, s.created_at, s.updated_at
    from fsm.load_session(p_session_id) s;
end
$$;
comment on function fsm.begin_turn(text, text, interval, uuid) is
  'Begins a turn: until it is ended or expires, only writes that give its token as p_turn are taken, in any transaction and any process, so that one worker can spend a minute on a reply. p_holder (1 to 512 bytes) says who, for people; p_ttl is above 0 and at most 1 hour, by the clock of the database. The token (turn) rises per session, also across delete and re-creation, so that a late holder is told from the present one. p_request_id: asked again before another turn is begun, the same turn comes back as it now is, also if it has expired or was ended (expires_at is null once it was ended). A crash of the server ends all turns; the tokens go on rising. Returns one row: turn, expires_at, and the session_row as it is now. Errors: 22004, 22023, SM010 unknown session, SM050 turn held by another (holder and expires_at in DETAIL), SM060 the stored state is not one of its machine; 40001 under REPEATABLE READ and SERIALIZABLE.';
