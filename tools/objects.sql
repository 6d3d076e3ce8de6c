-- Every object of the schemas fsm and fsm_internal that can bear a comment or privileges, as a migration names it.
-- Columns: key (how comment on names it), what grant names it (null: takes no privileges), its column (null: none), comment,
-- privileges as rows (grantee, privilege, grantable), and those that a newly made one would have.
with
ns as (
  select n.oid, n.nspowner, n.nspacl, n.nspname from pg_namespace n where n.nspname in ('fsm', 'fsm_internal')
),
object (class, id, sub, granted_on, col, owner, acl, fresh) as (
  select 'pg_namespace'::regclass, ns.oid, 0, format('schema %I', ns.nspname), null::text, ns.nspowner,
    coalesce(ns.nspacl, acldefault('n', ns.nspowner)), acldefault('n', ns.nspowner)
  from ns
  union all
  select 'pg_proc'::regclass, p.oid, 0,
    case p.prokind when 'p' then 'procedure ' else 'function ' end || p.oid::regprocedure, null, p.proowner,
    coalesce(p.proacl, acldefault('f', p.proowner)),
    coalesce((select d.defaclacl from pg_default_acl d
              where d.defaclrole = p.proowner and d.defaclnamespace = 0 and d.defaclobjtype = 'f'), acldefault('f', p.proowner))
  from pg_proc p
  where p.pronamespace in (select ns.oid from ns)
  union all
  select 'pg_class'::regclass, c.oid, 0,
    case when c.relkind = 'S' then 'sequence ' || c.oid::regclass when c.relkind in ('r', 'p', 'v', 'm', 'f') then 'table ' || c.oid::regclass end,
    null, c.relowner,
    coalesce(c.relacl, acldefault(case c.relkind when 'S' then 's'::"char" else 'r'::"char" end, c.relowner)),
    acldefault(case c.relkind when 'S' then 's'::"char" else 'r'::"char" end, c.relowner)
  from pg_class c
  where c.relnamespace in (select ns.oid from ns) and c.relkind not in ('t', 'c')
  union all
  select 'pg_class'::regclass, c.oid, a.attnum, 'table ' || c.oid::regclass, quote_ident(a.attname), c.relowner, a.attacl, null
  from pg_class c
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where c.relnamespace in (select ns.oid from ns) and c.relkind in ('r', 'p', 'v', 'm', 'f', 'c')
  union all
  select 'pg_type'::regclass, t.oid, 0, 'type ' || t.oid::regtype, null, t.typowner,
    coalesce(t.typacl, acldefault('T', t.typowner)), acldefault('T', t.typowner)
  from pg_type t
  where t.typnamespace in (select ns.oid from ns)
    and (t.typtype in ('e', 'd', 'r') or exists (select from pg_class c where c.oid = t.typrelid and c.relkind = 'c'))
  union all
  select 'pg_constraint'::regclass, k.oid, 0, null, null, null, null, null
  from pg_constraint k
  where k.connamespace in (select ns.oid from ns)
  union all
  select 'pg_trigger'::regclass, t.oid, 0, null, null, null, null, null
  from pg_trigger t join pg_class c on c.oid = t.tgrelid
  where c.relnamespace in (select ns.oid from ns) and not t.tgisinternal
)
select
  case i.type
    when 'table column' then 'column' when 'view column' then 'column' when 'materialized view column' then 'column'
    when 'composite type column' then 'column'
    when 'table constraint' then 'constraint' when 'domain constraint' then 'constraint'
    when 'composite type' then 'type'
    else i.type
  end || ' ' || case i.type when 'domain constraint' then replace(i.identity, ' on ', ' on domain ') else i.identity end,
  o.granted_on,
  o.col,
  d.description,
  privileges.list,
  fresh.list
from object o
cross join lateral pg_identify_object(o.class, o.id, o.sub) i
left join pg_description d on d.classoid = o.class and d.objoid = o.id and d.objsubid = o.sub
cross join lateral (
  select coalesce(array_agg(concat_ws(' ', case e.grantee when 0 then 'public' else e.grantee::regrole::text end,
    lower(e.privilege_type), e.is_grantable)), '{}')
  from aclexplode(o.acl) e
) privileges (list)
cross join lateral (
  select coalesce(array_agg(concat_ws(' ', case e.grantee when 0 then 'public' else e.grantee::regrole::text end,
    lower(e.privilege_type), e.is_grantable)), '{}')
  from aclexplode(o.fresh) e
) fresh (list)
