create function fsm_internal.schema_joined(p_terms text[], p_operator text)
returns text
language plpgsql
immutable
as $$
declare
  v_terms text[] := array_remove(p_terms, null);
begin
  while cardinality(v_terms) > 32 loop
    -- In groups, because jsonpath descends once per operator of a chain and the stack is finite.
    v_terms := array(
      select '(' || string_agg(t.term, p_operator order by t.ordinality) || ')'
      from unnest(v_terms) with ordinality t (term, ordinality)
      group by (t.ordinality - 1) / 32
      order by (t.ordinality - 1) / 32);
  end loop;
  return nullif(array_to_string(v_terms, p_operator), '');
end
$$;
comment on function fsm_internal.schema_joined(text[], text) is 'Jsonpath predicates joined by && or ||; null terms are left out, and null if none is left.';
