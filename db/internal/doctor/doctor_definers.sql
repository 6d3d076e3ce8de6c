create function fsm_internal.doctor_definers()
returns table (severity text, check_name text, message text, hint text)
language plpgsql
stable
as $$
begin
  return query
    select 'error', 'definer', format('function %s %s', p.oid::regprocedure, x.what), format('alter function %s %s;', p.oid::regprocedure, x.remedy)
    from pg_proc p
    cross join lateral (values
      (not p.prosecdef, 'is not security definer', 'security definer'),
      (not coalesce(array_to_string(p.proconfig, '|') ~ $re$(^|\|)search_path=([^|]*[, ])?"?pg_temp"?(\||$)$re$, false),
        'has no search_path that ends in pg_temp, so that a caller''s temporary objects are taken for ours',
        'set search_path = pg_catalog, pg_temp')) x (applies, what, remedy)
    where p.pronamespace = 'fsm'::regnamespace and x.applies
    union all
    select 'error', 'owner', format('%s %s belongs to %s', o.kind, o.name, o.owner::regrole), format('alter %s %s owner to fsm_owner;', o.kind, o.name)
    from (
      select 'schema' as kind, n.nspname::text as name, n.nspowner as owner from pg_namespace n where n.nspname in ('fsm', 'fsm_internal')
      union all
      select 'function', p.oid::regprocedure::text, p.proowner from pg_proc p
      where p.pronamespace in ('fsm'::regnamespace, 'fsm_internal'::regnamespace)
      union all
      select 'table', c.oid::regclass::text, c.relowner from pg_class c
      where c.relnamespace in ('fsm'::regnamespace, 'fsm_internal'::regnamespace) and c.relkind in ('r', 'p', 'v', 'm', 'f')) o
    where o.owner <> 'fsm_owner'::regrole
    union all
    select 'error', 'owner', format('fsm_owner may not read table %s', c.oid::regclass), format('grant all on table %s to fsm_owner;', c.oid::regclass)
    from pg_class c
    where c.relnamespace = 'fsm_internal'::regnamespace and c.relkind = 'r' and c.relowner = 'fsm_owner'::regrole
      and not has_table_privilege('fsm_owner', c.oid, 'select');
end
$$;
comment on function fsm_internal.doctor_definers() is
  'Findings of fsm.doctor: API functions that do not run as their owner with a pinned search_path, and objects that are not fsm_owner''s.';
