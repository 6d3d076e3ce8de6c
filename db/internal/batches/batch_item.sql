create function fsm_internal.batch_item(p_item jsonb)
returns fsm_internal.batch_item
language plpgsql
stable
as $$
declare
  v_item fsm_internal.batch_item;
  v_note jsonb := nullif(p_item -> 'note', 'null');
begin
  v_item.session_id := fsm_internal.batch_session_id(p_item);
  v_item.refusal := fsm_internal.batch_item_form_refusal(p_item);
  if v_item.refusal is not null then
    return v_item;
  end if;
  v_item.state := p_item ->> 'state';
  v_item.context := nullif(p_item -> 'context', 'null');
  v_item.expected_version := (p_item ->> 'expected_version')::numeric::bigint;
  v_item.event := p_item ->> 'event';
  v_item.request_id := (p_item ->> 'request_id')::uuid;
  v_item.turn := (p_item ->> 'turn')::numeric::bigint;
  v_item.actor := p_item ->> 'actor';
  v_item.note := v_note;
  v_item.refusal := coalesce(
    fsm_internal.common_refusal(v_item.session_id, v_item.actor, v_note),
    fsm_internal.text_refusal('p_state', v_item.state, 128),
    case when v_item.event is not null then fsm_internal.text_refusal('p_event', v_item.event, 128) end,
    case when v_item.context is null then fsm_internal.null_refusal('p_context') end);
  return v_item;
end
$$;
comment on function fsm_internal.batch_item(jsonb) is
  'The arguments of one save of a batch; refusal says what is wrong with them, as the save itself would.';

create function fsm_internal.batch_session_id(p_item jsonb)
returns text
language sql
immutable
return case when jsonb_typeof(p_item) = 'object' and jsonb_typeof(p_item -> 'session_id') = 'string' then p_item ->> 'session_id' end;
comment on function fsm_internal.batch_session_id(jsonb) is 'The session that an item of a batch is about; null if it does not say.';

create function fsm_internal.batch_item_form_refusal(p_item jsonb)
returns jsonb
language plpgsql
stable
as $$
declare
  v_wrong record;
begin
  if jsonb_typeof(p_item) <> 'object' then
    return fsm_internal.context_refusal(null, null, 'not_an_object', '$',
      format('an item of a batch is a JSON object with the arguments of fsm.save_session, by name and without p_; this is of type %s', jsonb_typeof(p_item)));
  end if;
  select e.key, k.wanted into v_wrong
  from jsonb_each(p_item) e
  left join (values
    ('session_id', 'a string'), ('state', 'a string'), ('context', 'an object'), ('expected_version', 'a whole number'), ('event', 'a string'),
    ('request_id', 'a uuid'), ('turn', 'a whole number'), ('actor', 'a string'), ('note', 'JSON')
  ) k (key, wanted) using (key)
  where case
    when k.wanted is null then true
    when e.value = 'null' then false
    when k.wanted = 'a string' then jsonb_typeof(e.value) <> 'string'
    when k.wanted = 'a uuid' then jsonb_typeof(e.value) <> 'string' or e.value #>> '{}' !~* '^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$'
    when k.wanted = 'a whole number' then not fsm_internal.is_bigint(e.value)
    else false end
  order by e.key collate "C" limit 1;
  if found then
    return fsm_internal.argument_refusal('p_items', 'item of a batch has the wrong form', jsonb_build_object('key', left(v_wrong.key, 128), 'wanted', v_wrong.wanted),
      case when v_wrong.wanted is null then 'Leave the key out: items carry the arguments of fsm.save_session, by name and without p_.'
        else format('Give %s as %s, or null.', v_wrong.key, v_wrong.wanted) end);
  end if;
  return null;
end
$$;
comment on function fsm_internal.batch_item_form_refusal(jsonb) is 'SM021 unless an item of a batch is an object, 22023 unless it has known keys and values of their types; null: it has.';

create function fsm_internal.is_bigint(p_value jsonb)
returns boolean
language sql
immutable
return case when jsonb_typeof(p_value) <> 'number' then false
  when p_value < '-9223372036854775808' or p_value > '9223372036854775807' then false
  else scale(trim_scale(p_value::numeric)) = 0 end;
comment on function fsm_internal.is_bigint(jsonb) is 'True for a JSON number that is a whole number of 64 bits; 2.0 is one.';
