create function fsm_internal.schema_rest_of_alternatives(p_alternatives jsonb)
returns jsonb
language plpgsql
immutable
as $$
declare
  v_rests jsonb[] := array(
    select fsm_internal.schema_rest(a.value) from jsonb_array_elements(p_alternatives) with ordinality a order by a.ordinality);
  v_with_rest int[];
  v_others text[];
begin
  v_with_rest := array(select i from generate_subscripts(v_rests, 1) i where v_rests[i] <> '[]');
  if cardinality(v_with_rest) = 0 then
    return jsonb '[]';
  elsif cardinality(v_rests) = 1 then
    return v_rests[1];
  elsif cardinality(v_with_rest) = 1 then
    -- The rest of the one counts for values that none of the others admits.
    v_others := array(
      select '(' || fsm_internal.schema_violation(a.value) || ')'
      from jsonb_array_elements(p_alternatives) with ordinality a
      where a.ordinality <> v_with_rest[1]);
    if array_position(v_others, null) is not null then
      return jsonb '[]';
    elsif length(array_to_string(v_others, '&&')) <= 200 then
      return fsm_internal.schema_rest_below('?(' || fsm_internal.schema_joined(v_others, '&&') || ')', v_rests[v_with_rest[1]]);
    end if;
  end if;
  return jsonb_build_array(jsonb_build_object('path', '', 'anyOf', p_alternatives));
end
$$;
comment on function fsm_internal.schema_rest_of_alternatives(jsonb) is 'schema_rest of anyOf. When several alternatives have a rest, or the others are long, it is anyOf itself, to be interpreted.';
