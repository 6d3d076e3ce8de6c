create function fsm_internal.relation_digests()
returns table (part text, digest text, parsed_by integer)
language plpgsql
stable
as $$
begin
  return query
    select format('view %I.%I', n.nspname, c.relname),
      md5(concat_ws('|', array_to_string(c.reloptions, ' '),
        regexp_replace(pg_get_viewdef(c.oid), '::"?[a-z_.]+"?(\[\])?|[()\s]', '', 'g'))),
      (select s.setting::integer / 10000 from pg_settings s where s.name = 'server_version_num')
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'fsm' and c.relkind = 'v'
    union all
    select format('index %I', i.relname), md5(concat_ws('|', x.indisunique, x.indisvalid, x.indpred is not null, (
        select string_agg(a.attname, ',' order by a.attnum) from pg_attribute a where a.attrelid = i.oid))), null
    from pg_index x
    join pg_class i on i.oid = x.indexrelid
    join pg_class t on t.oid = x.indrelid
    where t.relnamespace = 'fsm_internal'::regnamespace and t.relkind = 'r'
    union all
    select format('constraint %I on %I', o.conname, t.relname), md5(concat_ws('|', o.contype, o.convalidated, o.conkey)), null
    from pg_constraint o join pg_class t on t.oid = o.conrelid
    where t.relnamespace = 'fsm_internal'::regnamespace and o.contype <> 'n'  -- as columns
    union all
    select format('column %I of %I', a.attname, t.relname), md5(concat_ws('|', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.atthasdef)), null
    from pg_attribute a join pg_class t on t.oid = a.attrelid
    where t.relnamespace = 'fsm_internal'::regnamespace and t.relkind = 'r' and a.attnum > 0 and not a.attisdropped;
end
$$;
comment on function fsm_internal.relation_digests() is
  'What each of our views, indexes, constraints and columns is at present. parsed_by as in fsm_internal.function_digests; what is told of indexes and constraints is what every server prints alike.';
