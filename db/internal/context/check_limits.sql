create function fsm_internal.check_limits(p_session_id text, p_state text, p_delta jsonb)
returns void
language plpgsql
volatile
as $$
declare
  v_finding record;
begin
  -- A number of more than 1,000 digits on one side has a text of more than 1,000 characters: most deltas need no closer look.
  if not jsonb_path_exists(p_delta, 'strict $.**{100} ? (@.type() == "object" || @.type() == "array")')
    and octet_length(p_delta::text) <= 1000
  then
    return;
  end if;
  select f.code, f.path, f.message into v_finding from fsm_internal.limit_findings(p_delta) f limit 1;
  if found then
    perform fsm_internal.refuse_context(p_session_id, p_state, v_finding.code, v_finding.path, v_finding.message);
  end if;
end
$$;
comment on function fsm_internal.check_limits(text, text, jsonb) is
  'SM021 unless the keys of a context that a write changes keep the limits. What a write leaves alone was checked when it came in.';

create function fsm_internal.limit_findings(p_context jsonb)
returns table (code text, path text, message text)
language plpgsql
stable
as $$
begin
  return query
    select l.code, fsm_internal.context_path(e.key), case l.code
      when 'too_deep' then 'objects and arrays are nested more than 100 deep'
      else 'a number has more than 1,000 digits before or after its decimal point' end
    from jsonb_each(p_context) e
    cross join lateral (select case
      when jsonb_path_exists(e.value, 'strict $.**{99} ? (@.type() == "object" || @.type() == "array")') then 'too_deep'
      when exists (
        select from jsonb_path_query(e.value, 'strict $.** ? (@.type() == "number")') n(v)
        where scale(n.v::numeric) > 1000 or abs(n.v::numeric) >= 1e1000) then 'number_too_long' end) l(code)
    where l.code is not null
    order by e.key collate "C";
end
$$;
comment on function fsm_internal.limit_findings(jsonb) is
  'The top-level keys of a context that break a limit: too_deep (more than 100 objects and arrays in one another, the context counted), number_too_long (more than 1,000 digits before or after the decimal point).';

create function fsm_internal.context_path(p_key text)
returns text
language sql
stable
return '$.' || case when p_key ~ '^[A-Za-z_][A-Za-z0-9_]*$' then p_key else to_jsonb(p_key)::text end;
comment on function fsm_internal.context_path(text) is 'The jsonpath of a top-level key of a context.';
