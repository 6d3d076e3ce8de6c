create function fsm_internal.begin_turn(p_session_id text, p_holder text, p_ttl_seconds numeric, p_request_id uuid)
returns fsm_internal.turns
language plpgsql
volatile
as $$
declare
  v_session fsm_internal.locked_session := fsm_internal.read_locked_session(p_session_id);
  v_begun fsm_internal.turns := fsm_internal.begun_turn(p_session_id);
  v_now timestamptz := fsm_internal.clock();
  v_last bigint := v_session.turn;
begin
  if v_begun.request_id = p_request_id then
    return v_begun;
  end if;
  if v_begun.expires_at > v_now then
    perform fsm_internal.refuse(fsm_internal.held_turn_refusal(v_begun));
  end if;
  if v_last is null then
    -- Above every token of a session that had this id before: by what its erasure left, and by the clock if that is gone.
    v_last := greatest(extract(epoch from v_session.created_at) * 1000000, (
      select max(d.turn) from fsm_internal.deleted_sessions d where d.session_id = p_session_id))::bigint;
  end if;
  v_begun := (p_session_id, v_last + 1, p_holder, p_request_id, v_now, v_now + p_ttl_seconds * interval '1 second');
  -- In the session's own row, so that a crash cannot lose it, and so that a writer with an older snapshot gets 40001.
  update fsm_internal.sessions s set turn = v_begun.turn where s.session_id = p_session_id;
  insert into fsm_internal.turns (session_id, turn, holder, request_id, begun_at, expires_at)
  values (v_begun.session_id, v_begun.turn, v_begun.holder, v_begun.request_id, v_begun.begun_at, v_begun.expires_at)
  on conflict on constraint turns_pkey do update
  set turn = excluded.turn, holder = excluded.holder, request_id = excluded.request_id, begun_at = excluded.begun_at, expires_at = excluded.expires_at;
  return v_begun;
end
$$;
comment on function fsm_internal.begin_turn(text, text, numeric, uuid) is
  'fsm.begin_turn behind its argument checks: everything it touches belongs to p_session_id.';

create function fsm_internal.extend_turn(p_session_id text, p_turn bigint, p_ttl_seconds numeric)
returns timestamptz
language plpgsql
volatile
as $$
declare
  v_begun fsm_internal.turns;
  v_now timestamptz;
begin
  perform fsm_internal.read_locked_session(p_session_id);
  v_begun := fsm_internal.begun_turn(p_session_id);
  v_now := fsm_internal.clock();
  if v_begun.turn is distinct from p_turn or v_begun.expires_at <= v_now then
    perform fsm_internal.refuse(fsm_internal.stale_turn_refusal(p_session_id, p_turn, case when v_begun.expires_at > v_now then v_begun.turn end));
  end if;
  update fsm_internal.turns t set expires_at = v_now + p_ttl_seconds * interval '1 second' where t.session_id = p_session_id
  returning t.expires_at into v_begun.expires_at;
  return v_begun.expires_at;
end
$$;
comment on function fsm_internal.extend_turn(text, bigint, numeric) is
  'fsm.extend_turn behind its argument checks: everything it touches belongs to p_session_id.';

create function fsm_internal.end_turn(p_session_id text, p_turn bigint)
returns boolean
language plpgsql
volatile
as $$
declare
  v_begun fsm_internal.turns;
begin
  perform fsm_internal.read_locked_session(p_session_id);
  v_begun := fsm_internal.begun_turn(p_session_id);
  if v_begun.turn is distinct from p_turn or v_begun.expires_at <= fsm_internal.clock() then
    return false;
  end if;
  -- The row stays, so that the request that began the turn does not begin another when it is repeated.
  update fsm_internal.turns t set expires_at = '-infinity' where t.session_id = p_session_id;
  perform fsm_internal.wake_now(p_session_id);
  return true;
end
$$;
comment on function fsm_internal.end_turn(text, bigint) is
  'fsm.end_turn behind its argument checks: everything it touches belongs to p_session_id.';
