create function fsm_internal.schema_nodes(p_schema jsonb, p_path text)
returns table (node jsonb, path text, depth int)
language plpgsql
immutable
as $$
begin
  return query
    with recursive nodes (node, path, depth) as (
      select p_schema, p_path, 0
      union all
      select c.child, c.path, n.depth + 1
      from nodes n cross join lateral fsm_internal.schema_children(n.node, n.path) c
      where n.depth <= 64 and jsonb_typeof(n.node) = 'object'
    )
    select n.node, n.path, n.depth from nodes n limit 5001;
end
$$;
comment on function fsm_internal.schema_nodes(jsonb, text) is
  'A schema and all its subschemas, without those in $defs. Ends one step beyond each limit: at depth 65 and at 5,001 rows.';
