create function fsm_internal.schema_pattern_weight(p_pattern text)
returns table (atoms numeric, loops numeric, anchors int)
language plpgsql
immutable
as $$
declare
  v_tokens text[] := array(
    select m.token[1]
    from regexp_matches(p_pattern,
      $re$(\\.|\[\^?\]?(?:\[[:.=][^\]]*\]|\\.|[^\]\\])*\]|\{[0-9]+(?:,[0-9]*)?\}\??|[*+?]\??|\((?:\?(?:[:=!]|<[=!]))?|.)$re$, 'g')
      with ordinality m (token, position)
    order by m.position);
  v_token text;
  v_factor numeric := 1.0;                  -- how often what stands here is copied
  v_outer numeric[] := array[]::numeric[];  -- the factors around the groups that are open here
  v_times numeric := 1.0;                   -- of the quantifier to the right
begin
  atoms := 0;
  loops := 0;
  anchors := 0;
  -- From right to left, because a quantifier stands behind what it repeats.
  for i in reverse cardinality(v_tokens) .. 1 loop
    v_token := v_tokens[i];
    -- What may be empty costs like a quantifier.
    if v_token like '{0%' or (v_token = '|' or v_token like '(%') and coalesce(v_tokens[i + 1], '|') in ('|', ')') then
      loops := loops + v_factor;
    end if;
    if v_token ~ $re$^\{[0-9]$re$ then
      v_times := v_times * (select max(greatest(b.bound[1]::numeric, 1)) from regexp_matches(v_token, '[0-9]+', 'g') b (bound));
    elsif v_token ~ '^[*+?]' then
      loops := loops + v_factor * v_times;
      v_times := v_times * case when v_token like '?%' then 1 else 2 end;
    else
      if v_token = ')' then
        v_outer := v_factor || v_outer;
        v_factor := v_factor * v_times;
      elsif v_token like '(%' then
        v_factor := coalesce(v_outer[1], 1);
        v_outer := v_outer[2:];
      else
        atoms := atoms + v_factor * v_times;
      end if;
      if v_factor > 1 and v_token ~ E'^(?:\\^|\\$|\\\\[AZmMyY]|\\[\\[:[<>]:\\]\\]|\\(\\?<?[=!])$' then
        anchors := anchors + 1;
      end if;
      v_times := 1;
    end if;
  end loop;
  return next;
end
$$;
comment on function fsm_internal.schema_pattern_weight(text) is
  'What a regular expression grows to when its bounds are written out: its atoms, and its quantifiers ? * +; and the anchors and lookarounds inside repeated groups. An estimate from above: the time to compile it rises with the third power of loops, and exponentially with anchors.';
