create function fsm_internal.doctor_settings()
returns table (severity text, check_name text, message text, hint text)
language plpgsql
stable
as $$
begin
  return query
    select v.severity, v.check_name, v.message, v.hint
    from pg_settings s
    join (values
      ('fsync', 'off', 'error', 'fsync', 'fsync is off: a crash of the machine loses or corrupts what was acknowledged',
        'Set fsync = on in postgresql.conf and reload.'),
      ('full_page_writes', 'off', 'error', 'full_page_writes', 'full_page_writes is off: a crash of the machine can leave torn pages',
        'Set full_page_writes = on in postgresql.conf and reload.'),
      ('synchronous_commit', 'off', 'warning', 'synchronous_commit',
        'synchronous_commit is off for new sessions: writes of fsmstore wait for the disk all the same, but those of others can be lost in a crash',
        'Set synchronous_commit = on, for the server, the database or the role that turned it off.'),
      ('track_counts', 'off', 'warning', 'track_counts', 'track_counts is off: autovacuum does not run, and dead rows are not counted',
        'Set track_counts = on in postgresql.conf and reload.')
    ) v (name, bad, severity, check_name, message, hint) on v.name = s.name and v.bad = s.reset_val
    union all
    select 'warning', s.name, format('%s is %s for new sessions: writers of the same session then get 40001 instead of waiting', s.name, s.reset_val),
      'Set it to read committed, for the server, the database or the role that changed it.'
    from pg_settings s where s.name = 'default_transaction_isolation' and s.reset_val <> 'read committed'
    union all
    select * from fsm_internal.doctor_server_version((select s.setting::integer from pg_settings s where s.name = 'server_version_num'));
end
$$;
comment on function fsm_internal.doctor_settings() is 'Findings of fsm.doctor: settings of the server, as a new session of the caller gets them.';

create function fsm_internal.doctor_server_version(p_number integer)
returns table (severity text, check_name text, message text, hint text)
language sql
immutable
begin atomic
  select f.severity, f.check_name, f.message, f.hint
  from (values ('error', 'server_version', 'PostgreSQL is older than 14', 'Upgrade the server: fsmstore is made for PostgreSQL 14 and later.'))
    f (severity, check_name, message, hint)
  where p_number < 140000;
end;
comment on function fsm_internal.doctor_server_version(integer) is 'Findings of fsm.doctor: a server that is too old, by its server_version_num.';
