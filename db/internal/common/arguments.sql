create function fsm_internal.check_text(p_argument text, p_value text, p_max_bytes integer)
returns void
language plpgsql
stable
as $$
begin
  if p_value is null then
    perform fsm_internal.refuse_null(p_argument);
  end if;
  if octet_length(p_value) not between 1 and p_max_bytes then
    raise exception using errcode = '22023', message = 'argument empty or too long',
      detail = jsonb_build_object('argument', p_argument, 'bytes', octet_length(p_value), 'max_bytes', p_max_bytes)::text,
      hint = format('Give %s between 1 and %s bytes.', p_argument, p_max_bytes);
  end if;
end
$$;
comment on function fsm_internal.check_text(text, text, integer) is
  'Argument check: 22004 if null, 22023 if empty or over p_max_bytes bytes.';

create function fsm_internal.refuse_null(p_argument text)
returns void
language plpgsql
stable
as $$
begin
  raise exception using errcode = '22004', message = 'argument must not be null',
    detail = jsonb_build_object('argument', p_argument)::text,
    hint = format('Give a value for %s.', p_argument);
end
$$;
comment on function fsm_internal.refuse_null(text) is 'Raises 22004 for the named argument.';

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
  if octet_length(p_actor) > 512 then
    perform fsm_internal.check_text('p_actor', p_actor, 512);
  end if;
  if octet_length(p_note::text) > 65536 then
    raise exception using errcode = '22023', message = 'argument empty or too long',
      detail = jsonb_build_object('argument', 'p_note', 'bytes', octet_length(p_note::text), 'max_bytes', 65536)::text,
      hint = 'A note is for people: put data into the context.';
  end if;
end
$$;
comment on function fsm_internal.check_common_arguments(text, text, jsonb) is
  'What every write checks of its arguments: 22004 null session id; 22023 empty or over 512 bytes, actor over 512 bytes, note over 65,536 bytes of text.';
