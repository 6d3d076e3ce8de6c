create function fsm.save_session(
  p_session_id text, p_state text, p_context jsonb, p_expected_version bigint, p_event text default null,
  p_request_id uuid default null, p_turn bigint default null, p_actor text default null, p_note jsonb default null)
returns table (
  session_id text, machine text, machine_version integer, version bigint, state text, previous_state text, changed_state boolean,
  loop_detected boolean, replayed boolean, is_final boolean, context_version integer, entered_at timestamptz,
  created_at timestamptz, saved_at timestamptz)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_outcome fsm_internal.outcome;
begin
  if not (fsm_internal.is_name(p_session_id, 512) and fsm_internal.is_name(p_state, 128)
    and coalesce(p_event, p_actor) is null and p_note is null and p_context is not null)
  then
    perform fsm_internal.check_common_arguments(p_session_id, p_actor, p_note);
    perform fsm_internal.check_text('p_state', p_state, 128);
    perform fsm_internal.check_text('p_event', coalesce(p_event, p_state), 128);
    perform fsm_internal.check_not_null('p_context', p_context);
  end if;
  v_outcome := fsm_internal.save_session(
    p_session_id, p_state, p_context, p_expected_version, p_event, p_request_id, p_turn, p_actor, p_note);
  if v_outcome.refusal is not null then
    perform fsm_internal.refuse(v_outcome.refusal);
  end if;
  -- Assigned one by one, because RETURN QUERY would run a query.
  session_id := v_outcome.session_id; machine := v_outcome.machine; machine_version := v_outcome.machine_version;
  version := v_outcome.version; state := v_outcome.state; previous_state := v_outcome.previous_state;
  changed_state := v_outcome.changed_state; loop_detected := v_outcome.loop_detected; replayed := v_outcome.replayed;
  is_final := v_outcome.is_final; context_version := v_outcome.context_version; entered_at := v_outcome.entered_at;
  created_at := v_outcome.created_at; saved_at := v_outcome.saved_at;
  return next;
end
$$;
comment on function fsm.save_session(text, text, jsonb, bigint, text, uuid, bigint, text, jsonb) is
  'Saves state and whole context as the next version, all or nothing, under the session''s lock. Another state is legal when an event leads there with this context (p_event given: that event; null: the first by name is recorded); the same state is an update, or a self-transition when p_event names one. p_expected_version null: whatever is stored. A p_request_id that this session has committed gives the first answer again (replayed true). Returns one row, the save_result; loop_detected tells of a loop, state may be the divert state. Errors in the order of checking: 22004, 22023, SM010 unknown session, SM050 turn held by another, SM051 turn token stale, SM030 version conflict, SM012 final state, SM021 form, size or limits, SM020 no such transition, SM022 guard, SM040 loop blocked, SM021 schema or invariant; 40001 under REPEATABLE READ and SERIALIZABLE.';
