-- Every argument check exists once, as a refusal: a call raises it, a batch answers it for the item.
create function fsm_internal.null_refusal(p_argument text)
returns jsonb
language sql
stable
return fsm_internal.refusal('22004', 'argument must not be null', jsonb_build_object('argument', p_argument),
  'Give a value for ' || p_argument || '.');
comment on function fsm_internal.null_refusal(text) is 'The refusal 22004.';

create function fsm_internal.argument_refusal(p_argument text, p_message text, p_facts jsonb, p_hint text)
returns jsonb
language sql
stable
return fsm_internal.refusal('22023', p_message, jsonb_build_object('argument', p_argument) || p_facts, p_hint);
comment on function fsm_internal.argument_refusal(text, text, jsonb, text) is 'The refusal 22023. p_facts: more of the DETAIL object.';

create function fsm_internal.text_refusal(p_argument text, p_value text, p_max_bytes integer)
returns jsonb
language sql
stable
return case
  when p_value is null then fsm_internal.null_refusal(p_argument)
  when octet_length(p_value) not between 1 and p_max_bytes then
    fsm_internal.argument_refusal(p_argument, 'argument empty or too long',
      jsonb_build_object('bytes', octet_length(p_value), 'max_bytes', p_max_bytes),
      'Give ' || p_argument || ' between 1 and ' || p_max_bytes::text || ' bytes.') end;
comment on function fsm_internal.text_refusal(text, text, integer) is 'The refusal 22004 of null, 22023 of an empty text or one over p_max_bytes bytes; null: none.';

create function fsm_internal.at_most_refusal(p_argument text, p_number bigint, p_limit bigint, p_unit text)
returns jsonb
language sql
stable
return case when p_number > p_limit then
  fsm_internal.argument_refusal(p_argument, 'argument too large', jsonb_build_object(p_unit, p_number, 'limit', p_limit),
    'Give ' || p_argument || ' at most ' || p_limit::text || ' ' || p_unit || '.') end;
comment on function fsm_internal.at_most_refusal(text, bigint, bigint, text) is 'The refusal 22023 of a number over p_limit; null: none.';

create function fsm_internal.common_refusal(p_session_id text, p_actor text, p_note jsonb)
returns jsonb
language plpgsql
stable
as $$
declare
  v_refusal jsonb := coalesce(
    fsm_internal.text_refusal('p_session_id', p_session_id, 512),
    fsm_internal.at_most_refusal('p_actor', octet_length(p_actor), 512, 'bytes'));
begin
  if v_refusal is null and p_note is not null and (
    exists (select from fsm_internal.limit_findings(jsonb_build_object('note', p_note))) or fsm_internal.is_too_large(p_note, 65536))
  then
    return fsm_internal.argument_refusal('p_note', 'argument too large',
      jsonb_build_object('max_bytes', 65536, 'max_depth', 100, 'max_digits', 1000),
      'A note is for people, in a few words: put data into the context.');
  end if;
  return v_refusal;
end
$$;
comment on function fsm_internal.common_refusal(text, text, jsonb) is
  'What every write asks of its arguments: 22004 null session id; 22023 empty or over 512 bytes, actor over 512 bytes, note over 65,536 bytes of text, too deep or with numbers too long. Null: nothing wrong.';

create function fsm_internal.check_text(p_argument text, p_value text, p_max_bytes integer)
returns void
language plpgsql
stable
as $$
begin
  perform fsm_internal.refuse(fsm_internal.text_refusal(p_argument, p_value, p_max_bytes));
end
$$;
comment on function fsm_internal.check_text(text, text, integer) is 'Argument check: 22004 if null, 22023 if empty or over p_max_bytes bytes.';

create function fsm_internal.check_not_null(p_argument text, p_value anyelement)
returns void
language plpgsql
stable
as $$
begin
  if p_value is null then
    perform fsm_internal.refuse(fsm_internal.null_refusal(p_argument));
  end if;
end
$$;
comment on function fsm_internal.check_not_null(text, anyelement) is 'Argument check: 22004 if null.';

create function fsm_internal.check_at_most(p_argument text, p_number bigint, p_limit bigint, p_unit text)
returns void
language plpgsql
stable
as $$
begin
  perform fsm_internal.refuse(fsm_internal.at_most_refusal(p_argument, p_number, p_limit, p_unit));
end
$$;
comment on function fsm_internal.check_at_most(text, bigint, bigint, text) is 'Argument check: 22023 if p_number is over p_limit; null passes.';

create function fsm_internal.check_limit(p_limit bigint)
returns void
language plpgsql
stable
as $$
begin
  if p_limit < 1 then
    perform fsm_internal.refuse(fsm_internal.argument_refusal('p_limit', 'limit below 1', jsonb_build_object('value', p_limit),
      'Give p_limit 1 or more, or null for no limit.'));
  end if;
end
$$;
comment on function fsm_internal.check_limit(bigint) is 'Argument check: 22023 if p_limit is below 1; null is no limit and passes.';

create function fsm_internal.seconds_of(p_argument text, p_interval interval, p_max_seconds numeric, p_above_zero boolean default false)
returns numeric
language plpgsql
stable
as $$
declare
  -- In seconds at once: what a month is must not depend on the date it is added to.
  v_seconds numeric := case when isfinite(p_interval) then extract(epoch from p_interval) else p_max_seconds + 1 end;
begin
  perform fsm_internal.check_not_null(p_argument, p_interval);
  if v_seconds < 0 or v_seconds > p_max_seconds or (p_above_zero and v_seconds = 0) then
    perform fsm_internal.refuse(fsm_internal.argument_refusal(p_argument, 'interval out of range',
      jsonb_build_object('seconds', v_seconds, 'max_seconds', p_max_seconds),
      format('Give %s as an interval %s %s seconds.', p_argument, case when p_above_zero then 'above 0, of at most' else 'of 0 to' end, p_max_seconds)));
  end if;
  return v_seconds;
end
$$;
comment on function fsm_internal.seconds_of(text, interval, numeric, boolean) is
  'An interval in seconds, a month being 30 days. Argument check: 22004 if null, 22023 if negative, over p_max_seconds, or with p_above_zero zero.';

-- On the hot path one test for the usual case, inlined; which argument is wrong is found out after it failed.
create function fsm_internal.is_name(p_value text, p_max_bytes integer)
returns boolean
language sql
immutable
return (octet_length(p_value) between 1 and p_max_bytes) is true;
comment on function fsm_internal.is_name(text, integer) is 'True for a text of 1 to p_max_bytes bytes; false for null.';

create function fsm_internal.check_common_arguments(p_session_id text, p_actor text, p_note jsonb)
returns void
language plpgsql
stable
as $$
begin
  perform fsm_internal.refuse(fsm_internal.common_refusal(p_session_id, p_actor, p_note));
end
$$;
comment on function fsm_internal.check_common_arguments(text, text, jsonb) is
  'Argument check of every write, as fsm_internal.common_refusal says.';
