-- The text of a jsonb is at most 200 times its binary size (the worst is a number of 2,000 digits in 12 bytes), so small
-- contexts need not be written out to know that they fit. The empty object unpacks what came out of line or compressed.
create function fsm_internal.is_plain_context(p_context jsonb, p_max_context_bytes bigint)
returns boolean
language sql
stable
return jsonb_typeof(p_context) = 'object' and not p_context ?| array['current_state', 'session_id']
  and pg_column_size(p_context || '{}') * 200::bigint <= p_max_context_bytes;
comment on function fsm_internal.is_plain_context(jsonb, bigint) is
  'True for an object that can be stored as it is: no key that repeats a column, surely not too large. False: fsm_internal.bare_context decides.';

create function fsm_internal.bare_context(p_session_id text, p_state text, p_context jsonb, p_max_context_bytes bigint)
returns jsonb
language plpgsql
volatile
as $$
begin
  if jsonb_typeof(p_context) <> 'object' then
    perform fsm_internal.refuse_context(p_session_id, p_state, 'not_an_object', '$',
      format('a context is a JSON object, this is of type %s', jsonb_typeof(p_context)));
  end if;
  if p_context ?| array['current_state', 'session_id'] then
    perform fsm_internal.check_agreement(p_session_id, p_state, p_context);
    p_context := p_context - array['current_state', 'session_id'];
  else
    p_context := p_context || '{}';  -- out of line or compressed no more, so that it is read once, not at each use
  end if;
  -- The text of a jsonb is at most 200 times its binary size (the worst is a number of 2,000 digits in 12 bytes),
  -- so small contexts need not be written out to know that they fit.
  if pg_column_size(p_context) * 200::bigint > p_max_context_bytes then
    -- What breaks a limit must not be written out: a number of 14 bytes may have a text of 131,072.
    perform fsm_internal.check_limits(p_session_id, p_state, p_context, array(select jsonb_object_keys(p_context)));
    if fsm_internal.is_too_large(p_context, p_max_context_bytes) then
      perform fsm_internal.refuse_context(p_session_id, p_state, 'too_large', '$',
        format('the context has more than the %s bytes of text that its machine allows', p_max_context_bytes));
    end if;
  end if;
  return p_context;
end
$$;
comment on function fsm_internal.bare_context(text, text, jsonb, bigint) is
  'The context as it is stored: an object without current_state and session_id, which must agree with p_session_id and the resulting p_state, and no larger than p_max_context_bytes of text. SM021 otherwise.';

create function fsm_internal.check_agreement(p_session_id text, p_state text, p_context jsonb)
returns void
language plpgsql
volatile
as $$
begin
  if p_context ? 'current_state' and p_context -> 'current_state' <> to_jsonb(p_state) then
    perform fsm_internal.refuse_context(p_session_id, p_state, 'state_disagrees', '$.current_state',
      'current_state in the context is not the state that the session would have');
  end if;
  if p_context ? 'session_id' and p_context -> 'session_id' <> to_jsonb(p_session_id) then
    perform fsm_internal.refuse_context(p_session_id, p_state, 'session_disagrees', '$.session_id',
      'session_id in the context is not the id of the session');
  end if;
end
$$;
comment on function fsm_internal.check_agreement(text, text, jsonb) is
  'SM021 unless current_state and session_id, where the context or patch has them, say what the columns will say: the state is stored once.';
