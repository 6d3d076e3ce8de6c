create function fsm_internal.schema_expansion_problems(p_schema jsonb)
returns table (code text, path text, message text)
language plpgsql
immutable
as $$
declare
  v_definitions jsonb := fsm_internal.schema_definitions(p_schema);
  v_open text[];
  v_resolved jsonb;
  v_bytes int;
begin
  v_open := array(select d from jsonb_object_keys(coalesce(p_schema -> '$defs', '{}')) d where not v_definitions ? d);
  if v_open <> '{}' then
    return query
      select 'recursive_ref', r.path, format('%s leads back to itself: recursion is not supported', fsm_internal.schema_sample(to_jsonb(r.ref)))
      from fsm_internal.schema_references(p_schema) r
      where r.owner = any (v_open) and r.target = any (v_open) and not exists (
        -- One that waits for nothing open was cut off by the limit of schema_definitions.
        select from unnest(v_open) o (name)
        where not exists (select from fsm_internal.schema_references(p_schema) s where s.owner = o.name and s.target = any (v_open)));
    if not found then
      return query select 'schema_too_deep', '$."$defs"', 'references to references go deeper than 64 levels';
    end if;
    return;
  end if;
  return query
    select 'schema_too_large', fsm_internal.schema_path('$."$defs"', d.key), 'with its references written out it has more than 65536 bytes'
    from jsonb_each(v_definitions) d where d.value = 'null';
  if found then
    return;
  end if;
  v_resolved := fsm_internal.schema_resolve(v_definitions, p_schema);
  v_bytes := octet_length(v_resolved::text);
  if v_bytes > 65536 then
    return query select 'schema_too_large', '$', format('with its references written out it has %s bytes; the limit is 65536', v_bytes);
  elsif (select max(n.depth) from fsm_internal.schema_nodes(v_resolved, '$') n) > 64 then
    return query select 'schema_too_deep', '$', 'with its references written out it nests deeper than 64 levels';
  else
    v_bytes := greatest(octet_length(fsm_internal.schema_violation(v_resolved)), octet_length(fsm_internal.schema_rest(v_resolved)::text));
    if v_bytes > 65536 then
      return query select 'schema_too_large', '$', format('compiled to jsonpath it has %s bytes; the limit is 65536', v_bytes);
    end if;
  end if;
end
$$;
comment on function fsm_internal.schema_expansion_problems(jsonb) is
  'What is wrong with a context_schema that is sound keyword by keyword: references that lead in a circle, and limits that it exceeds when they are written out.';
