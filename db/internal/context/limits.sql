-- On the hot path one test that most contexts pass, inlined: small, flat enough, and the text of all numbers together no longer than that
-- of one may be. Small comes first: a few bytes of jsonb can be a number of 131,072 digits, so its text may be ten thousand times as long.
create function fsm_internal.surely_keeps_limits(p_context jsonb)
returns boolean
language sql
stable
return case
  when pg_column_size(p_context) > 4096 then false
  -- Asked again in each branch: of a value that is known when the expression is planned, all of them are worked out beforehand.
  when jsonb_path_exists(case when pg_column_size(p_context) <= 4096 then p_context end, 'strict $.**{100}') then false
  else octet_length(jsonb_path_query_array(
    case when pg_column_size(p_context) <= 4096 then p_context end, 'strict $.** ? (@.type() == "number")')::text) <= 1000 end;
comment on function fsm_internal.surely_keeps_limits(jsonb) is
  'True for a small context without anything too deep or any number too long. False: fsm_internal.limit_refusal looks closer.';

create function fsm_internal.limit_refusal(p_session_id text, p_state text, p_context jsonb, p_keys text[])
returns jsonb
language plpgsql
volatile
as $$
declare
  v_finding record;
begin
  select f.code, f.path, f.message into v_finding
  from (select jsonb_object_agg(e.key, e.value) from jsonb_each(p_context) e where e.key in (select k from unnest(p_keys) k)) changed(delta)
  cross join lateral fsm_internal.limit_findings(changed.delta) f
  limit 1;
  if found then
    return fsm_internal.context_refusal(p_session_id, p_state, v_finding.code, v_finding.path, v_finding.message);
  end if;
  return null;
end
$$;
comment on function fsm_internal.limit_refusal(text, text, jsonb, text[]) is
  'SM021 unless the values of these keys of a context keep the limits: at most 100 objects and arrays in one another, the context counted, and numbers of at most 1,000 digits on either side. What a write leaves alone was checked when it came in. Null: they do.';

create function fsm_internal.change_refusal(p_session_id text, p_state text, p_context jsonb, p_change fsm_internal.context_change)
returns jsonb
language sql
volatile
return case when p_change.undo is not null and not fsm_internal.surely_keeps_limits(p_context)
  then fsm_internal.limit_refusal(p_session_id, p_state, p_context, p_change.keys) end;
comment on function fsm_internal.change_refusal(text, text, jsonb, fsm_internal.context_change) is
  'fsm_internal.limit_refusal of what a write changes. Null: it keeps the limits.';

create function fsm_internal.limit_findings(p_context jsonb)
returns table (code text, path text, message text)
language plpgsql
stable
as $$
begin
  return query
    select l.code, fsm_internal.schema_path('$', e.key), case l.code
      when 'too_deep' then 'objects and arrays are nested more than 100 deep'
      else 'a number has more than 1,000 digits before or after its decimal point' end
    from jsonb_each(p_context) e
    cross join lateral (select case
      when jsonb_path_exists(e.value, 'strict $.**{99} ? (@.type() == "object" || @.type() == "array")') then 'too_deep'
      when exists (
        select from jsonb_array_elements(jsonb_path_query_array(e.value, 'strict $.** ? (@.type() == "number")')) n(v)
        where scale(n.v::numeric) > 1000 or abs(n.v::numeric) >= 1e1000) then 'number_too_long' end) l(code)
    where l.code is not null
    order by e.key collate "C";
end
$$;
comment on function fsm_internal.limit_findings(jsonb) is
  'The top-level keys of a context that break a limit: too_deep (more than 100 objects and arrays in one another, the context counted), number_too_long (more than 1,000 digits before or after the decimal point).';

create function fsm_internal.is_too_large(p_value jsonb, p_max_bytes bigint)
returns boolean
language plpgsql
immutable
as $$
begin
  -- Numbers alone first: each may be 167 times as long in text as in jsonb, and the text of the whole must fit into memory.
  -- Through an array, because jsonb_path_query moves all that is left at every row: 600,000 numbers took minutes.
  if (
    select sum(octet_length(n.v::text))
    from jsonb_array_elements(jsonb_path_query_array(p_value, 'strict $.** ? (@.type() == "number")')) n(v)) > p_max_bytes
  then
    return true;
  end if;
  return octet_length(p_value::text) > p_max_bytes;
end
$$;
comment on function fsm_internal.is_too_large(jsonb, bigint) is
  'True when the text of a value whose numbers keep the limits has more than p_max_bytes bytes.';
