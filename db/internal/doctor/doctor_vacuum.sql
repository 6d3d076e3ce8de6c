create function fsm_internal.doctor_vacuum()
returns table (severity text, check_name text, message text, hint text)
language plpgsql
stable
as $$
begin
  return query
    select 'warning', 'autovacuum', 'autovacuum is off'::text, 'Set autovacuum = on in postgresql.conf and reload.'
    from pg_settings s where s.name = 'autovacuum' and s.setting = 'off'
    union all
    select 'warning', 'autovacuum', format('autovacuum is off for table %s', c.oid::regclass), format('alter table %s reset (autovacuum_enabled);', c.oid::regclass)
    from pg_class c
    cross join lateral pg_options_to_table(c.reloptions) o
    where c.relnamespace = 'fsm_internal'::regnamespace and o.option_name = 'autovacuum_enabled'
      and lower(o.option_value) = any (array['false', 'off', 'no', '0', 'f', 'n'])
    union all
    select 'warning', 'dead_rows', format('table %s.%s has %s dead rows beside %s live ones', t.schemaname, t.relname, t.n_dead_tup, t.n_live_tup),
      format('vacuum %s.%s; if it does not help, a long transaction, a prepared one, a replication slot or a standby holds them.', t.schemaname, t.relname)
    from pg_stat_user_tables t
    where t.schemaname = 'fsm_internal' and t.n_dead_tup > 10000 and t.n_dead_tup > t.n_live_tup
    union all
    select 'warning', 'hot_updates', format('only %s %% of the updates of sessions were HOT', round(100.0 * t.n_tup_hot_upd / t.n_tup_upd)),
      'Look for an index on fsm_internal.sessions besides its key, a fillfactor above 50, contexts over half a page, or long transactions.'
    from pg_stat_user_tables t
    where t.relid = 'fsm_internal.sessions'::regclass and t.n_tup_upd > 1000 and t.n_tup_hot_upd < 0.9 * t.n_tup_upd;
end
$$;
comment on function fsm_internal.doctor_vacuum() is 'Findings of fsm.doctor: dead rows, and what makes too many of them, by the statistics of the server.';
