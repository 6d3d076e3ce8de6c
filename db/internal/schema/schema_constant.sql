create function fsm_internal.schema_constant(p_item text, p_value jsonb)
returns text
language plpgsql
immutable
as $$
declare
  v_keys text[];
begin
  if jsonb_typeof(p_value) not in ('object', 'array') then
    return p_item || '==' || p_value::text;
  elsif p_item <> '@' then
    return format('exists(%s?(%s))', p_item, fsm_internal.schema_constant('@', p_value));
  elsif jsonb_typeof(p_value) = 'array' then
    return fsm_internal.schema_joined(format('@.size()==%s', jsonb_array_length(p_value)) || array(
      select fsm_internal.schema_constant(format('@[%s]', a.ordinality - 1), a.value)
      from jsonb_array_elements(p_value) with ordinality a
      order by a.ordinality), '&&');
  elsif p_value = '{}' then
    return '!exists(@.*)';
  end if;
  v_keys := array(select jsonb_object_keys(p_value));
  return fsm_internal.schema_joined(array(
      select fsm_internal.schema_constant('@.' || to_jsonb(k.key)::text, k.value)
      from jsonb_each(p_value) k
      order by k.key collate "C")
    || format('!exists(@.keyvalue().key?(!(%s)))', fsm_internal.schema_one_of(v_keys)), '&&');
end
$$;
comment on function fsm_internal.schema_constant(text, jsonb) is
  'A jsonpath predicate that is true exactly when the item equals the value (numbers as numbers, objects whatever the order of keys); else false or unknown.';
