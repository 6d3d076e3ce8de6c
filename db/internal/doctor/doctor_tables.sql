create function fsm_internal.doctor_tables()
returns table (severity text, check_name text, message text, hint text)
language plpgsql
stable
as $$
begin
  return query
    with ours as materialized (
      select c.oid, c.oid::regclass::text as name, c.relkind, c.relrowsecurity, c.relpersistence
      from pg_class c where c.relnamespace = 'fsm_internal'::regnamespace and c.relkind in ('r', 'p')
    )
    select 'error', 'trigger', format('trigger %s is on table %s', t.tgname, o.name), format('drop trigger %I on %s;', t.tgname, o.name)
    from ours o join pg_trigger t on t.tgrelid = o.oid where not t.tgisinternal
    union all
    select 'error', 'rule', format('rule %s is on table %s', w.rulename, o.name), format('drop rule %I on %s;', w.rulename, o.name)
    from ours o join pg_rewrite w on w.ev_class = o.oid
    union all
    select 'error', 'row_security', format('row security is on for table %s, or it has policies', o.name),
      format('alter table %s disable row level security; and drop its policies.', o.name)
    from ours o where o.relrowsecurity or exists (select from pg_policy p where p.polrelid = o.oid)
    union all
    select 'error', 'inheritance', format('table %s inherits from %s', i.inhrelid::regclass, i.inhparent::regclass),
      format('alter table %s no inherit %s;', i.inhrelid::regclass, i.inhparent::regclass)
    from pg_inherits i
    where exists (select from ours o where o.oid in (i.inhparent, i.inhrelid))
    union all
    select 'error', 'foreign_key', format('foreign key %s of table %s refers to table %s', k.conname, k.conrelid::regclass, o.name),
      format('alter table %s drop constraint %I; it can make writes of fsmstore fail.', k.conrelid::regclass, k.conname)
    from ours o join pg_constraint k on k.confrelid = o.oid
    where k.contype = 'f' and not exists (select from ours x where x.oid = k.conrelid)
    union all
    select 'error', 'unlogged_table', format('table %s is unlogged: a crash empties it', o.name), format('alter table %s set logged;', o.name)
    from ours o where o.relpersistence <> 'p' and o.name <> 'fsm_internal.turns'
    union all
    select 'warning', 'extra_index', format('index %s makes every transition update it: no update of a session is HOT', x.indexrelid::regclass),
      format('drop index concurrently %s;', x.indexrelid::regclass)
    from pg_index x
    where x.indrelid = 'fsm_internal.sessions'::regclass and not x.indisprimary;
end
$$;
comment on function fsm_internal.doctor_tables() is 'Findings of fsm.doctor: what acts behind the functions'' back because it was put onto a table of ours.';
