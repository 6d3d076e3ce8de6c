create function fsm_internal.schema_violation(p_schema jsonb)
returns text
language plpgsql
immutable
as $$
declare
  v_terms text[];
  v_alternatives text[];
begin
  if p_schema is null or jsonb_typeof(p_schema) = 'boolean' then
    return case when p_schema = 'false' then 'exists(@)' end;
  end if;
  v_terms := fsm_internal.schema_scalar_terms(p_schema) || fsm_internal.schema_length_terms(p_schema)
    || fsm_internal.schema_container_terms(p_schema);
  if p_schema ? 'anyOf' then
    v_alternatives := array(
      select '(' || fsm_internal.schema_violation(a.value) || ')'
      from jsonb_array_elements(p_schema -> 'anyOf') with ordinality a order by a.ordinality);
    if array_position(v_alternatives, null) is null then
      v_terms := v_terms || ('(' || fsm_internal.schema_joined(v_alternatives, '&&') || ')');
    end if;
  end if;
  if p_schema ? '$ref' then
    v_terms := v_terms || fsm_internal.schema_violation(p_schema -> '$ref');
  end if;
  return fsm_internal.schema_joined(v_terms, '||');
end
$$;
comment on function fsm_internal.schema_violation(jsonb) is
  'A resolved schema as one jsonpath predicate on @, for strict mode: true for a value that violates it (apart from what schema_rest says), false or unknown for a valid one. Null if nothing can.';
