create function fsm_internal.legacy_chat_problem(p_chat jsonb)
returns table (code text, message text)
language plpgsql
immutable
as $$
begin
  if coalesce(jsonb_typeof(p_chat), 'null') not in ('null', 'array') then
    code := 'chat_history_not_array'; message := format('chat_history is of type %s', jsonb_typeof(p_chat));
    return next;
  elsif jsonb_path_exists(p_chat, 'strict $[*] ? (@.type() != "object")', '{}', true) then
    code := 'chat_message_invalid'; message := 'a message of chat_history is no object';
    return next;
  end if;
end
$$;
comment on function fsm_internal.legacy_chat_problem(jsonb) is 'Why a chat cannot be taken over; no row: it can. Null is an empty chat.';

create function fsm_internal.legacy_chat_is_odd(p_chat jsonb)
returns boolean
language sql
immutable
return exists (
  select from jsonb_array_elements(case jsonb_typeof(p_chat) when 'array' then p_chat else '[]' end) m(message)
  where (m.message ->> 'role' in ('user', 'assistant', 'system')) is not true
    or jsonb_typeof(m.message -> 'content') is distinct from 'string'
    or (m.message ->> 'timestamp' is not null and fsm_internal.legacy_time(m.message ->> 'timestamp') is null));
comment on function fsm_internal.legacy_chat_is_odd(jsonb) is
  'True when a message has a role that is none, no text, or a time that is none. Messages without a time are as old as they look, not odd.';

create function fsm_internal.merged_chats(p_chat jsonb, p_other jsonb)
returns jsonb
language plpgsql
immutable
as $$
begin
  if p_chat = p_other or p_other = '[]' then
    return p_chat;
  elsif p_chat = '[]' then
    return p_other;
  end if;
  return (
    with messages as (
      select c.of_other, m.message, m.nth, row_number() over (partition by c.of_other, m.message order by m.nth) as occurrence
      from (values (false, p_chat), (true, p_other)) c(of_other, chat)
      cross join lateral jsonb_array_elements(c.chat) with ordinality m(message, nth)),
    once as (select distinct on (m.message, m.occurrence) m.* from messages m order by m.message, m.occurrence, m.of_other)
    select case when bool_or(o.of_other)
        then jsonb_agg(o.message order by fsm_internal.legacy_time(o.message ->> 'timestamp') nulls first, o.of_other, o.nth)
      else p_chat end  -- nothing new in the other: the order stays as it was
    from once o);
end
$$;
comment on function fsm_internal.merged_chats(jsonb, jsonb) is
  'Two chats as one: by time, messages without a time in front, what stands in both once (as often as the one that has it more often).';
