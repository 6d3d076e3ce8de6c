create function fsm_internal.function_digests()
returns table (function text, digest text, parsed_by integer)
language plpgsql
stable
as $$
begin
  return query
    select format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
      md5(concat_ws('|', l.lanname, p.prosecdef, p.provolatile, p.proisstrict, p.proleakproof, p.proparallel, array_to_string(p.proconfig, ' '),
        pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
        -- What the server prints of a parsed body gains and loses casts and brackets when it is restored from a dump.
        case when p.prosqlbody is null then p.prosrc else regexp_replace(pg_get_function_sqlbody(p.oid), '::"?[a-z_.]+"?(\[\])?|[()\s]', '', 'g') end)),
      case when p.prosqlbody is not null then (select s.setting::integer / 10000 from pg_settings s where s.name = 'server_version_num') end
    from pg_proc p
    join pg_namespace n on n.oid = p.pronamespace
    join pg_language l on l.oid = p.prolang
    where n.nspname in ('fsm', 'fsm_internal');
end
$$;
comment on function fsm_internal.function_digests() is
  'What each of our functions is at present, as a digest of its body and its settings. parsed_by: the major version of the server that printed the body, because another one may print it otherwise; null for bodies that are kept as text. To be asked with a search_path in which our types have to be written with their schema.';
