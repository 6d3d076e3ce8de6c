create function fsm_internal.schema_definition_name(p_ref text)
returns text
language plpgsql
immutable
as $$
declare
  v_pointer text := p_ref;
begin
  if p_ref like $re$%\%%$re$ then
    if p_ref ~ '%(?![0-9A-Fa-f]{2})' then
      return null;
    end if;
    begin
      v_pointer := convert_from((
        select string_agg(case when m.part[1] like $re$\%%$re$ then decode(right(m.part[1], 2), 'hex') else convert_to(m.part[1], 'UTF8') end,
          '' order by m.position)
        from regexp_matches(p_ref, '%..|[^%]+', 'g') with ordinality m (part, position)), 'UTF8');
    exception when character_not_in_repertoire then
      return null;
    end;
  end if;
  if v_pointer !~ E'^#/\\$defs/(?:[^/~]|~[01])*$' then
    return null;
  end if;
  return replace(replace(substr(v_pointer, length('#/$defs/') + 1), '~1', '/'), '~0', '~');
end
$$;
comment on function fsm_internal.schema_definition_name(text) is
  'The key in $defs that a $ref means: a JSON pointer (~0 ~1) in a URI fragment (%-escapes). Null for any other reference.';
