create function fsm_internal.doctor_grants()
returns table (severity text, check_name text, message text, hint text)
language plpgsql
stable
as $$
begin
  return query
    select 'error', 'grant', format('%s has %s on %s %s', g.grantee, lower(g.privilege), g.kind, g.name),
      format('revoke %s%s from %s;', lower(g.privilege), g.place, g.grantee)
    from fsm_internal.present_grants() g
    where not g.is_given
    order by g.kind, g.name, g.grantee
    limit 100;
end
$$;
comment on function fsm_internal.doctor_grants() is 'Findings of fsm.doctor: privileges beyond those that db/grants.sql gives; at most 100.';

create function fsm_internal.present_grants()
returns table (kind text, name text, place text, grantee text, privilege text, is_given boolean)
language plpgsql
stable
as $$
begin
  return query
    select o.kind, o.name, o.place, case a.grantee when 0 then 'public' else a.grantee::regrole::text end, a.privilege_type, coalesce(
      case o.kind
        when 'schema' then o.is_api and a.privilege_type = 'USAGE' and r.rolname in ('fsm_app', 'fsm_reader', 'fsm_monitor', 'fsm_admin')
        when 'function' then o.is_api and (r.rolname = 'fsm_admin' or o.plain = any (fsm_internal.calls_of(r.rolname)))
        when 'view' then o.is_api and a.privilege_type = 'SELECT' and (
          r.rolname = 'fsm_admin' or (o.plain <> 'quarantine' and r.rolname in ('fsm_reader', 'fsm_monitor')))
        else false
      end, false)
    from (
      select 'schema' as kind, n.nspname::text as name, format(' on schema %I', n.nspname) as place, n.nspname::text as plain, n.nspname = 'fsm' as is_api, n.nspowner as owner,
        coalesce(n.nspacl, acldefault('n', n.nspowner)) as acl
      from pg_namespace n where n.nspname in ('fsm', 'fsm_internal')
      union all
      select 'function', p.oid::regprocedure::text, format(' on function %s', p.oid::regprocedure), p.proname::text, p.pronamespace = 'fsm'::regnamespace, p.proowner,
        coalesce(p.proacl, acldefault('f', p.proowner))
      from pg_proc p where p.pronamespace in ('fsm'::regnamespace, 'fsm_internal'::regnamespace)
      union all
      select case when c.relkind = 'v' then 'view' else 'table' end, c.oid::regclass::text, format(' on %s', c.oid::regclass), c.relname::text,
        c.relnamespace = 'fsm'::regnamespace, c.relowner, c.relacl
      from pg_class c where c.relnamespace in ('fsm'::regnamespace, 'fsm_internal'::regnamespace) and c.relacl is not null
      union all
      select 'column', format('%s.%I', c.oid::regclass, t.attname), format(' (%I) on %s', t.attname, c.oid::regclass), t.attname::text, false, c.relowner, t.attacl
      from pg_class c join pg_attribute t on t.attrelid = c.oid
      where c.relnamespace in ('fsm'::regnamespace, 'fsm_internal'::regnamespace) and t.attacl is not null) o
    cross join lateral aclexplode(o.acl) a
    left join pg_roles r on r.oid = a.grantee
    where a.grantee <> o.owner and r.rolname is distinct from 'fsm_owner';
end
$$;
comment on function fsm_internal.present_grants() is
  'Every privilege on an object of ours that somebody else than its owner has. is_given: db/grants.sql gives it; place: what stands between the privilege and "from" to revoke it.';

create function fsm_internal.calls_of(p_role text)
returns text[]
language sql
immutable
return case p_role
  when 'fsm_app' then array[
    'create_session', 'load_session', 'load_sessions', 'load_context', 'list_sessions', 'save_session', 'save_sessions', 'send_event',
    'update_context', 'fork_session', 'rollback_session', 'history', 'load_session_at', 'session_as_of', 'diff_session', 'allowed_events',
    'validate_context', 'detect_loop', 'begin_turn', 'extend_turn', 'end_turn', 'fire_deadlines', 'machine_definition', 'check_machine',
    'diagram', 'schema_release']
  when 'fsm_reader' then array[
    'load_session', 'load_sessions', 'load_context', 'list_sessions', 'history', 'load_session_at', 'session_as_of', 'diff_session',
    'allowed_events', 'validate_context', 'detect_loop', 'machine_definition', 'check_machine', 'diagram', 'schema_release',
    'looping_sessions', 'stuck_sessions', 'verify_sessions', 'changes', 'audit_head']
  when 'fsm_monitor' then array['metrics', 'doctor', 'looping_sessions', 'stuck_sessions', 'schema_release']
  else '{}'::text[]
end;
comment on function fsm_internal.calls_of(text) is 'The functions that db/grants.sql lets a role call; fsm_admin, which may call all, is not asked for.';
