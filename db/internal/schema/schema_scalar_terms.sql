create function fsm_internal.schema_scalar_terms(p_schema jsonb)
returns text[]
language plpgsql
immutable
as $$
declare
  v_type jsonb := p_schema -> 'type';
  v_values jsonb;
  v_terms text[] := array[]::text[];
begin
  foreach v_values in array array[
    case when p_schema ? 'const' then jsonb_build_array(p_schema -> 'const') end,
    p_schema -> 'enum'] loop
    -- Values that the type forbids are left out, so the type need not be tested as well.
    if v_values is not null then
      v_terms := v_terms || coalesce((
        select format('!exists(@?(%s))', fsm_internal.schema_joined(array_agg(m.term), '||'))
        from (
          select fsm_internal.schema_one_of(array_agg(e.value #>> '{}')) as term
          from jsonb_array_elements(v_values) e
          where jsonb_typeof(e.value) = 'string' and fsm_internal.schema_type_fits(v_type, e.value)
          having count(*) > 0
          union all
          select '(' || fsm_internal.schema_constant('@', e.value) || ')'
          from jsonb_array_elements(v_values) e
          where jsonb_typeof(e.value) <> 'string' and fsm_internal.schema_type_fits(v_type, e.value)
        ) m
        having count(*) > 0), 'exists(@)');
    end if;
  end loop;
  if v_type is not null and v_terms = '{}' then
    v_terms := array[fsm_internal.schema_joined(array(
      select case t.type
        when 'null' then '@!=null'
        when 'integer' then '(@.type()!="number"||@.floor()!=@)'
        else format('@.type()!="%s"', t.type) end
      from jsonb_array_elements_text(case jsonb_typeof(v_type) when 'array' then v_type else jsonb_build_array(v_type) end) t (type)), '&&')];
  end if;
  return v_terms || array[
    '@<' || (p_schema ->> 'minimum'), '@>' || (p_schema ->> 'maximum'),
    '@<=' || (p_schema ->> 'exclusiveMinimum'), '@>=' || (p_schema ->> 'exclusiveMaximum'),
    '@.size()<' || nullif(p_schema ->> 'minItems', '0'), '@.size()>' || (p_schema ->> 'maxItems'),
    '!(@ like_regex ' || (p_schema -> 'pattern')::text || ')'];
end
$$;
comment on function fsm_internal.schema_scalar_terms(jsonb) is
  'The violations of the keywords that look at the value itself, apart from lengths: jsonpath predicates on @, each true exactly when its keyword is violated, else false or unknown.';
