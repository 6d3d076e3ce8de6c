create function fsm_internal.predicate_problems(p_predicate text)
returns table (severity text, code text, message text)
language plpgsql
stable
as $$
declare
  v_path jsonpath;
  v_text text;
  v_problem text;
begin
  if length(p_predicate) > 4096 then
    v_problem := format('the predicate has %s characters, the limit is 4096', length(p_predicate));
  else
    begin
      -- First, because reading a large regular expression as part of a predicate can take minutes.
      v_problem := fsm_internal.predicate_regex_problem(p_predicate);
      if v_problem is null then
        v_path := p_predicate::jsonpath;
        v_text := v_path::text;
      end if;
    exception when data_exception or syntax_error_or_access_rule_violation or feature_not_supported or program_limit_exceeded then
      v_problem := format('the predicate is not valid jsonpath: %s', sqlerrm);
    end;
  end if;
  if length(v_text) > 32768 then
    v_problem := format('the predicate, with its numbers and keys written out, has %s characters, the limit is 32768', length(v_text));
  end if;
  if v_problem is not null then
    return query select 'error', 'bad_predicate', v_problem;
    return;
  end if;
  -- With empty string literals, a word outside quotes is part of the language.
  return query
    select f.* from fsm_internal.predicate_findings_of(regexp_replace(v_text, $re$"(?:[^"\\]|\\.)*"$re$, '""', 'g')) f;
  -- Once more, in the canonical text, where nothing can hide the operator.
  v_problem := fsm_internal.predicate_regex_problem(v_text);
  if v_problem is not null then
    return query select 'error', 'bad_predicate', v_problem;
  end if;
  if not fsm_internal.predicate_survives_dump(v_path) then
    return query select 'error', 'bad_predicate', 'the predicate would mean something else after a dump and restore: PostgreSQL forgets '
      'the parentheses around arithmetic that is followed by a method, an accessor or a filter; instead of ($.a - $.b).abs() > 1 write '
      '$.a - $.b > 1 || $.b - $.a > 1';
  end if;
end
$$;
comment on function fsm_internal.predicate_problems(text) is
  'What is wrong with a guard or invariant. Without a row of severity error it is valid jsonpath, and jsonb_path_match(context, predicate, ''{}'', true) raises for no context of at most 100 levels and numbers of at most 1,000 digits.';

create function fsm_internal.predicate_findings_of(p_text text)
returns table (severity text, code text, message text)
language plpgsql
immutable
as $$
declare
  v_lax boolean := not starts_with(p_text, 'strict ');
  v_shape record;
  v_sides record;
begin
  select * into v_shape from fsm_internal.predicate_shape(p_text);
  if v_shape.steps > 1000 then
    return query select 'error', 'bad_predicate', format('the predicate has %s accessors, brackets and operators, the limit is 1000', v_shape.steps);
    return;
  end if;
  select * into v_sides from fsm_internal.predicate_comparisons(p_text);
  return query
    select v.severity, v.code, v.message
    from (values
      (p_text ~ $re$\$""$re$, 'error', 'bad_predicate', 'variables are not supported: a predicate sees the context only, as $'),
      (p_text ~ $re$\.(datetime|date|time|time_tz|timestamp|timestamp_tz)\($re$, 'error', 'bad_predicate',
        'date and time methods are not supported, because they depend on settings and can raise: keep ISO 8601 texts, which compare in order'),
      (p_text ~ $re$\.\*\*$re$, 'error', 'bad_predicate', '.** is not supported, because it walks through the whole context: name the path'),
      (v_shape.digits > 1000, 'error', 'bad_predicate', 'a number has more than 1000 digits'),
      (v_shape.factors > 50, 'error', 'bad_predicate', format('the predicate has %s multiplications and divisions, the limit is 50', v_shape.factors)),
      (v_shape.copies > 2, 'error', 'bad_predicate',
        'a predicate may hold two of these at most, because each multiplies the values at hand: a comma in a subscript, .keyvalue()'),
      (fsm_internal.predicate_has_bad_decimal(p_text), 'error', 'bad_predicate',
        '.decimal(precision, scale) needs a precision from 1 to 1000 and a scale from -1000 to 1000, else it raises'),
      (v_sides.many_by_many, 'error', 'bad_predicate', 'a comparison with many values on both sides takes their product in steps and cannot be cancelled: '
        'write exists($.a[*] ? (@ == $.b[*])) instead of $.a[*] == $.b[*]'),
      (v_lax and p_text ~ $re$!\($re$, 'warning', 'negation_in_lax_mode',
        'in lax mode "!" also holds where data is missing: start the predicate with strict, or use the opposite comparison'),
      (v_sides.wildcard_in_filter, 'warning', 'wildcard_in_filter',
        'a wildcard inside a filter is evaluated anew for every item that is filtered, which is slow for long arrays'),
      (v_lax and v_sides.path_by_path and not v_sides.many_by_many, 'warning', 'path_by_path',
        'in lax mode two paths that both lead to arrays are compared element by element, which is slow and cannot be cancelled: start the predicate with strict')
    ) v (applies, severity, code, message)
    where v.applies;
end
$$;
comment on function fsm_internal.predicate_findings_of(text) is
  'Why valid jsonpath is refused or warned of, by its canonical text with empty string literals: what can raise although it is evaluated silently, what can run or grow without bound, and what is often not meant.';

create function fsm_internal.predicate_has_bad_decimal(p_text text)
returns boolean
language plpgsql
immutable
as $$
begin
  return exists (
    select from regexp_matches(p_text, $re$\.decimal\(([-+0-9]+)(?:,([-+0-9]+))?\)$re$, 'g') d (part)
    where d.part[1]::numeric not between 1 and 1000 or coalesce(d.part[2], '0')::numeric not between -1000 and 1000);
end
$$;
comment on function fsm_internal.predicate_has_bad_decimal(text) is 'Whether a predicate has .decimal() with arguments for which it raises (PostgreSQL 17).';

create function fsm_internal.predicate_regex_problem(p_text text)
returns text
language plpgsql
stable
as $$
declare
  v_regex record;
begin
  if p_text !~* 'like_regex' then
    return null;
  end if;
  -- Reads string after string, so that a text that looks like the operator is passed over with the string it stands in.
  for v_regex in
    select m.part[2] as literal, fsm_internal.schema_pattern_problem(m.part[2]::jsonpath::text::jsonb #>> '{}') as problem
    from regexp_matches(p_text, $re$(like_regex\s*)?("(?:[^"\\]|\\.)*")(?:\s*flag\s*("[a-z]*"))?$re$, 'gi') m (part)
    where m.part[1] is not null and coalesce(m.part[3], '') !~ 'q'
  loop
    if v_regex.problem is not null then
      return format('the regular expression %s is refused: %s', left(v_regex.literal, 200), v_regex.problem);
    end if;
  end loop;
  return null;
end
$$;
comment on function fsm_internal.predicate_regex_problem(text) is
  'Why the first bad pattern of like_regex in a predicate is refused (back-references raise and run without bound; some take minutes to be read); null if none is. With flag q a pattern is plain text. Raises what the cast to jsonpath raises for a malformed string.';

create function fsm_internal.predicate_survives_dump(p_path jsonpath)
returns boolean
language plpgsql
immutable
as $$
declare
  v_again jsonpath;
begin
  begin
    v_again := p_path::text::jsonpath;
  exception when data_exception or syntax_error_or_access_rule_violation then
    return false;
  end;
  -- jsonpath has no equality; records of it are compared by their bytes.
  return record_image_eq(row(v_again), row(p_path));
end
$$;
comment on function fsm_internal.predicate_survives_dump(jsonpath) is
  'Whether the text that pg_dump writes for the predicate reads back as the same predicate.';
