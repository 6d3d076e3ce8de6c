create function fsm_internal.schema_expected(p_schema jsonb)
returns text
language plpgsql
immutable
as $$
declare
  v_list jsonb := coalesce(p_schema -> 'enum', p_schema -> 'type', '[]');
begin
  if p_schema ? 'const' then
    return fsm_internal.schema_sample(p_schema -> 'const');
  elsif p_schema ? '$ref' and v_list = '[]' then
    return fsm_internal.schema_expected(p_schema -> '$ref');
  elsif jsonb_typeof(v_list) = 'string' then
    return v_list #>> '{}';
  end if;
  return coalesce((
    select string_agg(case when p_schema ? 'enum' then fsm_internal.schema_sample(e.value) else e.value #>> '{}' end, ' or ' order by e.ordinality)
      || case when jsonb_array_length(v_list) > 6 then format(' or one of %s more', jsonb_array_length(v_list) - 6) else '' end
    from jsonb_array_elements(v_list) with ordinality e
    where e.ordinality <= 6), case when p_schema ? 'enum' then 'nothing' else 'another value' end);
end
$$;
comment on function fsm_internal.schema_expected(jsonb) is 'In a few words what const, enum or type of a resolved schema ask for.';
