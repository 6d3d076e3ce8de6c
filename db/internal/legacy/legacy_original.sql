create function fsm_internal.legacy_reading_of(p_item fsm_internal.import_item, p_machine_version integer)
returns fsm_internal.legacy_reading
language plpgsql
stable
as $$
declare
  v_reading fsm_internal.legacy_reading;
  v_metadata jsonb;
begin
  v_reading.source := p_item.source;
  v_reading.session_id := p_item.session_id;
  v_reading.warnings := case when p_item.session_id = 'default_session' then array['shared_session_id'] else '{}' end;
  v_reading.problem := p_item.problem;
  v_reading.message := fsm_internal.unread_message(v_reading.problem);
  if v_reading.problem is null then
    select p.code, p.message into v_reading.problem, v_reading.message from fsm_internal.import_item_problem(p_item) p;
  end if;
  if v_reading.problem is not null then
    return v_reading;
  end if;
  v_reading.is_row := p_item.data ?| array['session_metadata', 'message_count', 'has_contract'];
  v_metadata := case when v_reading.is_row then coalesce(nullif(p_item.data -> 'session_metadata', 'null'), '{}') else p_item.data end;
  if v_reading.is_row then
    v_reading := fsm_internal.legacy_row(v_reading, p_item.data);
  end if;
  if v_reading.problem is null and jsonb_typeof(v_metadata) <> 'object' then
    v_reading.problem := 'metadata_not_object'; v_reading.message := format('session_metadata is of type %s', jsonb_typeof(v_metadata));
  end if;
  if v_reading.problem is null then
    v_reading := fsm_internal.legacy_chat(v_reading, p_item.data -> 'chat_history', case when v_reading.is_row then v_metadata -> 'chat_history' end);
  end if;
  if v_reading.problem is null then
    v_reading := fsm_internal.legacy_value(v_reading, v_metadata, p_item.data -> 'has_contract' = 'true');
  end if;
  if v_reading.problem is null then
    v_reading := fsm_internal.legacy_contract(v_reading, v_metadata -> 'contract_context', p_item.machine, p_machine_version);
  end if;
  return v_reading;
end
$$;
comment on function fsm_internal.legacy_reading_of(fsm_internal.import_item, integer) is
  'Reads one original: a row of the old table, told by its columns, or a value of the old file store. The first thing that is wrong is its problem.';

create function fsm_internal.import_item_problem(p_item fsm_internal.import_item)
returns table (code text, message text)
language plpgsql
stable
as $$
begin
  if p_item.session_id = '' then
    code := 'empty_session_id'; message := 'a session needs an id';
  elsif octet_length(p_item.session_id) > 512 then
    code := 'session_id_too_long'; message := format('the id has %s bytes, 512 are the most', octet_length(p_item.session_id));
  elsif p_item.data is null then
    code := 'data_missing'; message := 'there is an original but nothing was read of it';
  elsif jsonb_typeof(p_item.data) <> 'object' then
    code := 'shelve_value_not_dict'; message := format('the original is of type %s', jsonb_typeof(p_item.data));
  else
    -- Two levels more than the context will have: the row, and its column.
    select case f.code when 'too_deep' then 'nesting_too_deep' else 'number_out_of_range' end, f.path || ': ' || f.message into code, message
    from fsm_internal.limit_findings(fsm_internal.legacy_innermost(p_item.data)) f limit 1;
  end if;
  if code is not null then
    return next;
  end if;
end
$$;
comment on function fsm_internal.import_item_problem(fsm_internal.import_item) is
  'Why an original cannot become a session of any machine; no row: nothing is in the way.';

create function fsm_internal.legacy_innermost(p_data jsonb)
returns jsonb
language sql
immutable
return jsonb_build_object('row', p_data - array['session_metadata', 'contract_context', 'chat_history'])
  || case jsonb_typeof(p_data -> 'session_metadata') when 'object' then (p_data -> 'session_metadata') - 'contract_context'::text else '{}' end
  || case jsonb_typeof(p_data #> '{session_metadata,contract_context}')
    when 'object' then p_data #> '{session_metadata,contract_context}'
    else jsonb_build_object('contract_context', p_data #> '{session_metadata,contract_context}') end
  || case jsonb_typeof(p_data -> 'contract_context') when 'object' then p_data -> 'contract_context' else '{}' end
  || jsonb_build_object('chat_history', p_data -> 'chat_history');
comment on function fsm_internal.legacy_innermost(jsonb) is 'Everything of an original on the level that it will have in the context, to be held against the limits.';

create function fsm_internal.legacy_row(p_reading fsm_internal.legacy_reading, p_data jsonb)
returns fsm_internal.legacy_reading
language plpgsql
stable
as $$
declare
  v_column text;
  v_text text;
begin
  foreach v_column in array array['created_at', 'updated_at', 'last_user_ts'] loop
    v_text := p_data ->> v_column;
    if v_text is not null and fsm_internal.legacy_time(v_text) is null then
      p_reading.problem := case when v_text ~* 'infinity|BC|^-|^\d{5}' then 'timestamp_out_of_range' else 'timestamp_unparsable' end;
      p_reading.message := format('%s is %s', v_column, left(v_text, 100));
      return p_reading;
    end if;
    if fsm_internal.legacy_time_warning(p_data -> v_column) = 'timestamp_implausible' then
      p_reading.warnings := p_reading.warnings || 'timestamp_implausible'::text;
    end if;
  end loop;
  p_reading.changed_at := fsm_internal.legacy_time(p_data ->> 'updated_at');
  p_reading.times := jsonb_strip_nulls(jsonb_build_object('created_at', p_data -> 'created_at', 'updated_at', p_data -> 'updated_at'));
  p_reading.title := p_data ->> 'title';
  p_reading.rest := jsonb_strip_nulls(jsonb_build_object('short_summary', p_data -> 'short_summary'));
  if jsonb_typeof(p_data -> 'message_count') = 'number' and p_data -> 'message_count' between '0' and '2147483647' then
    p_reading.message_count := (p_data -> 'message_count')::numeric::integer;
  end if;
  return p_reading;
end
$$;
comment on function fsm_internal.legacy_row(fsm_internal.legacy_reading, jsonb) is
  'A reading with what the columns of a row of the old table say beside its chat and its metadata.';

create function fsm_internal.legacy_chat(p_reading fsm_internal.legacy_reading, p_chat jsonb, p_copy jsonb)
returns fsm_internal.legacy_reading
language plpgsql
immutable
as $$
begin
  select p.code, p.message into p_reading.problem, p_reading.message
  from (values (1, p_chat), (2, p_copy)) c(nth, chat)
  cross join lateral fsm_internal.legacy_chat_problem(c.chat) p
  order by c.nth limit 1;
  if not found then
    p_chat := coalesce(nullif(p_chat, 'null'), '[]');
    if fsm_internal.legacy_chat_is_odd(p_chat) then
      p_reading.warnings := p_reading.warnings || 'chat_message_odd'::text;
    end if;
    p_reading.chat := fsm_internal.merged_chats(p_chat, coalesce(nullif(p_copy, 'null'), '[]'));
  end if;
  return p_reading;
end
$$;
comment on function fsm_internal.legacy_chat(fsm_internal.legacy_reading, jsonb, jsonb) is
  'A reading with the chat of an original, which rows that came from the file store hold twice.';

create function fsm_internal.legacy_value(p_reading fsm_internal.legacy_reading, p_value jsonb, p_has_contract boolean)
returns fsm_internal.legacy_reading
language plpgsql
stable
as $$
declare
  v_pending jsonb := nullif(nullif(p_value -> 'pending_confirmation_product', 'null'), '{}');
begin
  if jsonb_typeof(v_pending) <> 'object' then
    p_reading.problem := 'field_type_invalid';
    p_reading.message := format('pending_confirmation_product is of type %s', jsonb_typeof(v_pending));
    return p_reading;
  end if;
  -- In the file store a confirmation that was answered is gone. In the table its deletion could be lost: the column tells.
  if p_reading.is_row and v_pending is not null and p_has_contract is not true then
    p_reading.warnings := p_reading.warnings || 'stale_pending_confirmation'::text;
    p_reading.lost := coalesce(p_reading.lost, '{}') || jsonb_build_object('stale_pending', v_pending);
  elsif p_reading.is_row and v_pending is null and p_has_contract then
    p_reading.warnings := p_reading.warnings || 'pending_product_lost'::text;
  else
    p_reading.pending := v_pending;
  end if;
  if not p_reading.is_row then
    p_reading.changed_at := fsm_internal.legacy_time(p_value ->> 'last_message_time');
    p_reading.times := jsonb_strip_nulls(jsonb_build_object('last_message_time', p_value -> 'last_message_time'));
  end if;
  p_reading.title := coalesce(p_reading.title, p_value ->> 'title');
  p_reading.rest := coalesce(p_reading.rest, '{}') || (p_value - array[
    'contract_context', 'pending_confirmation_product', 'chat_history', 'last_user_message', 'last_message_time', 'title']);
  return p_reading;
end
$$;
comment on function fsm_internal.legacy_value(fsm_internal.legacy_reading, jsonb, boolean) is
  'A reading with what stands beside the contract in a row''s metadata or in a value of the file store: above all whether a confirmation is awaited. p_has_contract: the row''s column.';

create function fsm_internal.unread_message(p_problem text)
returns text
language sql
immutable
return coalesce(jsonb '{
  "shelve_corrupt_pickle": "the value is no pickle, is cut off, or empty",
  "shelve_unsafe_pickle": "the pickle names something to be built or called, and was not run",
  "shelve_value_not_dict": "the value is no dict",
  "not_json_representable": "the value holds what JSON has no form for",
  "nesting_too_deep": "objects and arrays are nested too deep to be handed on",
  "text_not_storable": "a text holds a NUL, or what is no character",
  "number_not_finite": "a number is NaN or infinite",
  "number_out_of_range": "a number has too many digits",
  "session_id_not_utf8": "the bytes of the id are no characters"}' ->> p_problem, 'the original could not be read');
comment on function fsm_internal.unread_message(text) is 'What a reader''s problem means, in words.';
