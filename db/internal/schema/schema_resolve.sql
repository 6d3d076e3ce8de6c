create function fsm_internal.schema_resolve(p_definitions jsonb, p_schema jsonb)
returns jsonb
language plpgsql
immutable
as $$
declare
  v_target jsonb;
  v_resolved jsonb;
begin
  if jsonb_typeof(p_schema) = 'boolean' then
    return p_schema;
  end if;
  v_resolved := p_schema - fsm_internal.schema_ignored() - array['$defs', '$ref'];
  if p_schema ? 'properties' then
    v_resolved := jsonb_set(v_resolved, '{properties}', coalesce((
      select jsonb_object_agg(p.key, fsm_internal.schema_resolve(p_definitions, p.value))
      from jsonb_each(p_schema -> 'properties') p), '{}'));
  end if;
  if p_schema ? 'items' then
    v_resolved := jsonb_set(v_resolved, '{items}', fsm_internal.schema_resolve(p_definitions, p_schema -> 'items'));
  end if;
  if p_schema ? 'anyOf' then
    v_resolved := jsonb_set(v_resolved, '{anyOf}', (
      select jsonb_agg(fsm_internal.schema_resolve(p_definitions, a.value) order by a.ordinality)
      from jsonb_array_elements(p_schema -> 'anyOf') with ordinality a));
  end if;
  if p_schema ? '$ref' then
    v_target := p_definitions -> fsm_internal.schema_definition_name(p_schema ->> '$ref');
    if v_resolved = '{}' then
      return v_target;
    end if;
    v_resolved := jsonb_set(v_resolved, '{$ref}', v_target);
  end if;
  return v_resolved;
end
$$;
comment on function fsm_internal.schema_resolve(jsonb, jsonb) is
  'A schema without $defs and annotations: what a $ref means stands in its place, or, beside other keywords, as a schema under "$ref". p_definitions: by name, resolved themselves.';
