create function fsm_internal.schema_definitions(p_schema jsonb)
returns jsonb
language plpgsql
immutable
as $$
declare
  v_open jsonb := coalesce(p_schema -> '$defs', '{}');
  v_done jsonb := jsonb '{}';
  v_next jsonb;
  v_needs jsonb;
begin
  if v_open = '{}' then
    return v_done;
  end if;
  select coalesce(jsonb_object_agg(r.owner, r.targets), '{}') into v_needs
  from (select s.owner, jsonb_agg(distinct s.target) as targets
        from fsm_internal.schema_references(p_schema) s where s.owner is not null group by s.owner) r;
  -- In every pass those whose references are all done. A definition that needs itself is never done.
  for v_pass in 1 .. 64 loop
    select jsonb_object_agg(d.key, case
        when v_done @> any (select jsonb_build_object(n, null) from jsonb_array_elements_text(v_needs -> d.key) n) then 'null'
        else fsm_internal.schema_resolve(v_done, d.value) end)
      into v_next
    from jsonb_each(v_open) d
    where not exists (select from jsonb_array_elements_text(v_needs -> d.key) n where not v_done ? n);
    exit when v_next is null;
    v_open := v_open - array(select jsonb_object_keys(v_next));
    v_done := v_done || (
      select jsonb_object_agg(n.key, case when octet_length(n.value::text) <= 65536 then n.value else 'null' end) from jsonb_each(v_next) n);
  end loop;
  return v_done;
end
$$;
comment on function fsm_internal.schema_definitions(jsonb) is
  'The resolved $defs of a context_schema by name: null for one beyond 65,536 bytes, nothing for one that refers to itself or stands at the end of a chain of more than 64. Each is resolved once, so that references to references do not multiply the work.';
