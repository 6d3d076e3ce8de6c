create function fsm_internal.check_text(p_argument text, p_value text, p_max_bytes integer)
returns void
language plpgsql
stable
as $$
begin
  perform fsm_internal.check_not_null(p_argument, p_value);
  if octet_length(p_value) not between 1 and p_max_bytes then
    raise exception using errcode = '22023', message = 'argument empty or too long',
      detail = jsonb_build_object('argument', p_argument, 'bytes', octet_length(p_value), 'max_bytes', p_max_bytes)::text,
      hint = format('Give %s between 1 and %s bytes.', p_argument, p_max_bytes);
  end if;
end
$$;
comment on function fsm_internal.check_text(text, text, integer) is
  'Argument check: 22004 if null, 22023 if empty or over p_max_bytes bytes.';

create function fsm_internal.check_not_null(p_argument text, p_value anyelement)
returns void
language plpgsql
stable
as $$
begin
  if p_value is null then
    raise exception using errcode = '22004', message = 'argument must not be null',
      detail = jsonb_build_object('argument', p_argument)::text,
      hint = format('Give a value for %s.', p_argument);
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
  if p_number > p_limit then
    raise exception using errcode = '22023', message = 'argument too large',
      detail = jsonb_build_object('argument', p_argument, p_unit, p_number, 'limit', p_limit)::text,
      hint = format('Give %s at most %s %s.', p_argument, p_limit, p_unit);
  end if;
end
$$;
comment on function fsm_internal.check_at_most(text, bigint, bigint, text) is 'Argument check: 22023 if p_number is over p_limit; null passes.';

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
  perform fsm_internal.check_text('p_session_id', p_session_id, 512);
  perform fsm_internal.check_at_most('p_actor', octet_length(p_actor), 512, 'bytes');
  if p_note is not null and (
    exists (select from fsm_internal.limit_findings(jsonb_build_object('note', p_note))) or fsm_internal.is_too_large(p_note, 65536))
  then
    raise exception using errcode = '22023', message = 'argument too large',
      detail = jsonb_build_object('argument', 'p_note', 'max_bytes', 65536, 'max_depth', 100, 'max_digits', 1000)::text,
      hint = 'A note is for people, in a few words: put data into the context.';
  end if;
end
$$;
comment on function fsm_internal.check_common_arguments(text, text, jsonb) is
  'What every write checks of its arguments: 22004 null session id; 22023 empty or over 512 bytes, actor over 512 bytes, note over 65,536 bytes of text, too deep or with numbers too long.';
