create function fsm_internal.predicate_shape(p_text text)
returns table (steps bigint, factors bigint, copies bigint, digits integer)
language sql
immutable
begin atomic
  select count(*) filter (where t.part[1] !~ '^[0-9]'),
    count(*) filter (where t.part[1] in (' * ', ' / ')),
    count(*) filter (where t.part[1] in (',', '.keyvalue()')),
    coalesce(max(length(t.part[1])) filter (where t.part[1] ~ '^[0-9]'), 0)
  from regexp_matches(regexp_replace(p_text, '\.decimal\([^()]*\)', '.decimal()', 'g'),
    '(\.keyvalue\(\)|\.""|\.[a-z]|[$@]|[(\[]| [-+*/%] |[-+,]|&&|\|\||[=!<>]=|<|>| (?:starts|like_regex|is) |[0-9]+)', 'g') t (part);
end;
comment on function fsm_internal.predicate_shape(text) is
  'How large a predicate is, by its canonical text with empty string literals. steps: accessors, brackets and operators; factors: multiplications and divisions; copies: what can multiply the values at hand (commas in subscripts, keyvalue()); digits: of the longest number, on one side of its point.';

create function fsm_internal.predicate_comparisons(p_text text)
returns table (many_by_many boolean, path_by_path boolean, wildcard_in_filter boolean)
language plpgsql
immutable
as $$
declare
  v_token text;
  v_level integer := 1;
  v_filters integer := 0;
  v_opened text[] := array['('];
  -- By nesting level, of the operand before a comparison and of the one being read: 0 gives one value, 1 is a plain path
  -- (in lax mode all elements of an array), 2 gives many, 9 is arithmetic (one value, whatever follows).
  v_left integer[] := array[0];
  v_here integer[] := array[0];
begin
  select false, false, false into many_by_many, path_by_path, wildcard_in_filter;
  for v_token in
    select t.part[1] from regexp_matches(p_text,
      $re$(\?\(|exists \(|!\(|\(|\)|\[\*\]|\[|\]|,| to |\.\*|\.keyvalue\(\)|\.(?:size|type)\(\)|[$@]|&&|\|\||[=!<>]=|<|>| [-+*/%] )$re$, 'g') t (part)
  loop
    if v_token in ('(', '?(', 'exists (', '!(', '[') then
      v_level := v_level + 1;
      v_filters := v_filters + (v_token = '?(')::integer;
      v_opened[v_level] := v_token;
      v_left[v_level] := 0;
      v_here[v_level] := 0;
    elsif v_token in (')', ']', ',', ' to ', '&&', '||') then
      many_by_many := many_by_many or (v_left[v_level] = 2 and v_here[v_level] = 2);
      path_by_path := path_by_path or (v_left[v_level] in (1, 2) and v_here[v_level] in (1, 2));
      if v_token in (')', ']') then
        v_filters := v_filters - (v_opened[v_level] = '?(')::integer;
        v_level := v_level - 1;
        v_here[v_level] := greatest(v_here[v_level], case when v_opened[v_level + 1] = '(' then v_here[v_level + 1] end);
      else
        v_left[v_level] := 0;
        v_here[v_level] := 0;
        v_here[v_level - 1] := greatest(v_here[v_level - 1], case when v_opened[v_level] = '[' then 2 end);
      end if;
    elsif v_token in ('==', '!=', '<=', '>=', '<', '>') then
      v_left[v_level] := v_here[v_level];
      v_here[v_level] := 0;
    else
      v_here[v_level] := case
        when v_token like ' _ ' then 9
        when v_token in ('[*]', '.*', '.keyvalue()') then greatest(v_here[v_level], 2)
        when v_token in ('$', '@') then greatest(v_here[v_level], 1)
        else v_here[v_level] - (v_here[v_level] = 1)::integer  -- size() and type() give one value for a path
      end;
      wildcard_in_filter := wildcard_in_filter or (v_filters > 0 and v_token in ('[*]', '.*'));
    end if;
  end loop;
  return next;
end
$$;
comment on function fsm_internal.predicate_comparisons(text) is
  'What a predicate compares, by its canonical text with empty string literals. many_by_many: a comparison has wildcards, ranges, lists or keyvalue() on both sides; path_by_path: paths on both sides; wildcard_in_filter: [*] or .* stands inside a filter.';
