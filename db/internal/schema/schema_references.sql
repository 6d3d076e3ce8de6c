create function fsm_internal.schema_references(p_schema jsonb)
returns table (owner text, target text, ref text, path text)
language plpgsql
immutable
as $$
begin
  return query
    select n.owner, fsm_internal.schema_definition_name(n.node ->> '$ref'), n.node ->> '$ref', n.path || '."$ref"'
    from fsm_internal.schema_all_nodes(p_schema) n
    where jsonb_typeof(n.node -> '$ref') = 'string';
end
$$;
comment on function fsm_internal.schema_references(jsonb) is
  'Every $ref of a context_schema: the definition it stands in (null: in none), the name it means (null: not of the form #/$defs/Name), its text and path.';
