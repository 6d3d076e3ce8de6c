-- One text row per catalogue fact about the schemas fsm and fsm_internal, the same in every database that holds the same
-- objects: no oids, no times, no physical positions. To be run with search_path = pg_catalog, so that every name is
-- written with its schema. The order is total.
with
ns as (
  select n.oid, n.nspname, n.nspowner, n.nspacl
  from pg_namespace n
  where n.nspname in ('fsm', 'fsm_internal')
),
rel as (
  select c.* from pg_class c where c.relnamespace in (select ns.oid from ns)
),
fact (kind, name, what) as (
  select 'schema', ns.nspname::text, concat_ws(E'\n',
    'owner ' || ns.nspowner::regrole,
    'acl ' || (select string_agg(a::text, ' ' order by a::text collate "C") from unnest(coalesce(ns.nspacl, acldefault('n', ns.nspowner))) a),
    'comment ' || obj_description(ns.oid, 'pg_namespace'))
  from ns
  union all
  select 'function', p.oid::regprocedure::text, concat_ws(E'\n',
    'kind ' || p.prokind::text,
    'owner ' || p.proowner::regrole,
    'acl ' || (select string_agg(a::text, ' ' order by a::text collate "C") from unnest(coalesce(p.proacl, acldefault('f', p.proowner))) a),
    'comment ' || obj_description(p.oid, 'pg_proc'),
    case when p.prokind in ('f', 'p') then pg_get_functiondef(p.oid) end)
  from pg_proc p
  where p.pronamespace in (select ns.oid from ns)
  union all
  select 'relation', c.oid::regclass::text, concat_ws(E'\n',
    'kind ' || c.relkind::text,
    'owner ' || c.relowner::regrole,
    'persistence ' || c.relpersistence::text,
    'row security ' || c.relrowsecurity || ' ' || c.relforcerowsecurity,
    'replica identity ' || c.relreplident::text,
    'access method ' || (select am.amname from pg_am am where am.oid = c.relam),
    'options ' || (select string_agg(o, ' ' order by o collate "C") from unnest(c.reloptions) o),
    'toast options ' || (select string_agg(o, ' ' order by o collate "C") from pg_class t, unnest(t.reloptions) o where t.oid = c.reltoastrelid),
    'acl ' || (select string_agg(a::text, ' ' order by a::text collate "C")
               from unnest(coalesce(c.relacl, acldefault(case c.relkind when 'S' then 's'::"char" else 'r'::"char" end, c.relowner))) a),
    'comment ' || obj_description(c.oid, 'pg_class'),
    case when c.relkind in ('v', 'm') then pg_get_viewdef(c.oid) end,
    case when c.relkind in ('i', 'I') then pg_get_indexdef(c.oid) end,
    (select concat_ws(' ', 'index', i.indisvalid, i.indisready, i.indisprimary, i.indisunique, i.indisclustered) from pg_index i where i.indexrelid = c.oid),
    (select concat_ws(' ', 'sequence', s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle)
     from pg_sequence s where s.seqrelid = c.oid),
    (select 'inherits ' || string_agg(h.inhparent::regclass::text, ' ' order by h.inhseqno) from pg_inherits h where h.inhrelid = c.oid),
    'partition key ' || case when c.relkind = 'p' then pg_get_partkeydef(c.oid) end,
    'partition ' || pg_get_expr(c.relpartbound, c.oid))
  from rel c
  where c.relkind <> 't'
  union all
  select 'column', c.oid::regclass::text || '.' || a.attname, concat_ws(E'\n',
    'place ' || row_number() over (partition by c.oid order by a.attnum),
    'type ' || format_type(a.atttypid, a.atttypmod),
    'not null ' || a.attnotnull,
    'default ' || pg_get_expr(d.adbin, d.adrelid),
    'identity ' || nullif(a.attidentity::text, ''),
    'generated ' || nullif(a.attgenerated::text, ''),
    'storage ' || a.attstorage::text,
    'compression ' || nullif(a.attcompression::text, ''),
    'collation ' || nullif(a.attcollation, 0)::regcollation,
    'options ' || a.attoptions::text,
    'acl ' || (select string_agg(x::text, ' ' order by x::text collate "C") from unnest(a.attacl) x),
    'comment ' || col_description(c.oid, a.attnum))
  from rel c
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
  where c.relkind in ('r', 'p', 'v', 'm', 'c', 'f')
  union all
  select 'constraint', coalesce(nullif(k.conrelid, 0)::regclass::text, nullif(k.contypid, 0)::regtype::text) || '.' || k.conname, concat_ws(E'\n',
    pg_get_constraintdef(k.oid),
    'validated ' || k.convalidated,
    'comment ' || obj_description(k.oid, 'pg_constraint'))
  from pg_constraint k
  where k.connamespace in (select ns.oid from ns)
  union all
  select 'trigger', t.tgrelid::regclass::text || '.' || t.tgname, concat_ws(E'\n',
    pg_get_triggerdef(t.oid),
    'enabled ' || t.tgenabled::text,
    'comment ' || obj_description(t.oid, 'pg_trigger'))
  from pg_trigger t
  where t.tgrelid in (select rel.oid from rel) and not t.tgisinternal
  union all
  select 'rule', r.ev_class::regclass::text || '.' || r.rulename, pg_get_ruledef(r.oid)
  from pg_rewrite r
  where r.ev_class in (select rel.oid from rel) and r.rulename <> '_RETURN'
  union all
  select 'policy', p.polrelid::regclass::text || '.' || p.polname, concat_ws(E'\n',
    p.polcmd::text, p.polpermissive, (select string_agg(r::regrole::text, ' ' order by r::regrole::text) from unnest(p.polroles) r),
    pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
  from pg_policy p
  where p.polrelid in (select rel.oid from rel)
  union all
  select 'statistics', s.stxnamespace::regnamespace || '.' || s.stxname, pg_get_statisticsobjdef(s.oid)
  from pg_statistic_ext s
  where s.stxnamespace in (select ns.oid from ns)
  union all
  select 'type', t.oid::regtype::text, concat_ws(E'\n',
    'kind ' || t.typtype::text,
    'owner ' || t.typowner::regrole,
    'base ' || case t.typtype when 'd' then format_type(t.typbasetype, t.typtypmod) end,
    'not null ' || t.typnotnull,
    'default ' || t.typdefault,
    'labels ' || (select string_agg(quote_literal(e.enumlabel), ' ' order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid),
    'acl ' || (select string_agg(a::text, ' ' order by a::text collate "C") from unnest(coalesce(t.typacl, acldefault('T', t.typowner))) a),
    'comment ' || obj_description(t.oid, 'pg_type'))
  from pg_type t
  where t.typnamespace in (select ns.oid from ns)
    and t.typtype in ('e', 'd', 'r', 'c')
    and (t.typtype <> 'c' or exists (select from pg_class c where c.oid = t.typrelid and c.relkind = 'c'))
  union all
  select 'default privileges', concat_ws(' ', d.defaclrole::regrole, nullif(d.defaclnamespace, 0)::regnamespace, d.defaclobjtype::text),
    (select string_agg(a::text, ' ' order by a::text collate "C") from unnest(d.defaclacl) a)
  from pg_default_acl d
  where d.defaclnamespace in (select ns.oid from ns)
     or d.defaclrole in (select r.oid from pg_roles r where r.rolname ~ '^fsm_')
)
select kind || ' ' || name || E'\n' || coalesce(what, '') from fact order by kind collate "C", name collate "C"
