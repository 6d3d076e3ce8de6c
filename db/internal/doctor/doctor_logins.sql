create function fsm_internal.doctor_logins()
returns table (severity text, check_name text, message text, hint text)
language plpgsql
stable
as $$
begin
  return query
    select 'warning', 'login_settings',
      format('login %s works without %s', r.rolname, string_agg(m.name, ', ' order by m.nth)),
      string_agg(format('alter role %I in database %I set %s = %L;', r.rolname, current_database(), m.name, m.recommended), ' ' order by m.nth)
    from (
      select l.oid, l.rolname from pg_roles l
      where l.rolcanlogin and not l.rolsuper and (pg_has_role(l.oid, 'fsm_app', 'member') or pg_has_role(l.oid, 'fsm_admin', 'member'))
      order by l.rolname limit 100) r
    cross join lateral fsm_internal.missing_settings(r.oid) m
    group by r.rolname;
end
$$;
comment on function fsm_internal.doctor_logins() is
  'Findings of fsm.doctor: logins of fsm_app and fsm_admin, at most 100, that a lost client or a stuck statement could keep others waiting for without end.';

create function fsm_internal.missing_settings(p_login oid)
returns table (nth bigint, name text, recommended text)
language plpgsql
stable
as $$
begin
  return query
    select n.nth, n.name, n.recommended
    from unnest(
      array['default_transaction_isolation', 'statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout',
        'client_connection_check_interval'],
      array['read committed', '10s', '5s', '15s', '5s']) with ordinality n (name, recommended, nth)
    join pg_settings s on s.name = n.name
    left join lateral (
      select split_part(c.entry, '=', 2) as value
      from pg_db_role_setting d
      join pg_database b on b.datname = current_database()
      cross join lateral unnest(d.setconfig) c (entry)
      where d.setrole in (0, p_login) and d.setdatabase in (0, b.oid) and lower(split_part(c.entry, '=', 1)) = n.name
      order by d.setrole = 0, d.setdatabase = 0 limit 1) given on true
    -- What stands in the present session for itself says nothing of another login.
    where coalesce(given.value,
        case when s.source in ('database', 'user', 'database user', 'client', 'session') then s.boot_val else s.reset_val end)
      ~ case n.name when 'default_transaction_isolation' then '^(?!read committed$)' else $re$^\s*0*(\.0*)?\s*(us|ms|s|min|h|d)?\s*\Z$re$ end;
end
$$;
comment on function fsm_internal.missing_settings(oid) is
  'The recommended settings (those of db/recommended_settings.sql) that a login does not have in this database: timeouts that are 0, another isolation level than read committed. What is given for the role here goes before the role everywhere, the database, all databases, and the server.';
