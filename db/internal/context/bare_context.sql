-- The text of a jsonb is at most 200 times its binary size (the worst is a number of 2,000 digits in 12 bytes), so small
-- contexts need not be written out to know that they fit. The empty object unpacks what came out of line or compressed.
create function fsm_internal.is_plain_context(p_context jsonb, p_max_context_bytes bigint)
returns boolean
language sql
stable
return jsonb_typeof(p_context) = 'object' and not p_context ?| array['current_state', 'session_id']
  and pg_column_size(p_context || '{}') * 200::bigint <= p_max_context_bytes;
comment on function fsm_internal.is_plain_context(jsonb, bigint) is
  'True for an object that can be stored as it is: no key that repeats a column, surely not too large. False: fsm_internal.form_refusal decides.';

create function fsm_internal.bare_context(p_context jsonb)
returns jsonb
language sql
immutable
return case when jsonb_typeof(p_context) = 'object' then p_context - array['current_state', 'session_id'] end;
comment on function fsm_internal.bare_context(jsonb) is 'A context as it is stored: without the state and the id, which have their own columns; null for what is no object.';

create function fsm_internal.form_refusal(p_session_id text, p_state text, p_context jsonb, p_max_context_bytes bigint)
returns jsonb
language plpgsql
volatile
as $$
declare
  v_bare jsonb;
  v_refusal jsonb;
begin
  if jsonb_typeof(p_context) <> 'object' then
    return fsm_internal.context_refusal(p_session_id, p_state, 'not_an_object', '$',
      format('a context is a JSON object, this is of type %s', jsonb_typeof(p_context)));
  end if;
  v_refusal := fsm_internal.agreement_refusal(p_session_id, p_state, p_context);
  if v_refusal is not null then
    return v_refusal;
  end if;
  v_bare := fsm_internal.bare_context(p_context);
  if pg_column_size(v_bare) * 200::bigint > p_max_context_bytes then
    -- What breaks a limit must not be written out: a number of 14 bytes may have a text of 131,072.
    v_refusal := fsm_internal.limit_refusal(p_session_id, p_state, v_bare, array(select jsonb_object_keys(v_bare)));
    if v_refusal is null and fsm_internal.is_too_large(v_bare, p_max_context_bytes) then
      v_refusal := fsm_internal.context_refusal(p_session_id, p_state, 'too_large', '$',
        format('the context has more than the %s bytes of text that its machine allows', p_max_context_bytes));
    end if;
  end if;
  return v_refusal;
end
$$;
comment on function fsm_internal.form_refusal(text, text, jsonb, bigint) is
  'SM021 unless this is an object whose current_state and session_id, if it has them, agree with p_session_id and the resulting p_state, and which without them has no more than p_max_context_bytes of text. Null: the form is right.';

create function fsm_internal.agreement_refusal(p_session_id text, p_state text, p_context jsonb)
returns jsonb
language sql
stable
return case
  when p_context -> 'current_state' <> to_jsonb(p_state) then
    fsm_internal.context_refusal(p_session_id, p_state, 'state_disagrees', '$.current_state',
      'current_state in the context is not the state that the session would have')
  when p_context -> 'session_id' <> to_jsonb(p_session_id) then
    fsm_internal.context_refusal(p_session_id, p_state, 'session_disagrees', '$.session_id',
      'session_id in the context is not the id of the session') end;
comment on function fsm_internal.agreement_refusal(text, text, jsonb) is
  'SM021 unless current_state and session_id, where the context or patch has them, say what the columns will say: the state is stored once. Null: they do.';
