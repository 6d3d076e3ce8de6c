create function fsm_internal.schema_one_of(p_strings text[])
returns text
language plpgsql
immutable
as $$
declare
  v_strings text[] := array(select distinct s collate "C" from unnest(p_strings) s order by 1);
  v_half int := cardinality(v_strings) / 2;
begin
  if cardinality(v_strings) <= 6 then
    return fsm_internal.schema_joined(array(select '@==' || to_jsonb(s)::text from unnest(v_strings) s), '||');
  end if;
  return format('(@<%1$s&&(%2$s)||@>=%1$s&&(%3$s))', to_jsonb(v_strings[v_half + 1]),
    fsm_internal.schema_one_of(v_strings[:v_half]), fsm_internal.schema_one_of(v_strings[v_half + 1:]));
end
$$;
comment on function fsm_internal.schema_one_of(text[]) is
  'A jsonpath predicate on @: true for each of these strings, false for any other string, not true for anything else. Long lists are searched by halves.';
