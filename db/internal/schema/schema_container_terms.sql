create function fsm_internal.schema_container_terms(p_schema jsonb)
returns text[]
language plpgsql
immutable
as $$
declare
  v_required text;
  v_terms text[];
begin
  v_required := fsm_internal.schema_joined(array(
    select '(exists(@.' || r.value::text || '))is unknown'
    from jsonb_array_elements(p_schema -> 'required') r
    order by r.value #>> '{}' collate "C"), '||');
  v_terms := array[case
    when p_schema -> 'type' in ('"object"', '["object"]') then v_required
    else '@.type()=="object"&&(' || v_required || ')' end];
  v_terms := v_terms || array(
    select 'exists(@.' || to_jsonb(p.key)::text || '?(' || fsm_internal.schema_violation(p.value) || '))'
    from jsonb_each(p_schema -> 'properties') p
    order by p.key collate "C");
  if p_schema -> 'additionalProperties' = 'false' then
    v_terms := v_terms || case
      when coalesce(p_schema -> 'properties', '{}') = '{}' then 'exists(@.*)'
      else 'exists(@.keyvalue().key?(!(' || fsm_internal.schema_one_of(array(select jsonb_object_keys(p_schema -> 'properties'))) || ')))' end;
  end if;
  return v_terms || ('exists(@[*]?(' || fsm_internal.schema_violation(p_schema -> 'items') || '))');
end
$$;
comment on function fsm_internal.schema_container_terms(jsonb) is
  'The violations of required, properties, additionalProperties and items: jsonpath predicates on @, each true exactly when its keyword is violated, else false or unknown. Null terms say nothing.';
