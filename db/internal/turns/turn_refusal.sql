create function fsm_internal.turn_refusal(p_session_id text, p_turn bigint)
returns jsonb
language plpgsql
volatile
as $$
declare
  v_begun fsm_internal.turns := fsm_internal.begun_turn(p_session_id);
  v_is_held boolean := (v_begun.expires_at > fsm_internal.clock()) is true;
begin
  if p_turn is not null and not (v_is_held and p_turn = v_begun.turn) then
    return fsm_internal.stale_turn_refusal(p_session_id, p_turn, case when v_is_held then v_begun.turn end);
  end if;
  if p_turn is null and v_is_held then
    return fsm_internal.held_turn_refusal(v_begun);
  end if;
  return null;
end
$$;
comment on function fsm_internal.turn_refusal(text, bigint) is
  'SM050 when a turn is held and p_turn is null, SM051 when p_turn is not the held one; null: the write may go on. Asked under the session''s lock.';

create function fsm_internal.begun_turn(p_session_id text)
returns fsm_internal.turns
language plpgsql
volatile
as $$
declare
  v_begun fsm_internal.turns;
begin
  -- Locked, so that under REPEATABLE READ a turn that was extended or ended since the snapshot is 40001 and not believed.
  select t.* into v_begun from fsm_internal.turns t where t.session_id = p_session_id for no key update;
  return v_begun;
end
$$;
comment on function fsm_internal.begun_turn(text) is 'The turn of a session that was begun last, held or not; all null if there is none.';

create function fsm_internal.held_turn_refusal(p_begun fsm_internal.turns)
returns jsonb
language sql
stable
return fsm_internal.refusal('SM050', 'turn held by another',
  jsonb_build_object('session_id', p_begun.session_id, 'holder', p_begun.holder, 'expires_at', p_begun.expires_at),
  'Nothing was written. Wait until the turn is ended or expires, then load the session anew; whoever holds it gives its token as p_turn.');
comment on function fsm_internal.held_turn_refusal(fsm_internal.turns) is 'The refusal SM050.';

create function fsm_internal.stale_turn_refusal(p_session_id text, p_turn bigint, p_held_turn bigint)
returns jsonb
language sql
stable
return fsm_internal.refusal('SM051', 'turn token stale',
  jsonb_build_object('session_id', p_session_id, 'turn', p_turn, 'held_turn', p_held_turn),
  'Nothing was written. The turn has expired or was ended, or the server was restarted after a crash: begin a new one, load the session, and decide anew.');
comment on function fsm_internal.stale_turn_refusal(text, bigint, bigint) is 'The refusal SM051. p_held_turn: the token that is held, null if none is.';
