create function fsm_internal.schema_all_nodes(p_schema jsonb)
returns table (owner text, node jsonb, path text, depth int)
language plpgsql
immutable
as $$
begin
  return query
    with units (owner, unit, path) as (
      select null, p_schema, '$'
      union all
      select d.key, d.value, fsm_internal.schema_path('$."$defs"', d.key)
      from jsonb_each(case when jsonb_typeof(p_schema -> '$defs') = 'object' then p_schema -> '$defs' end) d
    )
    select u.owner, n.node, n.path, n.depth
    from units u cross join lateral fsm_internal.schema_nodes(u.unit, u.path) n
    limit 5001;
end
$$;
comment on function fsm_internal.schema_all_nodes(jsonb) is
  'A context_schema and all its subschemas, each with the definition it stands in (null: in none). Ends at 5,001 rows, one beyond the limit.';
