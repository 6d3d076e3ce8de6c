create function fsm_internal.schema_pattern_problem(p_pattern text)
returns text
language plpgsql
immutable
as $$
declare
  v_weight record;
begin
  if p_pattern like '***%' or p_pattern ~ $re$^\(\?[a-z]*[beqx][a-z]*\)$re$ then
    return 'the directors *** and the embedded options b, e, q and x are not supported';
  elsif regexp_replace(p_pattern, $re$\\[^1-9]$re$, ' ', 'g') ~ $re$\\[1-9]$re$ then
    return 'back-references are not supported, because they can take exponential time';
  elsif length(p_pattern) > 2000 then
    return 'longer than 2,000 characters';
  end if;
  select * into v_weight from fsm_internal.schema_pattern_weight(p_pattern);
  if v_weight.anchors > 0 then
    return 'anchors and lookaround inside a repeated group are not supported, because they can take exponential time';
  elsif v_weight.atoms > 2000 or v_weight.loops > 50 then
    return format('too large: written out, its bounds give %s characters or classes (limit 2000) and %s quantifiers (limit 50)',
      v_weight.atoms, v_weight.loops);
  end if;
  begin
    perform ('strict $ like_regex ' || to_jsonb(p_pattern)::text)::jsonpath;
  exception when invalid_regular_expression then
    return sqlerrm;
  end;
  return null;
end
$$;
comment on function fsm_internal.schema_pattern_problem(text) is
  'Why a pattern is refused; null if it is not. What passes compiles in a few milliseconds (30 at worst, found by random search), matches without backtracking and does not raise; lookaround still takes time that rises with the square of the text, and can be cancelled.';
