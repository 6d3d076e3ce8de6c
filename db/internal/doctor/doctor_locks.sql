create function fsm_internal.doctor_locks(p_waiting interval default '10 seconds', p_prepared interval default '10 minutes')
returns table (severity text, check_name text, message text, hint text)
language plpgsql
stable
as $$
declare
  v_now timestamptz := fsm_internal.clock();
begin
  return query
    select 'warning', 'prepared_transaction',
      format('transaction %s of %s in database %s is prepared since %s seconds: it holds its locks, keeps vacuum from cleaning up, and delays fsm.changes',
        quote_literal(p.gid), p.owner, p.database, round(extract(epoch from v_now - p.prepared))),
      format('In database %s: commit prepared %s; or rollback prepared %s;', p.database, quote_literal(p.gid), quote_literal(p.gid))
    from pg_prepared_xacts p where p.prepared < v_now - p_prepared
    union all
    -- pg_stat_activity shows fsm_owner no more than who the others are.
    (select 'warning', 'lock_wait', format('process %s has waited %s seconds for the lock of a session, held by process %s', l.pid,
        round(extract(epoch from v_now - l.waitstart)),
        coalesce((
          select string_agg(format('%s (%s)', b.pid, coalesce(a.usename, 'login unknown')), ', ' order by b.pid)
          from unnest(pg_blocking_pids(l.pid)) b (pid) left join pg_stat_activity a on a.pid = b.pid), '(gone)')),
      'Look at the holder in pg_stat_activity: idle in transaction, or a long statement? End it with pg_terminate_backend(pid), and give its login the recommended timeouts.'
    from pg_locks l
    where l.locktype = 'advisory' and not l.granted and l.waitstart < v_now - p_waiting
      and l.database = (select d.oid from pg_database d where d.datname = current_database())
    order by l.waitstart limit 20);
end
$$;
comment on function fsm_internal.doctor_locks(interval, interval) is
  'Findings of fsm.doctor: prepared transactions that nobody ends, and callers that wait for a session''s lock, at most 20.';
