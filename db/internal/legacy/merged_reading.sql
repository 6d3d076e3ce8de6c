create function fsm_internal.merged_reading(p_session_id text, p_readings fsm_internal.legacy_reading[])
returns fsm_internal.legacy_reading
language plpgsql
stable
as $$
declare
  v_merged fsm_internal.legacy_reading;
  v_reading fsm_internal.legacy_reading;
  v_lost_update boolean;
begin
  for v_reading in
    select r.* from unnest(p_readings) r
    -- The table is the system of record; the shared row is no session, but may hold the newest of this one.
    order by r.session_id <> p_session_id, r.is_row desc, r.changed_at desc nulls last, r.source, r.chat, r.context
  loop
    if v_merged.session_id is null then
      v_merged := v_reading;
      v_lost_update := v_reading.context is not null and v_reading.changed_at > v_reading.context_at
        and (select count(*) from fsm_internal.legacy_passages(v_reading.context)) <= 1;
    elsif v_reading.session_id <> p_session_id then
      v_merged := fsm_internal.merged_snapshot(v_merged, v_reading);
    else
      v_merged := fsm_internal.merged_source(v_merged, v_reading);
    end if;
  end loop;
  -- Told by what arrived of the messages that the row counted: a chat that is complete now was not cut short.
  if v_merged.message_count > jsonb_array_length(v_merged.chat) and v_merged.chat <> '[]' then
    v_merged.warnings := v_merged.warnings || 'chat_incomplete'::text || case when v_lost_update then 'possible_lost_update' end;
  end if;
  return v_merged;
end
$$;
comment on function fsm_internal.merged_reading(text, fsm_internal.legacy_reading[]) is
  'What all originals of a session say together. Those without a problem only; the one that counts most comes first.';

create function fsm_internal.merged_snapshot(p_merged fsm_internal.legacy_reading, p_snapshot fsm_internal.legacy_reading)
returns fsm_internal.legacy_reading
language plpgsql
stable
as $$
declare
  v_own jsonb := coalesce(p_merged.context -> 'step_log', '[]');
  v_longer jsonb := coalesce(p_snapshot.context -> 'step_log', '[]');
begin
  if p_snapshot.context is null then
    return p_merged;
  end if;
  if p_merged.context is null
    or (p_snapshot.context_at > p_merged.context_at
      and (v_own = v_longer or v_own = '[]' or fsm_internal.array_only_grew(v_own, v_longer)))
  then
    return fsm_internal.with_contract_of(p_merged, p_snapshot, 'contract');
  end if;
  p_merged.lost := coalesce(p_merged.lost, '{}') || jsonb_build_object('snapshot', fsm_internal.contract_summary(p_snapshot));
  return p_merged;
end
$$;
comment on function fsm_internal.merged_snapshot(fsm_internal.legacy_reading, fsm_internal.legacy_reading) is
  'A session with the snapshot of it that stands in the shared row: the snapshot wins when it is later and its log goes on where the session''s own ends.';

create function fsm_internal.merged_source(p_merged fsm_internal.legacy_reading, p_other fsm_internal.legacy_reading)
returns fsm_internal.legacy_reading
language plpgsql
stable
as $$
declare
  v_chat jsonb := fsm_internal.merged_chats(p_merged.chat, p_other.chat);
  v_differs boolean := v_chat <> p_merged.chat;
begin
  if p_other.context is not null and not record_image_eq(row(p_other.context), row(p_merged.context)) then
    v_differs := true;
    if p_merged.context is null or p_other.context_at > p_merged.changed_at then
      p_merged := fsm_internal.with_contract_of(p_merged, p_other, 'contract');
    else
      p_merged.lost := coalesce(p_merged.lost, '{}') || jsonb_build_object('contract', fsm_internal.contract_summary(p_other));
    end if;
  end if;
  if p_other.pending is not null and p_other.pending is distinct from p_merged.pending then
    v_differs := true;
    if not p_merged.is_row or p_other.changed_at > p_merged.changed_at then
      p_merged.lost := nullif(coalesce(p_merged.lost, '{}') || jsonb_strip_nulls(jsonb_build_object('pending', p_merged.pending)), '{}');
      p_merged.pending := p_other.pending;
    else
      p_merged.lost := coalesce(p_merged.lost, '{}') || jsonb_build_object('pending', p_other.pending);
    end if;
  end if;
  p_merged.chat := v_chat;
  p_merged.title := coalesce(p_merged.title, p_other.title);
  p_merged.rest := p_other.rest || p_merged.rest;
  p_merged.lost := nullif(coalesce(p_other.lost, '{}') || coalesce(p_merged.lost, '{}'), '{}');
  p_merged.warnings := p_merged.warnings || p_other.warnings || case when v_differs then 'source_conflict' end;
  return p_merged;
end
$$;
comment on function fsm_internal.merged_source(fsm_internal.legacy_reading, fsm_internal.legacy_reading) is
  'A session with another original of it. Chats are merged; the contract is the first''s unless the other''s was updated later than the first was written; a pending product of the other counts when it is later too. What loses goes into lost.';

create function fsm_internal.with_contract_of(p_merged fsm_internal.legacy_reading, p_other fsm_internal.legacy_reading, p_key text)
returns fsm_internal.legacy_reading
language plpgsql
stable
as $$
begin
  if p_merged.context is not null then
    p_merged.lost := coalesce(p_merged.lost, '{}') || jsonb_build_object(p_key, fsm_internal.contract_summary(p_merged));
  end if;
  p_merged.context := p_other.context;
  p_merged.state := p_other.state;
  p_merged.generation := p_other.generation;
  p_merged.context_at := p_other.context_at;
  p_merged.context_warnings := p_other.context_warnings;
  return p_merged;
end
$$;
comment on function fsm_internal.with_contract_of(fsm_internal.legacy_reading, fsm_internal.legacy_reading, text) is
  'A reading with the contract of another one; its own goes into lost under p_key.';

create function fsm_internal.contract_summary(p_reading fsm_internal.legacy_reading)
returns jsonb
language sql
stable
return jsonb_build_object('source', p_reading.source, 'from_session_id', p_reading.session_id, 'state', p_reading.state, 'updated_at', p_reading.context_at,
    'step_log', p_reading.context -> 'step_log')
  || case when pg_column_size(p_reading.context) < 8192 then jsonb_build_object('context', p_reading.context) else '{}' end;
comment on function fsm_internal.contract_summary(fsm_internal.legacy_reading) is
  'What a note says of a contract that lost: whole when it is small; fsm.import_original always has it.';
