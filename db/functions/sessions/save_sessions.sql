create function fsm.save_sessions(p_items jsonb, p_atomic boolean default true)
returns table (
  ordinal integer, session_id text, ok boolean, sqlstate text, message text, detail jsonb, version bigint, state text)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_value jsonb;
  v_item fsm_internal.batch_item;
  v_outcome fsm_internal.outcome;
begin
  perform fsm_internal.check_batch(p_items);
  perform fsm_internal.check_not_null('p_atomic', p_atomic);
  -- All locks before the first item: their order must not follow the items.
  perform fsm_internal.lock_sessions(array(select fsm_internal.batch_session_id(i.value) from jsonb_array_elements(p_items) i));
  for v_value, ordinal in select i.value, i.nth from jsonb_array_elements(p_items) with ordinality i (value, nth) order by i.nth loop
    v_item := fsm_internal.batch_item(v_value);
    if not p_atomic and v_item.refusal is null then
      v_item.refusal := fsm_internal.ahead_refusal(v_item.session_id);
    end if;
    if v_item.refusal is not null then
      v_outcome := fsm_internal.refused(v_item.refusal);
    else
      v_outcome := fsm_internal.save_session(v_item.session_id, v_item.state, v_item.context, v_item.expected_version, v_item.event,
        v_item.request_id, v_item.turn, v_item.actor, v_item.note);
    end if;
    if v_outcome.refusal is not null then
      v_outcome.refusal := jsonb_set(v_outcome.refusal, '{detail,ordinal}', to_jsonb(ordinal));
      if p_atomic then
        perform fsm_internal.refuse(v_outcome.refusal);
      end if;
      perform fsm_internal.log_refusal(v_outcome.refusal);
    end if;
    session_id := v_item.session_id; ok := v_outcome.refusal is null; sqlstate := v_outcome.refusal ->> 'sqlstate';
    message := v_outcome.refusal ->> 'message'; detail := v_outcome.refusal -> 'detail'; version := v_outcome.version; state := v_outcome.state;
    return next;
  end loop;
end
$$;
comment on function fsm.save_sessions(jsonb, boolean) is
  'Saves up to 1,000 sessions in one call. p_items is an array of objects with the arguments of fsm.save_session by name, without p_: session_id, state, context, and as wanted expected_version, event, request_id, turn, actor, note (missing is null). All locks are taken first, in one order for every caller, so batches never deadlock with each other. Items apply in their order; those of one session each on the result of the one before. p_atomic true: all or nothing, the first refusal is raised with its own SQLSTATE and with ordinal (from 1) in DETAIL. p_atomic false: each refusal is a row, and the others are saved. Returns a row per item, in their order: ok, then version and state as saved, or else sqlstate, message and detail. Errors: 22004, 22023 p_items is no array or has over 1,000 items; atomic: whatever fsm.save_session raises, 22023 for an item with an unknown key or a value of the wrong type, SM021 for one that is no object; 40001 under REPEATABLE READ and SERIALIZABLE.';
