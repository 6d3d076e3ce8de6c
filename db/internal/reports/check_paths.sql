create function fsm_internal.check_paths(p_argument text, p_paths text[])
returns void
language plpgsql
stable
as $$
declare
  v_path text;
  v_nth integer := 0;
  v_problem text;
begin
  perform fsm_internal.check_not_null(p_argument, p_paths);
  perform fsm_internal.check_at_most(p_argument, cardinality(p_paths), 1000, 'items');
  foreach v_path in array p_paths loop
    v_nth := v_nth + 1;
    perform fsm_internal.check_not_null(p_argument, v_path);
    v_problem := fsm_internal.path_problem(v_path);
    if v_problem is not null then
      perform fsm_internal.refuse(fsm_internal.argument_refusal(p_argument, 'path not usable',
        jsonb_build_object('path', left(v_path, 4096), 'nth', v_nth, 'problem', v_problem),
        'Give each path as jsonpath, for example $.items[*].price or strict $.items[0].'));
    end if;
  end loop;
end
$$;
comment on function fsm_internal.check_paths(text, text[]) is
  'Argument check: 22004 if null or with a null, 22023 if there are over 1,000 paths or one is not usable (fsm_internal.path_problem).';

create function fsm_internal.path_problem(p_path text)
returns text
language plpgsql
stable
as $$
declare
  v_text text;
  v_problem text;
begin
  if length(p_path) > 4096 then
    return format('the path has %s characters, the limit is 4096', length(p_path));
  end if;
  begin
    v_problem := fsm_internal.predicate_regex_problem(p_path);
    if v_problem is null then
      v_text := p_path::jsonpath::text;
    end if;
  exception when data_exception or syntax_error_or_access_rule_violation or feature_not_supported or program_limit_exceeded then
    v_problem := format('the path is not valid jsonpath: %s', sqlerrm);
  end;
  if v_problem is null and length(v_text) > 32768 then
    v_problem := format('the path, with its numbers and keys written out, has %s characters, the limit is 32768', length(v_text));
  end if;
  return coalesce(v_problem, fsm_internal.predicate_regex_problem(v_text), (
    select f.message
    from fsm_internal.predicate_findings_of(regexp_replace(v_text, $re$"(?:[^"\\]|\\.)*"$re$, '""', 'g')) f
    where f.severity = 'error' limit 1));
end
$$;
comment on function fsm_internal.path_problem(text) is
  'Why a jsonpath is not evaluated; null if it is. The rules are those of guards (fsm_internal.predicate_problems), so that no path raises, reads a setting or runs without bound.';
