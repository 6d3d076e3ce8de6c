create function fsm_internal.schema_problems(p_schema jsonb)
returns table (code text, path text, message text)
language plpgsql
immutable
as $$
declare
  v_nodes bigint;
  v_depth int;
begin
  if p_schema is null then
    return;
  end if;
  select count(*), max(n.depth) into v_nodes, v_depth from fsm_internal.schema_all_nodes(p_schema) n;
  if v_nodes > 5000 or v_depth > 64 then
    return query
      select 'schema_too_large', '$', 'it has more than 5000 schemas' where v_nodes > 5000
      union all
      select 'schema_too_deep', '$', 'it nests deeper than 64 levels' where v_depth > 64;
    return;
  end if;
  return query
    select p.code, p.path, p.message
    from (
      select q.code, q.path, q.message
      from fsm_internal.schema_all_nodes(p_schema) n cross join lateral fsm_internal.schema_node_problems(n.node, n.path) q
      union all
      select r.code, r.path, r.message from fsm_internal.schema_reference_problems(p_schema) r
    ) p
    order by p.path collate "C", p.code collate "C", p.message collate "C";
  if not found then
    return query
      select e.code, e.path, e.message from fsm_internal.schema_expansion_problems(p_schema) e order by e.path collate "C";
  end if;
end
$$;
comment on function fsm_internal.schema_problems(jsonb) is
  'Everything wrong with a context_schema; no rows: it can be compiled. Paths are jsonpath within the schema. Never raises, whatever the document. Null, no schema, has no problem.';
