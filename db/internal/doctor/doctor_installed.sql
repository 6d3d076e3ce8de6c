create function fsm_internal.doctor_installed()
returns table (severity text, check_name text, message text, hint text)
language plpgsql
stable
as $$
begin
  return query
    select 'error', coalesce(i.check_name, d.check_name), format('%s is %s', coalesce(i.part, d.part),
        case when i.part is null then 'none of ours' when d.part is null then 'gone' else 'not as it was installed' end),
      'Find out who changed it and why. The installed form is in db/ of this release (fsm.schema_release()): make it so again, as fsm_owner.'
    from fsm_internal.installed_parts i
    full join fsm_internal.part_digests() d using (part)
    where d.part is null or (i.digest <> d.digest and i.parsed_by is not distinct from d.parsed_by)
      -- An index or a column more does no harm by itself; a function more may be taken for ours.
      or (i.part is null and d.check_name = 'function')
    order by coalesce(i.part, d.part) collate "C"
    limit 100;
end
$$;
comment on function fsm_internal.doctor_installed() is
  'Findings of fsm.doctor: functions, views, indexes, constraints and columns of ours that are gone or not what the installation made, and functions that it did not make; at most 100. What a server printed is only compared by the major version that printed it.';

create function fsm_internal.part_digests()
returns table (part text, check_name text, digest text, parsed_by integer)
language plpgsql
stable
as $$
begin
  return query
    select p.part, p.check_name, md5(concat_ws('|', p.shape, p.source, fsm_internal.printed(p.parsed))),
      case when p.parsed is not null then (select s.setting::integer / 10000 from pg_settings s where s.name = 'server_version_num') end
    from (
      select format('function %I.%I(%s)', n.nspname, f.proname, pg_get_function_identity_arguments(f.oid)) as part, 'function' as check_name,
        concat_ws('|', l.lanname, f.prosecdef, f.provolatile, f.proisstrict, f.proleakproof, f.proparallel, array_to_string(f.proconfig, ' '),
          pg_get_function_arguments(f.oid), pg_get_function_result(f.oid)) as shape,
        case when f.prosqlbody is null then f.prosrc end as source, pg_get_function_sqlbody(f.oid) as parsed
      from pg_proc f
      join pg_namespace n on n.oid = f.pronamespace
      join pg_language l on l.oid = f.prolang
      where n.nspname in ('fsm', 'fsm_internal')
      union all
      select format('view %I.%I', 'fsm', c.relname), 'relation', array_to_string(c.reloptions, ' '), null, pg_get_viewdef(c.oid)
      from pg_class c where c.relnamespace = 'fsm'::regnamespace and c.relkind = 'v'
      union all
      select format('index %I', i.relname), 'relation', concat_ws('|', x.indisunique, x.indisvalid, x.indpred is not null, (
          select string_agg(a.attname, ',' order by a.attnum) from pg_attribute a where a.attrelid = i.oid)), null, null
      from pg_index x join pg_class i on i.oid = x.indexrelid join pg_class t on t.oid = x.indrelid
      where t.relnamespace = 'fsm_internal'::regnamespace and t.relkind = 'r'
      union all
      select format('constraint %I on %I', o.conname, t.relname), 'relation', concat_ws('|', o.contype, o.convalidated, (
          select string_agg(a.attname, ',' order by a.attname) from pg_attribute a where a.attrelid = t.oid and a.attnum = any (o.conkey))), null, null
      from pg_constraint o join pg_class t on t.oid = o.conrelid
      where t.relnamespace = 'fsm_internal'::regnamespace and o.contype <> 'n'  -- that is told of columns
      union all
      select format('column %I of %I', a.attname, t.relname), 'relation', concat_ws('|', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.atthasdef), null, null
      from pg_attribute a join pg_class t on t.oid = a.attrelid
      where t.relnamespace = 'fsm_internal'::regnamespace and t.relkind = 'r' and a.attnum > 0 and not a.attisdropped) p;
end
$$;
comment on function fsm_internal.part_digests() is
  'What each of our functions, views, indexes, constraints and columns is at present, as a digest. parsed_by: the major version of the server that printed a body or a view, because another one may print it otherwise; null for the rest. To be asked with a search_path in which our types have to be written with their schema.';

create function fsm_internal.printed(p_text text)
returns text
language sql
immutable
return regexp_replace(p_text, '::"?[a-z_.]+"?(\[\])?|[()\s]', '', 'g');
comment on function fsm_internal.printed(text) is
  'What the server prints of something parsed, without the casts, brackets and blanks that it gains and loses when it is restored from a dump.';
